//! What follows from what the server has for this device.

use super::{
    event::{Action, CancelAnswer},
    install,
    next::Step,
    state::{ActionId, Concluded, Deployment, Outcome, State, Work},
};

/// The server has nothing.
pub(super) fn nothing(state: State, step: &mut Step<'_>) -> State {
    match state {
        State::Held { work, .. } | State::Downloading { work } | State::Checking { work } => {
            step.journal.drop_work(work);
            step.act(Action::Discard);
            State::Idle
        }
        state => report_again(state, step),
    }
}

/// The server offers a deployment.
pub(super) fn deployment(state: State, deployment: Deployment, step: &mut Step<'_>) -> State {
    match state {
        State::Idle => begin(deployment, step),
        State::Held { work, why } if work.deployment.action == deployment.action => {
            step.proceed(Work { deployment, ..work }, Some(&why))
        }
        State::Downloading { work } if work.deployment.action == deployment.action => {
            State::Downloading { work: Work { deployment, ..work } }
        }
        State::Checking { work } if work.deployment.action == deployment.action => {
            State::Checking { work: Work { deployment, ..work } }
        }
        State::Held { work, .. } | State::Downloading { work } | State::Checking { work } => {
            step.journal.drop_work(work);
            step.act(Action::Discard);
            begin(deployment, step)
        }
        State::Installed { work, plan, boot } if work.deployment.action == deployment.action => {
            install::reboot(Work { deployment, ..work }, plan, boot, step)
        }
        state => report_again(state, step),
    }
}

fn begin(deployment: Deployment, step: &mut Step<'_>) -> State {
    if let Some(outcome) = step.journal.outcome_of(&deployment.action).cloned() {
        step.act(Action::Report(deployment.action, outcome));
        return State::Idle;
    }
    let failures = step.journal.failures_of(&deployment.action);
    step.proceed(Work { deployment, failures, urgent: false, downloaded: false }, None)
}

/// The server offers what no device could install.
pub(super) fn unusable(state: State, action: ActionId, reason: String, step: &mut Step<'_>) -> State {
    let untouched =
        matches!(state, State::Idle | State::Held { .. } | State::Downloading { .. } | State::Checking { .. });
    if !untouched {
        return report_again(state, step);
    }
    if let Some(outcome) = step.journal.outcome_of(&action).cloned() {
        step.act(Action::Report(action, outcome));
        return state;
    }
    step.conclude(action, Outcome::failure(reason))
}

/// The server wants an action cancelled.
pub(super) fn cancel(state: State, action: ActionId, step: &mut Step<'_>) -> State {
    let concerns_this = match &state {
        State::Reporting { concluded } => concluded.action == action,
        state => state.work().is_some_and(|work| work.deployment.action == action),
    };
    if !concerns_this {
        match step.journal.outcome_of(&action) {
            Some(Outcome::Success { .. } | Outcome::Failure { .. }) => {
                too_late(action, "it is over already", step);
            }
            Some(Outcome::Cancelled) | None => cancelled(action, "it was not begun", step),
        }
        return state;
    }
    match state {
        State::Held { .. } | State::Downloading { .. } | State::Checking { .. } => {
            cancelled(action, "nothing was installed", step);
            step.act(Action::Discard);
            State::Idle
        }
        State::Installing { work, plan, .. } => State::Installing { work, plan, cancelled: true },
        State::Installed { .. } => {
            step.act(Action::KeepRunningSlot);
            cancelled(action, "the running slot stays the one to boot", step);
            step.act(Action::Discard);
            State::Idle
        }
        State::Rebooting { .. } => {
            too_late(action, "the device is rebooting into the new slot", step);
            state
        }
        State::Confirming { .. } => {
            too_late(action, "the new slot is running", step);
            state
        }
        State::Idle | State::Reporting { .. } => {
            too_late(action, "it is over already", step);
            report_again(state, step)
        }
    }
}

/// The action is over, and counts as cancelled.
pub(super) fn cancelled(action: ActionId, how: &str, step: &mut Step<'_>) {
    step.journal.conclude(Concluded { action: action.clone(), outcome: Outcome::Cancelled });
    step.act(Action::AnswerCancel(action, CancelAnswer::Done(how.to_owned())));
}

/// The action goes on.
pub(super) fn too_late(action: ActionId, why: &str, step: &mut Step<'_>) {
    step.act(Action::AnswerCancel(action, CancelAnswer::TooLate(why.to_owned())));
}

/// The server answers again: an outcome that it does not have yet can be tried again.
fn report_again(state: State, step: &mut Step<'_>) -> State {
    if let State::Reporting { concluded } = &state {
        step.act(Action::Report(concluded.action.clone(), concluded.outcome.clone()));
    }
    state
}
