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
                if parent_of_running(pid).is_none() {
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

/// The parent of a process that runs; none if it has ended, also where only its parent has still to take note of it.
fn parent_of_running(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything (proc(5)).
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    (state != "Z").then_some(parent)
}

/// The process whose command line has `flag` followed by `path`; where there are several, a parent before its children,
/// which have their parent's command line until they change it.
///
/// The path is one inside the data folder, so the process is one that a server on this data folder has started.
pub(crate) fn find_by_argument(flag: &str, path: &Path) -> Option<i32> {
    let processes = std::fs::read_dir("/proc").ok()?;
    let numbers = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let found: Vec<(i32, i32)> = numbers
        .filter(|id| {
            let Ok(line) = std::fs::read(format!("/proc/{id}/cmdline")) else { return false };
            let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
            words.windows(2).any(|pair| pair == [flag.as_bytes(), path.as_os_str().as_bytes()])
        })
        .filter_map(|id| Some((id, parent_of_running(id)?)))
        .collect();
    found.iter().find(|(_, parent)| found.iter().all(|(id, _)| id != parent)).map(|(id, _)| *id)
}

/// The program `name` in the folders of `PATH`, and in those that an ordinary user's `PATH` lacks.
pub(crate) fn find_in_path(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(Into::into));
    folders.map(|folder| folder.join(OsStr::new(name))).find(|file| file.is_file())
}
