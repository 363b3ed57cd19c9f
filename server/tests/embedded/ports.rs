//! Ports that are taken, addresses that are refused.

use crate::server::{Server, command, failure};
use std::net::TcpListener;

#[test]
fn ports_of_last_time_that_are_taken_are_replaced_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let held = [(); 2].map(|()| TcpListener::bind(("127.0.0.1", 0)).unwrap());
    let [http, mqtts] = held.each_ref().map(|listener| listener.local_addr().unwrap().port());
    std::fs::write(folder.path().join("ports.json"), format!(r#"{{"http":{http},"mqtts":{mqtts}}}"#)).unwrap();
    let server = Server::start_with(folder.path(), &[], &[]);
    assert_ne!(server.endpoint("http"), format!("http://127.0.0.1:{http}"));
    assert_ne!(server.mqtt_port(), mqtts.to_string());
    let log = server.log();
    for port in [http, mqtts] {
        assert!(log.contains(&format!("port {port} is taken by process {}", std::process::id())), "{log}");
    }
}

#[test]
fn a_taken_port_that_was_asked_for_is_an_error_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let held = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = held.local_addr().unwrap().port().to_string();
    let http = format!("127.0.0.1:{port}");
    let server = || {
        let mut command = command();
        command.arg("--data-dir").arg(folder.path());
        command
    };
    let error = failure(server().args(["--http", &http]));
    assert!(error.contains(&format!("--http {http}: the port is taken")), "{error}");
    assert!(error.contains(&format!("by process {}", std::process::id())), "{error}");
    let error = failure(server().args(["--http", "127.0.0.1:0", "--mqtt-port", &port]));
    assert!(error.contains("--mqtt-port") && error.contains("taken"), "{error}");
}

#[test]
fn an_address_that_others_reach_is_refused_with_the_reason() {
    let error = failure(command().args(["--http", "0.0.0.0:4000"]));
    assert!(error.contains("no accounts yet") && error.contains("127.0.0.1:4000"), "{error}");
}
