//! A configuration that is faulty, or becomes complete later.

use crate::broker::Broker;
use crate::bus::{Bus, Ring};
use crate::listener::Listener;
use crate::uplink::{DEVICE, Uplink, command};
use crate::wait::until_async;
use microkernel_bus::uplink::LinkProxy;

const EXIT_CONFIG: i32 = 78;

fn output(mut command: std::process::Command) -> (Option<i32>, String) {
    let output = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.code(), text)
}

#[test]
fn without_a_device_id_it_ends_and_says_where_to_put_one() {
    let dir = tempfile::tempdir().unwrap();
    let toml = "[mqtt]\nhost = 'broker'\nca_cert = '/ca'\nclient_cert = '/cert'\nclient_key = '/key'\n";
    std::fs::write(dir.path().join("a.toml"), toml).unwrap();
    let mut uplink = command();
    uplink.env("MICROKERNEL_CONFIG_PATH", dir.path()).env("MICROKERNEL_STATE_DIR", dir.path().join("state"));
    let (code, text) = output(uplink);
    assert_eq!(code, Some(EXIT_CONFIG));
    assert!(text.contains("device.id is missing") && text.contains("DEVICE_ID"), "{text}");
}

#[test]
fn check_config_names_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.toml"), "[uplink]\nspool_readings = 5\n").unwrap();
    let check = |variables: &[(&str, &str)]| {
        let mut uplink = command();
        uplink.arg("--check-config").env("MICROKERNEL_CONFIG_PATH", dir.path()).envs(variables.iter().copied());
        output(uplink)
    };
    let mut variables = vec![
        ("DEVICE_ID", DEVICE),
        ("MQTT_BROKER_HOST", "broker"),
        ("MQTT_CA_CERT", "/nonexistent/ca.crt"),
        ("MQTT_CLIENT_CERT", "/nonexistent/device.crt"),
        ("MQTT_CLIENT_KEY", "/nonexistent/device.key"),
    ];
    let (code, text) = check(&variables);
    assert_eq!(code, Some(EXIT_CONFIG));
    assert!(text.contains("a.toml:2") && text.contains("an integer from 1000"), "{text}");

    std::fs::write(dir.path().join("a.toml"), "").unwrap();
    let (code, text) = check(&variables);
    assert_eq!(code, Some(EXIT_CONFIG));
    assert!(text.contains("/nonexistent/ca.crt") && text.contains("MQTT_CA_CERT"), "{text}");

    let pki = crate::pki::Pki::new(dir.path());
    let (ca, (cert, key)) = (pki.ca(), pki.issue(DEVICE));
    let paths = [ca, cert, key].map(|path| path.display().to_string());
    for (variable, path) in variables[2..].iter_mut().zip(&paths) {
        variable.1 = path;
    }
    let (code, text) = check(&variables);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("device device-001, broker broker:8883"), "{text}");
}

#[test]
fn help_names_the_environment() {
    let mut uplink = command();
    uplink.arg("--help");
    let (code, text) = output(uplink);
    assert_eq!(code, Some(0));
    assert!(text.contains("DEVICE_ID") && text.contains("--check-config"), "{text}");
}

#[tokio::test]
async fn a_certificate_that_appears_later_is_used() {
    let (broker, bus) = (Broker::start().await, Bus::start().await);
    let listener = Listener::start(&broker, DEVICE).await;
    let ring = Ring::new();
    let _served = ring.serve(&bus).await;
    ring.measure(10);
    let (cert, key) = broker.pki.issue(DEVICE);
    let hidden = cert.with_extension("later");
    std::fs::rename(&cert, &hidden).unwrap();
    let _uplink = Uplink::start_with_files(&broker, &bus, "", cert.clone(), key);
    let link = LinkProxy::uncached(&bus.connect().await).await.unwrap();
    let error = until_async("the missing file is named", async || {
        link.last_error().await.ok().filter(|error| error.contains("device-001.crt"))
    })
    .await;
    assert!(error.contains("enrol the device"), "{error}");
    assert_eq!(link.state().await.unwrap(), "waiting");
    std::fs::rename(&hidden, &cert).unwrap();
    listener.until_numbers(&ring.epoch(), 1..=10).await;
    assert_eq!(link.state().await.unwrap(), "connected");
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_told_with_the_remedy() {
    let (broker, bus) = (Broker::start().await, Bus::start().await);
    let (cert, key) = broker.pki.issue_until(DEVICE, 2020);
    let _uplink = Uplink::start_with_files(&broker, &bus, "", cert, key);
    let link = LinkProxy::uncached(&bus.connect().await).await.unwrap();
    until_async("the expiry is told", async || {
        link.last_error().await.ok().filter(|error| error.contains("it has expired; renew the device's certificate"))
    })
    .await;
}
