//! The life of a service's process, from `main` to its exit code.

use crate::{Daemon, config::ConfigError, logging};
use std::{io, pin::pin, process::ExitCode, time::Duration};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long a service may take to finish after it was asked to.
pub const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// The exit code when the configuration is at fault: `EX_CONFIG` of sysexits.h. Every other failure is 1.
pub const EXIT_CONFIG: u8 = 78;

/// Why a service that was asked to finish was ended before it had.
#[derive(Debug, thiserror::Error)]
pub enum DrainError {
    /// It took too long.
    #[error("not finished {limit:?} after {asked_by}; its last status was \"{status}\"")]
    Limit {
        /// How long it was given.
        limit: Duration,
        /// Who had asked: the signal's name, or the service itself.
        asked_by: &'static str,
        /// The last [`Daemon::status`]: what it was waiting for.
        status: String,
    },
    /// It was asked again: whoever asks does not want to wait.
    #[error("ended by a second signal ({signal}) before it had finished; its last status was \"{status}\"")]
    SecondSignal {
        /// The second signal's name.
        signal: &'static str,
        /// The last [`Daemon::status`]: what it was waiting for.
        status: String,
    },
}

/// Runs a service: logging, a single-threaded tokio runtime, signals, `main`, the exit code.
///
/// SIGTERM and SIGINT cancel [`Daemon::shutdown`]; a second one, or a drain of more than [`DRAIN_LIMIT`], ends the
/// process. SIGHUP wakes [`Daemon::reload`]. An error is logged with its causes. The exit code is 0, [`EXIT_CONFIG`] or 1.
///
/// Blocking work belongs on a thread of its own (`spawn_blocking`): while it holds up the runtime, signals wait too, and
/// the service manager's `WatchdogSec=` and `TimeoutStopSec=` are what is left.
pub fn run(service: &'static str, main: impl AsyncFnOnce(Daemon) -> anyhow::Result<()>) -> ExitCode {
    run_with_drain_limit(service, DRAIN_LIMIT, main)
}

/// [`run`] for a service that may need another time to drain.
pub fn run_with_drain_limit(
    service: &'static str,
    drain_limit: Duration,
    main: impl AsyncFnOnce(Daemon) -> anyhow::Result<()>,
) -> ExitCode {
    logging::init();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("{service}: cannot start the runtime (epoll, pipe): {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(supervise(Daemon::from_environment(), drain_limit, main));
    // Blocking threads of a service that was ended would hold up the exit for as long as they like.
    runtime.shutdown_background();
    exit_code(service, result)
}

fn exit_code(service: &str, result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else {
        tracing::info!("{service}: finished");
        return ExitCode::SUCCESS;
    };
    tracing::error!("{service}: {error:#}");
    if error.chain().any(|cause| cause.is::<ConfigError>()) { ExitCode::from(EXIT_CONFIG) } else { ExitCode::FAILURE }
}

async fn supervise(
    daemon: Daemon,
    drain_limit: Duration,
    main: impl AsyncFnOnce(Daemon) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut stop = StopSignals::install()?;
    tokio::spawn(forward_reloads(hangup()?, daemon.clone()));
    let mut work = pin!(main(daemon.clone()));

    let asked_by = tokio::select! {
        result = &mut work => return result,
        signal = stop.next() => signal,
        () = daemon.shutdown().cancelled() => "the service itself",
    };
    tracing::info!("asked to finish by {asked_by}");
    daemon.begin_drain();

    let error = tokio::select! {
        result = &mut work => return result,
        signal = stop.next() => DrainError::SecondSignal { signal, status: daemon.last_status() },
        () = tokio::time::sleep(drain_limit) => {
            DrainError::Limit { limit: drain_limit, asked_by, status: daemon.last_status() }
        }
    };
    Err(error.into())
}

struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn install() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

fn hangup() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}

async fn forward_reloads(mut hangup: Signal, daemon: Daemon) {
    while hangup.recv().await.is_some() {
        daemon.request_reload();
    }
}
