//! The devices' HTTPS with certificates of one's own, and new ones without a restart.

use crate::device::Device;
use crate::program::{Server, command, eventually, run, send};
use std::path::Path;

/// Writes a certificate for this machine, signed by itself, and its key.
fn certificate(folder: &Path) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    std::fs::write(folder.join("https.crt"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("https.key"), made.signing_key.serialize_pem()).unwrap();
}

/// A device's certificate of the authority in a data folder.
fn issue(data: &Path, id: &str) -> std::path::PathBuf {
    let out = data.join("issued").join(id);
    let output = run(command().args(["certificate", "issue", id, "--data-dir"]).arg(data).arg("--out").arg(&out));
    assert!(output.status.success(), "{output:?}");
    out
}

#[tokio::test]
async fn certificates_are_given_by_files_and_read_again_on_sighup() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path());
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (other, data) = (folder.path().join("other"), folder.path().join("data"));
    let ours = issue(&other, "device-001");
    let ca = ours.join("ca.crt").to_str().unwrap().to_owned();
    let arguments = ["--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--mqtt-port", "0", "--https-cert"];
    let (cert, key) = (file("https.crt"), file("https.key"));
    let own = [cert.as_str(), "--https-key", key.as_str(), "--device-ca", ca.as_str()];
    let server = Server::start_with(&data, &[&arguments[..], &own].concat(), &[]);
    let https = server.endpoint("https").strip_prefix("https://").unwrap().to_owned();
    let reach = async |certificate: &Path, trusted: &str| {
        let device = Device::new(&https, "device-001", Some(certificate), Path::new(trusted));
        device.request(reqwest::Method::GET, &device.base).send().await.is_ok_and(|answer| answer.status() == 200)
    };
    assert!(reach(&ours, &file("https.crt")).await, "the certificates given");
    let embedded = issue(&data, "device-001");
    assert!(!reach(&embedded, &file("https.crt")).await, "a device of another authority");
    assert!(!reach(&ours, embedded.join("ca.crt").to_str().unwrap()).await, "the server of another authority");

    let old = file("old.crt");
    std::fs::copy(file("https.crt"), &old).unwrap();
    certificate(folder.path());
    send("HUP", server.id());
    eventually("they are read", || server.log().contains("were read again").then_some(()));
    assert!(reach(&ours, &file("https.crt")).await && !reach(&ours, &old).await, "the new certificate");

    let new = file("new.crt");
    std::fs::copy(file("https.crt"), &new).unwrap();
    std::fs::write(file("https.crt"), "no certificate").unwrap();
    send("HUP", server.id());
    eventually("it is told", || server.log().contains("stay as they are: ").then_some(()));
    assert!(reach(&ours, &new).await, "what can't be read changes nothing");
    assert!(server.stop().success());
}
