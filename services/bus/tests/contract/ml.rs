//! `io.microkernel.Ml1.Scorer`.

use crate::{
    outline::assert_served_as_written,
    pair::{self, Changes},
    reading,
};
use microkernel_bus::{
    Error, Reading,
    ml::{Model, NAME, PATH, Score, ScorerBackend, ScorerProxy, serve},
};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

#[derive(Default)]
struct Models {
    reloads: Arc<AtomicU32>,
}

fn scores() -> Vec<Score> {
    let score = |seq, anomaly, confidence, score, reason: &str| Score {
        seq,
        anomaly,
        confidence,
        score,
        reason: reason.to_owned(),
    };
    vec![score(1, false, 0.95, 0.125, ""), score(2, true, 0.5, 8.25, "8 standard deviations from the mean")]
}

impl ScorerBackend for Models {
    async fn score(&self, readings: Vec<Reading>) -> Result<Vec<Score>, Error> {
        match readings.as_slice() {
            [] => Err(Error::Failed("model a.tflite: no input".to_owned())),
            readings if readings == [reading(1), reading(2)] => Ok(scores()),
            others => panic!("the readings changed on their way: {others:?}"),
        }
    }

    async fn reload(&self) -> Result<(), Error> {
        match self.reloads.fetch_add(1, Ordering::SeqCst) {
            0 => Ok(()),
            _ => Err(Error::Failed("model b.tflite: not a flatbuffer".to_owned())),
        }
    }

    fn models(&self) -> Vec<Model> {
        vec![Model { name: "a.tflite".to_owned(), state: "refused".to_owned(), detail: "two inputs".to_owned() }]
    }
}

#[tokio::test]
async fn scorer_is_served_as_written() {
    let (_served, caller) = pair::connect(|builder| serve(builder, Models::default())).await;
    assert_served_as_written(&caller, NAME, PATH, "io.microkernel.Ml1.Scorer").await;
}

#[tokio::test]
async fn scorer_answers_and_fails() {
    let models = Models::default();
    let reloads = models.reloads.clone();
    let (_served, caller) = pair::connect(|builder| serve(builder, models)).await;
    let scorer = ScorerProxy::uncached(&caller).await.unwrap();
    assert_eq!((scorer.inner().destination().as_str(), scorer.inner().path().as_str()), (NAME, PATH));

    assert_eq!(scorer.score(&[reading(1), reading(2)]).await.unwrap(), scores());
    let failure = scorer.score(&[]).await.unwrap_err();
    assert_eq!(failure, Error::Failed("model a.tflite: no input".to_owned()));

    scorer.reload().await.unwrap();
    let failure = scorer.reload().await.unwrap_err();
    assert_eq!(failure, Error::Failed("model b.tflite: not a flatbuffer".to_owned()));
    assert_eq!(reloads.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn scorer_tells_and_announces_its_models() {
    let (served, caller) = pair::connect(|builder| serve(builder, Models::default())).await;
    let scorer = ScorerProxy::uncached(&caller).await.unwrap();
    let mut changes = Changes::of(scorer.inner()).await;
    assert_eq!(scorer.models().await.unwrap(), Models::default().models());
    served.models_changed().await.unwrap();
    assert_eq!(changes.next(1).await, [r#"Models = [("a.tflite", "refused", "two inputs")]"#]);
}
