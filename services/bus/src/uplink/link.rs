//! The service's side of `io.microkernel.Uplink1.Link`.

use super::{NAME, PATH};
use crate::{Error, Served};
use std::future::Future;
use zbus::{connection::Builder, interface};

/// What the uplink implements.
pub trait LinkBackend: Send + Sync + 'static {
    /// Resolves when everything that was spooled is with the broker.
    ///
    /// # Errors
    /// [`Error::Unavailable`] after 30 s, with what is still spooled; the backend keeps that deadline.
    fn flush(&self) -> impl Future<Output = Result<(), Error>> + Send;

    /// `connecting`, `connected` or `waiting` (before the next attempt).
    fn state(&self) -> String;

    /// The broker, `host:port`.
    fn broker(&self) -> String;

    /// How many readings are spooled.
    fn spool_depth(&self) -> u64;

    /// How much they take, in bytes.
    fn spool_bytes(&self) -> u64;

    /// How many readings the broker has acknowledged since the service started.
    fn published(&self) -> u64;

    /// How many readings the overflow policy has dropped since the service started.
    fn dropped(&self) -> u64;

    /// How many readings were overwritten in the sensor's ring before they were fetched, since the service started.
    fn lost(&self) -> u64;

    /// The last error of the link; empty while it is well.
    fn last_error(&self) -> String;
}

/// The served object.
#[derive(Debug)]
pub struct Link<B: LinkBackend>(B);

#[interface(name = "io.microkernel.Uplink1.Link", introspection_docs = false)]
impl<B: LinkBackend> Link<B> {
    async fn flush(&self) -> Result<(), Error> {
        self.0.flush().await
    }

    #[zbus(property)]
    fn state(&self) -> String {
        self.0.state()
    }

    #[zbus(property)]
    fn broker(&self) -> String {
        self.0.broker()
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn spool_depth(&self) -> u64 {
        self.0.spool_depth()
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn spool_bytes(&self) -> u64 {
        self.0.spool_bytes()
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn published(&self) -> u64 {
        self.0.published()
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn dropped(&self) -> u64 {
        self.0.dropped()
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn lost(&self) -> u64 {
        self.0.lost()
    }

    #[zbus(property)]
    fn last_error(&self) -> String {
        self.0.last_error()
    }
}

/// Serves `backend` at [`PATH`] and then takes [`NAME`], both on the connection that `builder` makes.
///
/// # Errors
/// When the connection can't be made, or the name belongs to somebody else or may not be owned by this user.
pub async fn serve<B: LinkBackend>(builder: Builder<'_>, backend: B) -> zbus::Result<Served<Link<B>>> {
    Served::new(builder, NAME, PATH, Link(backend)).await
}

impl<B: LinkBackend> Served<Link<B>> {
    /// Announces the state, the broker and the last error: to be called after any of them changed.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn link_changed(&self) -> zbus::Result<()> {
        let emitter = self.interface().signal_emitter();
        let link = self.interface().get().await;
        link.state_changed(emitter).await?;
        link.broker_changed(emitter).await?;
        link.last_error_changed(emitter).await
    }
}
