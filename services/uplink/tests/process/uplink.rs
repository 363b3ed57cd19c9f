//! The program under test, as a process.

use crate::broker::Broker;
use crate::bus::Bus;
use crate::wait::until;
use rustix::process::{Pid, Signal, kill_process};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use tempfile::TempDir;

pub(crate) const DEVICE: &str = "device-001";

/// Quick enough for a test, else as on a device.
const CONFIG: &str = "[uplink]\npoll_interval_seconds = 0.2\nhealth_interval_seconds = 1\nkeep_alive_seconds = 5\n";

pub(crate) struct Uplink {
    process: Option<Child>,
    dir: TempDir,
}

impl Uplink {
    pub(crate) fn start(broker: &Broker, bus: &Bus) -> Self {
        Self::start_with(broker, bus, "", DEVICE)
    }

    /// With more lines in the `[uplink]` section, and the certificate of `certified`.
    pub(crate) fn start_with(broker: &Broker, bus: &Bus, more: &str, certified: &str) -> Self {
        let (cert, key) = broker.pki.issue(certified);
        Self::start_with_files(broker, bus, more, cert, key)
    }

    pub(crate) fn start_with_files(broker: &Broker, bus: &Bus, more: &str, cert: PathBuf, key: PathBuf) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("uplink.toml"), format!("{CONFIG}{more}\n")).unwrap();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let process = command()
            .env("DBUS_SYSTEM_BUS_ADDRESS", &bus.address)
            .env("MICROKERNEL_CONFIG_PATH", dir.path())
            .env("MICROKERNEL_STATE_DIR", dir.path().join("state"))
            .env("DEVICE_ID", DEVICE)
            .env("MQTT_BROKER_HOST", "127.0.0.1")
            .env("MQTT_BROKER_PORT", broker.port.to_string())
            .env("MQTT_CA_CERT", broker.pki.ca())
            .env("MQTT_CLIENT_CERT", cert)
            .env("MQTT_CLIENT_KEY", key)
            .stderr(log)
            .spawn()
            .unwrap();
        Self { process: Some(process), dir }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// SIGTERM; returns when it has ended.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        let mut process = self.process.take().unwrap();
        kill_process(Pid::from_child(&process), Signal::TERM).unwrap();
        until("the uplink ends", || process.try_wait().unwrap()).await
    }
}

/// The program with an environment that holds nothing of ours yet.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_microkernel-uplink"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

impl Drop for Uplink {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
