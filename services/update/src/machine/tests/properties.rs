//! What holds whatever happens: any order of events, crashes and power cuts, any outcome of every action.

use super::world::{World, bundle, deployment};
use crate::machine::{
    Action, ActionId, Context, Deployment, Event, Evidence, Failure, Handling, Journal, Offer, State, Transport, next,
};
use microkernel_bus::rauc::SlotState;
use proptest::{prelude::*, sample::select};

/// What the outside does next.
#[derive(Debug, Clone)]
enum Deed {
    /// What was asked of the world ends: well, badly for now, or badly for good.
    Answer(Result<(), bool>),
    /// The server has something: the action's number, its handling, its window.
    Offer(u8, Handling, bool),
    Nothing,
    Cancel(u8),
    Urge,
    Tick,
    /// The agent crashes and starts.
    Crash,
    /// RAUC gets to this point and the power fails; `true`: after the slot was activated.
    PowerCut(bool),
    /// The boot loader starts what it was told to, or falls back.
    Reboot {
        falls_back: bool,
    },
    Confirm,
    Window(bool),
    /// The server takes what is reported.
    Deliver,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let handling = select(vec![Handling::Skip, Handling::Attempt, Handling::Forced]);
    let deed = prop_oneof![
        6 => prop_oneof![Just(Ok(())), Just(Err(false)), Just(Err(true))].prop_map(Deed::Answer),
        4 => (0_u8..3, handling, any::<bool>()).prop_map(|(action, handling, open)| Deed::Offer(action, handling, !open)),
        1 => Just(Deed::Nothing),
        1 => (0_u8..3).prop_map(Deed::Cancel),
        1 => Just(Deed::Urge),
        3 => Just(Deed::Tick),
        1 => Just(Deed::Crash),
        1 => any::<bool>().prop_map(Deed::PowerCut),
        3 => any::<bool>().prop_map(|falls_back| Deed::Reboot { falls_back }),
        3 => Just(Deed::Confirm),
        1 => any::<bool>().prop_map(Deed::Window),
        3 => Just(Deed::Deliver),
    ];
    prop::collection::vec(deed, 1..120)
}

fn action(number: u8) -> ActionId {
    ActionId(number.to_string())
}

fn version(action: &ActionId) -> String {
    format!("1.1.{}", action.0)
}

impl World {
    fn undergo(&mut self, deed: Deed) -> Vec<Action> {
        match deed {
            Deed::Answer(result) => self.answer(result),
            Deed::Offer(number, update, window_closed) => {
                let offered = deployment(&number.to_string(), &version(&action(number)));
                self.let_happen(Event::Polled(Offer::Deployment(Deployment { update, window_closed, ..offered })))
            }
            Deed::Nothing => self.let_happen(Event::Polled(Offer::Nothing)),
            Deed::Cancel(number) => self.let_happen(Event::Polled(Offer::Cancel(action(number)))),
            Deed::Urge => self.let_happen(Event::Urged),
            Deed::Tick => self.let_happen(Event::Tick),
            Deed::Crash => self.let_happen(Event::Started),
            Deed::PowerCut(activated) => {
                if activated && let State::Installing { work, .. } = &self.journal.state {
                    let version = version(&work.deployment.action);
                    self.write_other_slot(&version);
                }
                self.boot_primary(false)
            }
            Deed::Reboot { falls_back } => self.boot_primary(falls_back),
            Deed::Confirm => {
                self.device.confirmed = true;
                self.let_happen(Event::Tick)
            }
            Deed::Window(open) => {
                self.window_open = open;
                Vec::new()
            }
            Deed::Deliver => match &self.journal.state {
                State::Reporting { concluded } => {
                    let action = concluded.action.clone();
                    self.let_happen(Event::Reported(action))
                }
                _ => Vec::new(),
            },
        }
    }

    fn answer(&mut self, result: Result<(), bool>) -> Vec<Action> {
        let result = result.map_err(|is_final| Failure { reason: "it failed".to_owned(), is_final });
        match self.journal.state.clone() {
            State::Downloading { .. } => self.let_happen(Event::Downloaded(result)),
            State::Checking { work } => {
                let info = bundle(&version(&work.deployment.action));
                self.let_happen(Event::Checked(result.map(|()| info)))
            }
            State::Installing { work, .. } => {
                if result.is_ok() {
                    self.write_other_slot(&version(&work.deployment.action));
                }
                self.let_happen(Event::Finished(result))
            }
            _ => Vec::new(),
        }
    }

    /// A slot that was confirmed is never fallen back from.
    fn boot_primary(&mut self, falls_back: bool) -> Vec<Action> {
        let primary = self.device.primary.clone().unwrap();
        let booted = self.device.booted().unwrap().name.clone();
        let other = self.device.slots.iter().find(|slot| slot.name != primary).unwrap().name.clone();
        let on_trial = primary != booted || !self.device.confirmed;
        if falls_back && on_trial {
            self.device.primary = Some(other.clone());
            return self.boot(&other);
        }
        self.boot(&primary)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_event_is_illegal_nothing_loops_and_the_good_slot_is_safe(
        deeds in deeds(),
        transport in select(vec![Transport::Stream, Transport::File]),
    ) {
        let mut world = World::new(transport);
        for deed in deeds {
            let confirmed_before = world.device.confirmed;
            // `let_happen` fails on an illegal transition.
            let actions = world.undergo(deed);
            if actions.iter().any(|action| matches!(action, Action::Install(_))) {
                prop_assert!(confirmed_before && world.device.confirmed, "installed beside an unconfirmed slot");
                prop_assert!(world.device.booted().is_some());
            }
            if actions.contains(&Action::Reboot) {
                let primary = world.device.primary.clone().unwrap();
                let state = world.device.slots.iter().find(|slot| slot.name == primary).unwrap().state;
                prop_assert!(state == SlotState::Inactive, "rebooted for nothing");
            }
        }
        for number in 0..3 {
            let action = action(number);
            let installations = world.done.iter()
                .filter(|done| matches!(done, Action::Install(deployment) if deployment.action == action)).count();
            prop_assert!(installations <= world.policy.attempts as usize, "{installations} installations of {action:?}");
            let outcomes: std::collections::BTreeSet<String> = world.done.iter()
                .filter_map(|done| match done {
                    Action::Report(reported, outcome) if *reported == action => Some(format!("{outcome:?}")),
                    _ => None,
                }).collect();
            prop_assert!(outcomes.len() <= 1, "an action ends one way: {outcomes:?}");
        }
    }

    /// However it got there: when the world behaves from now on, the agent gets to an end by itself.
    #[test]
    fn every_state_comes_to_an_end(deeds in deeds(), transport in select(vec![Transport::Stream, Transport::File])) {
        let mut world = World::new(transport);
        for deed in deeds {
            world.undergo(deed);
        }
        world.window_open = true;
        for _ in 0..10 {
            if matches!(world.journal.state, State::Idle) {
                break;
            }
            if matches!(world.journal.state, State::Rebooting { .. }) {
                world.undergo(Deed::Reboot { falls_back: false });
            }
            world.undergo(Deed::Confirm);
            if let Some(work) = world.journal.state.work() {
                let deployment = Deployment { update: Handling::Forced, window_closed: false, ..work.deployment.clone() };
                world.let_happen(Event::Polled(Offer::Deployment(deployment)));
            }
            world.undergo(Deed::Answer(Ok(())));
            world.undergo(Deed::Deliver);
        }
        prop_assert_eq!(world.state(), "idle");
    }

    /// A crash at any moment, and another one right after: what is to be done is the same.
    #[test]
    fn resuming_twice_is_resuming_once(deeds in deeds(), transport in select(vec![Transport::Stream, Transport::File])) {
        let mut world = World::new(transport);
        for deed in deeds {
            world.undergo(deed);
            let resume = |journal: &Journal| {
                let (policy, device) = (&world.policy, &world.device);
                let context = Context { policy, device, window_open: world.window_open, evidence: &Evidence::default() };
                next(journal, Event::Started, &context).unwrap()
            };
            let (once, _) = resume(&world.journal);
            let (twice, _) = resume(&once);
            prop_assert_eq!(once, twice);
        }
    }
}
