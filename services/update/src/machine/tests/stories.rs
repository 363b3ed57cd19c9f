//! What happens in the situations that have names.

use super::world::{World, bundle, deployment, offered};
use crate::machine::{
    Action, ActionId, BootId, BootRecord, CancelAnswer, Event, Failure, Handling, HealthVerdict, Offer, Outcome, Stage,
    SuddenEnd, Transport,
};
use microkernel_bus::rauc::Image;

fn outcome(world: &World) -> Outcome {
    let reported = world.done.iter().rev().find_map(|action| match action {
        Action::Report(_, outcome) => Some(outcome.clone()),
        _ => None,
    });
    reported.unwrap()
}

fn failure(world: &World) -> String {
    match outcome(world) {
        Outcome::Failure { details } => details.join("\n"),
        other => panic!("{other:?}"),
    }
}

fn count(world: &World, matching: impl Fn(&Action) -> bool) -> usize {
    world.done.iter().filter(|action| matching(action)).count()
}

fn refused() -> Failure {
    Failure { reason: "signature verification failed".to_owned(), is_final: true }
}

fn transient() -> Failure {
    Failure { reason: "connection reset".to_owned(), is_final: false }
}

#[test]
fn an_update_is_installed_booted_confirmed_and_reported() {
    for transport in [Transport::Stream, Transport::File] {
        let mut world = World::new(transport);
        world.install_up_to_reboot();
        assert_eq!(world.done.last().unwrap(), &Action::Reboot);
        world.boot("rootfs.1");
        assert_eq!(world.state(), "confirming");
        assert_eq!(count(&world, |action| matches!(action, Action::Report(..))), 0, "not before it is confirmed");
        world.device.confirmed = true;
        world.let_happen(Event::Tick);
        assert!(matches!(outcome(&world), Outcome::Success { .. }));
        world.let_happen(Event::Reported(ActionId("1".to_owned())));
        assert_eq!(world.state(), "idle");
    }
}

#[test]
fn nothing_is_installed_while_the_running_slot_is_not_confirmed() {
    let mut world = World::new(Transport::Stream);
    world.device.confirmed = false;
    world.let_happen(offered("1", "1.0.1"));
    world.let_happen(Event::Tick);
    assert_eq!((world.state(), count(&world, |action| matches!(action, Action::Check(_)))), ("waiting", 0));
    assert_eq!(count(&world, |action| matches!(action, Action::Tell(_, Stage::Scheduled, _))), 1, "said once");
    world.device.confirmed = true;
    world.let_happen(Event::Tick);
    assert_eq!(world.state(), "checking");
}

#[test]
fn the_devices_window_holds_up_what_the_server_does_not_force() {
    let mut world = World::new(Transport::Stream);
    world.window_open = false;
    world.let_happen(offered("1", "1.0.1"));
    assert_eq!(world.state(), "waiting");
    let forced = crate::machine::Deployment { update: Handling::Forced, ..deployment("1", "1.0.1") };
    world.let_happen(Event::Polled(Offer::Deployment(forced)));
    assert_eq!(world.state(), "checking");
}

#[test]
fn somebody_who_asks_on_the_spot_does_not_wait_for_the_window() {
    let mut world = World::new(Transport::Stream);
    world.window_open = false;
    world.let_happen(offered("1", "1.0.1"));
    world.let_happen(Event::Urged);
    assert_eq!(world.state(), "checking");
}

#[test]
fn the_servers_window_holds_up_even_what_is_forced() {
    let mut world = World::new(Transport::File);
    let closed =
        crate::machine::Deployment { update: Handling::Forced, window_closed: true, ..deployment("1", "1.0.1") };
    world.let_happen(Event::Polled(Offer::Deployment(closed)));
    assert_eq!(world.state(), "downloading", "it may be fetched ahead");
    world.let_happen(Event::Downloaded(Ok(())));
    assert_eq!(world.state(), "waiting");
    world.let_happen(offered("1", "1.0.1"));
    assert_eq!(world.state(), "checking", "and is not fetched again");
}

#[test]
fn a_window_that_closes_during_the_installation_holds_up_the_reboot() {
    let mut world = World::new(Transport::Stream);
    world.let_happen(offered("1", "1.0.1"));
    world.let_happen(Event::Checked(Ok(bundle("1.0.1"))));
    world.write_other_slot("1.0.1");
    world.window_open = false;
    world.let_happen(Event::Finished(Ok(())));
    assert_eq!((world.state(), count(&world, |action| *action == Action::Reboot)), ("installed", 0));
    world.window_open = true;
    world.let_happen(Event::Tick);
    assert_eq!((world.state(), count(&world, |action| *action == Action::Reboot)), ("rebooting", 1));
}

#[test]
fn what_is_not_for_this_device_is_refused_with_the_reason() {
    let other = |change: fn(&mut microkernel_bus::rauc::BundleInfo)| {
        let mut info = bundle("1.0.1");
        change(&mut info);
        info
    };
    for (info, reason) in [
        (other(|info| info.compatible = "toaster".to_owned()), "the bundle is for \"toaster\""),
        (other(|info| info.version = "0.9.9".to_owned()), "0.9.9 is older than 1.0.0"),
        (other(|info| info.version = "1.0.0-rc.1".to_owned()), "1.0.0-rc.1 is older than 1.0.0"),
        (other(|info| info.version = "v0.9.0".to_owned()), "allow_downgrade"),
    ] {
        let mut world = World::new(Transport::Stream);
        world.let_happen(offered("1", "1.0.1"));
        world.let_happen(Event::Checked(Ok(info)));
        assert!(failure(&world).contains(reason), "{}", failure(&world));
        assert_eq!(count(&world, |action| matches!(action, Action::Install(_))), 0);
    }
}

#[test]
fn an_older_version_is_taken_where_that_is_allowed_and_one_without_order_always() {
    for (version, allow_downgrade) in [("0.9.0", true), ("2026-11-24", false), ("1.0.0+build.2", false)] {
        let mut world = World::new(Transport::Stream);
        world.policy.allow_downgrade = allow_downgrade;
        world.let_happen(offered("1", version));
        world.let_happen(Event::Checked(Ok(bundle(version))));
        assert_eq!(world.state(), "installing", "{version}");
    }
}

#[test]
fn what_runs_already_is_a_success_without_an_installation() {
    let mut world = World::new(Transport::Stream);
    world.let_happen(offered("1", "1.0.0"));
    world.let_happen(Event::Checked(Ok(bundle("1.0.0"))));
    assert!(matches!(outcome(&world), Outcome::Success { .. }));
    assert_eq!(count(&world, |action| matches!(action, Action::Install(_))), 0);
}

#[test]
fn another_build_of_the_same_version_is_installed() {
    let mut world = World::new(Transport::Stream);
    world.device.slots[0].manifest_hash = Some("hash of another build".to_owned());
    world.let_happen(offered("1", "1.0.0"));
    world.let_happen(Event::Checked(Ok(bundle("1.0.0"))));
    assert_eq!(world.state(), "installing");
}

#[test]
fn artifacts_are_installed_without_a_reboot() {
    let mut world = World::new(Transport::Stream);
    let mut info = bundle("7");
    info.images = vec![Image { slot_class: "scripts".to_owned(), artifact: Some("smooth".to_owned()) }];
    world.let_happen(offered("1", "7"));
    world.let_happen(Event::Checked(Ok(info)));
    world.let_happen(Event::Finished(Ok(())));
    assert!(matches!(outcome(&world), Outcome::Success { .. }));
    assert_eq!(count(&world, |action| *action == Action::TakeUpArtifacts), 1);
    assert_eq!(count(&world, |action| *action == Action::Reboot), 0);
}

#[test]
fn a_bundle_that_was_judged_is_not_tried_again() {
    let mut world = World::new(Transport::Stream);
    world.let_happen(offered("1", "1.0.1"));
    world.let_happen(Event::Checked(Err(refused())));
    assert_eq!(failure(&world), "signature verification failed");
    world.let_happen(Event::Reported(ActionId("1".to_owned())));
    for _ in 0..10 {
        let actions = world.let_happen(offered("1", "1.0.1"));
        assert!(matches!(&actions[..], [Action::Report(..)]), "the same outcome again and nothing else: {actions:?}");
    }
    world.let_happen(offered("2", "1.0.1"));
    assert_eq!(world.state(), "checking", "a new action is a new try");
}

#[test]
fn what_may_pass_is_tried_again_after_the_next_poll_and_not_for_ever() {
    let mut world = World::new(Transport::Stream);
    for attempt in 1..=3 {
        world.let_happen(offered("1", "1.0.1"));
        assert_eq!(world.state(), "checking", "attempt {attempt}");
        world.let_happen(Event::Checked(Err(transient())));
        world.let_happen(Event::Tick);
        assert_ne!(world.state(), "checking", "not before the next poll");
    }
    assert!(failure(&world).contains("given up after 3 attempts"), "{}", failure(&world));
}

#[test]
fn an_action_that_comes_and_goes_does_not_get_its_attempts_anew() {
    let mut world = World::new(Transport::Stream);
    for _ in 0..3 {
        world.let_happen(offered("1", "1.0.1"));
        world.let_happen(Event::Checked(Err(transient())));
        world.let_happen(Event::Polled(Offer::Nothing));
    }
    assert!(failure(&world).contains("given up after 3 attempts"), "{}", failure(&world));
}

#[test]
fn a_server_that_swaps_the_bundle_after_the_check_does_not_get_it_booted() {
    let mut world = World::new(Transport::Stream);
    world.let_happen(offered("1", "1.0.1"));
    world.let_happen(Event::Checked(Ok(bundle("1.0.1"))));
    world.write_other_slot("0.5.0");
    let actions = world.let_happen(Event::Finished(Ok(())));
    assert!(actions.contains(&Action::KeepRunningSlot) && !actions.contains(&Action::Reboot));
    assert!(failure(&world).contains("another bundle"));
}

#[test]
fn a_rollback_names_the_slots_the_attempts_and_the_failed_check() {
    let mut world = World::new(Transport::Stream);
    world.install_up_to_reboot();
    world.boot("rootfs.1");
    world.boot("rootfs.1");
    let verdict = |boot: &str, slot: &str, failures: &[&str]| HealthVerdict {
        boot: BootId(boot.to_owned()),
        slot: slot.to_owned(),
        failures: failures.iter().map(|failure| (*failure).to_owned()).collect(),
    };
    world.evidence.verdicts = vec![
        verdict("boot-0", "B", &["an old story"]),
        verdict("boot-1", "A", &[]),
        verdict("boot-2", "B", &["pipeline: no reading for 60 s"]),
        verdict("boot-3", "B", &["pipeline: no reading for 60 s"]),
        verdict("boot-4", "A", &[]),
    ];
    world.evidence.boots = vec![record("boot-4", "A", &[("A", 0), ("B", 3)], Some(SuddenEnd::Watchdog))];
    world.boot("rootfs.0");
    let lines = failure(&world);
    assert!(lines.contains("slot B with 1.0.1 was given up, slot A with 1.0.0 runs again"), "{lines}");
    assert!(lines.contains("slot B was started 3 times and got as far as its services in 2 boots"), "{lines}");
    assert!(lines.contains("reason: health check failed in slot B: pipeline: no reading for 60 s"), "{lines}");
    assert_eq!(world.device.primary.as_deref(), Some("rootfs.0"), "the next reboot must not try it again");
}

#[test]
fn a_rollback_without_a_verdict_names_panic_watchdog_or_no_boot() {
    let panic = || Some(SuddenEnd::Panic("Kernel panic - not syncing: x".to_owned()));
    let watchdog = || Some(SuddenEnd::Watchdog);
    for (in_b, before, boots, reason) in [
        (watchdog(), panic(), 0, "kernel panic in slot B: Kernel panic - not syncing: x"),
        (panic(), None, 0, "kernel panic in slot B: Kernel panic - not syncing: x"),
        (None, watchdog(), 0, "slot B hung, and the watchdog reset the device"),
        (None, None, 0, "its kernel, its init or its data partition did not start"),
        (None, None, 1, "left no trace of why"),
    ] {
        let mut world = World::new(Transport::Stream);
        world.install_up_to_reboot();
        for _ in 0..boots {
            world.boot("rootfs.1");
        }
        let present = format!("boot-{}", boots + 2);
        world.evidence.boots = vec![
            // Belongs to an update before.
            record("old", "B", &[], panic()),
            record("boot-1", "A", &[], None),
            record("in-b", "B", &[], in_b),
            record(&present, "A", &[], before),
        ];
        world.boot("rootfs.0");
        assert!(failure(&world).contains(reason), "{}", failure(&world));
    }
}

#[test]
fn a_rollback_from_emergency_mode_names_what_failed() {
    let mut world = World::new(Transport::Stream);
    world.install_up_to_reboot();
    let emergency = BootRecord { emergency: Some("data.mount".to_owned()), ..record("in-b", "B", &[], None) };
    // What ended the boots in the slot later on is told by the emergency better.
    let watchdog = Some(SuddenEnd::Watchdog);
    world.evidence.boots = vec![record("boot-1", "A", &[], None), emergency, record("boot-2", "A", &[], watchdog)];
    world.boot("rootfs.0");
    let lines = failure(&world);
    assert!(lines.contains("reason: slot B ended in emergency mode; failed: data.mount"), "{lines}");
}

fn record(boot: &str, slot: &str, starts: &[(&str, u32)], before: Option<SuddenEnd>) -> BootRecord {
    let starts = starts.iter().map(|(slot, starts)| ((*slot).to_owned(), *starts)).collect();
    BootRecord { boot: BootId(boot.to_owned()), slot: slot.to_owned(), starts, before, emergency: None }
}

fn cancel_answer(actions: &[Action]) -> &CancelAnswer {
    actions
        .iter()
        .find_map(|action| if let Action::AnswerCancel(_, answer) = action { Some(answer) } else { None })
        .unwrap()
}

fn cancel() -> Event {
    Event::Polled(Offer::Cancel(ActionId("1".to_owned())))
}

#[test]
fn a_cancelled_action_is_dropped_at_once_while_nothing_is_written() {
    let mut world = World::new(Transport::File);
    world.let_happen(offered("1", "1.0.1"));
    let actions = world.let_happen(cancel());
    assert!(matches!(cancel_answer(&actions), CancelAnswer::Done(_)));
    assert!(actions.contains(&Action::Discard));
    assert_eq!(world.state(), "idle");
}

#[test]
fn an_action_cancelled_during_the_installation_is_not_booted() {
    let mut world = World::new(Transport::Stream);
    world.let_happen(offered("1", "1.0.1"));
    world.let_happen(Event::Checked(Ok(bundle("1.0.1"))));
    assert!(world.let_happen(cancel()).is_empty(), "RAUC can't be stopped");
    world.write_other_slot("1.0.1");
    let actions = world.let_happen(Event::Finished(Ok(())));
    assert_eq!(actions[0], Action::KeepRunningSlot);
    assert!(matches!(cancel_answer(&actions), CancelAnswer::Done(_)));
    assert_eq!((world.state(), world.device.primary.as_deref()), ("idle", Some("rootfs.0")));
}

#[test]
fn an_action_cannot_be_cancelled_once_the_device_reboots() {
    let mut world = World::new(Transport::Stream);
    world.install_up_to_reboot();
    assert!(matches!(cancel_answer(&world.let_happen(cancel())), CancelAnswer::TooLate(_)));
    world.boot("rootfs.1");
    assert!(matches!(cancel_answer(&world.let_happen(cancel())), CancelAnswer::TooLate(_)));
}

#[test]
fn an_unknown_action_is_cancelled_as_often_as_the_server_asks() {
    let mut world = World::new(Transport::Stream);
    for _ in 0..2 {
        assert!(matches!(cancel_answer(&world.let_happen(cancel())), CancelAnswer::Done(_)));
    }
    let actions = world.let_happen(offered("1", "1.0.1"));
    assert!(matches!(&actions[..], [Action::Report(_, Outcome::Cancelled)]), "{actions:?}");
}

#[test]
fn what_is_withdrawn_or_replaced_is_dropped() {
    let mut world = World::new(Transport::File);
    world.let_happen(offered("1", "1.0.1"));
    world.let_happen(offered("2", "1.0.2"));
    assert_eq!(world.journal.state.work().unwrap().deployment.version, "1.0.2");
    let actions = world.let_happen(Event::Polled(Offer::Nothing));
    assert_eq!((world.state(), actions), ("idle", vec![Action::Discard]));
}

#[test]
fn an_interrupted_installation_that_went_through_is_booted_and_one_that_did_not_is_repeated() {
    for went_through in [true, false] {
        let mut world = World::new(Transport::Stream);
        world.let_happen(offered("1", "1.0.1"));
        world.let_happen(Event::Checked(Ok(bundle("1.0.1"))));
        if went_through {
            world.write_other_slot("1.0.1");
        }
        world.let_happen(Event::Started);
        assert_eq!(world.state(), if went_through { "rebooting" } else { "waiting" });
    }
}

#[test]
fn an_agent_that_restarts_watches_the_installation_that_goes_on() {
    let mut world = World::new(Transport::Stream);
    world.let_happen(offered("1", "1.0.1"));
    world.let_happen(Event::Checked(Ok(bundle("1.0.1"))));
    world.device.installing = true;
    assert_eq!(world.let_happen(Event::Started), [Action::Watch]);
}

#[test]
fn an_unusable_offer_is_reported_once_concluded_and_disturbs_nothing_else() {
    let unusable =
        || Event::Polled(Offer::Unusable { action: ActionId("9".to_owned()), reason: "no bundle".to_owned() });
    let mut world = World::new(Transport::Stream);
    world.let_happen(unusable());
    assert_eq!(failure(&world), "no bundle");
    let mut world = World::new(Transport::Stream);
    world.install_up_to_reboot();
    assert!(world.let_happen(unusable()).is_empty());
    assert_eq!(world.state(), "rebooting");
}
