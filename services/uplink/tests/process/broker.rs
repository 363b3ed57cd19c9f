//! A real mosquitto: TLS 1.3, client certificates, a device confined to its own topics.

use crate::pki::Pki;
use crate::wait::until;
use rustix::process::{Pid, Signal, kill_process};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// What a device may do, and the test's listener beside it.
const ACL: &str = "user server\ntopic readwrite devices/#\npattern readwrite devices/%u/#\n";

pub(crate) struct Broker {
    pub(crate) port: u16,
    pub(crate) pki: Pki,
    dir: TempDir,
    process: Option<Child>,
}

impl Broker {
    pub(crate) async fn start() -> Self {
        Self::start_with(ACL, "").await
    }

    /// With other rights, and more lines of configuration.
    pub(crate) async fn start_with(acl: &str, more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let pki = Pki::new(dir.path());
        let (cert, key) = pki.issue("broker");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let path = |path: PathBuf| path.display().to_string();
        let config = format!(
            "listener {port} 127.0.0.1\ncafile {}\ncertfile {}\nkeyfile {}\ntls_version tlsv1.3\n\
             require_certificate true\nuse_identity_as_username true\nallow_anonymous false\n\
             acl_file {}\nlog_dest file {}\nuser root\n{more}\n",
            path(pki.ca()),
            path(cert),
            path(key),
            path(dir.path().join("acl")),
            path(dir.path().join("broker.log")),
        );
        std::fs::write(dir.path().join("broker.conf"), config).unwrap();
        let mut broker = Self { port, pki, dir, process: None };
        broker.set_acl(acl);
        broker.restart().await;
        broker
    }

    pub(crate) async fn restart(&mut self) {
        let process = Command::new("mosquitto")
            .arg("-c")
            .arg(self.dir.path().join("broker.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto did not start; install the package mosquitto");
        self.process = Some(process);
        let address = ("127.0.0.1", self.port);
        until("the broker listens", || TcpStream::connect(address).is_ok().then_some(())).await;
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Changes the rights; a broker that runs reads them at once.
    pub(crate) fn set_acl(&self, acl: &str) {
        std::fs::write(self.dir.path().join("acl"), acl).unwrap();
        if let Some(process) = &self.process {
            kill_process(Pid::from_child(process), Signal::HUP).unwrap();
        }
    }

    pub(crate) fn default_acl() -> &'static str {
        ACL
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", std::fs::read_to_string(self.dir.path().join("broker.log")).unwrap_or_default());
        }
        self.kill();
    }
}
