//! Names, restarts and absent services on a real message bus: a dbus-daemon of the test's own.

#![allow(clippy::unwrap_used)]

use futures_util::StreamExt;
use microkernel_bus::{
    Error, at,
    sensor::{self, Batch, FeedBackend, FeedProxy, SensorState},
    zbus::{self, fdo},
};
use std::{
    os::unix::net::UnixStream,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(10);

struct MessageBus {
    address: String,
    daemon: Child,
    _dir: TempDir,
}

impl MessageBus {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("bus");
        let address = format!("unix:path={}", socket.display());
        let daemon = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--nopidfile", "--address", &address])
            .stdin(Stdio::null())
            .spawn()
            .expect("dbus-daemon did not start; install the package dbus-daemon");
        let started = Instant::now();
        while UnixStream::connect(&socket).is_err() {
            assert!(started.elapsed() < DEADLINE, "dbus-daemon does not listen");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Self { address, daemon, _dir: dir }
    }
}

impl Drop for MessageBus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

struct Empty {
    epoch: &'static str,
}

impl FeedBackend for Empty {
    async fn read_since(&self, _: &str, _: u64, _: u32) -> Batch {
        Batch { epoch: self.epoch.to_owned(), lost: 0, readings: Vec::new() }
    }

    async fn set_interval(&self, _: &str, _: f64) -> Result<(), Error> {
        std::future::pending().await
    }

    async fn apply_config(&self, _: &str) -> Result<(), Error> {
        Ok(())
    }

    fn epoch(&self) -> String {
        self.epoch.to_owned()
    }

    fn newest_seq(&self) -> u64 {
        0
    }

    fn oldest_seq(&self) -> u64 {
        0
    }

    fn sensors(&self) -> Vec<SensorState> {
        Vec::new()
    }
}

/// The bus notices only after a while that a connection was closed.
async fn wait_for_absence(feed: &FeedProxy<'_>) {
    let waiting_since = Instant::now();
    while !feed.epoch().await.is_err_and(|error| error.is_absent()) {
        assert!(waiting_since.elapsed() < DEADLINE, "the name still has an owner");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn an_absent_service_is_told_from_a_failing_one() {
    let bus = MessageBus::start().await;
    let caller = at(&bus.address).build().await.unwrap();
    let feed = FeedProxy::uncached(&caller).await.unwrap();

    assert!(feed.read_since("", 0, 1).await.unwrap_err().is_absent(), "a method");
    assert!(feed.epoch().await.unwrap_err().is_absent(), "a property");
    assert!(!Error::Failed("it is there".to_owned()).is_absent());
}

#[tokio::test]
async fn the_same_proxy_and_subscription_serve_after_a_restart() {
    let bus = MessageBus::start().await;
    let caller = at(&bus.address).build().await.unwrap();
    let feed = FeedProxy::uncached(&caller).await.unwrap();
    let mut hints = feed.receive_available().await.unwrap();

    for epoch in ["first", "second"] {
        let served = sensor::serve(at(&bus.address), Empty { epoch }).await.unwrap();
        assert_eq!(feed.epoch().await.unwrap(), epoch);
        assert_eq!(feed.read_since("", 0, 1).await.unwrap().epoch, epoch);
        served.available(7).await.unwrap();
        let hint = tokio::time::timeout(DEADLINE, hints.next()).await.unwrap().unwrap();
        assert_eq!(hint.args().unwrap().newest_seq, 7);
        served.connection().clone().close().await.unwrap();
        wait_for_absence(&feed).await;
    }
}

#[tokio::test]
async fn a_name_that_is_taken_is_an_error() {
    let bus = MessageBus::start().await;
    let _first = sensor::serve(at(&bus.address), Empty { epoch: "first" }).await.unwrap();
    let second = sensor::serve(at(&bus.address), Empty { epoch: "second" }).await;
    assert!(matches!(second, Err(zbus::Error::NameTaken)), "{second:?}");
}

#[tokio::test]
async fn a_call_that_hangs_ends_at_the_callers_deadline() {
    let bus = MessageBus::start().await;
    let _served = sensor::serve(at(&bus.address), Empty { epoch: "first" }).await.unwrap();
    let caller = at(&bus.address).build().await.unwrap();
    let feed = FeedProxy::uncached(&caller).await.unwrap();

    let hanging = tokio::time::timeout(Duration::from_millis(50), feed.set_interval("Temperature", 1.0)).await;
    assert!(hanging.is_err(), "{hanging:?}");
    assert_eq!(feed.epoch().await.unwrap(), "first", "the connection is still good");
}

#[tokio::test]
async fn a_call_that_hangs_ends_at_the_connections_deadline() {
    let bus = MessageBus::start().await;
    let _served = sensor::serve(at(&bus.address), Empty { epoch: "first" }).await.unwrap();
    // Long enough for the calls that make the connection, on a machine that is busy.
    let caller = at(&bus.address).method_timeout(Duration::from_secs(2)).build().await.unwrap();
    let feed = FeedProxy::uncached(&caller).await.unwrap();

    let error = feed.set_interval("Temperature", 1.0).await.unwrap_err();
    assert!(matches!(&error, Error::Bus(zbus::Error::InputOutput(e)) if e.kind() == std::io::ErrorKind::TimedOut));
}

#[tokio::test]
async fn a_name_is_owned_only_when_its_object_is_there() {
    let bus = MessageBus::start().await;
    let caller = at(&bus.address).build().await.unwrap();
    let watcher = fdo::DBusProxy::new(&caller).await.unwrap();
    let mut owners = watcher.receive_name_owner_changed_with_args(&[(0, sensor::NAME)]).await.unwrap();
    let feed = FeedProxy::uncached(&caller).await.unwrap();

    let call_at_once = async {
        tokio::time::timeout(DEADLINE, owners.next()).await.unwrap().unwrap();
        feed.epoch().await
    };
    let (served, epoch) = tokio::join!(sensor::serve(at(&bus.address), Empty { epoch: "first" }), call_at_once);
    served.unwrap();
    assert_eq!(epoch.unwrap(), "first");
}
