//! The service's side of `io.microkernel.Ml1.Scorer`.

use super::{Model, NAME, PATH, Score};
use crate::{Error, Reading, Served};
use std::future::Future;
use zbus::{connection::Builder, interface};

/// What the model service implements.
pub trait ScorerBackend: Send + Sync + 'static {
    /// Scores a batch: one score for each reading that a model has an opinion on.
    ///
    /// # Errors
    /// [`Error::Failed`] when the batch can't be scored; the caller goes on without scores.
    fn score(&self, readings: Vec<Reading>) -> impl Future<Output = Result<Vec<Score>, Error>> + Send;

    /// Loads the models anew.
    ///
    /// # Errors
    /// [`Error::Failed`] names the model; those that were loaded stay.
    fn reload(&self) -> impl Future<Output = Result<(), Error>> + Send;

    /// Every installed model.
    fn models(&self) -> Vec<Model>;
}

/// The served object.
#[derive(Debug)]
pub struct Scorer<B: ScorerBackend>(B);

#[interface(name = "io.microkernel.Ml1.Scorer", introspection_docs = false)]
impl<B: ScorerBackend> Scorer<B> {
    #[zbus(out_args("scores"))]
    async fn score(&self, readings: Vec<Reading>) -> Result<Vec<Score>, Error> {
        self.0.score(readings).await
    }

    async fn reload(&self) -> Result<(), Error> {
        self.0.reload().await
    }

    #[zbus(property)]
    fn models(&self) -> Vec<Model> {
        self.0.models()
    }
}

/// Serves `backend` at [`PATH`] and then takes [`NAME`], both on the connection that `builder` makes.
///
/// # Errors
/// When the connection can't be made, or the name belongs to somebody else or may not be owned by this user.
pub async fn serve<B: ScorerBackend>(builder: Builder<'_>, backend: B) -> zbus::Result<Served<Scorer<B>>> {
    Served::new(builder, NAME, PATH, Scorer(backend)).await
}

impl<B: ScorerBackend> Served<Scorer<B>> {
    /// Announces the models with their states.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn models_changed(&self) -> zbus::Result<()> {
        self.interface().get().await.models_changed(self.interface().signal_emitter()).await
    }
}
