#![allow(clippy::unwrap_used)]

use super::*;
use microkernel_daemon::config::Layers;

const MQTT: &str = "[mqtt]\nhost = 'broker'\nca_cert = '/ca'\nclient_cert = '/cert'\nclient_key = '/key'\n";

fn load(toml: &str) -> Result<Settings, ConfigError> {
    Layers::from_dirs(Vec::<PathBuf>::new())
        .with_text("test.toml", format!("{MQTT}{toml}"))
        .load::<Config>()?
        .try_into()
}

fn error(toml: &str) -> String {
    load(toml).unwrap_err().to_string()
}

#[test]
fn everything_but_device_and_broker_has_a_default() {
    let settings = load("[device]\nid = 'device-001'").unwrap();
    assert_eq!(settings.device.as_str(), "device-001");
    assert_eq!(settings.broker.to_string(), "broker:8883");
    assert_eq!(settings.spool_readings, 100_000);
    assert_eq!(settings.health_interval, Duration::from_secs(30));
}

#[test]
fn a_missing_device_id_says_where_to_put_it() {
    let error = error("");
    assert!(error.contains("device.id is missing") && error.contains("DEVICE_ID"), "{error}");
}

#[test]
fn an_invalid_device_id_is_refused() {
    let error = error("[device]\nid = 'a/b'");
    assert!(error.contains("DEVICE_ID") && error.contains("\"a/b\" is not a device id"), "{error}");
}

#[test]
fn an_ipv6_address_is_refused_with_the_remedy() {
    let toml = MQTT.replace("broker", "::1") + "[device]\nid = 'd'";
    let layers = Layers::from_dirs(Vec::<PathBuf>::new()).with_text("test.toml", toml);
    let error = Settings::try_from(layers.load::<Config>().unwrap()).unwrap_err().to_string();
    assert!(error.contains("mqtt.host") && error.contains("give an IPv6 broker a name"), "{error}");
}

#[test]
fn a_value_out_of_range_names_line_key_and_range() {
    let error = error("[device]\nid = 'd'\n[uplink]\nmessage_readings = 0\n");
    for part in ["test.toml:9", "uplink.message_readings", "an integer from 1 to 1000"] {
        assert!(error.contains(part), "{error} lacks {part}");
    }
    assert!(self::error("[uplink]\nkeep_alive_seconds = 1").contains("seconds from 5 to 3600"));
    assert!(self::error("[uplink]\npoll_interval_seconds = nan").contains("seconds from 0.01 to 60"));
}

#[test]
fn an_unknown_key_is_refused() {
    assert!(error("[uplink]\nmesage_readings = 5").contains("uplink.mesage_readings"));
}

#[test]
fn what_is_kept_as_the_last_good_configuration_reads_back_the_same() {
    let config: Config = toml::from_str(&format!("{MQTT}[uplink]\nlinger_seconds = 0.125")).unwrap();
    let again: Config = toml::from_str(&toml::to_string(&config).unwrap()).unwrap();
    assert_eq!(again.uplink, config.uplink);
}
