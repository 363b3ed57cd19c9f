//! Starting, finding and ending child processes.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

/// Starts all child processes, on a thread of its own that lives as long as this does.
///
/// The kernel signals a child (see [`super::identity`]) when the *thread* that started it ends, and the runtime's
/// threads come and go.
#[derive(Debug, Clone)]
pub(crate) struct Spawner {
    requests: std::sync::mpsc::Sender<Request>,
}

#[derive(Debug)]
struct Request {
    command: Command,
    answer: oneshot::Sender<io::Result<Child>>,
}

impl Spawner {
    /// Starts the thread. Needs a Tokio runtime around it.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(crate) fn start() -> io::Result<Self> {
        let (requests, received) = std::sync::mpsc::channel::<Request>();
        let runtime = tokio::runtime::Handle::current();
        std::thread::Builder::new().name("spawner".to_owned()).spawn(move || {
            let _entered = runtime.enter();
            for Request { mut command, answer } in received {
                // Nobody waits for the answer when the server is going down; the child goes with this thread.
                drop(answer.send(command.spawn()));
            }
        })?;
        Ok(Self { requests })
    }

    /// Starts a child process.
    ///
    /// # Errors
    /// The program can't be run.
    pub(crate) async fn spawn(&self, command: Command) -> io::Result<Child> {
        let (answer, child) = oneshot::channel();
        let ended = || io::Error::other("the thread that starts processes has ended");
        self.requests.send(Request { command, answer }).map_err(|_| ended())?;
        child.await.map_err(|_| ended())?
    }
}

/// The signals that end a program: the polite one, and the one that is sent when it was not obeyed within the time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ending {
    pub(crate) polite: Signal,
    pub(crate) patience: Duration,
    pub(crate) harsh: Signal,
}

impl Ending {
    /// Ends a child process; false when it needed the harsh signal.
    pub(crate) async fn apply(self, child: &mut Child) -> bool {
        let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()) else { return true };
        signal(pid, self.polite);
        if tokio::time::timeout(self.patience, child.wait()).await.is_ok() {
            return true;
        }
        signal(pid, self.harsh);
        if tokio::time::timeout(self.patience, child.wait()).await.is_err() {
            signal(pid, Signal::SIGKILL);
        }
        false
    }

    /// Ends a process that is not a child, for example one that a killed server left behind; false when it didn't.
    pub(crate) async fn apply_to(self, pid: i32) -> bool {
        for ending in [self.polite, self.harsh] {
            signal(pid, ending);
            let deadline = Instant::now() + self.patience;
            while Instant::now() < deadline {
                if !is_running(pid) {
                    return true;
                }
                sleep(Duration::from_millis(50)).await;
            }
        }
        false
    }
}

/// Sends a signal; that the process has ended meanwhile is no error.
fn signal(pid: i32, signal: Signal) {
    if let Err(error) = kill(Pid::from_raw(pid), signal) {
        tracing::debug!("{signal} was not sent to process {pid}: {error}");
    }
}

/// Whether the process exists and is not just waiting to be reaped by its parent.
fn is_running(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('Z')))
}

/// The process whose command line has `flag` followed by `path`.
///
/// The path is one inside the data folder, so the process is one that a server on this data folder has started.
pub(crate) fn find_by_argument(flag: &str, path: &Path) -> Option<i32> {
    let processes = std::fs::read_dir("/proc").ok()?;
    processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(|pid: &i32| {
        let Ok(line) = std::fs::read(format!("/proc/{pid}/cmdline")) else { return false };
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        words.windows(2).any(|pair| pair == [flag.as_bytes(), path.as_os_str().as_bytes()]) && is_running(*pid)
    })
}

/// The program `name` in the folders of `PATH`, and in those that an ordinary user's `PATH` lacks.
pub(crate) fn find_in_path(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(Into::into));
    folders.map(|folder| folder.join(OsStr::new(name))).find(|file| file.is_file())
}
