//! A whole system for a test: server, database, broker, and devices where the test wants some.
//!
//! Not every test uses all of it, and each test file compiles this anew.
#![allow(dead_code, clippy::unwrap_used)]

pub(crate) mod database;
pub(crate) mod publisher;

use microkernel_demo::{Fleet, Identity, Options, Plain, Ports, Running, Service};
use microkernel_wire::DeviceId;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep, timeout};

/// How long something may take that should happen at once, on a machine with a lot else to do.
pub(crate) const SOON: Duration = Duration::from_secs(60);
/// How often something is looked at while waiting for it.
const POLL: Duration = Duration::from_millis(100);

/// The system under test; all of it ends with the test.
pub(crate) struct System {
    pub(crate) fleet: Fleet,
    pub(crate) running: Running,
    http: reqwest::Client,
    folder: TempDir,
}

impl System {
    /// Starts a server and so many devices, and waits until they are connected.
    pub(crate) async fn start(devices: usize) -> Self {
        let folder = tempfile::Builder::new().prefix("mk-").tempdir().unwrap();
        // The server's database runs as another user when this one is root, and has to get at its folder.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let options = Options {
            dir: folder.path().to_owned(),
            devices,
            ports: Some(Ports::any().unwrap()),
            server_arguments: vec![],
        };
        let fleet = Fleet::prepare(options, Arc::new(Plain)).unwrap();
        let running = fleet.start().await.unwrap();
        // The client has none of its own, though it asks without TLS. It may be there: tests share a process under
        // `cargo test`.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
        Self { fleet, running, http, folder }
    }

    /// Ends everything, in order and within its time.
    pub(crate) async fn stop(self) {
        timeout(SOON, self.fleet.stop()).await.expect("everything ends when it is told to");
    }

    /// A certificate for a device that is no process of this system.
    pub(crate) async fn certificate(&self, device: &str) -> Identity {
        let folder = self.folder.path().join("certificates").join(device);
        std::fs::create_dir_all(&folder).unwrap();
        self.running.server.issue_certificate(&device.parse::<DeviceId>().unwrap(), &folder).await.unwrap()
    }

    /// Kills the server as if by `kill -9`, and waits until it serves again.
    pub(crate) async fn kill_server(&self) {
        let server = &self.running.server;
        let starts = server.service.starts();
        assert!(server.service.signal(Signal::SIGKILL), "the server runs");
        timeout(SOON, server.service.started(starts + 1)).await.expect("the server is started again");
        server.ready(&Plain).await.unwrap();
    }

    /// What the API says at `path`, below `/api/v1`.
    pub(crate) async fn get(&self, path: &str) -> Value {
        self.try_get(path).await.unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// The same, for a server that may be busy with its troubles.
    pub(crate) async fn try_get(&self, path: &str) -> Result<Value, String> {
        let url = format!("{}/api/v1{path}", self.running.endpoints.http);
        let answer = self.http.get(url).send().await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let body = answer.text().await.map_err(|error| error.to_string())?;
        if !status.is_success() {
            return Err(format!("{status} {body}"));
        }
        serde_json::from_str(&body).map_err(|error| format!("{error}: {body}"))
    }

    /// Asks the API for something, with a body.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}/api/v1{path}", self.running.endpoints.http);
        let answer = self.http.post(url).json(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// The newest readings of a sensor, oldest first.
    pub(crate) async fn readings(&self, device: &str, sensor: &str) -> Vec<Value> {
        let path = format!("/devices/{device}/telemetry?sensor={sensor}&limit=10000");
        match self.try_get(&path).await {
            Ok(answer) => answer["readings"].as_array().unwrap().clone(),
            Err(_) => vec![],
        }
    }

    /// How many messages of a device were refused for a reason of this kind, and the newest reason.
    pub(crate) async fn rejected(&self, device: &str, kind: &str) -> (u64, String) {
        let Ok(answer) = self.try_get(&format!("/devices/{device}")).await else { return (0, String::new()) };
        let kinds = answer["rejections"].as_array().unwrap();
        kinds.iter().find(|entry| entry["kind"] == kind).map_or((0, String::new()), |entry| {
            (entry["count"].as_u64().unwrap(), entry["last_reason"].as_str().unwrap().to_owned())
        })
    }

    /// Publishes by `mosquitto_pub`, QoS 1, with a device's certificate.
    pub(crate) async fn mosquitto_pub(&self, identity: &Identity, topic: &str, payload: &[u8]) -> Output {
        self.mosquitto("mosquitto_pub", "5", identity, &["-t", topic, "-s"], payload).await
    }

    /// Publishes to one topic and waits for the first message on another, with the server's own certificate.
    pub(crate) async fn mosquitto_request(&self, topic: &str, answers: &str, payload: &str) -> Output {
        let pki = self.fleet.layout().server().join("pki");
        let file = |name| pki.join(name);
        let identity = Identity {
            ca_cert: file("ca.crt"),
            cert: file("microkernel-server.crt"),
            key: file("microkernel-server.key"),
        };
        let arguments = ["-t", topic, "-e", answers, "-W", "30", "-m", payload];
        self.mosquitto("mosquitto_rr", "5", &identity, &arguments, b"").await
    }

    /// Runs one of mosquitto's clients, with `input` as its standard input.
    pub(crate) async fn mosquitto(
        &self,
        program: &str,
        version: &str,
        identity: &Identity,
        arguments: &[&str],
        input: &[u8],
    ) -> Output {
        let (host, port) = self.running.endpoints.broker().unwrap();
        let mut child = tokio::process::Command::new(program)
            .args(["-V", version, "-q", "1", "-h", host, "-p", &port.to_string()])
            .arg("--cafile")
            .arg(&identity.ca_cert)
            .arg("--cert")
            .arg(&identity.cert)
            .arg("--key")
            .arg(&identity.key)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let output = async {
            child.stdin.take().unwrap().write_all(input).await.unwrap();
            child.wait_with_output().await.unwrap()
        };
        timeout(SOON, output).await.unwrap_or_else(|_| panic!("{program} does not end"))
    }
}

impl Drop for System {
    /// A failed test leaves its logs.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        self.folder.disable_cleanup(true);
        eprintln!("the logs stay in {}", self.folder.path().join("logs").display());
        eprintln!("{}", self.running.server.service.program().log_tail());
        for device in &self.running.devices {
            eprintln!("{}", device.sensor.program().log_tail());
            eprintln!("{}", device.uplink.program().log_tail());
        }
    }
}

/// Waits until `look` finds something.
pub(crate) async fn eventually<T>(what: &str, within: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {} s: {what}", within.as_secs());
        sleep(POLL).await;
    }
}

/// Kills a service each time it runs, for so long.
pub(crate) async fn keep_down(service: &Service, duration: Duration) {
    let end = Instant::now() + duration;
    assert!(service.signal(Signal::SIGKILL), "{} runs", service.program().name);
    while Instant::now() < end {
        service.signal(Signal::SIGKILL);
        sleep(Duration::from_millis(20)).await;
    }
}

/// The process of this name that the server has started: `postgres` or `mosquitto`.
pub(crate) fn child_of_server(system: &System, name: &str) -> Option<i32> {
    let server = system.running.server.service.pid()?;
    children(server).into_iter().find(|pid| program_name(*pid) == name)
}

/// The processes whose parent is `parent`.
pub(crate) fn children(parent: i32) -> Vec<i32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &i32| status(*pid).is_some_and(|(_, ppid)| ppid == parent)).collect()
}

/// Whether a process exists and is no zombie.
pub(crate) fn runs(pid: i32) -> bool {
    status(pid).is_some_and(|(state, _)| state != 'Z')
}

/// A process's state and parent (proc_pid_stat(5)).
fn status(pid: i32) -> Option<(char, i32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// The name of a process's program.
pub(crate) fn program_name(pid: i32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}
