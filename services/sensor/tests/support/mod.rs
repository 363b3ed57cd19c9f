//! A private bus and the real service on it.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used)]

use microkernel_bus::sensor::{FeedProxy, SensorState};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::future::Future;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A process that does not outlive the test.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    /// Waits for the process to end by itself.
    pub(crate) async fn exit(&mut self) -> ExitStatus {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the process did not end");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The processor time it has used, from /proc/PID/stat (proc_pid_stat(5), fields 14 and 15; 100 ticks a second).
    pub(crate) fn processor_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let after_name = stat.rsplit_once(')').unwrap().1;
        let ticks: u64 =
            after_name.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 10)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A device: a private bus, folders for configuration and state, and connections to the bus.
pub(crate) struct Device {
    folder: tempfile::TempDir,
    address: String,
    _bus: Process,
}

const BUS_CONFIG: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path=SOCKET</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;

impl Device {
    /// Starts the bus and writes the configuration.
    pub(crate) fn new(config: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("mk-sensor").tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("bus.conf"), BUS_CONFIG.replace("SOCKET", path("bus").to_str().unwrap())).unwrap();
        fs::create_dir(path("config")).unwrap();
        let mut bus = Command::new("dbus-daemon")
            .args(["--nofork", "--nopidfile", "--print-address"])
            .arg(format!("--config-file={}", path("bus.conf").display()))
            .stdout(Stdio::piped())
            .spawn()
            .expect("start dbus-daemon (Debian package dbus-daemon)");
        let mut address = String::new();
        BufReader::new(bus.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let device = Self { folder, address: address.trim().to_owned(), _bus: Process(bus) };
        device.configure(config);
        device
    }

    /// Writes the device's configuration file.
    pub(crate) fn configure(&self, config: &str) {
        fs::write(self.path("config/sensor.toml"), config).unwrap();
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The service's program with the environment of this device.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_microkernel-sensor"));
        command
            .env("DBUS_SYSTEM_BUS_ADDRESS", &self.address)
            .env("MICROKERNEL_CONFIG_PATH", self.path("config"))
            .env("MICROKERNEL_STATE_DIR", self.path("state"))
            .env_remove("NOTIFY_SOCKET");
        command
    }

    /// Starts the service.
    pub(crate) fn start(&self) -> Process {
        Process(self.command().spawn().unwrap())
    }

    /// A caller's proxy, once the service is there.
    pub(crate) async fn feed(&self) -> FeedProxy<'static> {
        let connecting = microkernel_bus::at(&self.address).build();
        let connection = tokio::time::timeout(DEADLINE, connecting).await.expect("the bus answers").unwrap();
        let feed = FeedProxy::uncached(&connection).await.unwrap();
        eventually("the service on the bus", async || feed.epoch().await.ok()).await;
        feed
    }
}

/// Polls until `poll` yields something.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut poll: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(value) = poll().await {
            return value;
        }
        assert!(Instant::now() < deadline, "{what}: not within {DEADLINE:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The state of a sensor once it fulfils `condition`.
pub(crate) async fn state(feed: &FeedProxy<'_>, name: &str, condition: impl Fn(&SensorState) -> bool) -> SensorState {
    eventually(name, async || {
        let states = feed.sensors().await.unwrap();
        states.into_iter().find(|state| state.name == name && condition(state))
    })
    .await
}
