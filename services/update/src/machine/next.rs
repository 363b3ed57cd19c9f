//! The transitions.

use super::{
    event::{Action, Context, Event, Failure, Offer, Stage, Transport},
    install, offer, resume,
    state::{ActionId, Concluded, Handling, Hold, Journal, Outcome, State, Work},
};

/// An event that can't happen in that state; the state stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("in state {state} there is nothing that could be answered by {event}")]
pub struct IllegalTransition {
    /// The state.
    pub state: &'static str,
    /// The event.
    pub event: String,
}

/// What follows from `event` in `journal`.
///
/// # Errors
/// When the event answers an action that this state did not ask for.
pub fn next(
    journal: &Journal,
    event: Event,
    context: &Context<'_>,
) -> Result<(Journal, Vec<Action>), IllegalTransition> {
    let mut step = Step { journal: journal.clone(), actions: Vec::new(), context };
    let state = std::mem::take(&mut step.journal.state);
    step.journal.state = match (state, event) {
        (state, Event::Started) => resume::started(state, &mut step),
        (state, Event::Polled(offer)) => match offer {
            Offer::Nothing => offer::nothing(state, &mut step),
            Offer::Deployment(deployment) => offer::deployment(state, deployment, &mut step),
            Offer::Unusable { action, reason } => offer::unusable(state, action, reason, &mut step),
            Offer::Cancel(action) => offer::cancel(state, action, &mut step),
        },
        (State::Held { work, why }, Event::Urged) => step.proceed(Work { urgent: true, ..work }, Some(&why)),
        (State::Downloading { work }, Event::Urged) => State::Downloading { work: Work { urgent: true, ..work } },
        (State::Checking { work }, Event::Urged) => State::Checking { work: Work { urgent: true, ..work } },
        (state, Event::Urged) => state,
        (state, Event::Tick) => tick(state, &mut step),
        (State::Downloading { work }, Event::Downloaded(Ok(()))) => {
            step.tell(&work, Stage::Downloaded, "downloaded".to_owned());
            step.proceed(Work { downloaded: true, ..work }, None)
        }
        (State::Checking { work }, Event::Checked(Ok(info))) => install::checked(work, &info, &mut step),
        (State::Downloading { work }, Event::Downloaded(Err(failure)))
        | (State::Checking { work }, Event::Checked(Err(failure))) => step.failed(work, failure),
        (State::Installing { work, plan, cancelled }, Event::Finished(result)) => {
            install::finished(work, plan, cancelled, result, &mut step)
        }
        (State::Installing { work, plan, cancelled }, Event::LostTrack) => {
            resume::lost_track(work, plan, cancelled, &mut step)
        }
        (State::Reporting { concluded }, Event::Reported(action)) if concluded.action == action => {
            step.journal.conclude(concluded);
            State::Idle
        }
        (state, Event::Reported(_)) => state,
        (state, event) => return Err(IllegalTransition { state: state.name(), event: format!("{event:?}") }),
    };
    Ok((step.journal, step.actions))
}

fn tick(state: State, step: &mut Step<'_>) -> State {
    match state {
        // Only the next poll ends this one: trying again at every tick would be a loop.
        state @ State::Held { why: Hold::Retry(_), .. } => state,
        State::Held { work, why } => step.proceed(work, Some(&why)),
        State::Installed { work, plan, boot } => install::reboot(work, plan, boot, step),
        state @ State::Rebooting { .. } => {
            step.act(Action::Reboot);
            state
        }
        State::Confirming { work, plan, boot, boots } => install::confirm(work, plan, boot, boots, step),
        state => state,
    }
}

/// One transition in the making.
pub(super) struct Step<'a> {
    pub(super) journal: Journal,
    pub(super) actions: Vec<Action>,
    pub(super) context: &'a Context<'a>,
}

impl Step<'_> {
    pub(super) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    pub(super) fn tell(&mut self, work: &Work, stage: Stage, text: String) {
        self.act(Action::Tell(work.deployment.action.clone(), stage, text));
    }

    /// Goes as far as it may with a deployment that has not been checked yet. `before` is what held it up so far.
    pub(super) fn proceed(&mut self, work: Work, before: Option<&Hold>) -> State {
        let fetch_first = self.context.policy.transport == Transport::File && !work.downloaded;
        if fetch_first && work.deployment.download != Handling::Skip {
            self.tell(&work, Stage::Proceeding, format!("downloading {}", work.deployment.version));
            self.act(Action::Download(work.deployment.clone()));
            return State::Downloading { work };
        }
        if let Some(why) = self.hold(&work) {
            if before != Some(&why) {
                self.tell(&work, Stage::Scheduled, why.to_string());
            }
            return State::Held { work, why };
        }
        self.tell(&work, Stage::Proceeding, format!("checking the bundle of {}", work.deployment.version));
        self.act(Action::Check(work.deployment.clone()));
        State::Checking { work }
    }

    /// What speaks against installing now.
    pub(super) fn hold(&self, work: &Work) -> Option<Hold> {
        let (deployment, device) = (&work.deployment, self.context.device);
        let not_yet_here = deployment.download == Handling::Skip && !work.downloaded;
        if device.booted().is_none() {
            Some(Hold::NoBootedSlot)
        } else if not_yet_here || deployment.update == Handling::Skip {
            Some(Hold::ServerSkips)
        } else if !device.confirmed {
            Some(Hold::Unconfirmed)
        } else if device.installing {
            Some(Hold::InstallerBusy)
        } else {
            self.window_hold(work)
        }
    }

    /// Whether a maintenance window is closed. `forced` opens the device's own, so that an urgent fix does not wait.
    pub(super) fn window_hold(&self, work: &Work) -> Option<Hold> {
        if work.deployment.window_closed {
            return Some(Hold::ServerWindow);
        }
        let at_any_time = work.urgent || work.deployment.update == Handling::Forced;
        (!at_any_time && !self.context.window_open).then_some(Hold::DeviceWindow)
    }

    /// Tries again after the next poll, or gives up.
    pub(super) fn failed(&mut self, work: Work, failure: Failure) -> State {
        let work = Work { failures: work.failures + 1, ..work };
        if failure.is_final {
            return self.conclude(work.deployment.action, Outcome::failure(failure.reason));
        }
        if work.failures >= self.context.policy.attempts {
            let given_up = format!("given up after {} attempts", work.failures);
            let outcome = Outcome::Failure { details: vec![failure.reason, given_up] };
            return self.conclude(work.deployment.action, outcome);
        }
        let why = Hold::Retry(failure.reason);
        self.tell(&work, Stage::Scheduled, why.to_string());
        State::Held { work, why }
    }

    /// It is over: the server is told until it has it.
    pub(super) fn conclude(&mut self, action: ActionId, outcome: Outcome) -> State {
        self.act(Action::Discard);
        self.act(Action::Report(action.clone(), outcome.clone()));
        State::Reporting { concluded: Concluded { action, outcome } }
    }
}
