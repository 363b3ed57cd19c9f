//! A service as a process, under a service manager that is a unix datagram socket.

#![allow(clippy::unwrap_used)]

use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::{fs::MetadataExt, net::UnixDatagram},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(10);

/// Where a process is started, and what it says is heard.
struct Manager {
    dir: TempDir,
    socket: UnixDatagram,
}

impl Manager {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(dir.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        fs::create_dir(dir.path().join("config")).unwrap();
        Self { dir, socket }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn configure(&self, toml: &str) {
        fs::write(self.path("config/10-device.toml"), toml).unwrap();
    }

    fn start(&self, environment: &[(&str, &str)]) -> Service {
        let child = Command::new(example())
            .env_clear()
            .env("NOTIFY_SOCKET", self.path("notify"))
            .env("MICROKERNEL_CONFIG_PATH", self.path("config"))
            .env("MICROKERNEL_STATE_DIR", self.path("state"))
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(File::create(self.path("stdout")).unwrap())
            .stderr(File::options().append(true).create(true).open(self.path("stderr")).unwrap())
            .spawn()
            .unwrap();
        Service(child)
    }

    /// The next message, or nothing when none arrives in the socket's time.
    fn hear(&self) -> Option<String> {
        let mut buffer = [0; 4096];
        match self.socket.recv(&mut buffer) {
            Ok(length) => Some(String::from_utf8(buffer[..length].to_vec()).unwrap()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    }

    fn expect(&self, message: &str) {
        let heard = self.hear();
        assert_eq!(heard.as_deref(), Some(message), "\n{}", self.stderr());
    }

    fn stdout(&self) -> String {
        fs::read_to_string(self.path("stdout")).unwrap()
    }

    fn stderr(&self) -> String {
        fs::read_to_string(self.path("stderr")).unwrap()
    }
}

/// Ended when dropped.
struct Service(Child);

impl Service {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    fn exit_code(&mut self) -> i32 {
        let waiting_since = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code().unwrap_or_else(|| panic!("ended by a signal: {status}"));
            }
            assert!(waiting_since.elapsed() < DEADLINE, "the process has not ended");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Cargo builds examples together with tests, beside their folder.
fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let example = test.parent().and_then(Path::parent).unwrap().join("examples/life");
    assert!(example.exists(), "{example:?} is missing: cargo build -p microkernel-daemon --examples");
    example
}

#[test]
fn sigterm_drains_before_the_end() {
    let manager = Manager::new();
    let mut service = manager.start(&[("LIFE_DRAIN_MS", "100")]);
    manager.expect("READY=1\n");
    service.signal(Signal::TERM);
    manager.expect("STOPPING=1\n");
    manager.expect("STATUS=flushing 3 readings\n");
    assert_eq!(service.exit_code(), 0, "{}", manager.stderr());
    assert_eq!(manager.stdout(), "flushed\n");
}

#[test]
fn sigint_drains_too() {
    let manager = Manager::new();
    let mut service = manager.start(&[]);
    manager.expect("READY=1\n");
    service.signal(Signal::INT);
    manager.expect("STOPPING=1\n");
    assert_eq!(service.exit_code(), 0, "{}", manager.stderr());
    assert_eq!(manager.stdout(), "flushed\n");
}

#[test]
fn a_second_signal_ends_the_drain_and_says_what_it_was_at() {
    let manager = Manager::new();
    let mut service = manager.start(&[("LIFE_DRAIN_MS", "60000")]);
    manager.expect("READY=1\n");
    service.signal(Signal::TERM);
    manager.expect("STOPPING=1\n");
    manager.expect("STATUS=flushing 3 readings\n");
    service.signal(Signal::INT);
    assert_eq!(service.exit_code(), 1, "{}", manager.stderr());
    let expected =
        r#"ended by a second signal (SIGINT) before it had finished; its last status was "flushing 3 readings""#;
    assert!(manager.stderr().contains(expected), "{}", manager.stderr());
    assert_eq!(manager.stdout(), "");
}

#[test]
fn a_drain_beyond_its_limit_ends_and_says_what_it_was_at() {
    let manager = Manager::new();
    let mut service = manager.start(&[("LIFE_DRAIN_MS", "60000"), ("LIFE_DRAIN_LIMIT_MS", "50"), ("LIFE_BLOCK", "1")]);
    manager.expect("READY=1\n");
    service.signal(Signal::TERM);
    assert_eq!(service.exit_code(), 1, "{}", manager.stderr());
    let expected = r#"not finished 50ms after SIGTERM; its last status was "flushing 3 readings""#;
    assert!(manager.stderr().contains(expected), "{}", manager.stderr());
}

#[test]
fn sighup_reloads() {
    let manager = Manager::new();
    manager.configure("device.id = 'device-001'");
    let mut service = manager.start(&[]);
    manager.expect("READY=1\n");
    manager.configure("device.id = 'device-002'");
    service.signal(Signal::HUP);

    let reloading = manager.hear().unwrap();
    let time = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect(&reloading);
    assert!(time.trim_end().parse::<u64>().unwrap() > 0);
    manager.expect("READY=1\n");
    service.signal(Signal::TERM);
    assert_eq!(service.exit_code(), 0);
    assert!(manager.stderr().contains(r#"configured device="device-002""#), "{}", manager.stderr());
}

#[test]
fn the_watchdog_is_fed_while_there_is_progress_and_not_longer() {
    let manager = Manager::new();
    let service = manager.start(&[("WATCHDOG_USEC", "200000"), ("LIFE_STALL_AFTER", "60")]);
    manager.expect("READY=1\n");
    for _ in 0..4 {
        manager.expect("WATCHDOG=1\n");
    }
    manager.socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let more = std::iter::from_fn(|| manager.hear()).take(100).count();
    assert!(4 + more <= 60, "60 rounds of work made progress, but it was fed {} times", 4 + more);

    // It lives and answers; only the work makes no progress.
    manager.socket.set_read_timeout(Some(DEADLINE)).unwrap();
    service.signal(Signal::TERM);
    manager.expect("STOPPING=1\n");
}

#[test]
fn a_watchdog_of_another_process_is_not_fed() {
    let manager = Manager::new();
    let service = manager.start(&[("WATCHDOG_USEC", "1000"), ("WATCHDOG_PID", "1")]);
    manager.expect("READY=1\n");
    service.signal(Signal::TERM);
    manager.expect("STOPPING=1\n");
}

#[test]
fn a_bad_configuration_ends_the_start_with_its_own_exit_code() {
    let manager = Manager::new();
    manager.configure("[device]\nid = 7\n");
    let mut service = manager.start(&[]);
    assert_eq!(service.exit_code(), 78, "{}", manager.stderr());
    let file = manager.path("config/10-device.toml");
    let expected =
        format!("{}:2:1: device.id: expected a string, found the integer 7; correct it there\n", file.display());
    assert!(manager.stderr().ends_with(&expected), "{}", manager.stderr());
    manager.socket.set_nonblocking(true).unwrap();
    assert_eq!(manager.hear(), None, "it was never ready");
}

#[test]
fn a_configuration_that_turns_bad_leaves_the_last_good_one() {
    let manager = Manager::new();
    manager.configure("device.id = 'device-001'");
    let mut service = manager.start(&[]);
    manager.expect("READY=1\n");
    service.signal(Signal::TERM);
    assert_eq!(service.exit_code(), 0);
    manager.expect("STOPPING=1\n");
    manager.expect("STATUS=flushing 3 readings\n");

    manager.configure("device.id = ");
    let _service = manager.start(&[]);
    manager.expect("READY=1\n");
    let stderr = manager.stderr();
    assert!(stderr.contains("10-device.toml:1:13: not valid TOML"), "{stderr}");
    assert_eq!(stderr.matches(r#"configured device="device-001""#).count(), 2, "{stderr}");
}

#[test]
fn an_error_is_logged_with_its_causes() {
    let manager = Manager::new();
    let mut service = manager.start(&[("LIFE_FAIL", "1")]);
    assert_eq!(service.exit_code(), 1);
    assert!(manager.stderr().ends_with("life: open i2c-1: no such device\n"), "{}", manager.stderr());
}

#[test]
fn lines_carry_their_priority_into_the_journal_and_only_there() {
    let manager = Manager::new();
    let journal = File::create(manager.path("stderr")).unwrap().metadata().unwrap();
    let stream = format!("{}:{}", journal.dev(), journal.ino());
    let mut service = manager.start(&[("LIFE_FAIL", "1"), ("JOURNAL_STREAM", &stream)]);
    assert_eq!(service.exit_code(), 1);
    let mut lines = String::new();
    File::open(manager.path("stderr")).unwrap().read_to_string(&mut lines).unwrap();
    let expected = "<6>life: configured\n<3>microkernel_daemon::run: life: open i2c-1: no such device\n";
    assert_eq!(lines, expected);

    fs::write(manager.path("stderr"), "").unwrap();
    let mut service = manager.start(&[("LIFE_FAIL", "1"), ("JOURNAL_STREAM", "8:1")]);
    assert_eq!(service.exit_code(), 1);
    assert!(!manager.stderr().contains("<3>"), "{}", manager.stderr());
    assert!(manager.stderr().contains("ERROR"), "{}", manager.stderr());
}

#[test]
fn the_level_is_the_files_unless_the_environment_has_one() {
    let manager = Manager::new();
    manager.configure("log.level = 'debug'");
    let mut service = manager.start(&[("LIFE_FAIL", "1")]);
    assert_eq!(service.exit_code(), 1);
    assert!(manager.stderr().contains("logging at Debug"), "{}", manager.stderr());

    fs::write(manager.path("stderr"), "").unwrap();
    let mut service = manager.start(&[("LIFE_FAIL", "1"), ("RUST_LOG", "error")]);
    assert_eq!(service.exit_code(), 1);
    assert!(!manager.stderr().contains("logging at Debug"), "{}", manager.stderr());

    fs::write(manager.path("stderr"), "").unwrap();
    let mut service = manager.start(&[("LIFE_FAIL", "1"), ("RUST_LOG", "life=loud")]);
    assert_eq!(service.exit_code(), 1);
    assert!(manager.stderr().contains(r#"environment variable RUST_LOG: "life=loud""#), "{}", manager.stderr());
}
