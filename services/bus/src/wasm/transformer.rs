//! The service's side of `io.microkernel.Wasm1.Transformer`.

use super::{Alert, Derived, NAME, PATH, Script, Transformed, Verdict};
use crate::{Error, Reading, Served};
use std::future::Future;
use zbus::{connection::Builder, interface};

/// What the script service implements.
pub trait TransformerBackend: Send + Sync + 'static {
    /// Runs the scripts over a batch.
    ///
    /// # Errors
    /// [`Error::Failed`] when no verdict can be given on the batch; the caller goes on with the raw readings.
    fn transform(&self, readings: Vec<Reading>) -> impl Future<Output = Result<Transformed, Error>> + Send;

    /// Loads the scripts anew.
    ///
    /// # Errors
    /// [`Error::Failed`] names the script; those that ran go on running.
    fn reload(&self) -> impl Future<Output = Result<(), Error>> + Send;

    /// Every installed script.
    fn scripts(&self) -> Vec<Script>;
}

/// The served object.
#[derive(Debug)]
pub struct Transformer<B: TransformerBackend>(B);

#[interface(name = "io.microkernel.Wasm1.Transformer", introspection_docs = false)]
impl<B: TransformerBackend> Transformer<B> {
    #[zbus(out_args("verdicts", "derived", "alerts"))]
    async fn transform(&self, readings: Vec<Reading>) -> Result<(Vec<Verdict>, Vec<Derived>, Vec<Alert>), Error> {
        let Transformed { verdicts, derived, alerts } = self.0.transform(readings).await?;
        Ok((verdicts, derived, alerts))
    }

    async fn reload(&self) -> Result<(), Error> {
        self.0.reload().await
    }

    #[zbus(property)]
    fn scripts(&self) -> Vec<Script> {
        self.0.scripts()
    }
}

/// Serves `backend` at [`PATH`] and then takes [`NAME`], both on the connection that `builder` makes.
///
/// # Errors
/// When the connection can't be made, or the name belongs to somebody else or may not be owned by this user.
pub async fn serve<B: TransformerBackend>(builder: Builder<'_>, backend: B) -> zbus::Result<Served<Transformer<B>>> {
    Served::new(builder, NAME, PATH, Transformer(backend)).await
}

impl<B: TransformerBackend> Served<Transformer<B>> {
    /// Announces the scripts with their states.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn scripts_changed(&self) -> zbus::Result<()> {
        self.interface().get().await.scripts_changed(self.interface().signal_emitter()).await
    }
}
