//! Bundles in S3-compatible storage: the real program against moto's server.

use crate::bundles::Signer;
use crate::device::Device;
use crate::program::{self, Server, command, run};
use crate::world::eventually;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};

/// The storage while it exists.
struct Storage {
    child: Child,
    url: String,
}

impl Storage {
    /// Starts one with the bucket `bundles`.
    async fn start() -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("moto_server")
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let storage = Self { child, url: format!("http://127.0.0.1:{port}") };
        eventually("the storage has a bucket", async || {
            Client::new().put(format!("{}/bundles", storage.url)).send().await.ok()?.error_for_status().ok()
        })
        .await;
        storage
    }

    /// What a client has to be told of it.
    fn environment(&self) -> [(&str, &str); 5] {
        [
            ("AWS_ENDPOINT_URL", self.url.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ]
    }

    /// Its list of keys, XML.
    async fn list(&self) -> String {
        let answer = Client::new().get(format!("{}/bundles?list-type=2", self.url)).send().await.unwrap();
        answer.text().await.unwrap()
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[tokio::test]
#[ignore = "needs moto_server, an S3-compatible server: pip install 'moto[s3,server]'"]
async fn bundles_are_kept_in_s3_and_served_in_parts() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let folder = tempfile::tempdir().unwrap();
    let signer = Signer::new(&folder.path().join("signer"));
    let storage = Storage::start().await;
    let keyring = signer.keyring();
    let arguments = ["--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--mqtt-port", "0", "--bundle-store"];
    let arguments = [&arguments[..], &["s3://bundles/fleet", "--bundle-keyring", keyring.to_str().unwrap()]].concat();
    let data = folder.path().join("data");
    let server = Server::start_with(&data, &arguments, &storage.environment());
    let api = format!("{}/api/v1", server.endpoint("http"));
    let post = async |path: &str, body: Value| -> Value {
        let answer = Client::new().post(format!("{api}{path}")).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.unwrap()
    };

    // Three parts of an upload to the storage.
    let bundle = signer.bundle("1.0.1", 12_000_000);
    let upload = async |bundle: &[u8]| -> Value {
        let answer = Client::new().post(format!("{api}/releases")).body(bundle.to_owned()).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        answer.json().await.unwrap()
    };
    let release = upload(&bundle).await;
    let listed = storage.list().await;
    assert!(listed.contains("<Key>fleet/") && listed.contains(&format!("<Size>{}</Size>", bundle.len())), "{listed}");
    assert_eq!(std::fs::read_dir(data.join("bundles/kept")).unwrap().count(), 0, "nothing is kept on disk");

    let issued = folder.path().join("device-001");
    let issue =
        run(command().args(["certificate", "issue", "device-001", "--data-dir"]).arg(&data).arg("--out").arg(&issued));
    assert!(issue.status.success(), "{issue:?}");
    let https = server.endpoint("https");
    let device =
        Device::new(https.strip_prefix("https://").unwrap(), "device-001", Some(&issued), &issued.join("ca.crt"));
    device.poll().await;
    post("/devices/device-001/deployments", json!({"release": release["id"]})).await;
    let url = format!("{}/softwaremodules/1/artifacts/release-1.raucb", device.base);
    let whole = device.request(Method::GET, &url).send().await.unwrap();
    assert_eq!(whole.headers()["etag"].to_str().unwrap(), format!("\"{}\"", release["sha256"].as_str().unwrap()));
    assert!(whole.bytes().await.unwrap() == bundle, "the whole bundle");
    // Over the border of two parts.
    let range = 5 * 1024 * 1024 - 1_000..5 * 1024 * 1024 + 1_000;
    let part = device.request(Method::GET, &url).header("range", format!("bytes={}-{}", range.start, range.end - 1));
    let part = part.send().await.unwrap();
    assert_eq!(part.status(), 206);
    assert!(part.bytes().await.unwrap() == bundle[range], "a part");

    let second = upload(&signer.bundle("1.0.2", 20_000)).await;
    assert_eq!(storage.list().await.matches("<Key>").count(), 2);
    let deleted = Client::new().delete(format!("{api}/releases/{}", second["id"])).send().await.unwrap();
    assert_eq!(deleted.status(), 204);
    assert_eq!(storage.list().await.matches("<Key>").count(), 1);
    assert!(server.stop().success());
}

#[test]
fn storage_that_can_not_be_used_is_told_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let serve = |store: &str| {
        let mut command = command();
        command.args(["--data-dir"]).arg(folder.path()).args(["--http", "127.0.0.1:0", "--https", "127.0.0.1:0"]);
        command.args(["--mqtt-port", "0", "--bundle-store", store]);
        // Nobody listens there.
        let nowhere = [("AWS_ENDPOINT_URL", "http://127.0.0.1:1"), ("AWS_ALLOW_HTTP", "true")];
        command.envs(nowhere).env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        program::failure(&mut command)
    };
    let told = serve("s3://key:secret@bundles");
    assert!(told.contains("expected s3://BUCKET") && !told.contains("secret"), "{told}");
    let told = serve("s3://bundles");
    assert!(told.contains("the storage of the bundles can't be used"), "{told}");
}
