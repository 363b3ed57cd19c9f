//! What the broker does not take.

use crate::broker::Broker;
use crate::bus::{Bus, Ring};
use crate::listener::Listener;
use crate::uplink::{DEVICE, Uplink};
use crate::wait::until_async;
use microkernel_bus::uplink::LinkProxy;

#[tokio::test]
async fn another_device_s_topics_are_refused_and_the_reason_is_told() {
    let (broker, bus) = (Broker::start().await, Bus::start().await);
    let listener = Listener::start(&broker, DEVICE).await;
    let ring = Ring::new();
    let _served = ring.serve(&bus).await;
    ring.measure(10);
    // It claims to be device-001 and has another's certificate.
    let _uplink = Uplink::start_with(&broker, &bus, "", "device-666");
    let link = LinkProxy::uncached(&bus.connect().await).await.unwrap();
    let error = until_async("the refusal is told", async || {
        link.last_error().await.ok().filter(|error| error.contains("NotAuthorized"))
    })
    .await;
    assert!(error.contains("its certificate's common name"), "{error}");
    assert_eq!(listener.readings(), []);
    assert!(listener.statuses().is_empty());
    assert_eq!(link.spool_depth().await.unwrap(), 10);
}

#[tokio::test]
async fn telemetry_that_is_refused_for_a_while_is_kept_in_order() {
    let acl = "user server\ntopic readwrite devices/#\npattern readwrite devices/%u/status\n";
    let (broker, bus) = (Broker::start_with(acl, "").await, Bus::start().await);
    let listener = Listener::start(&broker, DEVICE).await;
    let ring = Ring::new();
    let _served = ring.serve(&bus).await;
    ring.measure(1_000);
    let _uplink = Uplink::start_with(&broker, &bus, "message_readings = 50", DEVICE);
    let link = LinkProxy::uncached(&bus.connect().await).await.unwrap();
    let error = until_async("the refusal is told", async || {
        link.last_error().await.ok().filter(|error| error.contains("does not take telemetry"))
    })
    .await;
    assert!(error.contains("NotAuthorized") && error.contains("allow the device"), "{error}");
    broker.set_acl(Broker::default_acl());
    listener.until_numbers(&ring.epoch(), 1..=1_000).await;
    assert_eq!(link.dropped().await.unwrap(), 0);
}

#[tokio::test]
async fn messages_longer_than_the_broker_takes_are_split() {
    // mosquitto tells this limit to nobody and answers with a reason code that the client library does not know.
    let (broker, bus) =
        (Broker::start_with(Broker::default_acl(), "message_size_limit 20000").await, Bus::start().await);
    let listener = Listener::start(&broker, DEVICE).await;
    let ring = Ring::new();
    let _served = ring.serve(&bus).await;
    ring.measure(600);
    let _uplink = Uplink::start(&broker, &bus);
    listener.until_numbers(&ring.epoch(), 1..=600).await;
}

#[tokio::test]
async fn a_packet_limit_that_the_broker_tells_is_kept() {
    let (broker, bus) = (Broker::start_with(Broker::default_acl(), "max_packet_size 3000").await, Bus::start().await);
    let listener = Listener::start(&broker, DEVICE).await;
    let ring = Ring::new();
    let _served = ring.serve(&bus).await;
    ring.measure(100);
    let uplink = Uplink::start(&broker, &bus);
    listener.until_numbers(&ring.epoch(), 1..=100).await;
    assert!(!uplink.log().contains("no connection"), "{}", uplink.log());
}
