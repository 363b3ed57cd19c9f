//! Ports that are taken, addresses that are refused.

use crate::server::{Server, command, failure};
use std::net::TcpListener;

#[test]
fn taken_default_ports_are_replaced_and_said() {
    // Where another program has them, they are taken as well.
    let _held = [4000, 8883].map(|port| TcpListener::bind(("127.0.0.1", port)));
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), &[], &[]);
    assert_ne!(server.endpoint("http"), "http://127.0.0.1:4000");
    assert_ne!(server.mqtt_port(), "8883");
    let log = server.log();
    assert!(log.contains("port 4000 is taken") && log.contains("port 8883 is taken"), "{log}");
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
