//! Starts the server and looks at what it has started.

use serde_json::Value;
use sqlx::{Connection, PgConnection};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

/// Longer than any start, restart or shutdown takes on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Asks again and again until there is an answer.
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The program, without what this process's environment would tell it.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_microkernel-server"));
    for name in ["DATABASE_URL", "MQTT_URL", "MQTT_CA_CERT", "MQTT_CLIENT_CERT", "MQTT_CLIENT_KEY", "RUST_LOG"] {
        command.env_remove(name);
    }
    command
}

/// Runs the program to its end, which must come soon.
pub(crate) fn run(command: &mut Command) -> Output {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let id = child.id();
    let (ended, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || ended.send(child.wait_with_output()));
    wait.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("process {id} did not end: {command:?}")).unwrap()
}

/// What a program that failed wrote to its standard error.
pub(crate) fn failure(command: &mut Command) -> String {
    let output = run(command);
    assert!(!output.status.success(), "{command:?} should have failed: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    pub(crate) data: PathBuf,
    log: PathBuf,
}

impl Server {
    /// Starts a server on any free ports and waits until it is ready.
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_with(data, &["--http", "127.0.0.1:0", "--mqtt-port", "0"], &[])
    }

    /// The same with these arguments and environment.
    pub(crate) fn start_with(data: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        std::fs::create_dir_all(data).unwrap();
        let data = data.canonicalize().unwrap();
        let log = data.join("server.log");
        let mut command = command();
        command.arg("--data-dir").arg(&data).args(arguments).envs(environment.iter().copied());
        let child = command.stdin(Stdio::null()).stderr(File::create(&log).unwrap()).spawn().unwrap();
        let mut server = Self { child, data, log };
        eventually("the server is ready", || {
            if let Some(status) = server.child.try_wait().unwrap() {
                panic!("the server ended ({status}):\n{}", server.log());
            }
            server.log().contains("ready:").then_some(())
        });
        server
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// `endpoints.json`.
    pub(crate) fn endpoints(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.data.join("endpoints.json")).unwrap()).unwrap()
    }

    /// One of the endpoints.
    pub(crate) fn endpoint(&self, name: &str) -> String {
        self.endpoints()[name].as_str().unwrap_or_else(|| panic!("no {name}")).to_owned()
    }

    pub(crate) fn mqtt_port(&self) -> String {
        self.endpoint("mqtts").rsplit_once(':').unwrap().1.to_owned()
    }

    /// Connects to the database; fails while it is away.
    pub(crate) async fn database(&self) -> Result<PgConnection, sqlx::Error> {
        PgConnection::connect(&self.endpoint("postgres_url")).await
    }

    /// Ends the server as an administrator does.
    pub(crate) fn stop(mut self) -> ExitStatus {
        send("TERM", self.child.id());
        eventually("the server has ended", || self.child.try_wait().unwrap())
    }

    /// Ends the server as a lack of memory does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    /// After a failed test: what the server has started ends with it.
    fn drop(&mut self) {
        let ended = matches!(self.child.try_wait(), Ok(Some(_)));
        if !ended {
            drop(self.child.kill());
            drop(self.child.wait());
        }
        if std::thread::panicking() {
            eprintln!("--- the server's log:\n{}", std::fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

/// Sends a signal.
pub(crate) fn send(signal: &str, id: u32) {
    let status = Command::new("kill").args(["-s", signal, "--", &id.to_string()]).status().unwrap();
    assert!(status.success(), "kill -s {signal} {id}");
}

/// The processes whose command line names a file in the data folder, other than servers: `(id, program)`.
pub(crate) fn children(data: &Path) -> Vec<(u32, String)> {
    let data = format!("{}/", data.display());
    let look = |entry: std::fs::DirEntry| {
        let id: u32 = entry.file_name().to_str()?.parse().ok()?;
        let line = String::from_utf8(std::fs::read(entry.path().join("cmdline")).ok()?).ok()?;
        let mut words = line.split('\0');
        let program = Path::new(words.next()?).file_name()?.to_str()?.to_owned();
        words.any(|word| word.starts_with(&data)).then_some((id, program))
    };
    std::fs::read_dir("/proc").unwrap().flatten().filter_map(look).collect()
}

/// The one child that runs this program, if there is exactly one.
pub(crate) fn child(data: &Path, program: &str) -> Option<u32> {
    match children(data).iter().filter(|(_, name)| name == program).collect::<Vec<_>>()[..] {
        [(id, _)] => Some(*id),
        _ => None,
    }
}

/// The permissions of a file.
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode() & 0o7777
}

/// Whether these tests run as root.
pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}
