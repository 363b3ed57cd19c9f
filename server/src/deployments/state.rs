//! The state machine of a deployment: pure.
//!
//! ```text
//!             offer                                                        ┌─> succeeded
//! scheduled ─────────> offered ──> downloading ──> installing ──> rebooting ┼─> failed
//!     ^  │ <────────────  │              └──────────────┴── (any may end) ──┼─> rolled_back
//!     │  │      lapse     │                                                 └─> cancelled
//!     └──┴─ cancel ───────┴─> cancelled
//! ```
//!
//! Between `offered` and `rebooting` a device may leave steps out, but never goes back: a step that comes late changes
//! nothing.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far a deployment is. The order is that of its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentState {
    /// It waits for its turn.
    Scheduled,
    /// The device may have it.
    Offered,
    /// The device fetches the bundle.
    Downloading,
    /// The device writes it.
    Installing,
    /// The device boots into it.
    Rebooting,
    /// It runs and is confirmed.
    Succeeded,
    /// It does not run.
    Failed,
    /// It did not prove itself: the device is back where it was.
    RolledBack,
    /// Somebody did not want it any more.
    Cancelled,
}

impl DeploymentState {
    /// Every state, in order.
    pub const ALL: [Self; 9] = [
        Self::Scheduled,
        Self::Offered,
        Self::Downloading,
        Self::Installing,
        Self::Rebooting,
        Self::Succeeded,
        Self::Failed,
        Self::RolledBack,
        Self::Cancelled,
    ];

    /// As in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Offered => "offered",
            Self::Downloading => "downloading",
            Self::Installing => "installing",
            Self::Rebooting => "rebooting",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::RolledBack => "rolled_back",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the device may be at it: what a rollout's limit counts.
    pub fn is_in_flight(self) -> bool {
        matches!(self, Self::Offered | Self::Downloading | Self::Installing | Self::Rebooting)
    }

    /// Whether nothing can happen any more.
    pub fn is_final(self) -> bool {
        self >= Self::Succeeded
    }

    pub(super) fn from_database(text: &str) -> Self {
        // The column's check constraint admits no other text.
        Self::ALL.into_iter().find(|state| state.as_str() == text).unwrap_or(Self::Failed)
    }
}

/// What can happen to a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Its turn has come.
    Offer,
    /// The device did not look at the offer in time.
    Lapse,
    /// The device downloads.
    Download,
    /// The device installs.
    Install,
    /// The device reboots.
    Reboot,
    /// The device runs the release.
    Succeed,
    /// It did not work out.
    Fail,
    /// The device is back on the version it had.
    RollBack,
    /// It is cancelled.
    Cancel,
}

/// An event that can't happen in this state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} can't happen to a deployment that is {}", .state.as_str())]
pub struct IllegalTransition {
    /// The state.
    pub state: DeploymentState,
    /// The event.
    pub event: Event,
}

/// The state after an event.
///
/// # Errors
/// [`IllegalTransition`].
pub fn next(state: DeploymentState, event: Event) -> Result<DeploymentState, IllegalTransition> {
    use DeploymentState as S;
    match (state, event) {
        (S::Scheduled, Event::Offer) => Ok(S::Offered),
        (S::Scheduled, Event::Cancel) => Ok(S::Cancelled),
        (S::Offered, Event::Lapse) => Ok(S::Scheduled),
        (state, event) if state.is_in_flight() => match event {
            Event::Download => Ok(state.max(S::Downloading)),
            Event::Install => Ok(state.max(S::Installing)),
            Event::Reboot => Ok(state.max(S::Rebooting)),
            Event::Succeed => Ok(S::Succeeded),
            Event::Fail => Ok(S::Failed),
            Event::RollBack => Ok(S::RolledBack),
            Event::Cancel => Ok(S::Cancelled),
            Event::Offer | Event::Lapse => Err(IllegalTransition { state, event }),
        },
        (state, event) => Err(IllegalTransition { state, event }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const EVENTS: [Event; 9] = [
        Event::Offer,
        Event::Lapse,
        Event::Download,
        Event::Install,
        Event::Reboot,
        Event::Succeed,
        Event::Fail,
        Event::RollBack,
        Event::Cancel,
    ];

    #[test]
    fn a_device_may_leave_steps_out_but_never_goes_back() {
        assert_eq!(next(DeploymentState::Offered, Event::Reboot), Ok(DeploymentState::Rebooting));
        assert_eq!(next(DeploymentState::Rebooting, Event::Download), Ok(DeploymentState::Rebooting));
    }

    #[test]
    fn only_an_offer_lapses_and_only_what_waits_is_offered() {
        assert_eq!(next(DeploymentState::Offered, Event::Lapse), Ok(DeploymentState::Scheduled));
        for state in DeploymentState::ALL {
            assert_eq!(next(state, Event::Lapse).is_ok(), state == DeploymentState::Offered);
            assert_eq!(next(state, Event::Offer).is_ok(), state == DeploymentState::Scheduled);
        }
    }

    proptest! {
        #[test]
        fn what_is_over_stays_so_and_nothing_else_goes_back(
            events in proptest::collection::vec(proptest::sample::select(EVENTS.to_vec()), 0..20)
        ) {
            let mut state = DeploymentState::Scheduled;
            for event in events {
                match next(state, event) {
                    Ok(after) => {
                        prop_assert!(!state.is_final());
                        prop_assert!(after >= state || event == Event::Lapse);
                        state = after;
                    }
                    Err(error) => prop_assert_eq!(error, IllegalTransition { state, event }),
                }
            }
        }
    }
}
