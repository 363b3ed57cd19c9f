//! The form that sends a command to a device: its fields, parsed into a command's payload.

use microkernel_wire::CommandName;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The interval between two readings of a sensor, in seconds.
const INTERVAL_SECONDS: std::ops::RangeInclusive<f64> = 0.001..=100.0;

/// The form as a browser sends it: a field that doesn't belong to the command is ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct CommandForm {
    pub(super) command: String,
    pub(super) sensor: String,
    pub(super) seconds: String,
    pub(super) section: String,
    pub(super) toml: String,
    pub(super) version: String,
    /// Set when the person has confirmed that the device restarts.
    pub(super) confirm: String,
}

/// What is wrong with each field, by its name.
pub(super) type FieldErrors = BTreeMap<&'static str, String>;

impl CommandForm {
    /// The command and its payload.
    ///
    /// # Errors
    /// What is wrong, a field at a time, with what is expected instead.
    pub(super) fn parse(&self) -> Result<(CommandName, Value), FieldErrors> {
        let mut errors = FieldErrors::new();
        let command = CommandName::from(self.command.trim().to_owned());
        let payload = match &command {
            CommandName::Identify | CommandName::CollectLogs | CommandName::WasmReload | CommandName::ModelReload => {
                json!({})
            }
            CommandName::Reboot => {
                if self.confirm.is_empty() {
                    errors.insert("confirm", "Confirm that the device may restart now.".to_owned());
                }
                json!({})
            }
            CommandName::SetInterval => {
                let sensor = required(&mut errors, "sensor", &self.sensor, "Choose a sensor.");
                json!({ "sensor": sensor, "seconds": self.seconds(&mut errors) })
            }
            CommandName::SetConfig => {
                let section = required(&mut errors, "section", &self.section, "Choose a section.");
                let toml = required(&mut errors, "toml", &self.toml, "Enter the section's settings as TOML.");
                json!({ "section": section, "toml": toml })
            }
            CommandName::Update => match self.version.trim() {
                "" => json!({}),
                version => json!({ "version": version }),
            },
            CommandName::Unknown(name) => {
                let message = match name.as_str() {
                    "" => "Choose a command.".to_owned(),
                    name => format!("“{name}” is not a command of this server."),
                };
                errors.insert("command", message);
                Value::Null
            }
        };
        if errors.is_empty() { Ok((command, payload)) } else { Err(errors) }
    }

    fn seconds(&self, errors: &mut FieldErrors) -> Option<f64> {
        let seconds = self.seconds.trim().parse().ok().filter(|seconds| INTERVAL_SECONDS.contains(seconds));
        if seconds.is_none() {
            errors.insert("seconds", "Enter a number of seconds from 0.001 to 100.".to_owned());
        }
        seconds
    }
}

fn required<'a>(errors: &mut FieldErrors, field: &'static str, text: &'a str, message: &str) -> &'a str {
    if text.trim().is_empty() {
        errors.insert(field, message.to_owned());
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn form(command: &str) -> CommandForm {
        CommandForm { command: command.to_owned(), ..CommandForm::default() }
    }

    #[test]
    fn every_known_command_can_be_sent() {
        let full = CommandForm {
            sensor: "Temperature".to_owned(),
            seconds: " 5 ".to_owned(),
            section: "sensor".to_owned(),
            toml: "ring_capacity = 10".to_owned(),
            version: "1.0.1".to_owned(),
            confirm: "yes".to_owned(),
            ..CommandForm::default()
        };
        for known in CommandName::KNOWN {
            let form = CommandForm { command: known.as_str().to_owned(), ..full.clone() };
            assert_eq!(form.parse().unwrap().0, known);
        }
        let set_interval = CommandForm { command: "set_interval".to_owned(), ..full };
        assert_eq!(set_interval.parse().unwrap().1, json!({"sensor": "Temperature", "seconds": 5.0}));
    }

    #[test]
    fn a_missing_field_is_named() {
        let errors = |command: &str| form(command).parse().unwrap_err().into_keys().collect::<Vec<_>>();
        assert_eq!(errors(""), ["command"]);
        assert_eq!(errors("explode"), ["command"]);
        assert_eq!(errors("reboot"), ["confirm"]);
        assert_eq!(errors("set_interval"), ["seconds", "sensor"]);
        assert_eq!(errors("set_config"), ["section", "toml"]);
    }

    #[test]
    fn an_interval_has_bounds() {
        for seconds in ["0", "101", "NaN", "inf", "-1", "5s"] {
            let form = CommandForm { sensor: "T".to_owned(), seconds: seconds.to_owned(), ..form("set_interval") };
            assert_eq!(form.parse().unwrap_err().into_keys().collect::<Vec<_>>(), ["seconds"], "{seconds}");
        }
    }
}
