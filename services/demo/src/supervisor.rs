//! Keeps processes running, and ends them in order.

use crate::backoff::Backoff;
use crate::{Program, Reporter};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::Child;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The stages of ending, in this order: an uplink still has the sensor, the bus and the broker while it drains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The virtual device.
    VirtualDevice,
    /// Uplinks.
    Uplink,
    /// Sensor services.
    Sensor,
    /// Message buses.
    Bus,
    /// The server, with its database and broker.
    Server,
}

impl Stage {
    const ALL: [Self; 5] = [Self::VirtualDevice, Self::Uplink, Self::Sensor, Self::Bus, Self::Server];

    /// How long a process may take from SIGTERM to its end before it is killed.
    fn patience(self) -> Duration {
        match self {
            Self::Uplink => Duration::from_secs(15),
            Self::VirtualDevice | Self::Sensor | Self::Bus => Duration::from_secs(5),
            Self::Server => Duration::from_secs(40),
        }
    }
}

/// Starts processes, starts them again when they end, and ends them all.
pub struct Supervisor {
    reporter: Arc<dyn Reporter>,
    groups: [Group; 5],
}

#[derive(Default)]
struct Group {
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// What is known of a process now.
#[derive(Debug, Clone, Default)]
struct State {
    pid: Option<i32>,
    /// How often it has been started.
    starts: u32,
}

/// A process that is kept running until its supervisor is stopped.
#[derive(Debug, Clone)]
pub struct Service {
    program: Arc<Program>,
    state: watch::Receiver<State>,
}

impl Supervisor {
    /// Starts nothing yet.
    pub fn new(reporter: Arc<dyn Reporter>) -> Self {
        Self { reporter, groups: Default::default() }
    }

    /// Starts a process and keeps it running. Must be called on the thread of a current-thread runtime, see
    /// [the crate](crate).
    pub fn start(&self, stage: Stage, program: Program) -> Service {
        let group = &self.groups[stage as usize];
        let program = Arc::new(program);
        let (state, receiver) = watch::channel(State::default());
        let worker = Worker {
            program: program.clone(),
            state,
            stop: group.stop.clone(),
            patience: stage.patience(),
            reporter: self.reporter.clone(),
        };
        group.tasks.spawn(worker.keep_running());
        Service { program, state: receiver }
    }

    /// Ends all processes, stage by stage, and waits until they have ended.
    pub async fn stop(&self) {
        for stage in Stage::ALL {
            let group = &self.groups[stage as usize];
            group.stop.cancel();
            group.tasks.close();
            group.tasks.wait().await;
        }
    }
}

impl Service {
    /// What it runs.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<i32> {
        self.state.borrow().pid
    }

    /// How often it has been started.
    pub fn starts(&self) -> u32 {
        self.state.borrow().starts
    }

    /// Sends a signal to its process; false when there is none.
    pub fn signal(&self, signal: Signal) -> bool {
        self.pid().is_some_and(|pid| kill(Pid::from_raw(pid), signal).is_ok())
    }

    /// Resolves once it has been started at least `count` times and the last start has succeeded.
    pub async fn started(&self, count: u32) {
        let mut state = self.state.clone();
        // The sender is gone when the supervisor has stopped: then there is nothing to wait for either.
        let _stopped = state.wait_for(|state| state.starts >= count && state.pid.is_some()).await;
    }
}

/// The task of one process.
struct Worker {
    program: Arc<Program>,
    state: watch::Sender<State>,
    stop: CancellationToken,
    patience: Duration,
    reporter: Arc<dyn Reporter>,
}

impl Worker {
    async fn keep_running(self) {
        if let Err(error) = self.program.begin_log() {
            self.say(&format!("keeps its old log: {error}"));
        }
        let mut backoff = Backoff::default();
        while !self.stop.is_cancelled() {
            let started = Instant::now();
            let how = match self.program.spawn() {
                Ok(child) => match self.attend(child).await {
                    Some(how) => how,
                    None => return,
                },
                Err(error) => {
                    self.state.send_modify(|state| state.starts += 1);
                    format!("could not be started ({error})")
                }
            };
            let pause = backoff.after(started.elapsed());
            self.say(&format!("{how}; starting it again in {} s", pause.as_secs_f32()));
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = sleep(pause) => {}
            }
        }
    }

    /// Waits until the process ends by itself, and says how; or ends it when it is time, and says nothing.
    async fn attend(&self, mut child: Child) -> Option<String> {
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        self.state.send_modify(|state| *state = State { pid, starts: state.starts + 1 });
        let ended = tokio::select! {
            ended = child.wait() => Some(ended.map_or_else(|error| error.to_string(), describe)),
            () = self.stop.cancelled() => {
                self.end(&mut child, pid).await;
                None
            }
        };
        self.state.send_modify(|state| state.pid = None);
        ended
    }

    async fn end(&self, child: &mut Child, pid: Option<i32>) {
        // A process that has ended meanwhile has not been waited for: its pid can't belong to another one yet.
        if let Some(pid) = pid {
            let _ended_meanwhile = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        if timeout(self.patience, child.wait()).await.is_err() {
            self.say(&format!("did not end within {} s: killed", self.patience.as_secs()));
            let _ended_meanwhile = child.kill().await;
        }
    }

    fn say(&self, what: &str) {
        self.reporter.say(&format!("{} {what}", self.program.name));
    }
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with code {code}"),
        (None, Some(signal)) => {
            let name = Signal::try_from(signal).map_or_else(|_| signal.to_string(), |signal| signal.to_string());
            format!("was ended by {name}")
        }
        (None, None) => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;
    use std::path::Path;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Reporter for Heard {
        fn say(&self, line: &str) {
            self.0.lock().unwrap().push(line.to_owned());
        }
        fn progress(&self, _text: &str) {}
    }

    fn shell(folder: &Path, name: &str, script: &str) -> Program {
        Program {
            name: name.to_owned(),
            program: "sh".into(),
            arguments: vec!["-c".into(), script.into(), "sh".into(), folder.into()],
            environment: vec![],
            log: folder.join(format!("{name}.log")),
            leftovers: vec![],
        }
    }

    const SOON: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_killed_process_is_started_again_and_it_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let heard = Arc::new(Heard::default());
        let supervisor = Supervisor::new(heard.clone());
        let service = supervisor.start(Stage::Sensor, shell(folder.path(), "sleeper", "exec sleep 1000"));
        timeout(SOON, service.started(1)).await.unwrap();
        let first = service.pid().unwrap();
        assert!(service.signal(Signal::SIGKILL));
        timeout(SOON, service.started(2)).await.unwrap();
        assert_ne!(service.pid().unwrap(), first);
        assert_eq!(*heard.0.lock().unwrap(), ["sleeper was ended by SIGKILL; starting it again in 0.5 s"]);
        timeout(SOON, supervisor.stop()).await.unwrap();
        assert_eq!(service.pid(), None);
        assert!(!service.signal(Signal::SIGKILL));
    }

    #[tokio::test]
    async fn processes_end_in_the_order_of_their_stages() {
        let folder = tempfile::tempdir().unwrap();
        let supervisor = Supervisor::new(Arc::new(Heard::default()));
        let script = |name: &str| {
            format!(
                "trap 'sleep 0.1; echo {name} >> $1/order; exit' TERM; touch $1/{name}; while :; do sleep 0.05; done"
            )
        };
        for (stage, name) in
            [(Stage::Server, "server"), (Stage::Bus, "bus"), (Stage::Sensor, "sensor"), (Stage::Uplink, "uplink")]
        {
            supervisor.start(stage, shell(folder.path(), name, &script(name)));
        }
        let ready = async {
            while !["server", "bus", "sensor", "uplink"].iter().all(|name| folder.path().join(name).exists()) {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(SOON, ready).await.unwrap();
        timeout(SOON, supervisor.stop()).await.unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("order")).unwrap(), "uplink\nsensor\nbus\nserver\n");
    }

    #[tokio::test]
    async fn a_process_that_can_not_be_started_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let heard = Arc::new(Heard::default());
        let supervisor = Supervisor::new(heard.clone());
        let mut program = shell(folder.path(), "nothing", "");
        program.log = folder.path().join("missing/folder/log");
        let service = supervisor.start(Stage::Bus, program);
        let tried = async {
            while service.starts() < 2 {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(SOON, tried).await.unwrap();
        assert!(heard.0.lock().unwrap()[0].starts_with("nothing could not be started ("));
        timeout(SOON, supervisor.stop()).await.unwrap();
    }

    /// The children of a thread end with it: here a thread with its own runtime ends without stopping anything.
    #[test]
    fn processes_end_with_the_thread_that_started_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let pid = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let supervisor = Supervisor::new(Arc::new(Heard::default()));
                let service = supervisor.start(Stage::Bus, shell(&path, "orphan", "touch $1/runs; exec sleep 1000"));
                service.started(1).await;
                while !path.join("runs").exists() {
                    sleep(Duration::from_millis(10)).await;
                }
                service.pid().unwrap()
            })
        })
        .join()
        .unwrap();
        let deadline = Instant::now() + SOON;
        // It stays a zombie of this process, since nobody waits for it.
        while !fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z ")) {
            assert!(Instant::now() < deadline, "process {pid} outlives its thread");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
