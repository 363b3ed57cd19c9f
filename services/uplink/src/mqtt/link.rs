//! The connection that is always wanted: made, lost, explained, made again.

use super::failure::Failure;
use super::flow::Flow;
use super::options::connect_options;
use super::session::{End, Session};
use crate::backoff::{Backoff, Limits};
use crate::commands::Intake;
use crate::device::About;
use crate::settings::Settings;
use crate::state::{LinkPhase, LinkState, State};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Keeps a connection to the broker.
#[derive(Debug)]
pub struct Link {
    pub(super) settings: Arc<Settings>,
    pub(super) about: About,
    pub(super) state: Arc<State>,
    pub(super) commands: Intake,
    pub(super) flow: Flow,
    /// The most readings of one message: fewer than configured once the broker found one too large.
    pub(super) message_readings: usize,
}

impl Link {
    /// A link that hands commands to `commands`.
    pub fn new(settings: Arc<Settings>, about: About, state: Arc<State>, commands: Intake) -> Self {
        let message_readings = settings.link.message_readings;
        Self { settings, about, state, commands, flow: Flow::Open, message_readings }
    }

    /// Connects and publishes until `drain` is cancelled; then delivers what waits, if there is a connection, within
    /// the configured time, says offline and disconnects.
    pub async fn run(mut self, drain: CancellationToken) {
        let mut backoff = Backoff::new(Limits::BROKER);
        while !drain.is_cancelled() {
            let (failure, held) = match self.connect(&drain).await {
                End::Left => break,
                End::Lost { failure, held } => (failure, held),
            };
            let delay = backoff.after(held, fastrand::f64());
            tracing::warn!(broker = %self.settings.broker, retry_in_ms = delay.as_millis() as u64, "no connection: {failure}");
            self.state.link.send_replace(LinkState { phase: LinkPhase::Waiting, last_error: failure.to_string() });
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = drain.cancelled() => {}
            }
        }
        let depth = self.state.spool.usage().depth;
        if depth > 0 {
            tracing::warn!(
                readings = depth,
                "ended before the broker had everything; the sensor's ring may still hold it"
            );
        }
    }

    async fn connect(&mut self, drain: &CancellationToken) -> End {
        self.state.link.send_modify(|link| link.phase = LinkPhase::Connecting);
        match connect_options(&self.settings, &self.about) {
            Ok(options) => Session::run(self, options, drain).await,
            Err(error) => End::Lost { failure: Failure::from(error), held: Duration::ZERO },
        }
    }

    /// Makes an error of an existing connection known; empty: it is over.
    pub(super) fn report_error(&self, error: String) {
        self.state.link.send_if_modified(|link| std::mem::replace(&mut link.last_error, error) != link.last_error);
    }
}
