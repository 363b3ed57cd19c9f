//! The environment variables that override the files.

use figment::{
    Error, Metadata, Profile, Provider,
    value::{Dict, Map, Value},
};

/// Which variable overrides which key.
const VARIABLES: [(&str, &str, &str); 6] = [
    ("DEVICE_ID", "device", "id"),
    ("MQTT_BROKER_HOST", "mqtt", "host"),
    ("MQTT_BROKER_PORT", "mqtt", "port"),
    ("MQTT_CA_CERT", "mqtt", "ca_cert"),
    ("MQTT_CLIENT_CERT", "mqtt", "client_cert"),
    ("MQTT_CLIENT_KEY", "mqtt", "client_key"),
];

/// One variable with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Override {
    variable: &'static str,
    section: &'static str,
    key: &'static str,
    value: String,
}

/// The overrides among `variables`. An empty value is the same as none.
pub(super) fn overrides(variables: impl IntoIterator<Item = (String, String)>) -> Vec<Override> {
    let known = |(name, value): (String, String)| {
        let (variable, section, key) = VARIABLES.into_iter().find(|(variable, ..)| *variable == name)?;
        (!value.is_empty()).then_some(Override { variable, section, key, value })
    };
    variables.into_iter().filter_map(known).collect()
}

/// The variables of this process, those that matter.
pub(super) fn of_this_process() -> impl Iterator<Item = (String, String)> {
    VARIABLES.into_iter().filter_map(|(name, ..)| {
        let value = std::env::var_os(name)?;
        Some((name.to_owned(), value.to_string_lossy().into_owned()))
    })
}

/// The variable that would set `key` (`mqtt.host`).
pub(super) fn variable_for(key: &str) -> Option<&'static str> {
    let matches = |section: &str, name: &str| key.split_once('.') == Some((section, name));
    VARIABLES.into_iter().find_map(|(variable, section, name)| matches(section, name).then_some(variable))
}

impl Override {
    pub(super) fn variable(&self) -> &'static str {
        self.variable
    }

    fn value(&self) -> Value {
        // Everything is a string but the port, which must arrive as the number that it would be in a file.
        match self.value.parse::<u16>() {
            Ok(number) if self.key == "port" => Value::from(number),
            _ => Value::from(self.value.as_str()),
        }
    }
}

impl Provider for Override {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.variable)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let section: Dict = [(self.key.to_owned(), self.value())].into();
        let root: Dict = [(self.section.to_owned(), Value::from(section))].into();
        Ok(Profile::Default.collect(root))
    }
}
