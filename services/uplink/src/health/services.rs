//! How the other services are doing, asked over the bus.

use crate::state::State;
use microkernel_bus::ml::ScorerProxy;
use microkernel_bus::sensor::{FeedProxy, SensorState};
use microkernel_bus::update::AgentProxy;
use microkernel_bus::wasm::TransformerProxy;
use microkernel_bus::zbus::Connection;
use microkernel_bus::{Error, Result};
use microkernel_wire::{ServiceHealth, ServiceState};
use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

/// How long a service may take to say how it is.
const DEADLINE: Duration = Duration::from_secs(2);

/// Every service but the uplink itself. All are asked at once.
pub(super) async fn ask(bus: Option<&Connection>, state: &State) -> BTreeMap<String, ServiceHealth> {
    let Some(bus) = bus else {
        let health = || failed("there is no connection to the device's bus");
        return ["sensor", "wasm", "ml", "update"].map(|name| (name.to_owned(), health())).into();
    };
    let (sensor, wasm, ml, update) = tokio::join!(
        judged(async { Ok(sensors(&FeedProxy::uncached(bus).await?.sensors().await?)) }),
        judged(async {
            let scripts = TransformerProxy::uncached(bus).await?.scripts().await?;
            Ok(parts(scripts.iter().map(|script| (&*script.name, &*script.state, &*script.detail))))
        }),
        judged(async {
            let models = ScorerProxy::uncached(bus).await?.models().await?;
            Ok(parts(models.iter().map(|model| (&*model.name, &*model.state, &*model.detail))))
        }),
        judged(async {
            let error = AgentProxy::uncached(bus).await?.last_error().await?;
            Ok(if error.is_empty() { vec![] } else { vec![error] })
        }),
    );
    let wasm = with_filtered(wasm, state.counters.filtered.get());
    [("sensor", sensor), ("wasm", wasm), ("ml", ml), ("update", update)]
        .map(|(name, health)| (name.to_owned(), health))
        .into()
}

/// The state of a service that names its problems.
async fn judged(problems: impl Future<Output = Result<Vec<String>>>) -> ServiceHealth {
    match tokio::time::timeout(DEADLINE, problems).await {
        Ok(Ok(problems)) if problems.is_empty() => ServiceHealth { state: ServiceState::Ok, detail: None },
        Ok(Ok(problems)) => ServiceHealth { state: ServiceState::Degraded, detail: Some(problems.join("; ")) },
        Ok(Err(error)) if error.is_absent() => ServiceHealth { state: ServiceState::Absent, detail: None },
        Ok(Err(Error::Bus(error))) => failed(&format!("it can't be asked: {error}")),
        Ok(Err(error)) => failed(&error.to_string()),
        Err(_) => failed(&format!("no answer within {DEADLINE:?}")),
    }
}

fn failed(reason: &str) -> ServiceHealth {
    ServiceHealth { state: ServiceState::Failed, detail: Some(reason.to_owned()) }
}

fn sensors(sensors: &[SensorState]) -> Vec<String> {
    let failing = sensors.iter().filter(|sensor| sensor.state == "failing");
    failing
        .map(|sensor| format!("{} ({} at {}): {}", sensor.name, sensor.driver, sensor.address, sensor.error))
        .collect()
}

/// Scripts or models: name, state, detail.
fn parts<'a>(parts: impl Iterator<Item = (&'a str, &'a str, &'a str)>) -> Vec<String> {
    parts
        .filter(|(_, state, _)| *state != "ok")
        .map(|(name, state, detail)| format!("{name} {state}: {detail}"))
        .collect()
}

/// What scripts dropped is no problem, but whoever misses readings should find out where they went.
fn with_filtered(health: ServiceHealth, filtered: u64) -> ServiceHealth {
    if filtered == 0 {
        return health;
    }
    let note = format!("scripts have dropped {filtered} readings");
    let detail = health.detail.map_or(note.clone(), |detail| format!("{detail}; {note}"));
    ServiceHealth { detail: Some(detail), ..health }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_sensor_is_named_with_its_address_and_error() {
        let sensor = |state: &str| SensorState {
            name: "Temperature".to_owned(),
            driver: "tmp105".to_owned(),
            address: "i2c-1 0x48".to_owned(),
            state: state.to_owned(),
            error: "read: Remote I/O error".to_owned(),
            errno: 121,
            failures: 3,
            readings: 0,
            interval_seconds: 1.0,
        };
        let expected = "Temperature (tmp105 at i2c-1 0x48): read: Remote I/O error";
        assert_eq!(sensors(&[sensor("ok"), sensor("failing"), sensor("starting")]), [expected]);
    }

    #[test]
    fn what_scripts_dropped_is_told_without_calling_them_unwell() {
        let well = ServiceHealth { state: ServiceState::Ok, detail: None };
        assert_eq!(with_filtered(well.clone(), 0), well);
        assert_eq!(with_filtered(well, 7).detail.as_deref(), Some("scripts have dropped 7 readings"));
    }
}
