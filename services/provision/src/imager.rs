//! The files that Raspberry Pi Imager writes for images whose `init_format` is `cloudinit`: `user-data` and `network-config`, YAML.
//! Of what they can say, the host name, one wireless network and the country are taken; users, keys and packages are not for this
//! system.

use crate::{
    ProvisionError, Server, Settings, Wifi,
    settings::{Device, read_optional},
};
use serde::{Deserialize, de::DeserializeOwned};
use std::{collections::BTreeMap, path::Path};

#[derive(Deserialize)]
struct UserData {
    hostname: Option<String>,
}

/// Netplan's format, version 2.
#[derive(Deserialize)]
struct NetworkConfig {
    network: Option<Network>,
    #[serde(flatten)]
    bare: Network,
}

#[derive(Default, Deserialize)]
struct Network {
    #[serde(default)]
    wifis: BTreeMap<String, Interface>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Interface {
    regulatory_domain: Option<String>,
    #[serde(default)]
    access_points: BTreeMap<String, Option<AccessPoint>>,
}

#[derive(Deserialize)]
struct AccessPoint {
    password: Option<String>,
}

/// Reads both files below `boot`; nothing when neither is there.
///
/// # Errors
/// When one can't be read, is no YAML, or names what can't be a device, a network or a country.
pub fn read(boot: &Path) -> Result<Option<Settings>, ProvisionError> {
    let user_data = parse::<UserData>(&boot.join("user-data"))?;
    let network = parse::<NetworkConfig>(&boot.join("network-config"))?;
    if user_data.is_none() && network.is_none() {
        return Ok(None);
    }
    let wrong = |name: &str, message: &dyn ToString| ProvisionError::Yaml {
        path: boot.join(name),
        message: message.to_string(),
    };
    let id = user_data
        .and_then(|data| data.hostname)
        .map(|name| name.parse().map_err(|error| wrong("user-data", &error)))
        .transpose()?;
    let wifi =
        network.and_then(first_network).map(wifi).transpose().map_err(|error| wrong("network-config", &error))?;
    Ok(Some(Settings { device: Device { id }, wifi, server: Server::default() }))
}

fn parse<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, ProvisionError> {
    let Some(text) = read_optional(path)? else { return Ok(None) };
    // Imager leaves an empty file where nothing was chosen, cloud-init's template has only comments.
    if text.lines().all(|line| line.trim().is_empty() || line.starts_with('#')) {
        return Ok(None);
    }
    serde_saphyr::from_str(&text)
        .map(Some)
        .map_err(|error| ProvisionError::Yaml { path: path.to_owned(), message: error.to_string() })
}

type Found = (String, Option<String>, Option<String>);

fn first_network(config: NetworkConfig) -> Option<Found> {
    let wifis = config.network.unwrap_or(config.bare).wifis;
    wifis.into_values().find_map(|interface| {
        let (ssid, access_point) = interface.access_points.into_iter().next()?;
        Some((ssid, access_point.and_then(|point| point.password), interface.regulatory_domain))
    })
}

fn wifi((ssid, password, country): Found) -> Result<Wifi, &'static str> {
    Ok(Wifi {
        ssid: ssid.try_into()?,
        password: password.map(TryInto::try_into).transpose()?,
        country: country.map(TryInto::try_into).transpose()?,
    })
}
