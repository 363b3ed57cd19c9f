//! A program to run: what, how, and where its output goes.

use anyhow::{Context, ensure};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::{Child, Command};

/// Variables of the user's environment that would make the server or a device use something else than the demo's own.
const NOT_INHERITED: [&str; 14] = [
    "DATABASE_URL",
    "DBUS_SESSION_BUS_ADDRESS",
    "DBUS_SYSTEM_BUS_ADDRESS",
    "DEVICE_ID",
    "MICROKERNEL_CONFIG_PATH",
    "MICROKERNEL_STATE_DIR",
    "MQTT_BROKER_HOST",
    "MQTT_BROKER_PORT",
    "MQTT_CA_CERT",
    "MQTT_CLIENT_CERT",
    "MQTT_CLIENT_KEY",
    "MQTT_URL",
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
];

/// How much of the end of a log is looked at.
const TAIL_BYTES: usize = 16 * 1024;
/// How many lines of the end are shown.
const TAIL_LINES: usize = 12;

/// A program to run.
#[derive(Debug, Clone)]
pub struct Program {
    /// What it is called in messages, for example `device-001 uplink`.
    pub name: String,
    /// The file, or a name to look for in `PATH`.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Its environment, on top of the user's.
    pub environment: Vec<(&'static str, OsString)>,
    /// Where its output goes.
    pub log: PathBuf,
    /// Files that an earlier run may have left behind and that would be taken for this one's.
    pub leftovers: Vec<PathBuf>,
}

impl Program {
    /// The command that runs the program in the foreground.
    ///
    /// - `setpriv` tells the kernel to end it when the thread that starts it ends.
    /// - Its own process group keeps the terminal's Ctrl-C away from it: the supervisor ends things in order.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM", "--"]).arg(&self.program).args(&self.arguments);
        for name in NOT_INHERITED {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.process_group(0).stdin(Stdio::null());
        command
    }

    /// Starts the program; what it writes is added to its log.
    pub(crate) fn spawn(&self) -> io::Result<Child> {
        for path in &self.leftovers {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        let log = File::options().append(true).create(true).open(&self.log)?;
        self.command().stdout(log.try_clone()?).stderr(log).spawn()
    }

    /// Moves the log of an earlier demo to `….log.1`.
    pub(crate) fn begin_log(&self) -> io::Result<()> {
        match fs::rename(&self.log, self.log.with_extension("log.1")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The last lines of the log, indented, and where the rest is.
    pub fn log_tail(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(TAIL_BYTES)..]);
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL_LINES)..].iter().map(|line| format!("    {line}\n"));
        format!("{} ends with:\n{}", self.log.display(), tail.collect::<String>())
    }
}

/// The program `name` beside this one, or, for a test in `deps/`, one folder up.
///
/// # Errors
/// It is not there: it has not been built.
pub fn sibling(name: &str) -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe().context("the path of this program is not known")?;
    let folder = this.parent().unwrap_or(Path::new("/"));
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    let path = folder.join(name);
    ensure!(path.is_file(), "{} is missing: build it with `cargo build --workspace --bins`", path.display());
    Ok(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shell(folder: &Path, script: &str) -> Program {
        Program {
            name: "test".to_owned(),
            program: "sh".into(),
            arguments: vec!["-c".into(), script.into()],
            environment: vec![("DEVICE_ID", "device-001".into())],
            log: folder.join("test.log"),
            leftovers: vec![folder.join("leftover")],
        }
    }

    #[tokio::test]
    async fn output_goes_to_the_log_and_the_tail_shows_its_end() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("leftover"), "").unwrap();
        let program = shell(folder.path(), "echo begin; seq 20; echo $DEVICE_ID $DATABASE_URL >&2; test ! -e leftover");
        let mut command = program.command();
        assert_eq!(command.as_std_mut().get_envs().filter(|(name, _)| *name == "DATABASE_URL").count(), 1);
        assert!(program.spawn().unwrap().wait().await.unwrap().success());
        let tail = program.log_tail();
        assert!(tail.ends_with("    19\n    20\n    device-001\n"), "{tail}");
        assert!(!tail.contains("begin"), "{tail}");
        assert!(!folder.path().join("leftover").exists());
        program.begin_log().unwrap();
        assert!(!program.log.exists() && program.log.with_extension("log.1").exists());
        program.begin_log().unwrap();
    }

    #[test]
    fn a_program_that_was_not_built_is_named_with_the_remedy() {
        let error = sibling("microkernel-nothing").unwrap_err().to_string();
        assert!(error.contains("microkernel-nothing is missing: build it with"), "{error}");
    }
}
