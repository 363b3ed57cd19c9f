//! Why a new slot was given up, as far as it can be known.

use super::state::{BootId, Plan};

/// What is left of earlier boots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The verdicts of the health check, the oldest first.
    pub verdicts: Vec<HealthVerdict>,
    /// The kernel's last words, when it panicked.
    pub panic: Option<String>,
    /// Whether the watchdog reset the machine before this boot.
    pub watchdog_reset: bool,
}

/// What the health check said in one boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthVerdict {
    /// In which boot.
    pub boot: BootId,
    /// The slot that ran, as the boot loader calls it.
    pub slot: String,
    /// What failed, a line each; empty when it passed.
    pub failures: Vec<String>,
}

/// Explains it, a line each: what happened, how often it was tried, why. `boots` of the new slot got as far as the agent.
pub(super) fn explain(plan: &Plan, boots: u32, present: &BootId, evidence: &Evidence) -> Vec<String> {
    let (slot, version) = (&plan.target.bootname, &plan.version);
    let earlier = evidence.verdicts.iter().rev().skip_while(|verdict| verdict.boot == *present);
    // Only the last boots, without a gap: those before belong to what was in that slot before.
    let tried: Vec<&HealthVerdict> = earlier.take_while(|verdict| verdict.slot == *slot).collect();
    let seen = u32::try_from(tried.len()).unwrap_or(u32::MAX).max(boots);
    let attempts = match seen {
        0 => format!("attempts: slot {slot} never got as far as its services"),
        1 => format!("attempts: slot {slot} got as far as its services in 1 boot"),
        seen => format!("attempts: slot {slot} got as far as its services in {seen} boots"),
    };
    vec![
        format!(
            "rolled back: slot {slot} with {version} was given up, slot {} with {} runs again",
            plan.from.bootname, plan.from_version
        ),
        attempts,
        format!("reason: {}", reason(slot, seen, &tried, evidence)),
    ]
}

/// The most telling first: a check that failed names the cause, a reset only the symptom.
fn reason(slot: &str, seen: u32, tried: &[&HealthVerdict], evidence: &Evidence) -> String {
    if let Some(verdict) = tried.iter().find(|verdict| !verdict.failures.is_empty()) {
        return format!("health check failed in slot {slot}: {}", verdict.failures.join("; "));
    }
    if let Some(last_words) = &evidence.panic {
        return format!("kernel panic in slot {slot}: {last_words}");
    }
    if evidence.watchdog_reset {
        return format!("slot {slot} hung, and the watchdog reset the device");
    }
    if seen == 0 {
        return format!("slot {slot} left no trace: its kernel or its init did not start");
    }
    format!("not known: slot {slot} started its services but was not confirmed, and left no trace of why")
}
