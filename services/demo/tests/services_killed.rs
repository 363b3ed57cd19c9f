//! `kill -9` of a device's services: the rest goes on, and what is missing shows.
#![allow(clippy::unwrap_used)]

mod support;

use microkernel_bus::sensor::FeedProxy;
use std::time::Duration;
use support::database::Database;
use support::{SOON, System, eventually, keep_down};
use tokio::time::timeout;

const DOWN: Duration = Duration::from_secs(10);

/// The newest reading's time, in seconds.
async fn newest(system: &System, device: &str) -> f64 {
    system.readings(device, "Temperature").await.last().map_or(0.0, |reading| reading["timestamp"].as_f64().unwrap())
}

async fn newer_than(system: &System, device: &str, seconds: f64) -> f64 {
    eventually(&format!("a reading of {device} newer than {seconds}"), SOON, async || {
        let newest = newest(system, device).await;
        (newest > seconds).then_some(newest)
    })
    .await
}

#[tokio::test]
async fn without_its_sensor_service_a_device_stays_online_and_the_gap_shows() {
    let system = System::start(2).await;
    let (device, other) = (&system.running.devices[0], &system.running.devices[1]);
    newer_than(&system, "device-001", 0.0).await;
    let (uplink_before, other_before) = (device.uplink.pid(), newest(&system, "device-002").await);
    let killed_at = microkernel_wire::Timestamp::now().as_seconds();

    keep_down(&device.sensor, DOWN).await;
    newer_than(&system, "device-002", other_before + DOWN.as_secs_f64() / 2.0).await;
    assert_eq!(system.get("/devices/device-001").await["state"], "online", "its uplink goes on");
    assert_eq!(device.uplink.pid(), uplink_before, "its uplink was not restarted");
    assert_eq!(other.sensor.starts(), 1);

    newer_than(&system, "device-001", killed_at + DOWN.as_secs_f64()).await;
    let readings = system.readings("device-001", "Temperature").await;
    let times: Vec<f64> = readings.iter().map(|reading| reading["timestamp"].as_f64().unwrap()).collect();
    let gap = times.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
    assert!(gap >= DOWN.as_secs_f64(), "the longest gap is {gap} s");
    // Numbering begins anew, so that nothing after the gap can be taken for a repetition of something before it.
    let ledger = system.get("/devices/device-001").await["ledger"].as_array().unwrap().clone();
    assert!(ledger.len() >= 2, "{ledger:?}");
    assert_ne!(readings.first().unwrap()["boot_id"], readings.last().unwrap()["boot_id"]);
    system.stop().await;
}

#[tokio::test]
async fn without_its_uplink_a_device_goes_on_measuring_and_nothing_is_lost() {
    let system = System::start(2).await;
    let device = &system.running.devices[0];
    let connection = device.connect_to_bus().await.unwrap();
    let feed = FeedProxy::uncached(&connection).await.unwrap();
    newer_than(&system, "device-001", 0.0).await;
    let (sensor_before, seq_before) = (device.sensor.pid(), feed.newest_seq().await.unwrap());
    let other_before = newest(&system, "device-002").await;

    let watching = async {
        eventually("the device shown offline", DOWN, async || {
            (system.get("/devices/device-001").await["state"] == "offline").then_some(())
        })
        .await;
        newer_than(&system, "device-002", other_before + DOWN.as_secs_f64() / 2.0).await;
    };
    tokio::join!(keep_down(&device.uplink, DOWN), watching);
    assert_eq!(device.sensor.pid(), sensor_before, "the sensor service was not restarted");
    let measured = feed.newest_seq().await.unwrap();
    assert!(measured > seq_before, "measuring goes on");

    timeout(SOON, device.connected(SOON)).await.unwrap().unwrap();
    let database = Database::open(&system).await;
    let run = database.runs("device-001").await[0];
    let rows = eventually("everything that was measured meanwhile", SOON, async || {
        let rows = database.rows_by_seq("device-001", run).await?;
        rows.contains_key(&i64::try_from(measured).unwrap()).then_some(rows)
    })
    .await;
    let last = *rows.keys().last().unwrap();
    assert!(rows.keys().copied().eq(1..=last), "numbers are missing: {:?}", rows.keys());
    assert!(rows.values().all(|count| *count == 1), "a reading is stored twice");
    eventually("the device shown online", SOON, async || {
        (system.get("/devices/device-001").await["state"] == "online").then_some(())
    })
    .await;
    system.stop().await;
}
