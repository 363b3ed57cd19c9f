//! Online, offline, and what a death leaves behind.

use crate::broker::Broker;
use crate::bus::{Bus, Ring};
use crate::listener::Listener;
use crate::uplink::{DEVICE, Uplink};
use crate::wait::until;
use microkernel_wire::DeviceState::{self, Offline, Online};

fn states(listener: &Listener) -> Vec<DeviceState> {
    listener.statuses().into_iter().map(|status| status.state).collect()
}

#[tokio::test]
async fn a_killed_uplink_is_declared_offline_by_its_last_will_and_its_successor_loses_nothing() {
    let (broker, bus) = (Broker::start().await, Bus::start().await);
    let listener = Listener::start(&broker, DEVICE).await;
    let ring = Ring::new();
    let _served = ring.serve(&bus).await;
    ring.measure(100);
    let mut uplink = Uplink::start(&broker, &bus);
    listener.until_numbers(&ring.epoch(), 1..=100).await;
    uplink.kill();
    until("the last will is heard", || (states(&listener) == [Online, Offline]).then_some(())).await;
    ring.measure(100);
    let _successor = Uplink::start(&broker, &bus);
    listener.until_numbers(&ring.epoch(), 1..=200).await;
    until("the successor is online", || (states(&listener) == [Online, Offline, Online]).then_some(())).await;
    let status = listener.statuses().remove(0);
    assert_eq!(status.version.as_deref(), Some(env!("CARGO_PKG_VERSION")));
    assert!(status.boot_id.is_some() && status.timestamp.is_some());
}

#[tokio::test]
async fn the_status_is_there_for_who_comes_later() {
    let (broker, bus) = (Broker::start().await, Bus::start().await);
    let _uplink = Uplink::start(&broker, &bus);
    let first = Listener::start(&broker, DEVICE).await;
    until("the device is online", || (states(&first).last() == Some(&Online)).then_some(())).await;
    drop(first);
    let later = Listener::start(&broker, DEVICE).await;
    until("the retained status is sent", || (states(&later) == [Online]).then_some(())).await;
}

#[tokio::test]
async fn sigterm_delivers_what_is_spooled_and_then_says_offline() {
    let (mut broker, bus) = (Broker::start().await, Bus::start().await);
    let listener = Listener::start(&broker, DEVICE).await;
    let ring = Ring::new();
    let _served = ring.serve(&bus).await;
    // One message at a time, so that much is still to be delivered when it is asked to end.
    let mut uplink = Uplink::start_with(&broker, &bus, "message_readings = 5\nin_flight_messages = 1", DEVICE);
    until("the device is online", || (states(&listener) == [Online]).then_some(())).await;
    ring.measure(3_000);
    until("delivery has begun", || (!listener.readings().is_empty()).then_some(())).await;
    assert!(uplink.terminate().await.success());
    until("it says offline", || (states(&listener) == [Online, Offline]).then_some(())).await;
    // Everything that was read from the ring is delivered, in order; what was not read yet is still in the ring.
    let numbers = listener.numbers(&ring.epoch());
    let count = numbers.len() as u64;
    assert_eq!(numbers, (1..=count).collect::<Vec<u64>>());
    assert!(count >= 500, "only {count} readings");
    assert!(!uplink.log().contains("ended before the broker had everything"), "{}", uplink.log());
    broker.kill();
}

#[tokio::test]
async fn sigterm_without_a_broker_ends_at_once() {
    let (mut broker, bus) = (Broker::start().await, Bus::start().await);
    broker.kill();
    let ring = Ring::new();
    let _served = ring.serve(&bus).await;
    ring.measure(10);
    let mut uplink = Uplink::start(&broker, &bus);
    until("it has tried", || uplink.log().contains("no connection").then_some(())).await;
    assert!(uplink.log().contains("nothing listens there; start the broker"), "{}", uplink.log());
    let begun = std::time::Instant::now();
    assert!(uplink.terminate().await.success());
    assert!(begun.elapsed() < std::time::Duration::from_secs(2), "{:?}", begun.elapsed());
}
