//! After a start: what the journal says is compared with what RAUC and the boot loader say.

use super::{
    event::{Action, Failure, Stage},
    install,
    next::Step,
    offer::cancelled as conclude_cancelled,
    rollback,
    state::{Kind, Outcome, Plan, State, Work},
};

/// The agent has started in this state.
pub(super) fn started(state: State, step: &mut Step<'_>) -> State {
    let device = step.context.device;
    match state {
        State::Idle => {
            // What an earlier crash left behind.
            step.act(Action::Discard);
            State::Idle
        }
        State::Held { .. } => state,
        State::Downloading { work } => {
            step.act(Action::Download(work.deployment.clone()));
            State::Downloading { work }
        }
        State::Checking { work } => {
            step.act(Action::Check(work.deployment.clone()));
            State::Checking { work }
        }
        State::Installing { .. } if device.installing => {
            step.act(Action::Watch);
            state
        }
        State::Installing { work, plan, cancelled } => lost_track(work, plan, cancelled, step),
        State::Installed { work, plan, boot } if boot == device.boot => install::reboot(work, plan, boot, step),
        State::Rebooting { work, plan, boot } if boot == device.boot => {
            step.act(Action::Reboot);
            State::Rebooting { work, plan, boot }
        }
        State::Confirming { work, plan, boot, boots } if boot == device.boot => {
            install::confirm(work, plan, boot, boots, step)
        }
        State::Installed { work, plan, .. } | State::Rebooting { work, plan, .. } => after_boot(work, plan, 0, step),
        State::Confirming { work, plan, boots, .. } => after_boot(work, plan, boots, step),
        State::Reporting { concluded } => {
            step.act(Action::Report(concluded.action.clone(), concluded.outcome.clone()));
            State::Reporting { concluded }
        }
    }
}

/// An installation was begun, and its end was not seen.
pub(super) fn lost_track(work: Work, plan: Plan, cancelled: bool, step: &mut Step<'_>) -> State {
    let device = step.context.device;
    if plan.kind == Kind::Slots {
        if device.runs(&plan.target) {
            return after_boot(work, plan, 0, step);
        }
        let target = device.slots.iter().find(|slot| slot.name == plan.target.name);
        if target.is_some_and(|target| target.activated_count > plan.activated_count) {
            return install::finished(work, plan, cancelled, Ok(()), step);
        }
    }
    if cancelled {
        conclude_cancelled(work.deployment.action, "the installation was interrupted", step);
        step.act(Action::Discard);
        return State::Idle;
    }
    step.failed(work, Failure { reason: "the installation was interrupted".to_owned(), is_final: false })
}

/// The device has rebooted since the new slot was made the one to boot. `boots` of it were seen before.
fn after_boot(work: Work, plan: Plan, boots: u32, step: &mut Step<'_>) -> State {
    let device = step.context.device;
    if !device.runs(&plan.target) {
        return rolled_back(work, &plan, boots, step);
    }
    step.tell(
        &work,
        Stage::Proceeding,
        format!("slot {} runs {}: checking its health", plan.target.bootname, plan.version),
    );
    install::confirm(work, plan, device.boot.clone(), boots + 1, step)
}

/// The old slot runs again.
pub(super) fn rolled_back(work: Work, plan: &Plan, boots: u32, step: &mut Step<'_>) -> State {
    let device = step.context.device;
    if device.primary.as_ref() != device.booted().map(|booted| &booted.name) {
        step.act(Action::KeepRunningSlot);
    }
    let details = rollback::explain(plan, boots, &device.boot, step.context.evidence);
    step.conclude(work.deployment.action, Outcome::Failure { details })
}
