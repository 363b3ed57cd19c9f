//! From a device's message to the API, through everything that the server has started.

use crate::mqtt::{client_as, issue, publish};
use crate::server::{DEADLINE, Server};
use microkernel_server::config::TlsFiles;
use microkernel_server::tls::client_config;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The device as the API shows it, as soon as `ready` says so.
async fn device(server: &Server, id: &str, ready: impl Fn(&Value) -> bool) -> Value {
    // The client has none of its own, though it asks without TLS. It may be there: tests share a process under
    // `cargo test`.
    drop(rustls::crypto::ring::default_provider().install_default());
    let url = format!("{}/api/v1/devices/{id}", server.endpoint("http"));
    let start = Instant::now();
    loop {
        let answer: Value = reqwest::get(&url).await.unwrap().json().await.unwrap();
        if ready(&answer) {
            return answer;
        }
        assert!(start.elapsed() < DEADLINE, "{id}: {answer}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn the_first_message_to_a_server_that_says_it_is_ready_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let own = issue(&server.data, "device-001");
    let reading = json!({
        "device_id": "device-001", "sensor": "Temperature", "value": 23.5, "unit": "°C", "timestamp": 1_704_067_200,
        "anomaly": false, "confidence": 0.95,
    });
    let mut publisher = client_as(&server, "mosquitto_pub", &own, "device-001");
    assert!(publish(&mut publisher, "devices/device-001/telemetry", &reading.to_string()).status.success());

    let device = device(&server, "device-001", |device| device["sensors"][0]["readings"] == 1).await;
    assert_eq!(device["sensors"][0]["latest"]["value"], 23.5);
    let http = server.endpoint("http");
    assert!(reqwest::get(format!("{http}/readyz")).await.unwrap().status().is_success());
    let page = reqwest::get(format!("{http}/")).await.unwrap().text().await.unwrap();
    assert!(page.contains("device-001"), "{page}");
    assert!(server.stop().success());
}

/// Ends the process however the test ends.
struct Subscriber(Child);

impl Drop for Subscriber {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// mosquitto lets anyone join a shared subscription, and what it then hands to the wrong member is lost.
#[tokio::test]
async fn a_device_that_tries_to_join_the_ingest_takes_nothing_from_it() {
    const READINGS: u64 = 200;
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let rogue = issue(&server.data, "rogue");
    let mut subscriber: Command = client_as(&server, "mosquitto_sub", &rogue, "rogue");
    subscriber.args(["-q", "1", "-t", "$share/ingest/devices/+/telemetry"]);
    let _subscriber = Subscriber(subscriber.stdout(Stdio::null()).spawn().unwrap());
    let log = server.data.join("log/mosquitto.log");
    crate::server::eventually("it is connected", || {
        std::fs::read_to_string(&log).unwrap().contains("u'rogue'").then_some(())
    });

    let own = issue(&server.data, "device-001");
    let lines: String = (0..READINGS)
        .map(|seq| {
            let reading = json!({
                "device_id": "device-001", "sensor": "Temperature", "value": 1.0, "unit": "°C", "seq": seq,
                "boot_id": "6f1c2b8e-6c33-4c1b-9d2a-0d7a3b1c5e10", "timestamp": 1_704_067_200 + seq, "anomaly": false,
            });
            format!("{reading}\n")
        })
        .collect();
    let file = server.data.join("lines");
    std::fs::write(&file, lines).unwrap();
    let mut publisher = client_as(&server, "mosquitto_pub", &own, "device-001");
    publisher.args(["-l", "-q", "1", "-t", "devices/device-001/telemetry"]);
    let status = publisher.stdin(std::fs::File::open(&file).unwrap()).status().unwrap();
    assert!(status.success());
    device(&server, "device-001", |device| device["sensors"][0]["readings"] == READINGS).await;
}

#[test]
fn an_open_event_stream_does_not_hold_up_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let address = server.endpoint("http").replace("http://", "");
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(stream, "GET /api/v1/events HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
    let start = Instant::now();
    assert!(server.stop().success());
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_device_asks_for_updates_with_the_certificate_it_was_issued() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let issued = issue(&server.data, "device-001");
    let files = TlsFiles {
        ca_cert: issued.join("ca.crt"),
        client_cert: issued.join("device-001.crt"),
        client_key: issued.join("device-001.key"),
    };
    let tls = client_config(&files).unwrap();
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls).build().unwrap();
    let base = format!("{}/DEFAULT/controller/v1", server.endpoint("https"));
    let answer: Value = client.get(format!("{base}/device-001")).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["config"]["polling"]["sleep"], "00:05:00");
    assert_eq!(client.get(format!("{base}/device-002")).send().await.unwrap().status(), 403);
    assert!(server.stop().success());
}
