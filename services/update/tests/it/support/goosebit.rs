//! gooseBit, a DDI server that others wrote (<https://github.com/goosebit/goosebit>), over HTTPS with client certificates.

use super::{
    device::Process,
    eventually,
    pki::{Authority, Identity},
};
use rcgen::ExtendedKeyUsagePurpose;
use serde_json::{Value, json};
use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const SCRIPT: &str = r#"
import asyncio, ssl, sys
import uvicorn
from tortoise import Tortoise
from goosebit import app
from goosebit.db.config import TORTOISE_CONF

async def create():
    await Tortoise.init(config=TORTOISE_CONF)
    await Tortoise.generate_schemas()
    await Tortoise.close_connections()

asyncio.run(create())
port, folder = int(sys.argv[1]), sys.argv[2]
uvicorn.run(app, host="127.0.0.1", port=port, ssl_keyfile=f"{folder}/server.key", ssl_certfile=f"{folder}/server.crt",
            ssl_ca_certs=f"{folder}/ca.crt", ssl_cert_reqs=ssl.CERT_REQUIRED)
"#;

/// The server.
pub(crate) struct Goosebit {
    folder: tempfile::TempDir,
    authority: Authority,
    port: u16,
    token: String,
    _server: Process,
}

impl Goosebit {
    /// Started by the Python that `MICROKERNEL_TEST_GOOSEBIT` names and that has it installed.
    pub(crate) async fn start() -> Self {
        let python = std::env::var_os("MICROKERNEL_TEST_GOOSEBIT").expect(
            "MICROKERNEL_TEST_GOOSEBIT names no Python with gooseBit; python3 -m venv DIR && DIR/bin/pip install \
             goosebit==0.2.12, then DIR/bin/python",
        );
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new("Test CA");
        let server = authority.issue("server", ExtendedKeyUsagePurpose::ServerAuth);
        let operator = authority.issue("operator", ExtendedKeyUsagePurpose::ClientAuth);
        for (name, text) in [
            ("server.crt", &server.certificate),
            ("server.key", &server.key),
            ("operator.crt", &operator.certificate),
            ("operator.key", &operator.key),
            ("ca.crt", &authority.certificate()),
        ] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(python)
            .args(["-c", SCRIPT, &port.to_string()])
            .arg(folder.path())
            .env("GOOSEBIT_DB_URI", format!("sqlite://{}", folder.path().join("db.sqlite3").display()))
            .env("GOOSEBIT_ARTIFACTS_DIR", folder.path().join("artifacts"))
            .env("GOOSEBIT_TENANT", "default")
            .env("GOOSEBIT_POLL_TIME", "00:00:01")
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut goosebit = Self { folder, authority, port, token: String::new(), _server: Process(process) };
        let setup = ["-d", "username=operator@example.com", "-d", "password=s3cret"];
        let answer = eventually("gooseBit serves", async || goosebit.ask("/setup", &setup)).await;
        goosebit.token = answer["access_token"].as_str().unwrap().to_owned();
        goosebit
    }

    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    pub(crate) fn device_identity(&self) -> Identity {
        self.authority.issue("device-001", ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// Takes a bundle, and assigns it to the device.
    pub(crate) fn assign(&self, bundle: &[u8], device: &str) {
        let path: PathBuf = self.folder.path().join("os.raucb");
        fs::write(&path, bundle).unwrap();
        let software =
            self.ask("/api/v1/software", &["-X", "PUT", "-F", &format!("file=@{}", path.display())]).unwrap();
        let body = json!({"devices": [device], "software": software["id"].to_string()}).to_string();
        let json_body = ["-X", "PATCH", "-H", "Content-Type: application/json", "-d", &body];
        assert_eq!(self.ask("/api/v1/devices", &json_body).unwrap()["success"], true);
    }

    /// What it knows of the only device; `None` before that has called.
    pub(crate) fn device(&self) -> Option<Value> {
        self.ask("/api/v1/devices", &[])?["devices"].as_array()?.first().cloned()
    }

    fn ask(&self, path: &str, args: &[&str]) -> Option<Value> {
        let file = |name: &str| self.folder.path().join(name);
        let mut curl = Command::new("curl");
        if !self.token.is_empty() {
            curl.args(["-H", &format!("Authorization: bearer {}", self.token)]);
        }
        let output = curl
            .args(["--silent", "--show-error", "--fail", "--max-time", "10"])
            .args([Path::new("--cacert"), &file("ca.crt"), Path::new("--cert"), &file("operator.crt")])
            .args([Path::new("--key"), &file("operator.key")])
            .args(args)
            .arg(format!("{}{path}", self.url()))
            .output()
            .unwrap();
        output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
    }
}
