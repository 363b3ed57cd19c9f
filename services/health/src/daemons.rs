//! Whether the daemons run: asked of the service manager (org.freedesktop.systemd1(5)).

use crate::{Limits, poll};
use zbus::{self, Connection, OwnedObjectPath, proxy, proxy::CacheProperties};

/// The target that wants every enabled daemon.
const TARGET: &str = "microkernel.target";

#[proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
trait Manager {
    fn load_unit(&self, name: &str) -> zbus::Result<OwnedObjectPath>;
}

#[proxy(interface = "org.freedesktop.systemd1.Unit", default_service = "org.freedesktop.systemd1")]
trait Unit {
    #[zbus(property)]
    fn wants(&self) -> zbus::Result<Vec<String>>;
    #[zbus(property)]
    fn active_state(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn sub_state(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn condition_result(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn condition_timestamp_monotonic(&self) -> zbus::Result<u64>;
}

#[proxy(interface = "org.freedesktop.systemd1.Service", default_service = "org.freedesktop.systemd1")]
trait Service {
    #[zbus(property, name = "NRestarts")]
    fn restarts(&self) -> zbus::Result<u32>;
}

/// A daemon that was ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    unit: String,
    restarts: u32,
}

/// What is known of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Ready,
    /// A condition of its unit keeps it away from this device: it was not built in, or has no identity yet.
    NotWanted,
    Other(String),
}

impl State {
    /// `tried`: whether the service manager has looked at the conditions in this boot.
    fn of(active: &str, sub: &str, tried: bool, conditions: bool) -> Self {
        match (active, sub) {
            // A one-shot that has done its work is active, too.
            ("active", _) => Self::Ready,
            ("inactive", _) if tried && !conditions => Self::NotWanted,
            _ => Self::Other(format!("{active} ({sub})")),
        }
    }
}

/// Waits until every daemon that is enabled is ready.
///
/// # Errors
/// After [`Limits::ready`]: which ones are not, and what they are instead.
pub async fn ready(bus: &Connection, limits: &Limits) -> Result<Vec<Started>, String> {
    poll::until(limits.ready, limits.poll, || async {
        let mut started = Vec::new();
        let mut missing = Vec::new();
        for unit in enabled(bus).await.map_err(unreachable)? {
            match state(bus, &unit).await.map_err(unreachable)? {
                State::Ready => {
                    let restarts = restarts(bus, &unit).await.map_err(unreachable)?;
                    started.push(Started { unit, restarts });
                }
                State::NotWanted => tracing::debug!("{unit}: not wanted on this device"),
                State::Other(other) => missing.push(format!("{unit} is {other}")),
            }
        }
        if !missing.is_empty() {
            return Err(missing.join(", "));
        }
        if started.is_empty() { Err(format!("{TARGET} wants no service")) } else { Ok(started) }
    })
    .await
}

/// Whether the daemons that were ready still are, without having been restarted: one that crashes every few seconds
/// is ready in between.
///
/// # Errors
/// Which ones are not.
pub async fn unchanged(bus: &Connection, started: Vec<Started>) -> Result<String, String> {
    let mut changed = Vec::new();
    for Started { unit, restarts: before } in &started {
        match state(bus, unit).await.map_err(unreachable)? {
            State::Ready => {}
            other => changed.push(format!("{unit} was ready and is {other:?}")),
        }
        let after = restarts(bus, unit).await.map_err(unreachable)?;
        if after != *before {
            changed.push(format!("{unit} was restarted {} times while it was watched", after.saturating_sub(*before)));
        }
    }
    let names = || started.iter().map(|one| one.unit.as_str()).collect::<Vec<_>>().join(", ");
    if changed.is_empty() { Ok(format!("{} ready", names())) } else { Err(changed.join(", ")) }
}

fn unreachable(error: zbus::Error) -> String {
    format!("the service manager does not answer: {error}")
}

/// The services that the target wants.
async fn enabled(bus: &Connection) -> zbus::Result<Vec<String>> {
    let mut units = unit(bus, TARGET).await?.wants().await?;
    units.retain(|name| name.starts_with("microkernel-") && name.ends_with(".service"));
    units.sort();
    Ok(units)
}

async fn state(bus: &Connection, name: &str) -> zbus::Result<State> {
    let unit = unit(bus, name).await?;
    let tried = unit.condition_timestamp_monotonic().await? > 0;
    Ok(State::of(&unit.active_state().await?, &unit.sub_state().await?, tried, unit.condition_result().await?))
}

async fn restarts(bus: &Connection, name: &str) -> zbus::Result<u32> {
    let path = ManagerProxy::new(bus).await?.load_unit(name).await?;
    ServiceProxy::builder(bus).path(path).cache_properties(CacheProperties::No).build().await?.restarts().await
}

async fn unit(bus: &Connection, name: &str) -> zbus::Result<UnitProxy<'static>> {
    let path = ManagerProxy::new(bus).await?.load_unit(name).await?;
    UnitProxy::builder(bus).path(path).cache_properties(CacheProperties::No).build().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_whose_condition_was_tried_and_failed_is_not_wanted() {
        assert_eq!(State::of("inactive", "dead", true, false), State::NotWanted);
    }

    #[test]
    fn a_unit_that_was_not_tried_yet_or_has_stopped_is_missing() {
        assert_eq!(State::of("inactive", "dead", false, false), State::Other("inactive (dead)".into()));
        assert_eq!(State::of("inactive", "dead", true, true), State::Other("inactive (dead)".into()));
        assert_eq!(
            State::of("activating", "auto-restart", true, true),
            State::Other("activating (auto-restart)".into())
        );
    }
}
