//! `io.microkernel.Wasm1`: the edge scripts, which transform, filter and derive readings.

mod proxy;
mod transformer;
mod types;

pub use proxy::TransformerProxy;
pub use transformer::{Transformer, TransformerBackend, serve};
pub use types::{Action, Alert, Derived, Script, Transformed, Verdict};

/// The bus name.
pub const NAME: &str = "io.microkernel.Wasm1";
/// The object path.
pub const PATH: &str = "/io/microkernel/Wasm1";
