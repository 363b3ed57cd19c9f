//! What the agent does, as a pure state machine: [`next`] takes the journal and an event, and gives the new journal and the
//! actions that follow. Nothing here waits, reads a clock or touches the system.
//!
//! ```text
//!          offered            may go ahead
//!  Idle ───────────> Held ────────────────────> Downloading ──> Checking ──> Installing
//!   ^                 ^  not now, or once more      │ (file)       │             │
//!   │                 └─────────────────────────────┴──────────────┴─────────────┤
//!   │                                                                 artifacts  │ slots
//!   └── Reporting <── given up, refused, done <──────────────────────────────────┤
//!           ^                                                                    v
//!           └──────────── Confirming <──── (reboot) ──── Rebooting <──────── Installed
//! ```
//!
//! Invariants:
//! - The journal is written to disk before its actions are carried out; [`Event::Started`] resumes from any journal, with
//!   what RAUC and the boot loader say, which know better than a file.
//! - An action of the server is concluded once: it ends up in [`Journal::concluded`], and when it is offered again the
//!   same outcome is reported again. So there is no loop: whatever happens, an action leads to at most
//!   [`Policy::attempts`] installations and one reboot into the new slot.
//! - Nothing is installed while the running slot is not confirmed: the slot that would be overwritten may be the only
//!   good one.

mod event;
mod install;
mod judge;
mod next;
mod offer;
mod resume;
mod rollback;
mod state;

pub use event::{Action, CancelAnswer, Context, Device, Event, Failure, Offer, Policy, Stage, Transport};
pub use next::{IllegalTransition, next};
pub use rollback::{BootRecord, Evidence, HealthVerdict, SuddenEnd};
pub use state::{
    ActionId, Artifact, BootId, Concluded, Deployment, Handling, Hold, Journal, Kind, Outcome, Plan, Setback, SlotRef,
    State, Work,
};

#[cfg(test)]
mod tests;
