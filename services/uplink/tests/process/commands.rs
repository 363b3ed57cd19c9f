//! Commands from the server.

use crate::broker::Broker;
use crate::bus::{Bus, Ring};
use crate::listener::Listener;
use crate::uplink::{DEVICE, Uplink};
use crate::wait::until;
use microkernel_wire::DeviceState::{Offline, Online};
use microkernel_wire::Response;
use microkernel_wire::ResponseStatus::{Accepted, Failed, Running, Succeeded};

fn detail(responses: &[Response]) -> String {
    responses.last().unwrap().detail.as_ref().map_or(String::new(), ToString::to_string)
}

async fn online(listener: &Listener) {
    until("the device is online", || listener.statuses().last().is_some_and(|s| s.state == Online).then_some(())).await;
}

#[tokio::test]
async fn commands_are_carried_out_and_answered() {
    let (broker, bus) = (Broker::start().await, Bus::start().await);
    let listener = Listener::start(&broker, DEVICE).await;
    let ring = Ring::new();
    let _served = ring.serve(&bus).await;
    let _uplink = Uplink::start(&broker, &bus);
    online(&listener).await;

    let set = r#"{"id":"1","command":"set_interval","payload":{"sensor":"Temperature","seconds":5}}"#;
    listener.command(set).await;
    let answers = listener.answers("1").await;
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [Accepted, Running, Succeeded]);
    assert_eq!(ring.intervals(), [("Temperature".to_owned(), 5.0)]);

    // The same again is answered again and not carried out again.
    listener.command(set).await;
    until("the answer is repeated", || (listener.responses("1").len() == 4).then_some(())).await;
    assert_eq!(listener.responses("1")[3].status, Succeeded);
    assert_eq!(ring.intervals().len(), 1);

    for (id, command, expected, words) in [
        ("2", r#""command":"set_interval","payload":{"sensor":"Wind","seconds":5}"#, Failed, "there is Temperature"),
        ("3", r#""command":"set_config","payload":{"section":"sensor","toml":"x"}"#, Failed, "ring_capacity"),
        ("4", r#""command":"identify""#, Succeeded, "no LED is configured"),
        ("5", r#""command":"reboot""#, Failed, "systemd-logind is not on this device's bus"),
        ("6", r#""command":"update","payload":{"version":"1.0.1"}"#, Failed, "the update service is not running"),
        ("7", r#""command":"wasm_reload""#, Failed, "the wasm service is not running"),
        ("8", r#""command":"model_reload""#, Failed, "the ml service is not running"),
        ("9", r#""command":"collect_logs","payload":{"lines":50}"#, Succeeded, "lines"),
        ("10", r#""command":"self_destruct""#, Failed, "knows no command"),
        ("11", r#""command":42"#, Failed, "command"),
    ] {
        listener.command(&format!(r#"{{"id":"{id}",{command}}}"#)).await;
        let answers = listener.answers(id).await;
        let detail = detail(&answers);
        assert_eq!(answers.last().unwrap().status, expected, "{command}: {detail}");
        assert!(detail.contains(words), "{command}: {detail}");
    }

    // What has no id can't be answered; the next command is.
    listener.command("}{").await;
    listener.command(r#"{"id":"12","command":"identify"}"#).await;
    assert_eq!(listener.answers("12").await.last().unwrap().status, Succeeded);
}

#[tokio::test]
async fn a_command_for_a_device_that_is_away_waits_for_it() {
    let (broker, bus) = (Broker::start().await, Bus::start().await);
    let listener = Listener::start(&broker, DEVICE).await;
    let mut uplink = Uplink::start(&broker, &bus);
    online(&listener).await;
    // A command that was answered proves that the subscription is in the session.
    listener.command(r#"{"id":"1","command":"identify"}"#).await;
    listener.answers("1").await;
    assert!(uplink.terminate().await.success());
    until("it is offline", || listener.statuses().last().is_some_and(|s| s.state == Offline).then_some(())).await;
    listener.command(r#"{"id":"2","command":"identify"}"#).await;
    let _successor = Uplink::start(&broker, &bus);
    assert_eq!(listener.answers("2").await.last().unwrap().status, Succeeded);
}

#[tokio::test]
async fn a_command_as_long_as_a_message_may_be_does_not_end_the_connection() {
    let (broker, bus) = (Broker::start().await, Bus::start().await);
    let listener = Listener::start(&broker, DEVICE).await;
    let ring = Ring::new();
    let _served = ring.serve(&bus).await;
    let uplink = Uplink::start(&broker, &bus);
    online(&listener).await;
    let toml = "#".repeat(200 * 1024);
    let payload = format!(r#"{{"id":"1","command":"set_config","payload":{{"section":"sensor","toml":"{toml}"}}}}"#);
    listener.command(&payload).await;
    assert!(detail(&listener.answers("1").await).contains("ring_capacity"));
    assert!(!uplink.log().contains("no connection"), "{}", uplink.log());
}
