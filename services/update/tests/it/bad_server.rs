//! Servers, networks and disks that do not behave.

use crate::support::{
    ddi::{Ddi, Fault},
    device::Device,
    eventually,
    pki::Authority,
    rauc::Rauc,
};
use axum::http::StatusCode;
use rcgen::ExtendedKeyUsagePurpose;
use std::{fs, time::Duration};

async fn device(server: &Ddi) -> (Device, Rauc) {
    let device = Device::new(server).await;
    let rauc = Rauc::serve(&device.address).await;
    device.services.confirm(true);
    (device, rauc)
}

/// What `--once` says on standard error.
async fn complaint(device: &Device) -> String {
    let output = device.output(&["--once"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn every_bad_answer_is_named_and_installs_nothing() {
    let server = Ddi::start().await;
    let (device, rauc) = device(&server).await;
    server.offer("8", "1.0.1", "forced", "a bundle");
    for (fault, expected) in [
        (Fault::Status(StatusCode::INTERNAL_SERVER_ERROR), "500 Internal Server Error"),
        (Fault::Status(StatusCode::NOT_FOUND), "does not know this controller or tenant"),
        (Fault::Status(StatusCode::UNAUTHORIZED), "does not accept this device's certificate or token"),
        (Fault::Status(StatusCode::FOUND), "302 Found"),
        (Fault::Text("<html>It works!</html>"), "expected JSON of the DDI API, found \"<html>It works!</html>\""),
        (Fault::Text(""), "expected JSON"),
        (Fault::Text("[1, 2]"), "expected JSON"),
        (Fault::Text(r#"{"_links": {"deploymentBase": {"href": "https://evil.example/x"}}}"#), "link to this server"),
        (Fault::Text(r#"{"_links": {"deploymentBase": {"href": "http://[bad"}}}"#), "expected a link"),
        (Fault::Endless, "expected at most 1048576 bytes"),
        (Fault::BreaksOff, "/default/controller/v1/device-001"),
    ] {
        server.records().fault = Some(fault.clone());
        let complaint = complaint(&device).await;
        assert!(complaint.contains(expected), "{fault:?}: {complaint}");
    }
    assert!(rauc.world().inspected.is_empty());
}

#[tokio::test]
async fn a_server_that_gives_no_answer_does_not_stop_the_agent() {
    let server = Ddi::start().await;
    let (device, _rauc) = device(&server).await;
    server.records().fault = Some(Fault::Slow(Duration::from_secs(40)));
    let _agent = device.start();
    let agent = device.agent().await;
    eventually("the deadline", async || agent.last_error().await.ok()?.contains("timed out").then_some(())).await;
    server.records().fault = None;
    agent.check().await.unwrap();
    eventually("no error", async || agent.last_error().await.unwrap().is_empty().then_some(())).await;
}

#[tokio::test]
async fn the_agent_recovers_from_an_outage_by_itself() {
    let server = Ddi::start().await;
    let (device, _rauc) = device(&server).await;
    server.records().fault = Some(Fault::Status(StatusCode::BAD_GATEWAY));
    let _agent = device.start();
    let agent = device.agent().await;
    eventually("the error", async || agent.last_error().await.ok()?.contains("502").then_some(())).await;
    server.offer("8", "1.0.1", "attempt", "a bundle");
    server.records().fault = None;
    eventually("the reboot", async || (device.services.reboots() == 1).then_some(())).await;
}

#[tokio::test]
async fn a_server_with_another_authoritys_certificate_is_not_talked_to() {
    let server = Ddi::start().await;
    let (device, _rauc) = device(&server).await;
    fs::write(device.path("state/identity/ca.crt"), Authority::new("Another CA").certificate()).unwrap();
    let complaint = complaint(&device).await;
    assert!(complaint.contains("invalid peer certificate"), "{complaint}");
    assert_eq!(server.records().polls, 0);
}

#[tokio::test]
async fn a_device_with_another_authoritys_certificate_is_told_so() {
    let server = Ddi::start().await;
    let (device, _rauc) = device(&server).await;
    let other = Authority::new("Another CA").issue("device-001", ExtendedKeyUsagePurpose::ClientAuth);
    other.write(&device.path("state/identity"), server.authority());
    let complaint = complaint(&device).await;
    assert!(complaint.contains("UnknownCA") || complaint.contains("DecryptError"), "{complaint}");
}

#[tokio::test]
async fn an_identity_that_is_missing_or_garbage_is_named() {
    let server = Ddi::start().await;
    let (device, _rauc) = device(&server).await;
    for (file, text, expected) in [
        ("device.key", "garbage", "expected a private key, PEM"),
        ("device.crt", "", "expected a certificate, PEM"),
        ("ca.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "not an authority's certificate"),
    ] {
        let path = device.path("state/identity").join(file);
        let good = fs::read(&path).unwrap();
        fs::write(&path, text).unwrap();
        let garbage = complaint(&device).await;
        assert!(garbage.contains(file) && garbage.contains(expected), "{garbage}");
        fs::remove_file(&path).unwrap();
        let missing = complaint(&device).await;
        assert!(missing.contains(file) && missing.contains("the device's identity belongs there"), "{missing}");
        fs::write(&path, good).unwrap();
    }
}

#[tokio::test]
async fn a_download_that_breaks_off_goes_on_where_it_was() {
    let server = Ddi::start().await;
    let (device, rauc) = device(&server).await;
    device.configure(&server.url(), "transport = \"file\"");
    let bundle: Vec<u8> = (0..300_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    server.offer("8", "1.0.1", "attempt", bundle.clone());
    server.records().break_after = Some(100_000);
    // The next poll would come too late for this test.
    server.records().sleep = Some("01:00:00");
    let _agent = device.start();
    eventually("the reboot", async || (device.services.reboots() == 1).then_some(())).await;
    let ranges = server.records().ranges.clone();
    assert_eq!(ranges, [None, Some("bytes=100000-".to_owned())]);
    assert_eq!(fs::read(&rauc.world().installed[0].0).unwrap(), bundle);
}

#[tokio::test]
async fn a_download_that_is_not_what_was_announced_is_not_installed() {
    let server = Ddi::start().await;
    let (device, rauc) = device(&server).await;
    device.configure(&server.url(), "transport = \"file\"\nattempts = 2");
    for (action, other) in [("8", "b bundle"), ("9", "a longer bundle"), ("10", "short")] {
        server.offer(action, "1.0.1", "attempt", "a bundle");
        server.records().files.insert("os-1.0.1.raucb".to_owned(), other.into());
        let _agent = device.start();
        let (finished, details) = server.outcome(action).await;
        assert_eq!(finished, "failure");
        assert!(details[0].contains("expected"), "{details:?}");
    }
    assert!(rauc.world().inspected.is_empty());
}

#[tokio::test]
async fn a_deployment_that_no_device_could_install_is_refused() {
    let server = Ddi::start().await;
    let (device, _rauc) = device(&server).await;
    server.records().offer = Some(("8".to_owned(), serde_json::json!({"id": "8", "deployment": {"chunks": []}})));
    let _agent = device.start();
    let (finished, details) = server.outcome("8").await;
    assert_eq!(finished, "failure");
    assert!(details[0].contains("expected one RAUC bundle"), "{details:?}");
}

#[tokio::test]
async fn an_outcome_is_reported_until_the_server_takes_it_or_does_not_want_it() {
    let server = Ddi::start().await;
    let (device, rauc) = device(&server).await;
    rauc.world().bundle = Err("signature verification failed".to_owned());
    server.offer("8", "1.0.1", "attempt", "a bundle");
    server.records().feedback_fault = Some(StatusCode::SERVICE_UNAVAILABLE);
    let agent = device.start();
    device.until_journal("reporting").await;
    agent.kill();
    let agent = device.start();
    server.until_polled().await;
    assert_eq!(device.journal_state().unwrap(), "reporting", "a restart does not lose it");
    server.records().feedback_fault = None;
    assert_eq!(server.outcome("8").await.0, "failure");
    device.until_journal("idle").await;

    server.records().feedback_fault = Some(StatusCode::GONE);
    server.offer("9", "1.0.1", "attempt", "a bundle");
    eventually("the second refusal", async || (rauc.world().inspected.len() == 2).then_some(())).await;
    device.until_journal("idle").await;
    agent.kill();
}

#[tokio::test]
async fn a_journal_that_cannot_be_written_stops_the_update_before_it_begins() {
    let server = Ddi::start().await;
    let (device, rauc) = device(&server).await;
    // A folder where the new file would be: what a full disk does, for root too.
    fs::create_dir_all(device.path("state/update/journal.new")).unwrap();
    server.offer("8", "1.0.1", "attempt", "a bundle");
    let _agent = device.start();
    let agent = device.agent().await;
    eventually("the error", async || agent.last_error().await.ok()?.contains("journal.json").then_some(())).await;
    server.until_polled().await;
    let told = server.details();
    assert!(matches!(&told[..], [reason] if reason.starts_with("not begun: write ")), "once: {told:?}");
    assert!(rauc.world().inspected.is_empty());
    fs::remove_dir(device.path("state/update/journal.new")).unwrap();
    eventually("the reboot", async || (device.services.reboots() == 1).then_some(())).await;
}

#[tokio::test]
async fn without_rauc_the_agent_waits_and_says_so() {
    let server = Ddi::start().await;
    let device = Device::new(&server).await;
    device.services.confirm(true);
    server.offer("8", "1.0.1", "attempt", "a bundle");
    let complaint = complaint(&device).await;
    assert!(complaint.contains("RAUC can't be asked"), "{complaint}");
    let _agent = device.start();
    let agent = device.agent().await;
    eventually("the error", async || agent.last_error().await.ok()?.contains("RAUC can't be asked").then_some(()))
        .await;
    let _rauc = Rauc::serve(&device.address).await;
    eventually("the reboot", async || (device.services.reboots() == 1).then_some(())).await;
}
