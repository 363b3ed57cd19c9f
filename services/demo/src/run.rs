//! The demo from its start to its end.

use crate::cli::Cli;
use crate::fleet::Running;
use crate::{Fleet, Options, Reporter, Terminal, VirtualDevice, summary};
use anyhow::Context;
use std::future;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Runs the demo until it is told to end, or its time is over.
///
/// # Errors
/// What did not start, why, and what to do about it. Everything that was started has ended by then.
pub async fn demo(cli: Cli) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let reporter = Arc::new(Terminal::default());
    let virtual_device = VirtualDevice::choose(cli.virtual_device, &cli.images, &*reporter)?;
    let server_arguments = virtual_device.as_ref().map(VirtualDevice::server_arguments).unwrap_or_default();
    let options = Options { dir: cli.dir, devices: cli.devices.into(), ports: None, server_arguments };
    let fleet = Fleet::prepare(options, reporter.clone())?;
    let lifetime = (cli.seconds > 0).then(|| Duration::from_secs(cli.seconds));

    let outcome = tokio::select! {
        outcome = fleet.start() => outcome.map(Some),
        () = signals.next() => Ok(None),
    };
    if let Ok(Some(running)) = &outcome {
        reporter.say(&summary::text(running, fleet.layout()));
        tokio::select! {
            () = signals.next() => {}
            () = over(lifetime) => {}
            () = accompany(virtual_device.as_ref(), &fleet, running) => {}
        }
    }
    reporter.say("");
    reporter.progress("stopping everything (Ctrl-C again: without waiting)");
    tokio::select! {
        () = fleet.stop() => {}
        // What still runs ends when this process does.
        () = signals.next() => {}
    }
    let started: Option<Running> = outcome?;
    if started.is_some() {
        reporter.say(&format!("stopped; the data is in {}", fleet.layout().dir().display()));
    }
    Ok(())
}

/// Looks after the virtual device where there is one. Never ends.
async fn accompany(device: Option<&VirtualDevice>, fleet: &Fleet, running: &Running) {
    match device {
        Some(device) => device.accompany(fleet, running).await,
        None => future::pending().await,
    }
}

async fn over(lifetime: Option<Duration>) {
    match lifetime {
        Some(lifetime) => tokio::time::sleep(lifetime).await,
        None => future::pending().await,
    }
}

/// The signals that end the demo.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("signals can't be received");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
