//! The life of the service.

use crate::clock::Clock;
use crate::config_files::ConfigFiles;
use crate::driver::Open;
use crate::recorder::Recorder;
use crate::roster::{Roster, Summary};
use crate::service::Service;
use crate::settings::Settings;
use crate::worker::Surroundings;
use anyhow::Context;
use microkernel_bus::Served;
use microkernel_bus::sensor::{Feed, serve};
use microkernel_bus::zbus::connection::Builder;
use microkernel_daemon::Daemon;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// How long the bus may take to accept the connection and give the name.
const BUS_DEADLINE: Duration = Duration::from_secs(25);
/// The shortest time between two `Available` signals.
const AVAILABLE_INTERVAL: Duration = Duration::from_millis(1);
/// The shortest time between two announcements that sensors changed: many fail at once when a bus does.
const CHANGED_INTERVAL: Duration = Duration::from_millis(100);
/// How often hung reads and the clock are looked at, and the watchdog is fed.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);
/// How long readers get, after the last reading, to fetch what is in the ring.
const DRAIN_DEADLINE: Duration = Duration::from_secs(2);
/// How often it is looked at whether the sensors have stopped and the readers are done.
const DRAIN_POLL: Duration = Duration::from_millis(10);

/// Runs the service until it is asked to finish: configures, serves, is ready, announces readings; then drains.
///
/// # Errors
/// When there is no good configuration at all, or the bus is not there, refuses the name or goes away.
pub async fn run(daemon: Daemon, bus: Builder<'_>, files: ConfigFiles, hardware: Arc<dyn Open>) -> anyhow::Result<()> {
    let recorder = Arc::new(Recorder::new(Clock::new(Clock::MARKER), Settings::DEFAULT_RING_CAPACITY));
    let changed = Arc::new(Notify::new());
    let surroundings = Surroundings { open: hardware, recorder: Arc::clone(&recorder), changed: Arc::clone(&changed) };
    let service = Service::new(recorder, Roster::new(surroundings), files);
    service.configure().await?;
    let served = timeout(BUS_DEADLINE, serve(bus, service.clone()))
        .await
        .with_context(|| format!("the bus gave no answer within {BUS_DEADLINE:?}"))?
        .context("serve io.microkernel.Sensor1 on the bus")?;
    daemon.ready();
    tokio::select! {
        () = daemon.shutdown().cancelled() => {}
        () = served.closed() => anyhow::bail!("the bus closed the connection"),
        result = announce_readings(&service, &served) => result?,
        result = announce_changes(&changed, &served) => result?,
        () = watch(&service, &daemon) => {}
        () = reload(&service, &daemon) => {}
    }
    drain(&service, &served, &daemon).await
}

/// Hints at new readings at once, but not more often than every [`AVAILABLE_INTERVAL`].
async fn announce_readings(service: &Service, served: &Served<Feed<Service>>) -> anyhow::Result<()> {
    let mut newest_seq = service.recorder().newest_seq();
    while newest_seq.changed().await.is_ok() {
        let seq = *newest_seq.borrow_and_update();
        served.available(seq).await.context("emit Available")?;
        sleep(AVAILABLE_INTERVAL).await;
    }
    Ok(())
}

/// Announces that a sensor's state changed.
async fn announce_changes(changed: &Notify, served: &Served<Feed<Service>>) -> anyhow::Result<()> {
    loop {
        changed.notified().await;
        served.sensors_changed().await.context("announce the sensors' states")?;
        sleep(CHANGED_INTERVAL).await;
    }
}

/// Looks after the sensors. The watchdog is fed after each look: it took all locks that a stuck thread might hold, on
/// the thread that answers the bus. A hung sensor alone is no reason to restart the others.
async fn watch(service: &Service, daemon: &Daemon) {
    let mut last = String::new();
    loop {
        let text = status(service.check(), service.problem().as_deref());
        if text != last {
            daemon.status(&text);
            last = text;
        }
        daemon.progress();
        sleep(CHECK_INTERVAL).await;
    }
}

/// The status line.
fn status(summary: Summary, problem: Option<&str>) -> String {
    let Summary { sensors, failing, missed } = summary;
    let problem = problem.map(|problem| format!("; configuration refused: {problem}")).unwrap_or_default();
    format!("{sensors} sensors, {failing} failing, {missed} deadlines missed{problem}")
}

/// Reads the configuration again when asked to. One that is wrong has been reported and changes nothing.
async fn reload(service: &Service, daemon: &Daemon) {
    loop {
        daemon.reload().await;
        daemon.reloading();
        if service.configure().await.is_ok() {
            tracing::info!("configuration read");
        }
        daemon.ready();
    }
}

/// Ends the sensors, announces the last reading, and gives readers the time to fetch it.
async fn drain(service: &Service, served: &Served<Feed<Service>>, daemon: &Daemon) -> anyhow::Result<()> {
    daemon.status("draining: waiting for readers to fetch the last readings");
    let deadline = Instant::now() + DRAIN_DEADLINE;
    let mut announced = None;
    loop {
        let stopped = service.stop();
        let newest_seq = *service.recorder().newest_seq().borrow();
        if announced != Some(newest_seq) {
            served.available(newest_seq).await.context("emit Available")?;
            announced = Some(newest_seq);
        }
        if stopped && service.recorder().is_drained() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            tracing::warn!("a sensor hangs or a reader has not fetched everything; ending without");
            return Ok(());
        }
        sleep_until(deadline.min(Instant::now() + DRAIN_POLL)).await;
    }
}
