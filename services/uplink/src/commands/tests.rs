#![allow(clippy::unwrap_used)]

use super::*;
use crate::spool::{MemorySpool, SharedSpool};

/// Sends `payloads` to an executor without a bus; returns its answers as (id, status, detail).
async fn answers(payloads: &[&str]) -> (Vec<(String, ResponseStatus, String)>, Arc<State>) {
    let state = Arc::new(State::new(SharedSpool::new(MemorySpool::new(10))));
    let (intake, commands) = Intake::new(state.clone());
    for payload in payloads {
        intake.take(Bytes::copy_from_slice(payload.as_bytes()));
    }
    drop(intake);
    let (_bus, bus) = watch::channel(None);
    Executor::new(state.clone(), bus, None).run(commands, CancellationToken::new()).await;
    let text = |detail: Option<Value>| detail.map_or(String::new(), |value| value.as_str().unwrap().to_owned());
    let responses = std::iter::from_fn(|| state.outbox.take_response());
    (responses.map(|response| (response.id, response.status, text(response.detail))).collect(), state)
}

fn statuses(answers: &[(String, ResponseStatus, String)]) -> Vec<ResponseStatus> {
    answers.iter().map(|(_, status, _)| *status).collect()
}

#[tokio::test]
async fn a_command_is_accepted_running_and_done() {
    let (answers, _) = answers(&[r#"{"id":"1","command":"identify"}"#]).await;
    assert_eq!(statuses(&answers), [ResponseStatus::Accepted, ResponseStatus::Running, ResponseStatus::Succeeded]);
    assert!(answers[2].2.contains("no LED is configured"), "{answers:?}");
}

#[tokio::test]
async fn a_command_that_comes_again_is_not_carried_out_again() {
    let identify = r#"{"id":"1","command":"identify"}"#;
    let (answers, _) = answers(&[identify, identify]).await;
    assert_eq!(answers.len(), 4);
    assert_eq!(answers[3], answers[2]);
}

#[tokio::test]
async fn an_unknown_command_fails_with_those_that_are_known() {
    let (answers, _) = answers(&[r#"{"id":"1","command":"self_destruct"}"#]).await;
    assert_eq!(statuses(&answers), [ResponseStatus::Failed]);
    assert!(answers[0].2.contains("self_destruct") && answers[0].2.contains("model_reload"), "{answers:?}");
}

#[tokio::test]
async fn a_malformed_command_is_counted_and_answered_if_it_has_an_id() {
    let (answers, state) = answers(&["}{", r#"{"id":"7","command":5}"#, r#"{"id":"","command":"identify"}"#]).await;
    assert_eq!(state.counters.malformed_commands.get(), 3);
    assert_eq!(statuses(&answers), [ResponseStatus::Failed, ResponseStatus::Failed]);
    assert_eq!(answers[0].0, "7");
    assert!(answers[0].2.contains("command"), "{answers:?}");
}

#[tokio::test]
async fn without_a_bus_a_command_for_a_service_fails_with_the_reason() {
    let (answers, _) = answers(&[r#"{"id":"1","command":"wasm_reload"}"#]).await;
    assert!(answers[2].2.contains("no connection to the device's bus"), "{answers:?}");
}

#[tokio::test]
async fn a_section_that_can_t_be_set_is_answered_with_those_that_can() {
    let payload = r#"{"id":"1","command":"set_config","payload":{"section":"mqtt","toml":""}}"#;
    let (answers, _) = answers(&[payload]).await;
    assert!(answers[2].2.contains("\"mqtt\"") && answers[2].2.contains("sensor"), "{answers:?}");
}

#[tokio::test]
async fn commands_beyond_what_can_wait_are_turned_away_with_an_answer() {
    let payloads: Vec<String> = (0..70).map(|id| format!(r#"{{"id":"{id}","command":"identify"}}"#)).collect();
    let payloads: Vec<&str> = payloads.iter().map(String::as_str).collect();
    let (answers, _) = answers(&payloads).await;
    let turned_away: Vec<_> = answers.iter().filter(|(.., detail)| detail.contains("commands wait already")).collect();
    assert_eq!(turned_away.len(), 6);
}
