//! The device: folders, the bus, the agent.

use super::{DEADLINE, ddi::Ddi, eventually, services::Services};
use microkernel_bus::{at, update::AgentProxy};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::Instant,
};

/// A process that does not outlive the test.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    /// As the power fails for it: nothing is finished.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        assert_eq!(self.0.wait().unwrap().signal(), Some(9), "it had ended by itself");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    /// Waits for the process to end by itself.
    pub(crate) async fn exit(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < DEADLINE, "the process does not end");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
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

/// A device with its bus and with what others serve there.
pub(crate) struct Device {
    folder: tempfile::TempDir,
    pub(crate) address: String,
    pub(crate) services: Services,
    boots: u32,
    _bus: Process,
}

impl Device {
    /// Boots for the first time, with an identity that `server` knows.
    pub(crate) async fn new(server: &Ddi) -> Self {
        let device = Self::at(&server.url()).await;
        server.device_identity().write(&device.path("state/identity"), server.authority());
        device
    }

    /// Boots for the first time; the agent asks the server at `url`.
    pub(crate) async fn at(url: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("mk-update").tempdir().unwrap();
        let socket = folder.path().join("bus");
        fs::write(folder.path().join("bus.conf"), BUS_CONFIG.replace("SOCKET", socket.to_str().unwrap())).unwrap();
        let mut bus = Command::new("dbus-daemon")
            .args(["--nofork", "--nopidfile", "--print-address"])
            .arg(format!("--config-file={}", folder.path().join("bus.conf").display()))
            .stdout(Stdio::piped())
            .spawn()
            .expect("start dbus-daemon (Debian package dbus-daemon)");
        let mut address = String::new();
        BufReader::new(bus.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let address = address.trim().to_owned();
        let services = Services::serve(&address).await;
        let mut device = Self { folder, address, services, boots: 0, _bus: Process(bus) };
        device.configure(url, "");
        device.boot();
        device
    }

    /// Writes the configuration file, with more keys of `[update]`.
    pub(crate) fn configure(&self, server: &str, more: &str) {
        let text = format!(
            "[device]\nid = \"device-001\"\n[update]\nserver = \"{server}\"\n\
             poll_interval_seconds = 1\n{more}\n"
        );
        fs::create_dir_all(self.path("config")).unwrap();
        fs::write(self.path("config/update.toml"), text).unwrap();
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Another boot: the kernel has a new name for it, and nothing is confirmed.
    pub(crate) fn boot(&mut self) {
        self.boots += 1;
        let dir = self.path("root/proc/sys/kernel/random");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("boot_id"), format!("00000000-0000-4000-8000-{:012}\n", self.boots)).unwrap();
        self.services.confirm(false);
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_microkernel-update"));
        command
            .arg("--root")
            .arg(self.path("root"))
            .env("DBUS_SYSTEM_BUS_ADDRESS", &self.address)
            .env("MICROKERNEL_CONFIG_PATH", self.path("config"))
            .env("MICROKERNEL_STATE_DIR", self.path("state"))
            .env_remove("DEVICE_ID")
            .env_remove("NOTIFY_SOCKET");
        command
    }

    pub(crate) fn start(&self) -> Process {
        Process(self.command().spawn().unwrap())
    }

    /// Runs it with these arguments until it ends.
    pub(crate) async fn output(&self, args: &[&str]) -> Output {
        let mut command = self.command();
        command.args(args);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    pub(crate) async fn agent(&self) -> AgentProxy<'static> {
        let connection = at(&self.address).build().await.unwrap();
        AgentProxy::uncached(&connection).await.unwrap()
    }

    /// The state in the journal, which is on the disk before anything is done.
    pub(crate) fn journal_state(&self) -> Option<String> {
        let text = fs::read_to_string(self.path("state/update/journal.json")).ok()?;
        let journal: serde_json::Value = serde_json::from_str(&text).unwrap();
        Some(journal["state"]["state"].as_str().unwrap().to_owned())
    }

    pub(crate) async fn until_journal(&self, state: &str) {
        let what = format!("the journal says {state}");
        eventually(&what, async || (self.journal_state().as_deref() == Some(state)).then_some(())).await;
    }
}
