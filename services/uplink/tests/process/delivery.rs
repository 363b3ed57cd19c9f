//! Readings arrive, each and in order, whoever fails in between.

use crate::broker::Broker;
use crate::bus::{Bus, Ring};
use crate::listener::Listener;
use crate::uplink::{DEVICE, Uplink};
use crate::wait::{until, until_async};
use microkernel_bus::uplink::LinkProxy;
use microkernel_wire::{Clock, ServiceState, StageOutcome};

#[tokio::test]
async fn readings_arrive_in_order_with_their_identity() {
    let (broker, bus) = (Broker::start().await, Bus::start().await);
    let listener = Listener::start(&broker, DEVICE).await;
    let ring = Ring::new();
    let served = ring.serve(&bus).await;
    ring.measure(1_500);
    let _uplink = Uplink::start(&broker, &bus);
    listener.until_numbers(&ring.epoch(), 1..=1_500).await;
    // Arrays, not one message each.
    assert!(listener.telemetry_messages() < 40, "{} messages", listener.telemetry_messages());
    // A hint fetches what is new before the next poll would.
    ring.measure(1);
    served.available(1_501).await.unwrap();
    listener.until_numbers(&ring.epoch(), 1..=1_501).await;

    let reading = &listener.readings()[41];
    assert_eq!((reading.value, reading.raw, reading.unit.as_str()), (20.042, None, "°C"));
    assert_eq!(reading.clock, Some(Clock::Synchronized));
    let outcome = reading.outcome.as_ref().unwrap();
    assert_eq!((outcome["wasm"], outcome["ml"]), (StageOutcome::Absent, StageOutcome::Absent));
}

#[tokio::test]
async fn health_tells_of_the_machine_the_spool_and_every_service() {
    let (broker, bus) = (Broker::start().await, Bus::start().await);
    let listener = Listener::start(&broker, DEVICE).await;
    let ring = Ring::new();
    let _served = ring.serve(&bus).await;
    let _uplink = Uplink::start(&broker, &bus);
    let health = until("a report that could ask the services", || {
        listener.health().into_iter().find(|health| health.services["sensor"].state == ServiceState::Degraded)
    })
    .await;
    assert!(health.uptime_seconds.unwrap() > 0.0 && health.memory.unwrap().total_bytes > 0);
    assert!(health.storage.unwrap().total_bytes > 0);
    assert_eq!(health.spool.unwrap().depth, 0);
    let detail = health.services["sensor"].detail.as_deref().unwrap();
    assert!(detail.contains("Humidity (sht3x at i2c-1 0x44): read: Remote I/O error"), "{detail}");
    assert_eq!(health.services["wasm"].state, ServiceState::Absent);
    assert_eq!(health.services["update"].state, ServiceState::Absent);
    assert_eq!(health.services["uplink"].state, ServiceState::Ok);
}

#[tokio::test]
async fn a_broker_that_is_killed_and_restarted_loses_nothing_and_order_is_kept() {
    let (mut broker, bus) = (Broker::start().await, Bus::start().await);
    let listener = Listener::start(&broker, DEVICE).await;
    let ring = Ring::new();
    let served = ring.serve(&bus).await;
    let _uplink = Uplink::start(&broker, &bus);
    let total = 6_000;
    let feeding = async {
        for _ in 0..total / 20 {
            ring.measure(20);
            served.available(0).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let breaking = async {
        for _ in 0..2 {
            let before = listener.numbers(&ring.epoch()).len();
            until("more readings arrive", || (listener.numbers(&ring.epoch()).len() > before + 200).then_some(()))
                .await;
            broker.kill();
            let spooled = LinkProxy::uncached(&bus.connect().await).await.unwrap();
            until_async("the uplink spools", async || (spooled.spool_depth().await.unwrap() > 300).then_some(())).await;
            broker.restart().await;
        }
    };
    tokio::join!(feeding, breaking);
    listener.until_numbers(&ring.epoch(), 1..=total).await;
}

#[tokio::test]
async fn readings_wait_for_a_subscriber() {
    let (broker, bus) = (Broker::start().await, Bus::start().await);
    let ring = Ring::new();
    let _served = ring.serve(&bus).await;
    ring.measure(300);
    let _uplink = Uplink::start(&broker, &bus);
    let link = LinkProxy::uncached(&bus.connect().await).await.unwrap();
    until_async("the uplink says that nobody listens", async || {
        link.last_error().await.ok().filter(|error| error.contains("nobody subscribes"))
    })
    .await;
    assert_eq!(link.spool_depth().await.unwrap(), 300);
    let listener = Listener::start(&broker, DEVICE).await;
    listener.until_numbers(&ring.epoch(), 1..=300).await;
    link.flush().await.unwrap();
    until_async("the error is over", async || link.last_error().await.unwrap().is_empty().then_some(())).await;
    assert_eq!((link.spool_depth().await.unwrap(), link.published().await.unwrap()), (0, 300));
}

#[tokio::test]
async fn a_sensor_service_that_restarts_begins_a_new_epoch_and_goes_on() {
    let (broker, bus) = (Broker::start().await, Bus::start().await);
    let listener = Listener::start(&broker, DEVICE).await;
    let _uplink = Uplink::start(&broker, &bus);
    let (first, second) = (Ring::new(), Ring::new());
    // The uplink was there first: it waits for the sensor service.
    let served = first.serve(&bus).await;
    first.measure(50);
    listener.until_numbers(&first.epoch(), 1..=50).await;
    served.connection().clone().close().await.unwrap();
    second.measure(20);
    let served = until_async("the name is free", async || {
        microkernel_bus::sensor::serve(microkernel_bus::at(&bus.address), second.clone()).await.ok()
    })
    .await;
    listener.until_numbers(&second.epoch(), 1..=20).await;
    second.measure(1);
    served.available(21).await.unwrap();
    listener.until_numbers(&second.epoch(), 1..=21).await;
    assert_eq!(listener.numbers(&first.epoch()).len(), 50);
}

#[tokio::test]
async fn readings_that_the_ring_overwrote_are_counted_and_reported() {
    let (mut broker, bus) = (Broker::start().await, Bus::start().await);
    let listener = Listener::start(&broker, DEVICE).await;
    let ring = Ring::new();
    let served = ring.serve(&bus).await;
    ring.measure(10);
    let _uplink = Uplink::start(&broker, &bus);
    listener.until_numbers(&ring.epoch(), 1..=10).await;
    ring.measure(100);
    ring.overwrite_all_but(30);
    served.available(110).await.unwrap();
    let health = until("the loss is reported", || {
        listener.health().into_iter().find(|health| health.spool.is_some_and(|spool| spool.lost > 0))
    })
    .await;
    // A poll may have come between the two steps above and have read some of them.
    let lost = health.spool.unwrap().lost;
    let link = LinkProxy::uncached(&bus.connect().await).await.unwrap();
    assert_eq!(link.lost().await.unwrap(), lost);
    until("the rest arrives", || (listener.numbers(&ring.epoch()).last() == Some(&110)).then_some(())).await;
    assert_eq!(listener.numbers(&ring.epoch()).len() as u64, 110 - lost);
    broker.kill();
}
