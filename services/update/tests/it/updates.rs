//! Updates as they are meant to go, and as people interfere with them.

use crate::support::{
    ddi::Ddi,
    device::Device,
    eventually,
    pki::Authority,
    rauc::{Rauc, Script},
    scripts::Scripts,
};
use microkernel_bus::Error;
use rcgen::ExtendedKeyUsagePurpose;
use rustix::process::Signal;
use std::{collections::HashMap, process::Command};
use zbus::OwnedVariant;

async fn device(server: &Ddi) -> (Device, Rauc) {
    let device = Device::new(server).await;
    let rauc = Rauc::serve(&device.address).await;
    device.services.confirm(true);
    (device, rauc)
}

fn text(args: &HashMap<String, OwnedVariant>, key: &str) -> String {
    String::try_from(args[key].try_clone().unwrap()).unwrap()
}

#[tokio::test]
async fn an_update_is_streamed_installed_booted_confirmed_and_reported() {
    let server = Ddi::start().await;
    let (mut device, rauc) = device(&server).await;
    server.offer("8", "1.0.1", "attempt", "a bundle");
    let agent = device.start();
    eventually("the reboot", async || (device.services.reboots() == 1).then_some(())).await;
    agent.kill();

    let (source, args) = rauc.world().installed[0].clone();
    assert_eq!(source, format!("{}/files/os-1.0.1.raucb", server.url()));
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail", &source]);
    for (option, key) in [("--cert", "tls-cert"), ("--key", "tls-key"), ("--cacert", "tls-ca")] {
        curl.args([option, &text(&args, key)]);
    }
    let fetched = spawn(&mut curl).await;
    assert_eq!(fetched, b"a bundle", "what RAUC is given is enough to fetch the bundle");

    device.boot();
    rauc.boot(1);
    let _agent = device.start();
    eventually("confirming", async || (device.journal_state()? == "confirming").then_some(())).await;
    assert!(!server.details().iter().any(|detail| detail.contains("passed its health check")));
    device.services.confirm(true);
    let (finished, details) = server.outcome("8").await;
    assert_eq!((finished.as_str(), details[0].as_str()), ("success", "slot B runs 1.0.1 and passed its health check"));
    assert_eq!(server.records().attributes.as_ref().unwrap()["slot"], "A", "told at the first poll");

    let agent = device.agent().await;
    eventually("idle", async || (agent.state().await.ok()? == "idle").then_some(())).await;
    assert_eq!((agent.slot().await.unwrap().as_str(), agent.version().await.unwrap().as_str()), ("B", "1.0.1"));
    assert_eq!(agent.last_error().await.unwrap(), "");
}

async fn spawn(command: &mut Command) -> Vec<u8> {
    let child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let output = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap();
    assert!(output.status.success());
    output.stdout
}

#[tokio::test]
async fn a_bundle_with_artifacts_alone_needs_no_reboot_and_is_taken_up() {
    let server = Ddi::start().await;
    let (device, rauc) = device(&server).await;
    let scripts = Scripts::serve(&device.address).await;
    rauc.world().bundle.as_mut().unwrap().artifact = Some("smooth".to_owned());
    server.offer("8", "7", "attempt", "scripts");
    let _agent = device.start();
    assert_eq!(server.outcome("8").await.0, "success");
    assert_eq!((device.services.reboots(), rauc.world().primary), (0, 0));
    // Nobody serves models: that kept nothing from going on.
    assert_eq!(scripts.reloads(), 1);
}

#[tokio::test]
async fn a_bundle_that_rauc_refuses_is_reported_in_its_words_and_not_tried_again() {
    let server = Ddi::start().await;
    let (device, rauc) = device(&server).await;
    rauc.world().bundle = Err("signature verification failed: self-signed certificate".to_owned());
    server.offer("8", "1.0.1", "attempt", "a bundle");
    let _agent = device.start();
    let (finished, details) = server.outcome("8").await;
    assert_eq!(finished, "failure");
    assert_eq!(details, ["RAUC: signature verification failed: self-signed certificate"]);
    let agent = device.agent().await;
    eventually("the error on the bus", async || agent.last_error().await.unwrap().contains("signature").then_some(()))
        .await;

    server.offer("8", "1.0.1", "attempt", "a bundle");
    server.until_polled().await;
    server.until_polled().await;
    assert_eq!(rauc.world().inspected.len(), 1);
    assert_eq!(rauc.world().installed.len(), 0);
}

#[tokio::test]
async fn an_installation_that_fails_passes_the_last_error_on_and_is_given_up_after_its_attempts() {
    let server = Ddi::start().await;
    let (device, rauc) = device(&server).await;
    device.configure(&server.url(), "attempts = 2");
    rauc.world().script = Script::Fail("Failed updating slot rootfs.1: Input/output error".to_owned());
    server.offer("8", "1.0.1", "attempt", "a bundle");
    let _agent = device.start();
    let (finished, details) = server.outcome("8").await;
    assert_eq!(finished, "failure");
    assert_eq!(details, ["RAUC: Failed updating slot rootfs.1: Input/output error", "given up after 2 attempts"]);
    assert_eq!((rauc.world().installed.len(), device.services.reboots()), (2, 0));
}

#[tokio::test]
async fn an_action_cancelled_during_the_installation_is_not_booted() {
    let server = Ddi::start().await;
    let (device, rauc) = device(&server).await;
    rauc.world().script = Script::GoOn;
    server.offer("8", "1.0.1", "attempt", "a bundle");
    let _agent = device.start();
    device.until_journal("installing").await;
    server.records().cancel = Some("8".to_owned());
    eventually("the agent has noticed", async || {
        let journal = std::fs::read_to_string(device.path("state/update/journal.json")).unwrap();
        journal.contains("\"cancelled\": true").then_some(())
    })
    .await;
    rauc.end(Ok(())).await;
    eventually("the answer", async || {
        let records = server.records();
        let (_, action, status) = records.feedback.iter().find(|(resource, ..)| resource == "cancelAction")?;
        assert_eq!((action.as_str(), status["execution"].as_str()), ("8", Some("closed")));
        Some(())
    })
    .await;
    assert_eq!((rauc.world().primary, device.services.reboots()), (0, 0));
}

#[tokio::test]
async fn progress_is_told_while_rauc_installs_and_a_rauc_that_crashes_is_tried_again() {
    let server = Ddi::start().await;
    let (device, mut rauc) = device(&server).await;
    rauc.world().script = Script::GoOn;
    server.offer("8", "1.0.1", "attempt", "a bundle");
    let _agent = device.start();
    device.until_journal("installing").await;
    let agent = device.agent().await;
    eventually("progress on the bus", async || (agent.progress().await.unwrap() == 20).then_some(())).await;
    rauc.world().percentage = 70;
    eventually("progress at the server", async || {
        server.details().contains(&"installing: 70 %".to_owned()).then_some(())
    })
    .await;
    let busy = agent.check().await.unwrap_err();
    assert_eq!(busy, Error::Unavailable("an update is under way: installing 1.0.1".to_owned()));

    rauc.world().script = Script::Succeed;
    rauc.restart(&device.address).await;
    eventually("the reboot", async || (device.services.reboots() == 1).then_some(())).await;
    assert_eq!(rauc.world().installed.len(), 2);
}

#[tokio::test]
async fn a_closed_window_holds_up_what_is_not_forced_until_somebody_asks() {
    let server = Ddi::start().await;
    let (device, rauc) = device(&server).await;
    // Opens one minute after now was two hours ago: closed for any time zone's now.
    let now = jiff::ZonedDateTime::now().datetime().time();
    let (start, end) =
        (now.wrapping_add(jiff::SignedDuration::from_hours(5)), now.wrapping_add(jiff::SignedDuration::from_hours(6)));
    let window = format!(
        "maintenance_window = {{ start = \"{}\", end = \"{}\" }}",
        start.strftime("%H:%M"),
        end.strftime("%H:%M")
    );
    device.configure(&server.url(), &window);
    server.offer("8", "1.0.1", "attempt", "a bundle");
    let _agent = device.start();
    device.until_journal("held").await;
    let agent = device.agent().await;
    let wrong = agent.install("9.9.9").await.unwrap_err();
    assert_eq!(wrong, Error::InvalidArgument("9.9.9 is not on offer; the server offers 1.0.1".to_owned()));
    assert!(rauc.world().inspected.is_empty());
    agent.install("1.0.1").await.unwrap();
    eventually("the reboot", async || (device.services.reboots() == 1).then_some(())).await;
}

#[tokio::test]
async fn a_device_that_falls_back_says_why() {
    let server = Ddi::start().await;
    let (mut device, rauc) = device(&server).await;
    server.offer("8", "1.0.1", "attempt", "a bundle");
    let agent = device.start();
    eventually("the reboot", async || (device.services.reboots() == 1).then_some(())).await;
    agent.kill();
    device.boot();
    rauc.boot(1);
    let agent = device.start();
    device.until_journal("confirming").await;
    agent.kill();
    let verdicts = r#"[{"boot_id": "00000000-0000-4000-8000-000000000002", "slot": "B",
        "failures": ["pipeline: no reading within 60 s"]}]"#;
    std::fs::create_dir_all(device.path("state/health")).unwrap();
    std::fs::write(device.path("state/health/verdicts.json"), verdicts).unwrap();
    device.boot();
    rauc.boot(0);
    device.services.confirm(true);
    let _agent = device.start();
    let (finished, details) = server.outcome("8").await;
    assert_eq!(finished, "failure");
    assert_eq!(
        details,
        [
            "rolled back: slot B with 1.0.1 was given up, slot A with 1.0.0 runs again",
            "attempts: slot B got as far as its services in 1 boot",
            "reason: health check failed in slot B: pipeline: no reading within 60 s",
        ]
    );
    assert_eq!(rauc.world().primary, 0, "the next reboot does not try it again");
    server.offer("8", "1.0.1", "attempt", "a bundle");
    server.until_polled().await;
    assert_eq!(rauc.world().installed.len(), 1, "nor does the agent");
}

#[tokio::test]
async fn nothing_is_installed_while_the_running_slot_is_on_trial() {
    let server = Ddi::start().await;
    let (device, rauc) = device(&server).await;
    device.services.confirm(false);
    server.offer("8", "1.0.1", "forced", "a bundle");
    let _agent = device.start();
    device.until_journal("held").await;
    server.until_polled().await;
    assert!(rauc.world().inspected.is_empty());
    device.services.confirm(true);
    eventually("the reboot", async || (device.services.reboots() == 1).then_some(())).await;
}

#[tokio::test]
async fn a_device_with_a_token_sends_it_and_gives_it_to_rauc() {
    for (key, scheme) in [("target_token", "TargetToken"), ("gateway_token", "GatewayToken")] {
        let server = Ddi::start_for_tokens().await;
        let (device, rauc) = device(&server).await;
        device.configure(&server.url(), &format!("{key} = \"s3cret\""));
        server.offer("8", "1.0.1", "attempt", "a bundle");
        let _agent = device.start();
        eventually("the reboot", async || (device.services.reboots() == 1).then_some(())).await;
        assert_eq!(server.records().authorizations[0].as_deref().unwrap(), format!("{scheme} s3cret"));
        let args = rauc.world().installed[0].1["http-headers"].try_clone().unwrap();
        assert_eq!(Vec::<String>::try_from(args).unwrap(), [format!("Authorization: {scheme} s3cret")]);
    }
}

#[tokio::test]
async fn once_asks_the_server_once_and_does_what_follows() {
    let server = Ddi::start().await;
    let (device, rauc) = device(&server).await;
    let output = device.output(&["--once"]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!((server.records().polls, String::from_utf8(output.stdout).unwrap().as_str()), (1, "idle\n"));
    server.offer("8", "1.0.1", "attempt", "a bundle");
    let output = device.output(&["--once"]).await;
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "rebooting 1.0.1\n");
    assert_eq!((rauc.world().primary, device.services.reboots()), (1, 1));
}

#[tokio::test]
async fn check_config_says_whether_it_is_good() {
    let server = Ddi::start().await;
    let device = Device::new(&server).await;
    let output = device.output(&["--check-config"]).await;
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().contains("device-001 asks https://127.0.0.1"));
    device.configure("http://updates.example.com", "");
    let output = device.output(&["--check-config"]).await;
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8(output.stderr).unwrap().contains("update.server"));
}

#[tokio::test]
async fn sigterm_ends_the_agent_in_the_middle_of_an_installation_and_nothing_is_lost() {
    let server = Ddi::start().await;
    let (device, rauc) = device(&server).await;
    rauc.world().script = Script::GoOn;
    server.offer("8", "1.0.1", "attempt", "a bundle");
    let mut agent = device.start();
    eventually("RAUC has begun", async || rauc.world().installing.then_some(())).await;
    agent.signal(Signal::TERM);
    assert!(agent.exit().await.success());
    rauc.end(Ok(())).await;
    let _agent = device.start();
    eventually("the reboot", async || (device.services.reboots() == 1).then_some(())).await;
    assert_eq!(rauc.world().installed.len(), 1);
}

#[tokio::test]
async fn sighup_takes_the_configuration_and_a_renewed_certificate() {
    let server = Ddi::start().await;
    let (device, _rauc) = device(&server).await;
    let stranger = Authority::new("Another CA").issue("device-001", ExtendedKeyUsagePurpose::ClientAuth);
    stranger.write(&device.path("state/identity"), server.authority());
    device.configure(&server.url(), "attributes = { site = \"hall 3\" }");
    let running = device.start();
    let agent = device.agent().await;
    eventually("the refusal", async || (!agent.last_error().await.ok()?.is_empty()).then_some(())).await;
    assert_eq!(server.records().polls, 0);

    device.configure(&server.url(), "attributes = { sight = \"hall 3\" }\ntenant = 7");
    running.signal(Signal::HUP);
    server.device_identity().write(&device.path("state/identity"), server.authority());
    device.configure(&server.url(), "attributes = { site = \"hall 4\" }");
    running.signal(Signal::HUP);
    let attributes = eventually("the attributes", async || server.records().attributes.clone()).await;
    assert_eq!(attributes["site"], "hall 4");
    eventually("no error", async || agent.last_error().await.unwrap().is_empty().then_some(())).await;
}
