//! mosquitto's own command-line clients, with a device's certificate.

use crate::server::{Server, command, run};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Issues a device's certificate to a folder of its own and says where.
pub(crate) fn issue(data: &Path, id: &str) -> PathBuf {
    let out = data.join("issued").join(id);
    let output = run(command().args(["certificate", "issue", id, "--data-dir"]).arg(data).arg("--out").arg(&out));
    assert!(output.status.success(), "{output:?}");
    out
}

/// `mosquitto_pub` or `mosquitto_sub`, MQTT 5 over TLS, trusting the server's CA, without a certificate of its own.
pub(crate) fn client(server: &Server, program: &str) -> Command {
    let mut command = Command::new(program);
    command.args(["-V", "5", "-h", "127.0.0.1", "-p", &server.mqtt_port(), "--cafile", &server.endpoint("ca_cert")]);
    command
}

/// The same with the certificate in a folder.
pub(crate) fn client_as(server: &Server, program: &str, folder: &Path, id: &str) -> Command {
    let mut command = client(server, program);
    command.arg("--cert").arg(folder.join(format!("{id}.crt"))).arg("--key").arg(folder.join(format!("{id}.key")));
    command
}

/// The same as the server itself, who reads and writes everything.
pub(crate) fn client_as_server(server: &Server, program: &str) -> Command {
    client_as(server, program, &server.data.join("pki"), "microkernel-server")
}

/// Publishes with QoS 1 and waits for the broker's answer.
pub(crate) fn publish(client: &mut Command, topic: &str, payload: &str) -> Output {
    run(client.args(["-q", "1", "-t", topic, "-m", payload]))
}
