//! The life of the service.

use crate::{
    agent::Agent,
    cli::Cli,
    ddi::Client,
    installer::Installer,
    journal_file::JournalFile,
    on_bus::{OnBus, Request},
    settings::Settings,
    system::System,
};
use anyhow::Context;
use microkernel_bus::{
    Served,
    update::{Agent as Interface, serve},
    zbus::connection::Builder,
};
use microkernel_daemon::{Daemon, config::Layers};
use std::{path::Path, time::Duration};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep_until, timeout},
};

/// How long the bus may take to accept the connection and give the name.
const BUS_DEADLINE: Duration = Duration::from_secs(25);
/// How often it is looked at whether conditions have changed, progress is shown, and the watchdog is fed.
const TICK: Duration = Duration::from_secs(1);

/// Runs the agent until it is asked to finish; with `--once`, until what follows from one poll is done.
///
/// # Errors
/// When the configuration or the identity is wrong, the journal can't be read, or the bus is not there or goes away.
pub async fn run(daemon: Daemon, bus: Builder<'_>, layers: Layers, state_dir: &Path, cli: &Cli) -> anyhow::Result<()> {
    let settings = Settings::load(&layers, state_dir)?;
    let dir = state_dir.join("update");
    let (on_bus, mut requests) = OnBus::new();
    let served = timeout(BUS_DEADLINE, serve(bus, on_bus.clone()))
        .await
        .with_context(|| format!("the bus gave no answer within {BUS_DEADLINE:?}"))?
        .context("serve io.microkernel.Update1 on the bus")?;
    let mut agent = Agent::new(
        Client::new(&settings)?,
        Installer::new(served.connection()).await?,
        JournalFile::in_dir(&dir),
        dir.join("download"),
        System::new(cli.root.clone(), settings.health_record.clone()),
        settings,
        on_bus,
        served.clone(),
    )?;
    daemon.ready();
    if cli.once {
        return tokio::select! {
            () = daemon.shutdown().cancelled() => Ok(()),
            result = once(&mut agent) => result,
        };
    }
    serve_requests(&daemon, &mut agent, &mut requests, &served, &layers, state_dir).await
}

async fn serve_requests(
    daemon: &Daemon,
    agent: &mut Agent,
    requests: &mut mpsc::Receiver<Request>,
    served: &Served<Interface<OnBus>>,
    layers: &Layers,
    state_dir: &Path,
) -> anyhow::Result<()> {
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let next_poll = agent.next_poll();
        tokio::select! {
            () = daemon.shutdown().cancelled() => return Ok(()),
            () = served.closed() => anyhow::bail!("the bus closed the connection"),
            () = daemon.reload() => {
                daemon.reloading();
                reload(agent, layers, state_dir);
                daemon.ready();
            }
            Some(request) = requests.recv() => agent.answer(request).await,
            event = agent.work_done() => agent.handle(event).await,
            () = sleep_until(next_poll) => drop(agent.poll().await),
            _ = tick.tick() => agent.tick().await,
        }
        agent.show().await;
        daemon.status(&agent.status());
        daemon.progress();
    }
}

/// Takes the configuration and the identity anew; those in force stay when they are wrong.
fn reload(agent: &mut Agent, layers: &Layers, state_dir: &Path) {
    let reloaded = Settings::load(layers, state_dir)
        .map_err(anyhow::Error::from)
        .and_then(|settings| Ok((Client::new(&settings)?, settings)));
    match reloaded {
        Ok((client, settings)) => agent.reconfigure(client, settings),
        Err(error) => tracing::error!("the configuration stays as it was: {error:#}"),
    }
}

/// Polls once, and does what follows from it.
async fn once(agent: &mut Agent) -> anyhow::Result<()> {
    agent.tick().await;
    if let Some(obstacle) = agent.obstacle() {
        anyhow::bail!("{obstacle}");
    }
    agent.poll().await?;
    while agent.is_working() {
        let event = agent.work_done().await;
        agent.handle(event).await;
    }
    println!("{}", agent.status());
    Ok(())
}
