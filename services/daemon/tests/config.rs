//! Layers of real files: what overrides what, and what is said about what is wrong.

#![allow(clippy::unwrap_used)]

use microkernel_daemon::config::{ConfigError, Device, Layers, Log, LogLevel, Mqtt};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::PathBuf};
use tempfile::TempDir;

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Config {
    #[serde(default)]
    device: Device,
    #[serde(default)]
    log: Log,
    #[serde(default)]
    sensor: Sensor,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sensor {
    ring_capacity: Option<u32>,
    buses: Option<Vec<u8>>,
    #[serde(default)]
    sensors: BTreeMap<String, Driver>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase", tag = "driver")]
enum Driver {
    Tmp105 { address: u8 },
    Simulated { mean: f64 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Connected {
    mqtt: Mqtt,
}

/// Three folders: `usr`, `etc`, `data`.
struct Folders(TempDir);

impl Folders {
    fn with(files: &[(&str, &str)]) -> Self {
        let folders = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            folders.write(name, text);
        }
        folders
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn layers(&self) -> Layers {
        Layers::from_dirs(["usr", "etc", "data"].map(|name| self.path(name)))
    }

    /// What loading a `T` says, with the folders' own path left out.
    fn problem<T: serde::de::DeserializeOwned + std::fmt::Debug>(&self) -> String {
        self.without_path(self.layers().load::<T>().unwrap_err())
    }

    fn without_path(&self, error: ConfigError) -> String {
        error.to_string().replace(&format!("{}/", self.0.path().display()), "")
    }
}

fn env(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn nothing_configured_is_the_defaults() {
    let config: Config = Folders::with(&[]).layers().load().unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(config.log.level, LogLevel::Info);
}

#[test]
fn later_folders_and_later_files_override_single_keys() {
    let folders = Folders::with(&[
        ("usr/10.toml", "device.id = 'usr 10'\nsensor.ring_capacity = 1\nsensor.buses = [1, 2]\nlog.level = 'warn'"),
        ("usr/20.toml", "device.id = 'usr 20'"),
        ("etc/05.toml", "[sensor]\nring_capacity = 5\n[sensor.sensors.A]\ndriver = 'tmp105'\naddress = 0x48"),
        ("etc/notes.txt", "not a configuration"),
        (
            "data/00.toml",
            "[sensor]\nbuses = [3]\n[sensor.sensors.A]\naddress = 0x49\n[sensor.sensors.B]\ndriver = 'simulated'\nmean = 20",
        ),
    ]);
    let config: Config = folders.layers().load().unwrap();
    assert_eq!(config.device.id.as_deref(), Some("usr 20"));
    assert_eq!(config.log.level, LogLevel::Warn);
    assert_eq!(config.sensor.ring_capacity, Some(5));
    assert_eq!(config.sensor.buses, Some(vec![3]), "an array is replaced");
    let drivers = [("A", Driver::Tmp105 { address: 0x49 }), ("B", Driver::Simulated { mean: 20.0 })];
    assert_eq!(config.sensor.sensors, drivers.map(|(name, driver)| (name.to_owned(), driver)).into());
}

#[test]
fn a_text_overrides_the_folders() {
    let folders = Folders::with(&[("data/00.toml", "sensor.ring_capacity = 1")]);
    let layers = folders.layers().with_text("argument of ApplyConfig", "[sensor]\nring_capacity = 2");
    assert_eq!(layers.load::<Config>().unwrap().sensor.ring_capacity, Some(2));

    let layers = folders.layers().with_text("argument of ApplyConfig", "[sensor]\nring_capacity = -2");
    let expected = "argument of ApplyConfig:2:1: sensor.ring_capacity: expected an integer from 0 to 4294967295, \
                    found the integer -2; correct it there";
    assert_eq!(layers.load::<Config>().unwrap_err().to_string(), expected);
}

#[test]
fn the_environment_overrides_everything() {
    let folders = Folders::with(&[(
        "data/00.toml",
        "[mqtt]\nhost = 'file'\nport = 1\nca_cert = 'file'\nclient_cert = 'file'\nclient_key = 'file'",
    )]);
    let variables = env(&[
        ("MQTT_BROKER_HOST", "broker.example"),
        ("MQTT_BROKER_PORT", "8884"),
        ("MQTT_CA_CERT", "/etc/ca.crt"),
        ("MQTT_CLIENT_CERT", "/etc/device.crt"),
        ("MQTT_CLIENT_KEY", ""),
        ("MQTT_PASSWORD", "not one of the contract"),
    ]);
    let config: Connected = folders.layers().with_env(variables).load().unwrap();
    let mqtt = Mqtt {
        host: "broker.example".to_owned(),
        port: 8884,
        ca_cert: "/etc/ca.crt".into(),
        client_cert: "/etc/device.crt".into(),
        client_key: "file".into(),
    };
    assert_eq!(config.mqtt, mqtt);

    let config: Config = folders.layers().with_env(env(&[("DEVICE_ID", "007")])).load().unwrap();
    assert_eq!(config.device.id.as_deref(), Some("007"), "it stays a string");
}

#[test]
fn a_wrong_environment_variable_is_named() {
    let folders = Folders::with(&[("etc/00.toml", "[mqtt]\nhost = 'broker'\nport = 8883")]);
    let layers = folders.layers().with_env(env(&[("MQTT_BROKER_PORT", "mqtt")]));
    let expected = "environment variable MQTT_BROKER_PORT: mqtt.port: expected an integer from 0 to 65535, \
                    found the string \"mqtt\"; correct it there";
    assert_eq!(layers.load::<Connected>().unwrap_err().to_string(), expected);
}

#[test]
fn what_is_not_toml_is_named_with_file_line_and_column() {
    let folders = Folders::with(&[("usr/10.toml", "[device]\n"), ("etc/10.toml", "[device]\nid = \"x\nport = 1\n")]);
    let problem = folders.problem::<Config>();
    assert!(problem.starts_with("etc/10.toml:2:8: not valid TOML: invalid basic string"), "{problem}");
    assert!(problem.ends_with("; correct it there"), "{problem}");
    assert!(!problem.contains('\n'), "one line: {problem}");

    let folders = Folders::with(&[("etc/10.toml", "[device]\nid = 'a'\nid = 'b'\n")]);
    assert_eq!(folders.problem::<Config>(), "etc/10.toml:3:1: not valid TOML: duplicate key; correct it there");
}

#[test]
fn an_unknown_section_is_an_error_with_a_suggestion() {
    let folders = Folders::with(&[("etc/10.toml", "# broker\n[mqqt]\nhost = 'broker'\n")]);
    let expected = "etc/10.toml:2:2: unknown section [mqqt] (did you mean mqtt?); \
                    expected one of device, mqtt, log, sensor, wasm, ml, uplink, update; rename or remove it";
    assert_eq!(folders.problem::<Config>(), expected);

    let folders = Folders::with(&[("etc/10.toml", "x = 1\n")]);
    let expected = "etc/10.toml:1:1: unknown section [x]; \
                    expected one of device, mqtt, log, sensor, wasm, ml, uplink, update; rename or remove it";
    assert_eq!(folders.problem::<Config>(), expected);
}

#[test]
fn an_unknown_key_is_an_error_with_a_suggestion_in_the_file_that_has_it() {
    let folders = Folders::with(&[
        ("usr/10.toml", "sensor.ring_capacity = 1"),
        ("etc/10.toml", "[sensor]\n\nring_capasity = 2"),
        ("data/10.toml", "sensor.ring_capacity = 3"),
    ]);
    let expected = "etc/10.toml:3:1: unknown key sensor.ring_capasity (did you mean ring_capacity?); \
                    expected one of ring_capacity, buses, sensors; rename or remove it";
    assert_eq!(folders.problem::<Config>(), expected);

    let folders = Folders::with(&[("etc/10.toml", "[device]\nserial = 2")]);
    assert_eq!(
        folders.problem::<Config>(),
        "etc/10.toml:2:1: unknown key device.serial; expected id; rename or remove it"
    );
}

#[test]
fn a_section_of_another_service_is_left_to_it() {
    let folders = Folders::with(&[("etc/10.toml", "[uplink]\nwhatever = 1")]);
    folders.layers().load::<Config>().unwrap();
}

#[test]
fn a_wrong_value_is_named_in_the_file_that_it_is_from() {
    let wrong = |text: &str| {
        let files = [("usr/10.toml", "sensor.ring_capacity = 1\ndevice.id = 'a'"), ("etc/10.toml", text)];
        Folders::with(&files).problem::<Config>()
    };
    assert_eq!(
        wrong("[device]\nid = 7"),
        "etc/10.toml:2:1: device.id: expected a string, found the integer 7; correct it there"
    );
    assert_eq!(
        wrong("[log]\nlevel = 'loud'"),
        "etc/10.toml:2:1: log.level: expected one of error, warn, info, debug, trace, found the string \"loud\"; \
         correct it there"
    );
    assert_eq!(wrong("sensor = 3"), "etc/10.toml:1:1: sensor: expected a table, found the integer 3; correct it there");
    assert_eq!(
        wrong("[sensor]\nbuses = [\n  1,\n  'two',\n]"),
        "etc/10.toml:4:3: sensor.buses.1: expected an integer from 0 to 255, found the string \"two\"; correct it there"
    );
}

#[test]
fn a_fault_in_a_tagged_table_is_named_with_its_key() {
    let wrong = |text: &str| {
        let files = [("usr/10.toml", "[sensor.sensors.A]\ndriver = 'tmp105'\naddress = 0x48"), ("etc/10.toml", text)];
        Folders::with(&files).problem::<Config>()
    };
    assert_eq!(
        wrong("[sensor.sensors.A]\naddress = 'x'"),
        "etc/10.toml:2:1: sensor.sensors.A.address: expected an integer from 0 to 255, found the string \"x\"; \
         correct it there"
    );
    assert_eq!(
        wrong("[sensor.sensors.A]\nadress = 1"),
        "etc/10.toml:2:1: unknown key sensor.sensors.A.adress (did you mean address?); expected address; \
         rename or remove it"
    );
    assert_eq!(
        wrong("[sensor.sensors.A]\ndriver = 'tmp15'"),
        "etc/10.toml:2:1: sensor.sensors.A.driver: expected one of tmp105, simulated, found the string \"tmp15\"; \
         correct it there"
    );
    assert_eq!(
        wrong("[sensor.sensors.B]\ndriver = 'simulated'"),
        "sensor.sensors.B.mean is missing: expected in one of usr/*.toml, etc/*.toml, data/*.toml; add it there"
    );
}

#[test]
fn a_host_with_a_scheme_and_a_port_of_zero_are_refused() {
    let wrong = |text: &str| Folders::with(&[("etc/10.toml", text)]).problem::<Connected>();
    assert_eq!(
        wrong("[mqtt]\nhost = 'mqtts://broker'"),
        "etc/10.toml:2:1: mqtt.host: expected a host name or an address, without scheme or path, \
         found the string \"mqtts://broker\"; correct it there"
    );
    assert_eq!(
        wrong("[mqtt]\nport = 0"),
        "etc/10.toml:2:1: mqtt.port: expected a port from 1 to 65535, found the integer 0; correct it there"
    );
}

#[test]
fn a_missing_key_is_named_with_the_places_where_it_could_be() {
    let folders = Folders::with(&[("etc/10.toml", "[mqtt]\nport = 8883")]);
    let expected = "mqtt.host is missing: expected in one of usr/*.toml, etc/*.toml, data/*.toml, \
                    environment variable MQTT_BROKER_HOST; add it there";
    assert_eq!(folders.problem::<Connected>(), expected);

    let expected = "mqtt is missing: expected in one of usr/*.toml, etc/*.toml, data/*.toml; add it there";
    assert_eq!(Folders::with(&[]).problem::<Connected>(), expected);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folders = Folders::with(&[]);
    fs::create_dir_all(folders.path("etc/10.toml")).unwrap();
    let expected = "etc/10.toml: cannot be read: Is a directory (os error 21); correct its permissions or remove it";
    assert_eq!(folders.problem::<Config>(), expected);

    let folders = Folders::with(&[("etc/10.toml", "")]);
    fs::write(folders.path("etc/10.toml"), b"device.id = '\xff'").unwrap();
    assert!(folders.problem::<Config>().starts_with("etc/10.toml: cannot be read: "));
}

#[test]
fn the_last_good_configuration_outlives_a_bad_file() {
    let good = "device.id = 'a'\n[sensor.sensors.A]\ndriver = 'tmp105'\naddress = 0x48";
    let folders = Folders::with(&[("etc/10.toml", good)]);
    let snapshot = folders.path("state/sensor/last-good.toml");

    let first = folders.layers().load_with_last_good::<Config>(&snapshot).unwrap();
    assert!(first.problem.is_none());
    assert_eq!(fs::metadata(&snapshot).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folders.path("state/sensor")).unwrap().count(), 1, "nothing is left beside it");

    folders.write("etc/10.toml", "device.id = 8");
    let second = folders.layers().load_with_last_good::<Config>(&snapshot).unwrap();
    assert_eq!(second.value, first.value);
    let problem = folders.without_path(second.problem.unwrap());
    assert_eq!(problem, "etc/10.toml:1:8: device.id: expected a string, found the integer 8; correct it there");

    folders.write("etc/10.toml", "device.id = 'b'");
    let third = folders.layers().load_with_last_good::<Config>(&snapshot).unwrap();
    assert_eq!(third.value.device.id.as_deref(), Some("b"));
    assert!(fs::read_to_string(&snapshot).unwrap().contains("id = \"b\""));
}

#[test]
fn without_a_usable_snapshot_the_problem_is_the_answer() {
    let folders = Folders::with(&[("etc/10.toml", "device.id = 8")]);
    let snapshot = folders.path("last-good.toml");
    for kept in [None, Some("device.id = 9"), Some("\0")] {
        if let Some(text) = kept {
            fs::write(&snapshot, text).unwrap();
        }
        let problem = folders.layers().load_with_last_good::<Config>(&snapshot).unwrap_err();
        assert!(folders.without_path(problem).starts_with("etc/10.toml:1:8: device.id"), "{kept:?}");
    }
}

#[test]
fn a_snapshot_that_cannot_be_written_does_not_stop_the_service() {
    let folders = Folders::with(&[("etc/10.toml", "device.id = 'a'"), ("state", "a file, not a folder")]);
    let loaded = folders.layers().load_with_last_good::<Config>(&folders.path("state/last-good.toml")).unwrap();
    assert!(loaded.problem.is_none());
    assert_eq!(loaded.value.device.id.as_deref(), Some("a"));
}
