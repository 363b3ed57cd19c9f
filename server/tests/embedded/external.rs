//! A database and a broker that the server is told to use.

use crate::server::{Server, children, command, failure};

#[test]
fn with_database_url_and_mqtt_url_nothing_is_started() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let host = Server::start(folder.path());
    let (database, broker) = (host.endpoint("postgres_url"), format!("mqtts://{}", host.endpoint("mqtts")));
    let pki = |name: &str| host.data.join("pki").join(name).display().to_string();
    let guest = Server::start_with(
        other.path(),
        &["--http", "127.0.0.1:0"],
        &[
            ("DATABASE_URL", &database),
            ("MQTT_URL", &broker),
            ("MQTT_CA_CERT", &pki("ca.crt")),
            ("MQTT_CLIENT_CERT", &pki("microkernel-server.crt")),
            ("MQTT_CLIENT_KEY", &pki("microkernel-server.key")),
        ],
    );
    assert_eq!(children(&guest.data), []);
    assert_eq!(guest.endpoint("mqtts"), host.endpoint("mqtts"));
    assert!(guest.endpoints().get("postgres_url").is_none(), "it may hold a password");
    assert!(guest.stop().success());
    assert!(host.stop().success());
}

#[test]
fn a_password_is_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let error = failure(
        command()
            .arg("--data-dir")
            .arg(folder.path())
            .args(["--http", "127.0.0.1:0"])
            .env("RUST_LOG", "debug")
            .env("DATABASE_URL", "postgresql://user:geheim@127.0.0.1:1/none"),
    );
    assert!(error.contains("127.0.0.1:1") && !error.contains("geheim"), "{error}");
    let error = failure(command().env("MQTT_URL", "mqtts://user:geheim@broker:8883"));
    assert!(error.contains("MQTT_URL") && !error.contains("geheim"), "{error}");
    let help = crate::server::run(command().arg("--help").env("DATABASE_URL", "postgresql://u:geheim@h/n"));
    assert!(!String::from_utf8_lossy(&help.stdout).contains("geheim"));
}

#[test]
fn a_broker_elsewhere_needs_tls_with_a_client_certificate() {
    let error = failure(command().env("MQTT_URL", "mqtts://broker.example:8883"));
    assert!(error.contains("MQTT_CA_CERT"), "{error}");
    let error = failure(command().env("MQTT_URL", "mqtt://broker.example:1883"));
    assert!(error.contains("mqtts://"), "{error}");
}
