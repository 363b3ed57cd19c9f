//! What `microkernel.toml` says.

use crate::{
    ProvisionError, imager,
    wifi::{Country, Passphrase, Ssid, Wifi},
};
use microkernel_wire::DeviceId;
use serde::{Deserialize, Deserializer, de};
use std::{fs, io, path::Path};

/// The settings of the boot partition: everything is optional, nothing unknown is accepted.
///
/// ```
/// let settings = microkernel_provision::Settings::parse(r#"
///     device.id = "device-001"
///     wifi = { ssid = "my network", password = "its password", country = "DE" }
///     server = { host = "fleet.example.org" }
/// "#).expect("right");
/// assert_eq!(settings.server.host.as_deref(), Some("fleet.example.org"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Who the device is.
    #[serde(default)]
    pub device: Device,
    /// The wireless network. A section that says nothing names none.
    #[serde(default, deserialize_with = "wifi")]
    pub wifi: Option<Wifi>,
    /// The fleet server.
    #[serde(default)]
    pub server: Server,
}

/// `[device]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Its identifier, which its certificate has to name.
    pub id: Option<DeviceId>,
}

/// `[server]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Its name or address, without scheme, port or path.
    #[serde(default, deserialize_with = "host")]
    pub host: Option<String>,
    /// The token that the server gave out for this device: visible ASCII, at most 256 characters.
    #[serde(default, deserialize_with = "token")]
    pub claim_token: Option<String>,
}

impl Settings {
    /// Reads `microkernel.toml` and Raspberry Pi Imager's files below `boot`; nothing when there is none of them.
    ///
    /// # Errors
    /// When one of them can't be read or is wrong: then none of them counts.
    pub fn read(boot: &Path) -> Result<Option<Self>, ProvisionError> {
        let path = boot.join("microkernel.toml");
        let ours = match read_optional(&path)? {
            Some(text) => {
                Some(Self::parse(&text).map_err(|source| ProvisionError::Toml { path, source: Box::new(source) })?)
            }
            None => None,
        };
        Ok(match (ours, imager::read(boot)?) {
            (Some(ours), Some(imagers)) => Some(ours.or(imagers)),
            (ours, imagers) => ours.or(imagers),
        })
    }

    /// Parses the text of a `microkernel.toml`.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    fn or(self, other: Self) -> Self {
        Self {
            device: Device { id: self.device.id.or(other.device.id) },
            wifi: self.wifi.or(other.wifi),
            server: Server {
                host: self.server.host.or(other.server.host),
                claim_token: self.server.claim_token.or(other.server.claim_token),
            },
        }
    }
}

/// The text of a file, nothing when it is not there.
pub(crate) fn read_optional(path: &Path) -> Result<Option<String>, ProvisionError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ProvisionError::Read { path: path.to_owned(), source }),
    }
}

/// `[wifi]`, as it is in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WifiSection {
    ssid: Option<Ssid>,
    password: Option<Passphrase>,
    country: Option<Country>,
}

fn wifi<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Wifi>, D::Error> {
    match WifiSection::deserialize(deserializer)? {
        WifiSection { ssid: Some(ssid), password, country } => Ok(Some(Wifi { ssid, password, country })),
        WifiSection { ssid: None, password: None, country: None } => Ok(None),
        WifiSection { .. } => Err(de::Error::missing_field("ssid")),
    }
}

fn host<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let host = String::deserialize(deserializer)?;
    if host.is_empty() || !host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':')) {
        let expected = "a host name or an address, without scheme or path";
        return Err(de::Error::invalid_value(de::Unexpected::Str(&host), &expected));
    }
    Ok(Some(host))
}

fn token<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let token = String::deserialize(deserializer)?;
    if token.is_empty() || token.len() > 256 || !token.bytes().all(|b| b.is_ascii_graphic()) {
        // Not the token itself: it is a secret, and this goes into the log.
        return Err(de::Error::custom("expected the token as the server printed it: 1 to 256 characters, no space"));
    }
    Ok(Some(token))
}
