//! The stages of the pipeline, `wasm` and `ml`: asked side by side about the same raw batch, each with a deadline.
//!
//! Neither sees what the other answers, and neither can hold up the other or the readings: a stage that is absent, late
//! or broken is recorded in each reading's outcome, and its circuit breaker keeps it from being asked for a while.

mod breaker;
mod merge;

pub use breaker::{Breaker, Event, IllegalTransition, Policy};
pub use merge::{Answers, Merged, Source, merge};

use microkernel_bus::ml::ScorerProxy;
use microkernel_bus::wasm::TransformerProxy;
use microkernel_bus::zbus::{self, Connection};
use microkernel_bus::{Error, Reading};
use microkernel_wire::StageOutcome;
use std::future::Future;
use std::time::{Duration, Instant};

/// The stages on the bus.
#[derive(Debug)]
pub struct Stages {
    transformer: TransformerProxy<'static>,
    scorer: ScorerProxy<'static>,
    wasm: Stage,
    ml: Stage,
}

impl Stages {
    /// The stages on `connection`, each with its deadline.
    ///
    /// # Errors
    /// When the connection is gone; that a stage is absent shows in the outcomes.
    pub async fn new(connection: &Connection, wasm_deadline: Duration, ml_deadline: Duration) -> zbus::Result<Self> {
        Ok(Self {
            transformer: TransformerProxy::uncached(connection).await?,
            scorer: ScorerProxy::uncached(connection).await?,
            wasm: Stage::new("wasm", wasm_deadline),
            ml: Stage::new("ml", ml_deadline),
        })
    }

    /// Asks both about `readings`. Takes at most as long as the longer deadline.
    pub async fn ask(&mut self, readings: &[Reading]) -> Answers {
        let (wasm, ml) =
            tokio::join!(self.wasm.ask(self.transformer.transform(readings)), self.ml.ask(self.scorer.score(readings)));
        Answers { wasm, ml }
    }
}

/// One stage: its deadline and its circuit breaker.
#[derive(Debug)]
struct Stage {
    name: &'static str,
    deadline: Duration,
    policy: Policy,
    breaker: Breaker,
}

impl Stage {
    fn new(name: &'static str, deadline: Duration) -> Self {
        Self { name, deadline, policy: Policy::default(), breaker: Breaker::default() }
    }

    async fn ask<T>(&mut self, call: impl Future<Output = Result<T, Error>>) -> Result<T, StageOutcome> {
        self.step(Event::Ask(Instant::now()), "");
        if let Some(outcome) = self.breaker.skips() {
            return Err(outcome);
        }
        let (outcome, reason) = match tokio::time::timeout(self.deadline, call).await {
            Ok(Ok(answer)) => {
                self.step(Event::Succeeded, "");
                return Ok(answer);
            }
            Ok(Err(error)) if error.is_absent() => (StageOutcome::Absent, "it is not running".to_owned()),
            Ok(Err(error)) => (StageOutcome::Error, error.to_string()),
            Err(_) => (StageOutcome::Timeout, format!("no answer within {:?}", self.deadline)),
        };
        self.step(Event::Failed(outcome, Instant::now()), &reason);
        Err(outcome)
    }

    fn step(&mut self, event: Event, reason: &str) {
        let before = self.breaker;
        self.breaker = before.next(event, &self.policy).unwrap_or_else(|error| {
            tracing::error!(stage = self.name, "{error}");
            Breaker::default()
        });
        match (before, self.breaker) {
            (Breaker::Closed { .. }, Breaker::Open { .. }) => {
                tracing::warn!(stage = self.name, "readings go on without this stage: {reason}");
            }
            (Breaker::HalfOpen { .. }, Breaker::Closed { .. }) => tracing::info!(stage = self.name, "stage is back"),
            _ => {}
        }
    }
}
