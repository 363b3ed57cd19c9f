//! A service that uses artifacts.

use microkernel_bus::{
    Error, Reading, Served,
    wasm::{Script, Transformed, Transformer, TransformerBackend, serve},
};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};
use zbus::connection::Builder;

/// The service of the edge scripts, as far as updates are concerned.
pub(crate) struct Scripts {
    reloads: Arc<AtomicU32>,
    _served: Served<Transformer<Backend>>,
}

impl Scripts {
    pub(crate) async fn serve(address: &str) -> Self {
        let reloads = Arc::new(AtomicU32::new(0));
        let served = serve(Builder::address(address), Backend(reloads.clone())).await.unwrap();
        Self { reloads, _served: served }
    }

    /// How often the scripts were loaded anew.
    pub(crate) fn reloads(&self) -> u32 {
        self.reloads.load(Ordering::SeqCst)
    }
}

struct Backend(Arc<AtomicU32>);

impl TransformerBackend for Backend {
    async fn transform(&self, _: Vec<Reading>) -> Result<Transformed, Error> {
        Ok(Transformed::default())
    }

    async fn reload(&self) -> Result<(), Error> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn scripts(&self) -> Vec<Script> {
        Vec::new()
    }
}
