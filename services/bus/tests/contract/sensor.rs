//! `io.microkernel.Sensor1.Feed`.

use crate::{
    outline::assert_served_as_written,
    pair::{self, Changes},
    reading,
};
use microkernel_bus::{
    Error,
    sensor::{Batch, FeedBackend, FeedProxy, NAME, PATH, SensorState, serve},
};
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Ring {
    calls: Arc<Mutex<Vec<String>>>,
}

fn state() -> SensorState {
    SensorState {
        name: "Temperature".to_owned(),
        driver: "tmp105".to_owned(),
        address: "i2c-1 0x48".to_owned(),
        state: "failing".to_owned(),
        error: "read register 0 of i2c-1 0x48: Remote I/O error".to_owned(),
        errno: -121,
        failures: 3,
        readings: 1042,
        interval_seconds: 0.25,
    }
}

impl FeedBackend for Ring {
    async fn read_since(&self, epoch: &str, seq: u64, max: u32) -> Batch {
        let readings = (seq + 1..=seq + u64::from(max)).map(reading).collect();
        Batch { epoch: format!("after {epoch}"), lost: 9, readings }
    }

    async fn set_interval(&self, sensor: &str, seconds: f64) -> Result<(), Error> {
        if sensor != "Temperature" {
            return Err(Error::UnknownSensor(format!("no sensor {sensor}; there is Temperature")));
        }
        if seconds <= 0.0 {
            return Err(Error::InvalidArgument(format!("{seconds} s: expected 0.001 to 100")));
        }
        self.calls.lock().unwrap().push(format!("set_interval {sensor} {seconds}"));
        Ok(())
    }

    async fn apply_config(&self, toml: &str) -> Result<(), Error> {
        if toml.is_empty() {
            return Err(Error::InvalidConfig("sensor.ring_capacity is missing".to_owned()));
        }
        self.calls.lock().unwrap().push(format!("apply_config {toml}"));
        Ok(())
    }

    fn epoch(&self) -> String {
        "the epoch".to_owned()
    }

    fn newest_seq(&self) -> u64 {
        1042
    }

    fn oldest_seq(&self) -> u64 {
        17
    }

    fn sensors(&self) -> Vec<SensorState> {
        vec![state()]
    }
}

#[tokio::test]
async fn feed_is_served_as_written() {
    let (_served, caller) = pair::connect(|builder| serve(builder, Ring::default())).await;
    assert_served_as_written(&caller, NAME, PATH, "io.microkernel.Sensor1.Feed").await;
}

#[tokio::test]
async fn feed_hands_out_readings_in_order() {
    let (_served, caller) = pair::connect(|builder| serve(builder, Ring::default())).await;
    let feed = FeedProxy::uncached(&caller).await.unwrap();
    assert_eq!((feed.inner().destination().as_str(), feed.inner().path().as_str()), (NAME, PATH));

    let batch = feed.read_since("a", 1040, 2).await.unwrap();
    assert_eq!(batch, Batch { epoch: "after a".to_owned(), lost: 9, readings: vec![reading(1041), reading(1042)] });
    let empty = feed.read_since("", 0, 0).await.unwrap();
    assert_eq!(empty.readings, []);
}

#[tokio::test]
async fn feed_takes_orders_and_refuses_with_its_own_errors() {
    let ring = Ring::default();
    let calls = ring.calls.clone();
    let (_served, caller) = pair::connect(|builder| serve(builder, ring)).await;
    let feed = FeedProxy::uncached(&caller).await.unwrap();

    feed.set_interval("Temperature", 0.25).await.unwrap();
    feed.apply_config("[sensor]").await.unwrap();
    assert_eq!(*calls.lock().unwrap(), ["set_interval Temperature 0.25", "apply_config [sensor]"]);

    let unknown = feed.set_interval("Pressure", 1.0).await.unwrap_err();
    assert_eq!(unknown, Error::UnknownSensor("no sensor Pressure; there is Temperature".to_owned()));
    let invalid = feed.set_interval("Temperature", 0.0).await.unwrap_err();
    assert_eq!(invalid, Error::InvalidArgument("0 s: expected 0.001 to 100".to_owned()));
    let refused = feed.apply_config("").await.unwrap_err();
    assert_eq!(refused, Error::InvalidConfig("sensor.ring_capacity is missing".to_owned()));
    assert_eq!(refused.to_string(), "sensor.ring_capacity is missing");
}

#[tokio::test]
async fn feed_tells_its_state() {
    let (_served, caller) = pair::connect(|builder| serve(builder, Ring::default())).await;
    let feed = FeedProxy::uncached(&caller).await.unwrap();
    assert_eq!(feed.epoch().await.unwrap(), "the epoch");
    assert_eq!(feed.newest_seq().await.unwrap(), 1042);
    assert_eq!(feed.oldest_seq().await.unwrap(), 17);
    assert_eq!(feed.sensors().await.unwrap(), [state()]);
}

#[tokio::test]
async fn feed_hints_at_new_readings() {
    let (served, caller) = pair::connect(|builder| serve(builder, Ring::default())).await;
    let feed = FeedProxy::uncached(&caller).await.unwrap();
    let mut hints = feed.receive_available().await.unwrap();
    served.available(1043).await.unwrap();
    served.available(1044).await.unwrap();
    assert_eq!(pair::next(&mut hints).await.args().unwrap().newest_seq, 1043);
    assert_eq!(pair::next(&mut hints).await.args().unwrap().newest_seq, 1044);
}

#[tokio::test]
async fn feed_announces_changed_sensors_without_their_value() {
    let (served, caller) = pair::connect(|builder| serve(builder, Ring::default())).await;
    let feed = FeedProxy::uncached(&caller).await.unwrap();
    let mut changes = Changes::of(feed.inner()).await;
    served.sensors_changed().await.unwrap();
    assert_eq!(changes.next(1).await, ["Sensors"]);
}

#[tokio::test]
async fn served_notices_that_the_bus_is_gone() {
    let (served, caller) = pair::connect(|builder| serve(builder, Ring::default())).await;
    caller.close().await.unwrap();
    tokio::time::timeout(std::time::Duration::from_secs(10), served.closed()).await.expect("not noticed in time");
}
