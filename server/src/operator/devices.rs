//! `devices`.

use super::show::{facts, or_dash, show, table, time};
use crate::api::TagChange;
use crate::cli::{DevicesAction, ServerArguments};
use crate::client::Client;
use crate::registry::{Device, DeviceDetail, Sensor};
use crate::tags::TagCount;
use std::process::ExitCode;

pub(super) async fn run(client: &Client, server: &ServerArguments, action: DevicesAction) -> anyhow::Result<ExitCode> {
    match action {
        DevicesAction::List { tag } => {
            let mut devices = client.devices().await?;
            if let Some(tag) = tag {
                devices.retain(|device| device.tags.iter().any(|one| one == tag.as_str()));
            }
            show(server.output, &devices, |devices| list(devices))?;
        }
        DevicesAction::Show { id } => show(server.output, &client.device(id.as_str()).await?, details)?,
        DevicesAction::Tag { tag, add, remove } => {
            show(server.output, &client.tag(&tag, &TagChange { add, remove }).await?, |tags| counts(tags))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(devices: &[Device]) -> String {
    let row = |device: &Device| {
        [
            device.id.clone(),
            device.state.as_str().to_owned(),
            or_dash(device.version.as_deref()),
            or_dash(device.slot.as_deref()),
            or_dash(Some(&device.tags.join(", "))),
            time(device.last_seen_at),
        ]
    };
    let header = ["device", "state", "version", "slot", "tags", "last seen"];
    table(header, devices.iter().map(row), "No devices.")
}

fn details(detail: &DeviceDetail) -> String {
    let device = &detail.device;
    let facts = facts(&[
        ("device", device.id.clone()),
        ("state", device.state.as_str().to_owned()),
        ("since", time(device.state_changed_at)),
        ("last seen", time(device.last_seen_at)),
        ("version", or_dash(device.version.as_deref())),
        ("slot", or_dash(device.slot.as_deref())),
        ("tags", or_dash(Some(&device.tags.join(", ")))),
        ("anomalies in 24 h", device.anomalies_24h.to_string()),
        ("rejected messages", device.rejected.to_string()),
    ]);
    let row = |sensor: &Sensor| {
        let latest = sensor.latest.map_or_else(|| "-".to_owned(), |latest| format!("{} {}", latest.value, sensor.unit));
        let at = sensor.latest.map(|latest| latest.timestamp.into());
        [sensor.name.clone(), latest, time(at), sensor.readings.to_string(), sensor.anomalies.to_string()]
    };
    let sensors =
        table(["sensor", "latest", "at", "readings", "anomalies"], device.sensors.iter().map(row), "No readings yet.");
    format!("{facts}\n\n{sensors}")
}

fn counts(tags: &[TagCount]) -> String {
    let row = |count: &TagCount| [count.tag.clone(), count.devices.to_string()];
    table(["tag", "devices"], tags.iter().map(row), "No tags.")
}
