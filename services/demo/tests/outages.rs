//! The database or the broker is away for 30 s, hanging or dead: readings wait, and none is lost.
#![allow(clippy::unwrap_used)]

mod support;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::time::Duration;
use support::database::Database;
use support::publisher::{Message, Publisher};
use support::{System, child_of_server, children, eventually};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

const AWAY: Duration = Duration::from_secs(30);
/// Whoever was cut off tries again after at most 60 s.
const RECOVERED_WITHIN: Duration = Duration::from_secs(120);
const PER_SECOND: u32 = 200;
/// Enough to begin before the outage and to end after it.
const MESSAGES: usize = 50 * PER_SECOND as usize;

#[tokio::test]
async fn nothing_is_lost_while_the_database_hangs() {
    survive("postgres", async |system| hang(system, "postgres").await).await;
}

#[tokio::test]
async fn nothing_is_lost_while_the_database_is_dead() {
    survive("postgres", async |system| keep_dead(system, "postgres", Signal::SIGKILL).await).await;
}

#[tokio::test]
async fn nothing_is_lost_while_the_broker_hangs() {
    survive("mosquitto", async |system| hang(system, "mosquitto").await).await;
}

/// The broker is ended politely, as by an update or a reboot: mosquitto keeps what it has acknowledged only then.
#[tokio::test]
async fn nothing_is_lost_while_the_broker_is_dead() {
    survive("mosquitto", async |system| keep_dead(system, "mosquitto", Signal::SIGTERM).await).await;
}

/// Runs a device and a steady load through an outage; afterwards all of both must be in the database, once.
async fn survive(name: &str, outage: impl AsyncFnOnce(&System)) {
    let system = System::start(1).await;
    let identity = system.certificate("load-001").await;
    let boot_id = Uuid::new_v4();
    let messages = (1..=MESSAGES).map(|seq| message(seq, boot_id)).collect();
    let publisher = Publisher::new(&system, &identity, "load", messages);
    let database = Database::open(&system).await;
    let device_run = eventually("the device's first reading", RECOVERED_WITHIN, async || {
        database.runs("device-001").await.first().copied()
    })
    .await;

    let trouble = async {
        eventually("some load", RECOVERED_WITHIN, async || (publisher.acknowledged() > 500).then_some(())).await;
        outage(&system).await;
        assert!(publisher.acknowledged() < MESSAGES, "the load was over before the {name} came back");
        eventually(&format!("the {name} runs again"), RECOVERED_WITHIN, async || child_of_server(&system, name)).await
    };
    tokio::join!(publisher.run(PER_SECOND, AWAY + RECOVERED_WITHIN * 2), trouble);

    assert_eq!(system.running.server.service.starts(), 1, "the server itself goes on");
    let rows = eventually("all of the load", RECOVERED_WITHIN, async || {
        database.rows_by_seq("load-001", boot_id).await.filter(|rows| rows.len() == MESSAGES)
    })
    .await;
    assert!(rows.values().all(|count| *count == 1), "a reading of the load is stored twice");

    let now = microkernel_wire::Timestamp::now().as_seconds();
    eventually("the device's readings of after the outage", RECOVERED_WITHIN, async || {
        let readings = system.readings("device-001", "Temperature").await;
        (readings.last()?["timestamp"].as_f64()? > now).then_some(())
    })
    .await;
    let rows = database.rows_by_seq("device-001", device_run).await.unwrap();
    let last = *rows.keys().last().unwrap();
    assert!(rows.keys().copied().eq(1..=last), "readings of the device are missing: {:?}", rows.keys());
    assert!(rows.values().all(|count| *count == 1), "a reading of the device is stored twice");
    assert!(last > i64::try_from(AWAY.as_secs()).unwrap(), "the device went on measuring");
    system.stop().await;
}

fn message(seq: usize, boot_id: Uuid) -> Message {
    let timestamp = microkernel_wire::Timestamp::now().as_micros() / 1_000_000;
    Message {
        topic: "devices/load-001/telemetry".to_owned(),
        payload: format!(
            r#"{{"device_id":"load-001","sensor":"Load","value":{seq},"timestamp":{timestamp},"seq":{seq},"boot_id":"{boot_id}"}}"#
        ),
        resend: true,
    }
}

/// Stops the program and all its processes in the middle of whatever they do, and lets them go on later.
async fn hang(system: &System, name: &str) {
    let parent = child_of_server(system, name).unwrap();
    let all: Vec<i32> = std::iter::once(parent).chain(children(parent)).collect();
    for pid in &all {
        let _ended_meanwhile = kill(Pid::from_raw(*pid), Signal::SIGSTOP);
    }
    sleep(AWAY).await;
    for pid in &all {
        let _ended_meanwhile = kill(Pid::from_raw(*pid), Signal::SIGCONT);
    }
}

/// Ends the program, and each one that the server starts in its place.
async fn keep_dead(system: &System, name: &str, signal: Signal) {
    assert!(child_of_server(system, name).is_some(), "{name} runs");
    let end = Instant::now() + AWAY;
    while Instant::now() < end {
        if let Some(pid) = child_of_server(system, name) {
            let _ended_meanwhile = kill(Pid::from_raw(pid), signal);
        }
        sleep(Duration::from_millis(20)).await;
    }
}
