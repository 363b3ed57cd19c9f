//! The uplink: pulls readings from the sensor service, asks the stages about them, spools them and publishes them; takes
//! commands from the server and answers them.
//!
//! ```text
//!  sensor --ReadSince--> pull --> stages (wasm, ml) --> spool --> mqtt::Link <--> broker
//!                                                                  ^     |
//!                                     health, answers --> outbox --+     +--> commands --> services
//! ```
//! Everything runs on one thread; what the parts share is in [`state::State`]. The bus and the broker may each be away
//! for as long as they like: the other side goes on.

pub mod backoff;
pub mod cli;
pub mod commands;
pub mod device;
pub mod health;
pub mod mqtt;
pub mod on_bus;
pub mod outbox;
pub mod pull;
pub mod served;
pub mod settings;
pub mod spool;
pub mod stages;
pub mod state;

use crate::commands::{Executor, Intake, Led};
use crate::device::About;
use crate::health::Reporter;
use crate::mqtt::Link;
use crate::on_bus::OnBus;
use crate::settings::Settings;
use crate::spool::{MemorySpool, SharedSpool};
use crate::state::State;
use anyhow::Context;
use microkernel_bus::zbus::connection::Builder;
use microkernel_daemon::Daemon;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// How long a command that is being carried out may delay the end.
const LAST_COMMAND: Duration = Duration::from_secs(1);

/// The machine that the uplink runs on.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The root of the file system that `etc`, `proc` and `sys` are in.
    pub root: PathBuf,
    /// Where state is kept; its file system is reported on.
    pub state_dir: PathBuf,
}

/// Runs the uplink until `daemon` is asked to shut down; then drains.
///
/// # Errors
/// When a part has ended that should not (a fault in the program).
pub async fn run(
    settings: Settings,
    machine: Machine,
    bus: impl Fn() -> Builder<'static>,
    daemon: Daemon,
) -> anyhow::Result<()> {
    let settings = Arc::new(settings);
    let state = Arc::new(State::new(SharedSpool::new(MemorySpool::new(settings.spool_readings))));
    let (bus_sender, bus_receiver) = watch::channel(None);
    let about = About::read(&machine.root);
    let led = settings.identify_led.as_ref().map(|name| Led::new(machine.root.join("sys/class/leds").join(name)));

    let (intake, waiting_commands) = Intake::new(state.clone());
    let (no_more_commands, drain) = (CancellationToken::new(), CancellationToken::new());
    let link = Link::new(settings.clone(), about, state.clone(), intake).run(drain.clone());
    let executor = Executor::new(state.clone(), bus_receiver.clone(), led);
    let reporter = Reporter {
        settings: settings.clone(),
        state: state.clone(),
        bus: bus_receiver,
        root: machine.root,
        state_dir: machine.state_dir,
    };
    let on_bus = OnBus { settings, state, daemon: daemon.clone(), bus: bus_sender };

    let mut link = AbortOnDropHandle::new(tokio::spawn(link));
    let mut executor = AbortOnDropHandle::new(tokio::spawn(executor.run(waiting_commands, no_more_commands.clone())));
    tokio::select! {
        () = daemon.shutdown().cancelled() => {}
        () = on_bus.run(bus) => anyhow::bail!("the part on the device's bus has ended"),
        () = reporter.run() => anyhow::bail!("the health reports have ended"),
        ended = &mut link => anyhow::bail!("the link to the broker has ended: {ended:?}"),
        ended = &mut executor => anyhow::bail!("the commands have ended: {ended:?}"),
    }
    // In this order: nothing new is pulled, the last command is answered, then everything is delivered.
    no_more_commands.cancel();
    if tokio::time::timeout(LAST_COMMAND, &mut executor).await.is_err() {
        tracing::warn!("a command was not finished; it stays without its last answer");
    }
    daemon.status("delivering what is spooled");
    drain.cancel();
    link.await.context("the link to the broker has ended")
}
