//! The demo as a user runs it: the program itself, from its start to its end.
#![allow(clippy::unwrap_used)]

mod support;

use microkernel_demo::{Endpoints, sibling};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;
use support::{SOON, children, eventually, program_name, runs};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// From the start to the end, with what is made at a first start.
const WHOLE_RUN: Duration = Duration::from_secs(150);

fn folder() -> TempDir {
    // The HTTP client has none of its own, though it asks without TLS.
    drop(rustls::crypto::ring::default_provider().install_default());
    let folder = tempfile::Builder::new().prefix("mk-").tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    folder
}

fn demo(folder: &Path, arguments: &[&str]) -> Child {
    Command::new(sibling("microkernel-demo").unwrap())
        .args(["--virtual-device", "off", "--devices", "2", "--dir"])
        .arg(folder)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

async fn ended(demo: Child) -> Output {
    timeout(WHOLE_RUN, demo.wait_with_output()).await.expect("the demo ends").unwrap()
}

async fn everything_runs(folder: &Path) -> Endpoints {
    eventually("endpoints.json", WHOLE_RUN, async || {
        serde_json::from_slice(&std::fs::read(folder.join("endpoints.json")).ok()?).ok()
    })
    .await
}

/// Every process below `parent`.
fn descendants(parent: i32) -> BTreeSet<i32> {
    let mut all = BTreeSet::new();
    let mut new = children(parent);
    while let Some(pid) = new.pop() {
        if all.insert(pid) {
            new.extend(children(pid));
        }
    }
    all
}

fn names(pids: &BTreeSet<i32>) -> BTreeSet<String> {
    pids.iter().map(|pid| program_name(*pid)).collect()
}

#[tokio::test]
async fn the_demo_tells_what_runs_refuses_a_second_one_and_stops_all_of_it_on_ctrl_c() {
    let folder = folder();
    let first = demo(folder.path(), &[]);
    let pid = i32::try_from(first.id().unwrap()).unwrap();
    let endpoints = everything_runs(folder.path()).await;

    let ids: Vec<&str> = endpoints.devices.iter().map(|device| device.id.as_str()).collect();
    assert_eq!(ids, ["device-001", "device-002"]);
    for file in
        endpoints.devices.iter().flat_map(|device| [&device.cert, &device.key]).chain([&endpoints.server.ca_cert])
    {
        assert!(file.is_file(), "{}", file.display());
    }
    let page = reqwest::get(&endpoints.server.http).await.unwrap();
    assert_eq!(page.status(), 200);

    let second = ended(demo(folder.path(), &[])).await;
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1));
    assert!(said.contains("a demo already runs in") && said.contains(&format!("process {pid}")), "{said}");

    let all = descendants(pid);
    let programs = ["dbus-daemon", "mosquitto", "postgres"];
    assert!(programs.iter().all(|name| names(&all).contains(*name)), "{:?}", names(&all));
    kill(Pid::from_raw(pid), Signal::SIGINT).unwrap();
    let output = ended(first).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let left: BTreeSet<i32> = all.into_iter().filter(|pid| runs(*pid)).collect();
    assert!(left.is_empty(), "still running: {:?}", names(&left));
    assert!(!folder.path().join("endpoints.json").exists(), "nothing runs any more");
    assert!(folder.path().join("server").is_dir(), "the data stays");
    for expected in [endpoints.server.http.as_str(), "device-001", "mosquitto_pub", "Ctrl-C"] {
        assert!(said.contains(expected), "{expected:?} is missing in:\n{said}");
    }
    assert!(!said.contains("did not end within"), "{said}");
}

#[tokio::test]
async fn the_command_that_the_demo_shows_works_when_pasted() {
    let folder = folder();
    let running = demo(folder.path(), &["--seconds", "20"]);
    let endpoints = everything_runs(folder.path()).await;
    let output = ended(running).await;
    assert_eq!(output.status.code(), Some(0), "it ends by itself: {}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    let command = said.lines().find(|line| line.trim().starts_with("mosquitto_pub")).unwrap().to_owned();

    // The same folder again: data, certificates and, if they are still free, ports are the same.
    let again = demo(folder.path(), &[]);
    let pid = i32::try_from(again.id().unwrap()).unwrap();
    let endpoints_again = everything_runs(folder.path()).await;
    let command = command.replace(
        &format!("-p {}", endpoints.server.broker().unwrap().1),
        &format!("-p {}", endpoints_again.server.broker().unwrap().1),
    );
    let pasted = Command::new("sh").arg("-c").arg(&command).output();
    let pasted = timeout(SOON, pasted).await.unwrap().unwrap();
    assert!(pasted.status.success(), "{command}\n{pasted:?}");
    let url =
        format!("{}/api/v1/devices/device-001/telemetry?sensor=Temperature&limit=10000", endpoints_again.server.http);
    eventually("the pasted reading", SOON, async || {
        let answer: serde_json::Value = reqwest::get(&url).await.ok()?.json().await.ok()?;
        let readings = answer["readings"].as_array()?;
        readings.iter().any(|reading| reading["value"] == 23.5 && reading["seq"].is_null()).then_some(())
    })
    .await;
    kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
    assert_eq!(ended(again).await.status.code(), Some(0));
}

#[tokio::test]
async fn nothing_outlives_a_demo_that_is_killed_and_the_next_one_starts() {
    let folder = folder();
    let mut first = demo(folder.path(), &[]);
    let pid = i32::try_from(first.id().unwrap()).unwrap();
    everything_runs(folder.path()).await;
    let all = descendants(pid);
    std::fs::remove_file(folder.path().join("endpoints.json")).unwrap();
    first.kill().await.unwrap();
    // At once: what the killed one started may still be ending.
    let second = demo(folder.path(), &[]);
    let second_pid = i32::try_from(second.id().unwrap()).unwrap();
    everything_runs(folder.path()).await;
    eventually("everything of the first has ended", SOON, async || {
        let left: BTreeSet<i32> = all.iter().copied().filter(|pid| runs(*pid)).collect();
        left.is_empty().then_some(())
    })
    .await;
    kill(Pid::from_raw(second_pid), Signal::SIGINT).unwrap();
    let output = ended(second).await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}
