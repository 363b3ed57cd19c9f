//! The service's side of `io.microkernel.Update1.Agent`.

use super::{NAME, PATH};
use crate::{Error, Served};
use std::future::Future;
use zbus::{connection::Builder, interface};

/// What the OTA agent implements.
pub trait AgentBackend: Send + Sync + 'static {
    /// Asks the server now whether there is something to install, instead of at the next poll. Returns when it has
    /// answered, not when that is installed.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the server can't be reached or an update is under way.
    fn check(&self) -> impl Future<Output = Result<(), Error>> + Send;

    /// Starts the installation of a version that the server offers to this device; `Progress` and `State` tell how it
    /// goes on.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when the version is not on offer, [`Error::Unavailable`] when an update is under way.
    fn install(&self, version: &str) -> impl Future<Output = Result<(), Error>> + Send;

    /// The state of the agent.
    fn state(&self) -> String;

    /// The slot that is running, for example `A`.
    fn slot(&self) -> String;

    /// The version that is running.
    fn version(&self) -> String;

    /// How far the installation is, in percent; 0 when there is none.
    fn progress(&self) -> u32;

    /// Why the last update failed; empty when it did not.
    fn last_error(&self) -> String;
}

/// The served object.
#[derive(Debug)]
pub struct Agent<B: AgentBackend>(B);

#[interface(name = "io.microkernel.Update1.Agent", introspection_docs = false)]
impl<B: AgentBackend> Agent<B> {
    async fn check(&self) -> Result<(), Error> {
        self.0.check().await
    }

    async fn install(&self, version: &str) -> Result<(), Error> {
        self.0.install(version).await
    }

    #[zbus(property)]
    fn state(&self) -> String {
        self.0.state()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn slot(&self) -> String {
        self.0.slot()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn version(&self) -> String {
        self.0.version()
    }

    #[zbus(property)]
    fn progress(&self) -> u32 {
        self.0.progress()
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
pub async fn serve<B: AgentBackend>(builder: Builder<'_>, backend: B) -> zbus::Result<Served<Agent<B>>> {
    Served::new(builder, NAME, PATH, Agent(backend)).await
}

impl<B: AgentBackend> Served<Agent<B>> {
    /// Announces the state, the progress and the last error: to be called after any of them changed.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn update_changed(&self) -> zbus::Result<()> {
        let emitter = self.interface().signal_emitter();
        let agent = self.interface().get().await;
        agent.state_changed(emitter).await?;
        agent.progress_changed(emitter).await?;
        agent.last_error_changed(emitter).await
    }
}
