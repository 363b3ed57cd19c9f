//! `deployments`.

use super::find_release;
use super::show::{or_dash, show, table, time};
use crate::api::{GivenDeployments, NewDeployment, NewDeployments};
use crate::cli::{DeploymentsAction, ServerArguments};
use crate::client::Client;
use crate::deployments::Deployment;
use crate::targets::Target;
use std::process::ExitCode;

pub(super) async fn run(
    client: &Client,
    server: &ServerArguments,
    action: DeploymentsAction,
) -> anyhow::Result<ExitCode> {
    match action {
        DeploymentsAction::Create { release, target } => {
            let release = find_release(client, &release).await?.id;
            match Target::from(target) {
                Target::Devices(devices) if devices.len() == 1 => {
                    let made = client.deploy(devices[0].as_str(), &NewDeployment { release }).await?;
                    show(server.output, &made.deployment, |made| list(std::slice::from_ref(made)))?;
                }
                target => show(server.output, &client.deploy_to(&NewDeployments { release, target }).await?, given)?,
            }
        }
        DeploymentsAction::List { device } => {
            let deployments = client.deployments(device.as_ref().map(|id| id.as_str())).await?;
            show(server.output, &deployments, |deployments| list(deployments))?;
        }
        DeploymentsAction::Cancel { device, id, force } => {
            let (done, deployment) = client.cancel(device.as_str(), id, force).await?;
            if !done {
                eprintln!("{device} has begun, and is asked to cancel");
            }
            show(server.output, &deployment.deployment, |one| list(std::slice::from_ref(one)))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn given(given: &GivenDeployments) -> String {
    let row = |one: &crate::deployments::Given| {
        let told = if one.online { "told now" } else { "when it asks" };
        [one.id.to_string(), one.device_id.clone(), told.to_owned()]
    };
    let table = table(["id", "device", "learns of it"], given.deployments.iter().map(row), "");
    match given.busy {
        0 => table,
        busy => format!("{table}\n\n{busy} more are at another update, and got nothing"),
    }
}

fn list(deployments: &[Deployment]) -> String {
    let row = |one: &Deployment| {
        [
            one.id.to_string(),
            one.device_id.clone(),
            format!("{} -> {}", or_dash(one.from_version.as_deref()), one.version),
            one.state.as_str().replace('_', " "),
            one.rollout_id.map_or_else(|| "-".to_owned(), |id| id.to_string()),
            or_dash(one.detail.as_deref()),
            time(one.updated_at),
        ]
    };
    let header = ["id", "device", "version", "state", "rollout", "newest message", "updated"];
    table(header, deployments.iter().map(row), "No deployments yet.")
}
