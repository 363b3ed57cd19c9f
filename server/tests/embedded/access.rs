//! Whom the broker lets in, and what they may do.

use crate::mqtt::{client, client_as, client_as_server, issue, publish};
use crate::server::{Server, eventually, run};
use rustls::SupportedProtocolVersion;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

#[test]
fn a_device_may_publish_below_its_own_topics_only() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let own = issue(&server.data, "device-001");
    let device = || client_as(&server, "mosquitto_pub", &own, "device-001");

    let output = publish(&mut device(), "devices/device-001/health", "{}");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    for topic in ["devices/device-002/health", "devices/device-0011/health", "other/device-001", "devices"] {
        let output = publish(&mut device(), topic, "{}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("Not authorized"), "{topic}: {output:?}");
    }
}

#[test]
fn a_device_receives_only_what_is_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let own = issue(&server.data, "device-001");
    let subscribe = |how: &[&str]| {
        let mut subscriber = client_as(&server, "mosquitto_sub", &own, "device-001");
        subscriber.args(["-v", "-c", "-i", "device-001", "-x", "600", "-q", "1", "-W", "30", "-t", "devices/#"]);
        run(subscriber.args(how))
    };
    let output = subscribe(&["-E"]);
    assert!(output.status.success(), "{output:?}");
    for topic in ["devices/device-002/commands", "devices/device-001/commands"] {
        assert!(publish(&mut client_as_server(&server, "mosquitto_pub"), topic, "x").status.success());
    }
    let output = subscribe(&["-C", "1"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "devices/device-001/commands x\n", "the first that comes");
}

#[test]
fn a_client_without_a_certificate_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let output = publish(&mut client(&server, "mosquitto_pub"), "devices/device-001/health", "{}");
    assert!(!output.status.success(), "{output:?}");
    let log = server.data.join("log/mosquitto.log");
    eventually("the broker says why", || {
        std::fs::read_to_string(&log).unwrap().contains("peer did not return a certificate").then_some(())
    });
}

#[test]
fn a_certificate_of_another_ca_is_refused() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start(folder.path());
    let foreign = issue(other.path(), "device-001");
    let output =
        publish(&mut client_as(&server, "mosquitto_pub", &foreign, "device-001"), "devices/device-001/health", "{}");
    assert!(!output.status.success(), "{output:?}");
}

#[test]
fn tls_1_2_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let handshake = |version: &'static SupportedProtocolVersion| {
        let pem = |name: &str| server.data.join("pki").join(name);
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(pem("ca.crt")).unwrap()).unwrap();
        let chain = vec![CertificateDer::from_pem_file(pem("microkernel-server.crt")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(pem("microkernel-server.key")).unwrap();
        let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = TcpStream::connect(server.endpoint("mqtts")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        connection.complete_io(&mut stream)
    };
    handshake(&rustls::version::TLS13).unwrap();
    let error = handshake(&rustls::version::TLS12).unwrap_err().to_string();
    assert!(error.contains("ProtocolVersion"), "{error}");
}

#[test]
fn a_payload_above_the_limit_is_refused_and_one_at_the_limit_is_not() {
    const LIMIT_BYTES: usize = 1024 * 1024;
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let file = server.data.join("payload");
    let publish_bytes = |length: usize| {
        std::fs::write(&file, vec![b'x'; length]).unwrap();
        let mut publisher = client_as_server(&server, "mosquitto_pub");
        run(publisher.args(["-q", "1", "-t", "devices/d/health", "-f"]).arg(&file))
    };
    let output = publish_bytes(LIMIT_BYTES + 1);
    assert!(String::from_utf8_lossy(&output.stderr).contains("Packet too large"), "{output:?}");
    let output = publish_bytes(LIMIT_BYTES);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn a_client_that_ignores_the_limit_is_disconnected_and_the_broker_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let file = server.data.join("payload");
    std::fs::write(&file, vec![b'x'; 10 * 1024 * 1024]).unwrap();
    // MQTT 3.1.1 has no way to announce the limit, so the client tries.
    let mut publisher = client_as_server(&server, "mosquitto_pub");
    let output = run(publisher.args(["-V", "311", "-q", "1", "-t", "devices/d/health", "-f"]).arg(&file));
    assert!(!output.status.success(), "{output:?}");
    let output = publish(&mut client_as_server(&server, "mosquitto_pub"), "devices/d/health", "{}");
    assert!(output.status.success(), "{output:?}");
}
