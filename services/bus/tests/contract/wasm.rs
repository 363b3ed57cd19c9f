//! `io.microkernel.Wasm1.Transformer`.

use crate::{
    outline::assert_served_as_written,
    pair::{self, Changes},
    reading,
};
use microkernel_bus::{
    Error, Reading,
    wasm::{
        Action, Alert, Derived, NAME, PATH, Script, Transformed, TransformerBackend, TransformerProxy, Verdict, serve,
    },
};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

#[derive(Default)]
struct Scripts {
    reloads: Arc<AtomicU32>,
}

fn transformed() -> Transformed {
    let verdict = |seq, action, value| Verdict { seq, action, value };
    let derived =
        Derived {
            source_seq: 3, sensor: "DewPoint".to_owned(), value: 12.25, unit: "°C".to_owned(), timestamp_us: -1
        };
    let alert = Alert { seq: 2, severity: "warning".to_owned(), message: "too hot".to_owned() };
    Transformed {
        verdicts: vec![verdict(1, Action::Keep, 1.0), verdict(2, Action::Change, 2.5), verdict(3, Action::Drop, 3.0)],
        derived: vec![derived],
        alerts: vec![alert],
    }
}

impl TransformerBackend for Scripts {
    async fn transform(&self, readings: Vec<Reading>) -> Result<Transformed, Error> {
        match readings.as_slice() {
            [] => Err(Error::Failed("script a.wasm: out of fuel".to_owned())),
            readings if readings == [reading(1), reading(2), reading(3)] => Ok(transformed()),
            others => panic!("the readings changed on their way: {others:?}"),
        }
    }

    async fn reload(&self) -> Result<(), Error> {
        match self.reloads.fetch_add(1, Ordering::SeqCst) {
            0 => Ok(()),
            _ => Err(Error::Failed("script b.wasm: bad magic number".to_owned())),
        }
    }

    fn scripts(&self) -> Vec<Script> {
        vec![Script { name: "a.wasm".to_owned(), state: "ok".to_owned(), detail: String::new() }]
    }
}

#[tokio::test]
async fn transformer_is_served_as_written() {
    let (_served, caller) = pair::connect(|builder| serve(builder, Scripts::default())).await;
    assert_served_as_written(&caller, NAME, PATH, "io.microkernel.Wasm1.Transformer").await;
}

#[tokio::test]
async fn transformer_answers_and_fails() {
    let scripts = Scripts::default();
    let reloads = scripts.reloads.clone();
    let (_served, caller) = pair::connect(|builder| serve(builder, scripts)).await;
    let transformer = TransformerProxy::uncached(&caller).await.unwrap();
    assert_eq!((transformer.inner().destination().as_str(), transformer.inner().path().as_str()), (NAME, PATH));

    let answer = transformer.transform(&[reading(1), reading(2), reading(3)]).await.unwrap();
    assert_eq!(answer, transformed());
    let failure = transformer.transform(&[]).await.unwrap_err();
    assert_eq!(failure, Error::Failed("script a.wasm: out of fuel".to_owned()));

    transformer.reload().await.unwrap();
    let failure = transformer.reload().await.unwrap_err();
    assert_eq!(failure, Error::Failed("script b.wasm: bad magic number".to_owned()));
    assert_eq!(reloads.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn transformer_tells_and_announces_its_scripts() {
    let (served, caller) = pair::connect(|builder| serve(builder, Scripts::default())).await;
    let transformer = TransformerProxy::uncached(&caller).await.unwrap();
    let mut changes = Changes::of(transformer.inner()).await;
    assert_eq!(transformer.scripts().await.unwrap(), Scripts::default().scripts());
    served.scripts_changed().await.unwrap();
    assert_eq!(changes.next(1).await, [r#"Scripts = [("a.wasm", "ok", "")]"#]);
}
