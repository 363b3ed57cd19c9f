//! Keeps a child process running: starts it, waits until it answers, starts it again when it ends, ends it at shutdown.

use super::log_file::LogFile;
use super::process::{Ending, Spawner};
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

/// How often a starting program is asked whether it is ready.
const PROBE_INTERVAL: Duration = Duration::from_millis(50);
/// How often a long start is reported.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);
/// How often the log's length is looked at.
const TRIM_INTERVAL: Duration = Duration::from_secs(60);
/// How often the first start is tried: a killed predecessor may still hold what this one needs for a moment.
const FIRST_START_ATTEMPTS: u32 = 4;
/// The pause before a restart, doubled each time the program ends again soon.
const BACKOFF_MIN: Duration = Duration::from_millis(250);
const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// A program that has run for this long is restarted without a longer pause.
const STEADY_AFTER: Duration = Duration::from_secs(60);

/// A program that runs as the server's child.
pub(crate) trait Service: Send + Sync + 'static {
    /// Its name, for messages.
    fn name(&self) -> &'static str;
    /// How it is started, in the foreground.
    fn command(&self) -> Command;
    /// Whether it answers; else what it said. Must end by itself within a second or so.
    fn probe(&self) -> impl Future<Output = Result<(), String>> + Send;
    /// How long it may take from its start until it answers.
    fn ready_within(&self) -> Duration;
    /// How it is ended.
    fn ending(&self) -> Ending;
}

/// Why a program did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It could not be run at all.
    #[error("{name} could not be started: {cause}")]
    Spawn {
        /// The program.
        name: &'static str,
        /// What the system says.
        cause: io::Error,
    },
    /// It ended at once.
    #[error("{name} ended at once ({status}); {log} says:\n{tail}", log = .log.display())]
    Ended {
        /// The program.
        name: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// Its log.
        log: PathBuf,
        /// The end of its log.
        tail: String,
    },
    /// It runs and does not answer.
    #[error("{name} did not answer within {seconds} s ({answer}); see {log}", log = .log.display())]
    NotReady {
        /// The program.
        name: &'static str,
        /// How long was waited.
        seconds: u64,
        /// What was the last answer.
        answer: String,
        /// Its log.
        log: PathBuf,
    },
    /// The server is shutting down.
    #[error("{0} was not started: the server is shutting down")]
    Cancelled(&'static str),
}

/// A program that is kept running until [`Supervised::stop`].
#[derive(Debug)]
pub(crate) struct Supervised {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Supervised {
    /// Starts a program, waits until it answers, and keeps it running from then on. `cancel` abandons the start.
    ///
    /// # Errors
    /// [`StartError`], when the first start fails; later ones are retried for ever.
    pub(crate) async fn start<S: Service>(
        service: S,
        log: LogFile,
        spawner: Spawner,
        cancel: &CancellationToken,
    ) -> Result<Self, StartError> {
        let launcher = Launcher { service, log, spawner };
        let mut attempt = 1;
        let child = loop {
            match launcher.launch(cancel).await {
                Err(StartError::Ended { .. }) if attempt < FIRST_START_ATTEMPTS => attempt += 1,
                outcome => break outcome?,
            }
            sleep(BACKOFF_MIN).await;
        };
        let stop = CancellationToken::new();
        let task = tokio::spawn(launcher.keep_running(child, stop.clone()));
        Ok(Self { stop, task })
    }

    /// Ends the program and waits until it has ended.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!("a supervisor failed: {error}");
        }
    }
}

/// What it takes to start a program.
struct Launcher<S> {
    service: S,
    log: LogFile,
    spawner: Spawner,
}

impl<S: Service> Launcher<S> {
    /// Starts the program once and waits until it answers.
    async fn launch(&self, cancel: &CancellationToken) -> Result<Child, StartError> {
        let name = self.service.name();
        let log_start = self.log.length();
        let mut child = self.spawn().await.map_err(|cause| StartError::Spawn { name, cause })?;
        tokio::select! {
            answer = self.ready() => match answer {
                Ok(()) => Ok(child),
                Err(error) => {
                    self.service.ending().apply(&mut child).await;
                    Err(error)
                }
            },
            status = child.wait() => {
                let status = status.map_err(|cause| StartError::Spawn { name, cause })?;
                Err(StartError::Ended { name, status, log: self.log.path().to_owned(), tail: self.log.tail(log_start) })
            }
            () = cancel.cancelled() => {
                self.service.ending().apply(&mut child).await;
                Err(StartError::Cancelled(name))
            }
        }
    }

    async fn spawn(&self) -> io::Result<Child> {
        let (output, error) = self.log.outputs()?;
        let mut command = self.service.command();
        command.stdin(std::process::Stdio::null()).stdout(output).stderr(error);
        self.spawner.spawn(command).await
    }

    /// Asks until the program answers or its time is over.
    async fn ready(&self) -> Result<(), StartError> {
        let (name, patience) = (self.service.name(), self.service.ready_within());
        let start = Instant::now();
        let mut reported = start;
        loop {
            let Err(answer) = self.service.probe().await else { return Ok(()) };
            if start.elapsed() > patience {
                let log = self.log.path().to_owned();
                return Err(StartError::NotReady { name, seconds: patience.as_secs(), answer, log });
            }
            if reported.elapsed() > PROGRESS_INTERVAL {
                reported = Instant::now();
                tracing::info!("still waiting for {name} after {} s: {answer}", start.elapsed().as_secs());
            }
            sleep(PROBE_INTERVAL).await;
        }
    }

    /// Runs until `stop`: restarts the program whenever it ends.
    async fn keep_running(self, mut child: Child, stop: CancellationToken) {
        let name = self.service.name();
        let mut backoff = BACKOFF_MIN;
        loop {
            let started = Instant::now();
            tokio::select! {
                () = stop.cancelled() => {
                    if !self.service.ending().apply(&mut child).await {
                        tracing::warn!("{name} did not end in time and was killed");
                    }
                    return;
                }
                status = child.wait() => {
                    let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
                    tracing::error!("{name} ended unexpectedly ({how}) and is started again; see {}", self.log.path().display());
                }
                () = self.trim_log() => {}
            }
            if started.elapsed() > STEADY_AFTER {
                backoff = BACKOFF_MIN;
            }
            child = loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = sleep(backoff) => {}
                }
                backoff = (backoff * 2).min(BACKOFF_MAX);
                match self.launch(&stop).await {
                    Ok(child) => break child,
                    Err(StartError::Cancelled(_)) => return,
                    Err(error) => tracing::error!("{error}; next try in {} s", backoff.as_secs_f32()),
                }
            };
            tracing::info!("{name} runs again");
        }
    }

    /// Looks after the log; never ends.
    async fn trim_log(&self) {
        let mut ticks = interval(TRIM_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.log.trim() {
                tracing::warn!("{} could not be trimmed: {error}", self.log.path().display());
            }
        }
    }
}
