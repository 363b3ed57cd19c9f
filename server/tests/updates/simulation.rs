//! Many devices at once, and what the server's log of states says about them.

use crate::device::Device;
use crate::world::{Server, World};
use sqlx::PgPool;
use std::collections::HashMap;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How often a device of the simulation asks.
const POLL: Duration = Duration::from_millis(700);

/// The ids of `count` devices.
pub(crate) fn ids(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("device-{number:03}")).collect()
}

/// Devices that ask again and again, and install what they are given, until `end`; those of which `fails` is true fail.
pub(crate) fn run_devices(
    world: &World,
    servers: &[&Server],
    ids: &[String],
    fails: fn(usize) -> bool,
    end: &CancellationToken,
) -> JoinSet<()> {
    let mut devices = JoinSet::new();
    for (number, id) in ids.iter().enumerate() {
        let device = world.device(servers[number % servers.len()], id);
        let (fails, end) = (fails(number), end.clone());
        devices.spawn(async move {
            let stagger = POLL * (number % 50) as u32 / 50;
            tokio::time::sleep(stagger).await;
            while end.run_until_cancelled(step(&device, fails)).await.is_some() {
                if end.run_until_cancelled(tokio::time::sleep(POLL)).await.is_none() {
                    break;
                }
            }
        });
    }
    devices
}

/// Asks once, and does what there is to do. A server that is away is asked again later.
async fn step(device: &Device, fails: bool) {
    drop(try_step(device, fails).await);
}

async fn try_step(device: &Device, fails: bool) -> Result<(), reqwest::Error> {
    let get = async |url: &str| -> Result<serde_json::Value, reqwest::Error> {
        device.request(reqwest::Method::GET, url).send().await?.error_for_status()?.json().await
    };
    let base = get(&device.base).await?;
    let links = &base["_links"];
    if let Some(url) = links["cancelAction"]["href"].as_str() {
        tell(device, url, "closed", "success", "cancelled").await?;
    }
    let Some(url) = links["deploymentBase"]["href"].as_str() else { return Ok(()) };
    let deployment = get(url).await?;
    let artifact = &deployment["deployment"]["chunks"][0]["artifacts"][0];
    let part = device.request(reqwest::Method::GET, artifact["_links"]["download"]["href"].as_str().unwrap());
    part.header("range", "bytes=0-999").send().await?.error_for_status()?.bytes().await?;
    tell(device, url, "proceeding", "none", "writing slot B").await?;
    tell(device, url, "proceeding", "none", "rebooting into slot B").await?;
    let (finished, detail) = if fails { ("failure", "rolled back: no init") } else { ("success", "slot B runs") };
    tell(device, url, "closed", finished, detail).await
}

async fn tell(device: &Device, url: &str, execution: &str, finished: &str, detail: &str) -> Result<(), reqwest::Error> {
    let body = crate::device::feedback("", execution, finished, detail);
    device.request(reqwest::Method::POST, &format!("{url}/feedback")).json(&body).send().await?.error_for_status()?;
    Ok(())
}

/// What the log of states says of a rollout.
#[derive(Debug)]
pub(crate) struct Log {
    /// The most deployments in flight at any moment.
    pub(crate) most_in_flight: usize,
    /// The deployments in flight after each entry.
    pub(crate) in_flight: Vec<usize>,
    /// How many times a deployment was offered.
    pub(crate) offers: usize,
}

/// Replays the log. Its numbers are in an order in which it can have happened: a deployment is only offered after the
/// end that made room for it was committed, so that the end has the lower number.
pub(crate) async fn replay(pool: &PgPool) -> Log {
    let entries: Vec<(i64, String)> =
        sqlx::query_as("SELECT deployment_id, state FROM deployment_events ORDER BY id").fetch_all(pool).await.unwrap();
    let mut states: HashMap<i64, String> = HashMap::new();
    let (mut in_flight, mut offers) = (Vec::new(), 0);
    for (deployment, state) in entries {
        let before = states.insert(deployment, state.clone());
        offers += usize::from(state == "offered" && before.as_deref() != Some("offered"));
        let is_in_flight =
            |state: &&String| ["offered", "downloading", "installing", "rebooting"].contains(&state.as_str());
        in_flight.push(states.values().filter(is_in_flight).count());
    }
    Log { most_in_flight: in_flight.iter().copied().max().unwrap_or_default(), in_flight, offers }
}

/// Looks again and again how many deployments are in flight, until `end`; the most that were seen.
pub(crate) async fn watch(pool: PgPool, end: CancellationToken) -> i64 {
    let mut most = 0;
    let look = async || {
        let count: Result<i64, _> = sqlx::query_scalar(
            "SELECT count(*) FROM deployments WHERE state IN ('offered', 'downloading', 'installing', 'rebooting')",
        )
        .fetch_one(&pool)
        .await;
        count.unwrap_or_default()
    };
    while !end.is_cancelled() {
        most = most.max(look().await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    most
}
