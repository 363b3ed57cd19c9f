//! The plan of a rollout: pure. From how things stand follows what is to be done; asked again when nothing has changed,
//! it wants nothing more.
//!
//! - Deployments are offered only while the rollout runs and its window is open, and never more than `max_in_flight`
//!   are in flight over all waves.
//! - The first wave starts with the rollout; another when of the one before it `success_threshold_percent` have
//!   succeeded.
//! - The rollout halts as soon as in a wave `error_threshold_percent` have failed or rolled back, and when a wave is
//!   over without having reached the threshold that starts the next.
//! - Devices that were taken out (cancelled), and failures that an operator has accepted by resuming, count as if they
//!   had never been part of the wave.

use super::RolloutState;

/// How a wave stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// It has started.
    pub started: bool,
    /// Devices that wait for their turn.
    pub scheduled: u32,
    /// Devices at it.
    pub in_flight: u32,
    /// Devices that run the release.
    pub succeeded: u32,
    /// Devices that don't, or are back where they were; without those that were accepted.
    pub failed: u32,
    /// So many percent of successes start the next wave; 0 to 100.
    pub success_threshold_percent: u32,
    /// So many percent of failures halt the rollout; 1 to 100.
    pub error_threshold_percent: u32,
}

impl Standing {
    /// The devices that count.
    fn size(&self) -> u32 {
        self.scheduled + self.in_flight + self.succeeded + self.failed
    }

    fn is_over(&self) -> bool {
        self.scheduled + self.in_flight == 0
    }

    fn has_failed(&self) -> bool {
        self.failed > 0 && reaches(self.failed, self.error_threshold_percent, self.size())
    }

    fn starts_next(&self) -> bool {
        reaches(self.succeeded, self.success_threshold_percent, self.size())
    }
}

/// Whether `part` of `whole` is at least `percent`.
fn reaches(part: u32, percent: u32, whole: u32) -> bool {
    u64::from(part) * 100 >= u64::from(percent) * u64::from(whole)
}

/// How a rollout stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Situation {
    /// Its state.
    pub state: RolloutState,
    /// The time of its start has come.
    pub is_due: bool,
    /// Deployments may be offered at this hour.
    pub window_open: bool,
    /// So many deployments are in flight at most.
    pub max_in_flight: u32,
    /// Its waves, in order.
    pub waves: Vec<Standing>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The state from now on.
    pub state: RolloutState,
    /// Why it halts.
    pub reason: Option<String>,
    /// The waves to start, by their place from 0.
    pub starts: Vec<usize>,
    /// So many deployments are to be offered of the wave at this place.
    pub offers: Vec<(usize, u32)>,
}

/// Plans the next step.
pub fn plan(situation: &Situation) -> Plan {
    let state = match situation.state {
        RolloutState::Scheduled if situation.is_due => RolloutState::Running,
        state => state,
    };
    let mut plan = Plan { state, reason: None, starts: vec![], offers: vec![] };
    if state != RolloutState::Running {
        return plan;
    }
    let waves = &situation.waves;
    if let Some(reason) = failure(waves) {
        return Plan { state: RolloutState::Halted, reason: Some(reason), ..plan };
    }
    let mut started = waves.iter().take_while(|wave| wave.started).count();
    while started < waves.len() {
        if started > 0 && !waves[started - 1].starts_next() {
            break;
        }
        plan.starts.push(started);
        started += 1;
    }
    if waves[..started].iter().all(Standing::is_over) {
        if started == waves.len() {
            plan.state = RolloutState::Finished;
        } else {
            plan.state = RolloutState::Halted;
            plan.reason = Some(stuck(started, &waves[started - 1]));
        }
        return plan;
    }
    if situation.window_open {
        let in_flight: u32 = waves.iter().map(|wave| wave.in_flight).sum();
        let mut free = situation.max_in_flight.saturating_sub(in_flight);
        for (place, wave) in waves[..started].iter().enumerate() {
            let offers = wave.scheduled.min(free);
            if offers > 0 {
                plan.offers.push((place, offers));
                free -= offers;
            }
        }
    }
    plan
}

/// Why the first wave that has failed too often halts the rollout.
fn failure(waves: &[Standing]) -> Option<String> {
    let (place, wave) = waves.iter().enumerate().find(|(_, wave)| wave.has_failed())?;
    Some(format!(
        "wave {}: {} of {} devices failed, which reaches its error threshold of {} %",
        place + 1,
        wave.failed,
        wave.size(),
        wave.error_threshold_percent
    ))
}

/// Why the next wave can't start any more.
fn stuck(number: usize, wave: &Standing) -> String {
    format!(
        "wave {number} is over: {} of {} devices succeeded, fewer than the {} % that start the next wave",
        wave.succeeded,
        wave.size(),
        wave.success_threshold_percent
    )
}

#[cfg(test)]
mod tests;
