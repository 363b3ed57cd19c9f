//! What others see of the agent, and what they ask of it.

use super::Agent;
use crate::{
    machine::{Event, Outcome, State},
    on_bus::{Request, View},
};
use microkernel_bus::Error;

impl Agent {
    /// Answers a caller on the bus.
    pub async fn answer(&mut self, request: Request) {
        let (sender, answer) = match request {
            Request::Check(sender) => (sender, self.check().await),
            Request::Install(version, sender) => (sender, self.install(&version).await),
        };
        // A caller that has gone does not want to know.
        let _ = sender.send(answer);
    }

    async fn check(&mut self) -> Result<(), Error> {
        match &self.journal.state {
            State::Idle | State::Held { .. } | State::Confirming { .. } | State::Reporting { .. } => {
                self.poll().await.map_err(|error| Error::Unavailable(error.to_string()))
            }
            state => Err(self.busy(state)),
        }
    }

    async fn install(&mut self, version: &str) -> Result<(), Error> {
        let offers = |state: &State| state.work().is_some_and(|work| work.deployment.version == version);
        self.check().await?;
        match &self.journal.state {
            State::Confirming { .. } | State::Reporting { .. } => Err(self.busy(&self.journal.state)),
            state if offers(state) => {
                self.handle(Event::Urged).await;
                Ok(())
            }
            state => {
                let offer = state.work().map_or("nothing", |work| &work.deployment.version);
                Err(Error::InvalidArgument(format!("{version} is not on offer; the server offers {offer}")))
            }
        }
    }

    fn busy(&self, state: &State) -> Error {
        let version = state.work().map(|work| work.deployment.version.clone()).unwrap_or_default();
        Error::Unavailable(format!("an update is under way: {} {version}", state.name()))
    }

    /// Shows on the bus where the agent is.
    pub async fn show(&self) {
        let view = View {
            state: self.journal.state.name().to_owned(),
            slot: self.slot(),
            version: self.device.version.clone(),
            progress: *self.progress.borrow(),
            last_error: self.last_error(),
        };
        if self.on_bus.show(view)
            && let Err(error) = self.served.update_changed().await
        {
            tracing::warn!("a change was not announced: {error}");
        }
    }

    pub(super) fn slot(&self) -> String {
        let booted = self.device.booted().and_then(|slot| slot.bootname.clone());
        booted.or_else(|| self.system.slot()).unwrap_or_default()
    }

    fn last_error(&self) -> String {
        let failure = match &self.journal.state {
            State::Held { why, .. } => Some(why.to_string()),
            State::Reporting { concluded } => Some(failure_of(&concluded.outcome)),
            State::Idle => self.journal.concluded.back().map(|concluded| failure_of(&concluded.outcome)),
            _ => None,
        };
        if self.trouble.is_empty() { failure.unwrap_or_default() } else { self.trouble.clone() }
    }

    /// One line for the operator.
    pub fn status(&self) -> String {
        let version = self.journal.state.work().map(|work| format!(" {}", work.deployment.version)).unwrap_or_default();
        match self.last_error() {
            error if error.is_empty() => format!("{}{version}", self.journal.state.name()),
            error => format!("{}{version}; {error}", self.journal.state.name()),
        }
    }
}

fn failure_of(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Failure { details } => details.join("; "),
        Outcome::Success { .. } | Outcome::Cancelled => String::new(),
    }
}
