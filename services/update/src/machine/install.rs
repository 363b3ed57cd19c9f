//! From the verified bundle to the confirmed slot.

use super::{
    event::{Action, Failure, Stage},
    judge::{Verdict, judge},
    next::Step,
    offer::{cancelled as conclude_cancelled, too_late},
    resume,
    state::{BootId, Kind, Outcome, Plan, State, Work},
};
use microkernel_bus::rauc::BundleInfo;

/// The bundle's signature is good, and this is its manifest.
pub(super) fn checked(work: Work, info: &BundleInfo, step: &mut Step<'_>) -> State {
    let action = work.deployment.action.clone();
    match judge(info, step.context) {
        Verdict::Refuse(reason) => step.conclude(action, Outcome::failure(reason)),
        Verdict::Current => {
            let details = vec![format!("{} is what runs already: nothing was installed", info.version)];
            step.conclude(action, Outcome::Success { details })
        }
        Verdict::Install(plan) => {
            // Checking took its time: a window may have closed.
            if let Some(why) = step.hold(&work) {
                step.tell(&work, Stage::Scheduled, why.to_string());
                return State::Held { work, why };
            }
            let into = match plan.kind {
                Kind::Slots => format!("installing {} into slot {}", plan.version, plan.target.bootname),
                Kind::Artifacts => format!("installing the artifacts of {}", plan.version),
            };
            step.tell(&work, Stage::Proceeding, into);
            step.act(Action::Install(work.deployment.clone()));
            State::Installing { work, plan, cancelled: false }
        }
    }
}

/// RAUC has finished.
pub(super) fn finished(
    work: Work,
    plan: Plan,
    cancelled: bool,
    result: Result<(), Failure>,
    step: &mut Step<'_>,
) -> State {
    let action = work.deployment.action.clone();
    match (result, plan.kind) {
        (Err(_), _) if cancelled => {
            conclude_cancelled(action, "the installation failed", step);
            step.act(Action::Discard);
            State::Idle
        }
        (Err(failure), _) => step.failed(work, failure),
        (Ok(()), Kind::Artifacts) => {
            if cancelled {
                too_late(action.clone(), "the artifacts are installed", step);
            }
            step.act(Action::TakeUpArtifacts);
            let details = vec![format!("the artifacts of {} are installed", plan.version)];
            step.conclude(action, Outcome::Success { details })
        }
        (Ok(()), Kind::Slots) if cancelled => {
            step.act(Action::KeepRunningSlot);
            conclude_cancelled(action, "it was installed but will not be booted", step);
            step.act(Action::Discard);
            State::Idle
        }
        (Ok(()), Kind::Slots) => match disagreement(&plan, step) {
            Some(reason) => {
                step.act(Action::KeepRunningSlot);
                step.conclude(action, Outcome::failure(reason))
            }
            None => {
                step.tell(
                    &work,
                    Stage::Proceeding,
                    format!("installed {} into slot {}", plan.version, plan.target.bootname),
                );
                let boot = step.context.device.boot.clone();
                reboot(work, plan, boot, step)
            }
        },
    }
}

/// How what was installed differs from what was planned.
fn disagreement(plan: &Plan, step: &Step<'_>) -> Option<String> {
    let device = step.context.device;
    if let Some(primary) = device.primary.as_ref().filter(|primary| **primary != plan.target.name) {
        return Some(format!("RAUC reported success, but {primary} would be booted and not {}", plan.target.name));
    }
    let written = device.slots.iter().find(|slot| slot.name == plan.target.name)?.manifest_hash.as_ref()?;
    let checked = plan.manifest_hash.as_ref()?;
    (written != checked).then(|| {
        format!("the server sent another bundle ({written}) for the installation than for the check ({checked})")
    })
}

/// Reboots into the new slot, or waits for the window in which that may happen.
pub(super) fn reboot(work: Work, plan: Plan, boot: BootId, step: &mut Step<'_>) -> State {
    if step.window_hold(&work).is_some() {
        return State::Installed { work, plan, boot };
    }
    step.tell(&work, Stage::Proceeding, format!("rebooting into slot {}", plan.target.bootname));
    step.act(Action::Reboot);
    State::Rebooting { work, plan, boot }
}

/// The new slot runs: it is over when the health check has let it be marked good.
pub(super) fn confirm(work: Work, plan: Plan, boot: BootId, boots: u32, step: &mut Step<'_>) -> State {
    if !step.context.device.runs(&plan.target) {
        return resume::rolled_back(work, &plan, boots, step);
    }
    if !step.context.device.confirmed {
        return State::Confirming { work, plan, boot, boots };
    }
    let details = vec![
        format!("slot {} runs {} and passed its health check", plan.target.bootname, plan.version),
        format!("slot {} keeps {}", plan.from.bootname, plan.from_version),
    ];
    step.conclude(work.deployment.action, Outcome::Success { details })
}
