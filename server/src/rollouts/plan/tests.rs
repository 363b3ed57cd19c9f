#![allow(clippy::unwrap_used)]
use super::*;
use proptest::prelude::*;

fn wave(scheduled: u32, in_flight: u32, succeeded: u32, failed: u32) -> Standing {
    Standing {
        started: false,
        scheduled,
        in_flight,
        succeeded,
        failed,
        success_threshold_percent: 80,
        error_threshold_percent: 20,
    }
}

fn started(wave: Standing) -> Standing {
    Standing { started: true, ..wave }
}

fn running(max_in_flight: u32, waves: Vec<Standing>) -> Situation {
    Situation { state: RolloutState::Running, is_due: true, window_open: true, max_in_flight, waves }
}

#[test]
fn a_rollout_begins_when_it_is_due_with_its_first_wave() {
    let mut situation = running(5, vec![wave(10, 0, 0, 0), wave(90, 0, 0, 0)]);
    situation.state = RolloutState::Scheduled;
    situation.is_due = false;
    assert_eq!(plan(&situation).state, RolloutState::Scheduled);
    situation.is_due = true;
    let begun = Plan { state: RolloutState::Running, reason: None, starts: vec![0], offers: vec![(0, 5)] };
    assert_eq!(plan(&situation), begun);
}

#[test]
fn the_next_wave_starts_at_the_threshold_and_not_before() {
    let before = plan(&running(50, vec![started(wave(0, 3, 7, 0)), wave(90, 0, 0, 0)]));
    assert_eq!((before.starts, before.offers), (vec![], vec![]));
    let after = plan(&running(50, vec![started(wave(0, 2, 8, 0)), wave(90, 0, 0, 0)]));
    assert_eq!((after.starts, after.offers), (vec![1], vec![(1, 48)]));
}

#[test]
fn it_halts_at_the_error_threshold_and_says_why() {
    let below = plan(&running(50, vec![started(wave(80, 1, 0, 19))]));
    assert_eq!((below.state, below.offers), (RolloutState::Running, vec![(0, 49)]));
    let reached = plan(&running(50, vec![started(wave(80, 0, 0, 20))]));
    assert_eq!((reached.state, reached.offers), (RolloutState::Halted, vec![]));
    let reason = reached.reason.unwrap();
    assert_eq!(reason, "wave 1: 20 of 100 devices failed, which reaches its error threshold of 20 %");
}

#[test]
fn it_halts_where_the_next_wave_could_never_start() {
    let halted = plan(&running(5, vec![started(wave(0, 0, 75, 15)), wave(10, 0, 0, 0)]));
    assert_eq!(halted.state, RolloutState::Running, "83 % have succeeded");
    let mut poor = started(wave(0, 0, 70, 15));
    poor.success_threshold_percent = 90;
    let halted = plan(&running(5, vec![poor, wave(10, 0, 0, 0)]));
    assert_eq!(halted.state, RolloutState::Halted);
    assert!(halted.reason.unwrap().contains("70 of 85 devices succeeded, fewer than the 90 %"));
}

#[test]
fn nothing_is_offered_outside_the_window_nor_while_it_is_held() {
    let mut situation = running(5, vec![wave(10, 0, 0, 0)]);
    situation.window_open = false;
    assert_eq!(plan(&situation).offers, vec![]);
    for state in [RolloutState::Paused, RolloutState::Halted, RolloutState::Cancelled, RolloutState::Finished] {
        let situation = Situation { state, window_open: true, ..situation.clone() };
        assert_eq!(plan(&situation), Plan { state, reason: None, starts: vec![], offers: vec![] });
    }
}

#[test]
fn empty_waves_are_passed_and_an_empty_rollout_is_finished() {
    let passed = plan(&running(5, vec![wave(0, 0, 0, 0), wave(0, 0, 0, 0), wave(3, 0, 0, 0)]));
    assert_eq!((passed.starts, passed.offers), (vec![0, 1, 2], vec![(2, 3)]));
    assert_eq!(plan(&running(5, vec![wave(0, 0, 0, 0)])).state, RolloutState::Finished);
}

fn standings() -> impl Strategy<Value = Vec<Standing>> {
    let wave = (0_u32..50, 0_u32..10, 0_u32..50, 0_u32..50, 0_u32..=100, 1_u32..=100);
    (proptest::collection::vec(wave, 1..6), 0_usize..6).prop_map(|(waves, begun)| {
        let standing = |(place, (scheduled, in_flight, succeeded, failed, success, error))| {
            let started = place < begun;
            Standing {
                started,
                scheduled,
                in_flight: if started { in_flight } else { 0 },
                succeeded: if started { succeeded } else { 0 },
                failed: if started { failed } else { 0 },
                success_threshold_percent: success,
                error_threshold_percent: error,
            }
        };
        waves.into_iter().enumerate().map(standing).collect()
    })
}

/// What a device may do with its deployment.
#[derive(Debug, Clone, Copy)]
enum Move {
    Succeed(usize),
    Fail(usize),
    Advance,
}

fn carry_out(situation: &mut Situation, plan: &Plan) {
    situation.state = plan.state;
    for place in &plan.starts {
        situation.waves[*place].started = true;
    }
    for (place, offers) in &plan.offers {
        situation.waves[*place].scheduled -= offers;
        situation.waves[*place].in_flight += offers;
    }
}

proptest! {
    #[test]
    fn the_limit_holds_and_only_what_waits_in_a_started_wave_is_offered(waves in standings(), limit in 1_u32..100) {
        let mut situation = running(limit, waves);
        let before: u32 = situation.waves.iter().map(|wave| wave.in_flight).sum();
        let wanted = plan(&situation);
        let offers: u32 = wanted.offers.iter().map(|(_, offers)| offers).sum();
        prop_assert!(offers == 0 || before + offers <= limit);
        for (place, offers) in &wanted.offers {
            prop_assert!(*offers <= situation.waves[*place].scheduled);
            prop_assert!(situation.waves[*place].started || wanted.starts.contains(place));
        }
        prop_assert!(wanted.offers.is_empty() || wanted.state == RolloutState::Running);
        prop_assert_eq!(wanted.reason.is_some(), wanted.state == RolloutState::Halted);
        carry_out(&mut situation, &wanted);
        let again = plan(&situation);
        prop_assert_eq!(again, Plan { state: situation.state, reason: None, starts: vec![], offers: vec![] });
    }

    #[test]
    fn whatever_devices_do_it_ends_and_never_exceeds_the_limit(
        sizes in proptest::collection::vec(0_u32..40, 1..5),
        limit in 1_u32..20,
        moves in proptest::collection::vec((0_u8..10, 0_usize..5), 0..200),
    ) {
        let mut situation = running(limit, sizes.into_iter().map(|size| wave(size, 0, 0, 0)).collect());
        let chosen = moves.into_iter().map(|(what, place)| match what {
            0..=5 => Move::Succeed(place),
            6 => Move::Fail(place),
            _ => Move::Advance,
        });
        // After what was drawn, every device succeeds.
        let rest = (0..1_000).flat_map(|turn| [Move::Advance, Move::Succeed(turn % 5)]);
        for next in chosen.chain(rest) {
            match next {
                Move::Advance => {
                    let wanted = plan(&situation);
                    carry_out(&mut situation, &wanted);
                }
                Move::Succeed(place) | Move::Fail(place) => {
                    if let Some(wave) = situation.waves.get_mut(place).filter(|wave| wave.in_flight > 0) {
                        wave.in_flight -= 1;
                        if matches!(next, Move::Succeed(_)) { wave.succeeded += 1 } else { wave.failed += 1 }
                    }
                }
            }
            let in_flight: u32 = situation.waves.iter().map(|wave| wave.in_flight).sum();
            prop_assert!(in_flight <= limit);
        }
        prop_assert!(matches!(situation.state, RolloutState::Finished | RolloutState::Halted), "{situation:?}");
    }
}
