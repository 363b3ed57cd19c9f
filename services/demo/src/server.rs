//! The server: one process, which starts its own database and broker.

use crate::{Identity, Layout, Ports, Program, Reporter, ServerEndpoints, Service, Stage, Supervisor, sibling};
use anyhow::{Context, bail, ensure};
use microkernel_wire::DeviceId;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The first start makes a database, which takes a slow machine a while.
const READY_WITHIN: Duration = Duration::from_secs(180);
/// How often a file is looked at while waiting for it.
const POLL: Duration = Duration::from_millis(100);
/// So many starts without success, and waiting longer makes no sense. More than one, because what an earlier server
/// left behind may need a moment to end.
const STARTS_TO_TRY: u32 = 4;
/// How long making a certificate may take.
const ISSUE_WITHIN: Duration = Duration::from_secs(60);

/// The server, running.
#[derive(Debug)]
pub struct Server {
    /// Its process.
    pub service: Service,
    data_dir: PathBuf,
}

impl Server {
    /// Starts the server, on these ports or those that it chooses and remembers, and with `more_arguments`; it is not
    /// ready yet.
    ///
    /// # Errors
    /// It has not been built.
    pub fn start(
        supervisor: &Supervisor,
        layout: &Layout,
        ports: Option<Ports>,
        more_arguments: &[OsString],
    ) -> anyhow::Result<Self> {
        let data_dir = layout.server();
        let mut arguments: Vec<OsString> = vec!["serve".into(), "--data-dir".into(), data_dir.clone().into()];
        if let Some(Ports { http, mqtts }) = ports {
            let http = format!("127.0.0.1:{http}");
            arguments.extend(["--http".into(), http.into(), "--mqtt-port".into(), mqtts.to_string().into()]);
        }
        arguments.extend_from_slice(more_arguments);
        let program = Program {
            name: "server".to_owned(),
            program: sibling("microkernel-server")?,
            arguments,
            environment: vec![],
            log: layout.log("server"),
            // A server that was killed could not remove it, and it would pass for the new one's.
            leftovers: vec![endpoints_path(&data_dir)],
        };
        Ok(Self { service: supervisor.start(Stage::Server, program), data_dir })
    }

    /// Waits until the server serves.
    ///
    /// # Errors
    /// It ends again and again, or takes too long: with the end of its log.
    pub async fn ready(&self, reporter: &dyn Reporter) -> anyhow::Result<ServerEndpoints> {
        let started = Instant::now();
        let path = endpoints_path(&self.data_dir);
        loop {
            if let Some(endpoints) = ServerEndpoints::read(&path)? {
                return Ok(endpoints);
            }
            let log_tail = || self.service.program().log_tail();
            if self.service.pid().is_none() && self.service.starts() >= STARTS_TO_TRY {
                bail!(
                    "the server ends at every start; {}Missing programs come with Debian's packages postgresql and \
                     mosquitto; to begin anew without the data of earlier runs, remove {}",
                    log_tail(),
                    self.data_dir.display()
                );
            }
            if started.elapsed() > READY_WITHIN {
                bail!("the server was not ready within {} s; {}", READY_WITHIN.as_secs(), log_tail());
            }
            reporter.progress(&format!(
                "starting the server, its database and its broker ({} s)",
                started.elapsed().as_secs()
            ));
            sleep(POLL).await;
        }
    }

    /// What the server's log says of ports that were taken and what it uses instead.
    pub fn port_notices(&self) -> Vec<String> {
        let log = std::fs::read_to_string(&self.service.program().log).unwrap_or_default();
        let notices = log.lines().filter(|line| line.contains("is taken") && line.contains("instead"));
        notices.filter_map(|line| Some(line[line.find("port ")?..].to_owned())).collect()
    }

    /// Issues a device's certificate, into `folder`; replaces one that is there.
    ///
    /// # Errors
    /// What the server's program says.
    pub async fn issue_certificate(&self, device: &DeviceId, folder: &Path) -> anyhow::Result<Identity> {
        let issue = Program {
            name: format!("certificate of {device}"),
            program: self.service.program().program.clone(),
            arguments: vec![
                "certificate".into(),
                "issue".into(),
                device.as_str().into(),
                "--force".into(),
                "--data-dir".into(),
                self.data_dir.clone().into(),
                "--out".into(),
                folder.into(),
            ],
            environment: vec![],
            log: PathBuf::new(),
            leftovers: vec![],
        };
        let output = tokio::time::timeout(ISSUE_WITHIN, issue.command().kill_on_drop(true).output()).await;
        let output = output
            .with_context(|| format!("no certificate for {device} within {} s", ISSUE_WITHIN.as_secs()))?
            .context("setpriv (Debian's package util-linux) could not be run")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "the certificate of {device} was not issued: {}", said.trim());
        Ok(Identity::in_folder(device, folder))
    }
}

fn endpoints_path(data_dir: &Path) -> PathBuf {
    data_dir.join("endpoints.json")
}
