//! Commands to a device and its answers.

use crate::Timestamp;
use serde::{Deserialize, Serialize};

/// A command to a device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// Names the command in its [`Response`]s; a device carries out each id once.
    pub id: String,
    /// What to do.
    pub command: CommandName,
    /// Its arguments: an object whose fields depend on the command; `null` where it takes none.
    #[serde(default)]
    pub payload: serde_json::Value,
    /// When it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
}

/// The commands; one that this version does not know is kept by its name and answered `failed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum CommandName {
    /// Look for an update now: `{"version":"1.0.1"}`, or no payload for the newest.
    Update,
    /// Restart the device.
    Reboot,
    /// Change a service's configuration: `{"section":"sensor","toml":"…"}`.
    SetConfig,
    /// Make the device noticeable to a person beside it (LED, log).
    Identify,
    /// Send the newest log lines back.
    CollectLogs,
    /// Sample a sensor at another rate: `{"sensor":"Temperature","seconds":5}`.
    SetInterval,
    /// Load the edge scripts anew.
    WasmReload,
    /// Load the models anew.
    ModelReload,
    /// Not a command of this version.
    Unknown(String),
}

impl CommandName {
    /// All commands that this version knows.
    pub const KNOWN: [Self; 8] = [
        Self::Update,
        Self::Reboot,
        Self::SetConfig,
        Self::Identify,
        Self::CollectLogs,
        Self::SetInterval,
        Self::WasmReload,
        Self::ModelReload,
    ];

    /// The name on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Update => "update",
            Self::Reboot => "reboot",
            Self::SetConfig => "set_config",
            Self::Identify => "identify",
            Self::CollectLogs => "collect_logs",
            Self::SetInterval => "set_interval",
            Self::WasmReload => "wasm_reload",
            Self::ModelReload => "model_reload",
            Self::Unknown(name) => name,
        }
    }
}

impl From<String> for CommandName {
    fn from(name: String) -> Self {
        Self::KNOWN.into_iter().find(|known| known.as_str() == name).unwrap_or(Self::Unknown(name))
    }
}

impl From<CommandName> for String {
    fn from(name: CommandName) -> Self {
        name.as_str().to_owned()
    }
}

/// A device's answer to a command; there may be several, the last being `succeeded` or `failed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// The command's id.
    pub id: String,
    /// The command's name.
    pub command: CommandName,
    /// How far it has come.
    pub status: ResponseStatus,
    /// A result, or the reason of a failure and its remedy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<serde_json::Value>,
    /// When it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
}

/// How far a command has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResponseStatus {
    /// Understood, not yet begun.
    Accepted,
    /// Under way.
    Running,
    /// Done.
    Succeeded,
    /// Not done; the detail says why.
    Failed,
}
