//! `kill -9` of the server, and with it of its database and broker, while readings come in.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;
use support::database::Database;
use support::publisher::{Message, Publisher};
use support::{SOON, System, eventually};
use uuid::Uuid;

const MESSAGES: usize = 6000;
const PER_SECOND: u32 = 400;

/// Even places have a number, odd ones are as the original platform sent them.
fn message(index: usize, boot_id: Uuid) -> Message {
    let numbered = index.is_multiple_of(2);
    let sensor = if numbered { "Numbered" } else { "Unnumbered" };
    let number = if numbered { format!(r#","seq":{},"boot_id":"{boot_id}""#, index / 2 + 1) } else { String::new() };
    let timestamp = microkernel_wire::Timestamp::now().as_micros() / 1_000_000;
    Message {
        topic: "devices/device-001/telemetry".to_owned(),
        payload: format!(
            r#"{{"device_id":"device-001","sensor":"{sensor}","value":{index},"unit":"","timestamp":{timestamp},"anomaly":false,"confidence":0.5{number}}}"#
        ),
        resend: numbered,
    }
}

#[tokio::test]
async fn every_acknowledged_reading_is_stored_exactly_once_though_the_server_is_killed_twice_under_load() {
    let system = System::start(0).await;
    let identity = system.certificate("device-001").await;
    let boot_id = Uuid::new_v4();
    let messages = (0..MESSAGES).map(|index| message(index, boot_id)).collect();
    let publisher = Publisher::new(&system, &identity, "load", messages);

    let killing = async {
        for acknowledged in [MESSAGES / 4, MESSAGES / 2] {
            eventually("enough load", SOON, async || (publisher.acknowledged() >= acknowledged).then_some(())).await;
            system.kill_server().await;
            assert!(publisher.acknowledged() < MESSAGES, "the load was over before the server was killed");
        }
    };
    let (outcome, ()) = tokio::join!(publisher.run(PER_SECOND, Duration::from_secs(150)), killing);
    eprintln!("{} acknowledged, {} uncertain", outcome.acknowledged.len(), outcome.uncertain.len());
    assert!(outcome.uncertain.len() < MESSAGES / 10, "too few messages were acknowledged to say anything");

    let database = Database::open(&system).await;
    let numbered: Vec<i64> = (1..=MESSAGES / 2).map(|seq| i64::try_from(seq).unwrap()).collect();
    let rows = eventually("all numbered readings", SOON, async || {
        database.rows_by_seq("device-001", boot_id).await.filter(|rows| rows.len() == numbered.len())
    })
    .await;
    assert!(rows.keys().eq(numbered.iter()), "other numbers than those sent");
    assert!(rows.values().all(|count| *count == 1), "a numbered reading is there twice");

    let unnumbered: Vec<i64> = outcome
        .acknowledged
        .iter()
        .filter(|index| *index % 2 == 1)
        .map(|index| i64::try_from(*index).unwrap())
        .collect();
    let rows = eventually("all acknowledged readings without a number", SOON, async || {
        let rows = database.rows_by_value("device-001", "Unnumbered").await?;
        unnumbered.iter().all(|value| rows.contains_key(value)).then_some(rows)
    })
    .await;
    let repeated: Vec<_> = rows.iter().filter(|(_, count)| **count != 1).collect();
    assert!(repeated.is_empty(), "readings without a number that are there more than once: {repeated:?}");
    for value in rows.keys() {
        let index = usize::try_from(*value).unwrap();
        assert!(outcome.acknowledged.contains(&index) || outcome.uncertain.contains(&index), "{index} was not sent");
    }

    let ledger = &system.get("/devices/device-001").await["ledger"][0];
    assert_eq!(ledger["received"], MESSAGES / 2, "{ledger}");
    assert_eq!(ledger["missing"], 0, "{ledger}");
    system.stop().await;
}
