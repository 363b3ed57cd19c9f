//! Why a new slot was given up, as far as it can be known.

use super::state::{BootId, Plan};

/// What is left of earlier boots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The verdicts of the health check, the oldest first.
    pub verdicts: Vec<HealthVerdict>,
    /// The boots that got as far as the data partition, the oldest first; the present one is the last.
    pub boots: Vec<BootRecord>,
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

/// What one boot found when it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootRecord {
    /// Which boot.
    pub boot: BootId,
    /// The slot that ran, as the boot loader calls it.
    pub slot: String,
    /// How often each slot had been started since it was installed or marked good; empty where the boot loader does not
    /// count.
    pub starts: Vec<(String, u32)>,
    /// How the boot before ended, when it left a trace.
    pub before: Option<SuddenEnd>,
    /// The units that failed, when this boot ended in emergency mode.
    pub emergency: Option<String>,
}

/// The end of a boot that was not shut down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SuddenEnd {
    /// The kernel gave up, with these last words.
    Panic(String),
    /// The watchdog reset the machine.
    Watchdog,
}

/// Explains it, a line each: what happened, how often it was tried, why. `boots` of the new slot got as far as the agent.
pub(super) fn explain(plan: &Plan, boots: u32, present: &BootId, evidence: &Evidence) -> Vec<String> {
    let (slot, version) = (&plan.target.bootname, &plan.version);
    let verdicts = last_in(slot, &evidence.verdicts, present, |verdict| (&verdict.boot, &verdict.slot));
    let records = last_in(slot, &evidence.boots, present, |record| (&record.boot, &record.slot));
    let now = evidence.boots.last().filter(|record| record.boot == *present);
    let served = count(&verdicts).max(boots);
    let counted = now.and_then(|record| record.starts.iter().find(|(name, _)| name == slot)).map(|(_, starts)| *starts);
    let emergency = records.iter().find_map(|record| record.emergency.as_deref());
    let ends: Vec<&SuddenEnd> = records.into_iter().chain(now).filter_map(|record| record.before.as_ref()).collect();
    vec![
        format!(
            "rolled back: slot {slot} with {version} was given up, slot {} with {} runs again",
            plan.from.bootname, plan.from_version
        ),
        attempts(slot, counted, served),
        format!("reason: {}", reason(slot, served, &verdicts, emergency, &ends)),
    ]
}

/// The last entries about `slot` before the present boot, without a gap: those before belong to what was in it before.
fn last_in<'a, T>(
    slot: &str,
    entries: &'a [T],
    present: &BootId,
    boot_and_slot: impl Fn(&T) -> (&BootId, &String),
) -> Vec<&'a T> {
    let earlier = entries.iter().rev().skip_while(|entry| boot_and_slot(entry).0 == present);
    earlier.take_while(|entry| boot_and_slot(entry).1 == slot).collect()
}

fn count<T>(entries: &[T]) -> u32 {
    u32::try_from(entries.len()).unwrap_or(u32::MAX)
}

fn attempts(slot: &str, counted: Option<u32>, served: u32) -> String {
    let got_as_far = match served {
        0 => "never got as far as its services".to_owned(),
        1 => "got as far as its services in 1 boot".to_owned(),
        served => format!("got as far as its services in {served} boots"),
    };
    match counted.map(|counted| counted.max(served)) {
        Some(1) => format!("attempts: slot {slot} was started once and {got_as_far}"),
        Some(starts) => format!("attempts: slot {slot} was started {starts} times and {got_as_far}"),
        None => format!("attempts: slot {slot} {got_as_far}"),
    }
}

/// The most telling first: a check that failed names the cause, a reset only the symptom.
fn reason(
    slot: &str,
    served: u32,
    verdicts: &[&HealthVerdict],
    emergency: Option<&str>,
    ends: &[&SuddenEnd],
) -> String {
    if let Some(verdict) = verdicts.iter().find(|verdict| !verdict.failures.is_empty()) {
        return format!("health check failed in slot {slot}: {}", verdict.failures.join("; "));
    }
    if let Some(failed) = emergency {
        return format!("slot {slot} ended in emergency mode; failed: {failed}");
    }
    let panic = ends.iter().find_map(|end| if let SuddenEnd::Panic(words) = end { Some(words) } else { None });
    if let Some(last_words) = panic {
        return format!("kernel panic in slot {slot}: {last_words}");
    }
    if !ends.is_empty() {
        return format!("slot {slot} hung, and the watchdog reset the device");
    }
    if served == 0 {
        return format!("slot {slot} left no trace: its kernel, its init or its data partition did not start");
    }
    format!("not known: slot {slot} started its services but was not confirmed, and left no trace of why")
}
