//! `io.microkernel.Ml1`: the model, which scores readings for anomalies.

mod proxy;
mod scorer;
mod types;

pub use proxy::ScorerProxy;
pub use scorer::{Scorer, ScorerBackend, serve};
pub use types::{Model, Score};

/// The bus name.
pub const NAME: &str = "io.microkernel.Ml1";
/// The object path.
pub const PATH: &str = "/io/microkernel/Ml1";
