#![allow(clippy::unwrap_used)]

use super::*;
use crate::driver::I2cChip;

fn parse(section: &str) -> Result<Settings, InvalidSettings> {
    Settings::try_from(section.parse::<toml::Table>().unwrap())
}

fn sensor(keys: &str) -> Result<SensorSettings, InvalidSettings> {
    parse(&format!("[sensors.S]\n{keys}")).map(|mut settings| settings.sensors.remove("S").unwrap())
}

#[test]
fn an_empty_section_has_no_sensors_and_the_default_ring() {
    assert_eq!(parse("").unwrap(), Settings::default());
    assert_eq!(Settings::default().ring_capacity, 65_536);
}

#[test]
fn every_driver_has_defaults_for_all_but_what_only_the_user_knows() {
    for (keys, address, quantity, unit) in [
        ("driver = 'lm75'", "i2c-1 address 0x48", Quantity::Temperature, "°C"),
        ("driver = 'tmp105'\nbus = 3\naddress = 0x49", "i2c-3 address 0x49", Quantity::Temperature, "°C"),
        ("driver = 'sht3x'\nquantity = 'humidity'", "i2c-1 address 0x44", Quantity::Humidity, "%"),
        ("driver = 'bme280'\nquantity = 'pressure'", "i2c-1 address 0x76", Quantity::Pressure, "hPa"),
        ("driver = 'hts221'", "i2c-1 address 0x5f", Quantity::Temperature, "°C"),
        ("driver = 'hwmon'\nchip = 'rpi_volt'\nchannel = 'in0'", "hwmon rpi_volt in0", Quantity::Voltage, "V"),
        ("driver = 'iio'\ndevice = 'bmp280'", "iio bmp280 in_temp", Quantity::Temperature, "°C"),
        ("driver = 'thermal'\nzone = 'cpu-thermal'", "thermal zone cpu-thermal", Quantity::Temperature, "°C"),
        ("driver = 'gpio-motion'\nline = 17", "gpiochip0 line 17", Quantity::Motion, ""),
        ("driver = 'simulated'\nquantity = 'power'\nunit = 'kW'", "simulated", Quantity::Power, "kW"),
    ] {
        let sensor = sensor(keys).unwrap();
        assert_eq!(
            (sensor.source.address().as_str(), sensor.quantity, sensor.unit.as_str()),
            (address, quantity, unit)
        );
        assert_eq!(sensor.interval, Interval::DEFAULT);
        assert!(keys.contains(sensor.source.driver()));
    }
}

#[test]
fn an_error_names_the_key_and_what_was_expected_and_found() {
    for (keys, error) in [
        (
            "",
            "S.driver: expected one of lm75, tmp105, sht3x, bme280, hts221, hwmon, iio, thermal, gpio-motion, \
              simulated, found nothing",
        ),
        (
            "driver = 'lm76'",
            "S.driver: expected one of lm75, tmp105, sht3x, bme280, hts221, hwmon, iio, thermal, \
                             gpio-motion, simulated, found \"lm76\"",
        ),
        ("driver = 75", "S.driver: expected a text, found 75"),
        (
            "driver = 'lm75'\ninterval_seconds = 0.0001",
            "S.interval_seconds: expected a number from 0.001 to 100, found 0.0001",
        ),
        (
            "driver = 'lm75'\ninterval_seconds = nan",
            "S.interval_seconds: expected a number from 0.001 to 100, found nan",
        ),
        (
            "driver = 'lm75'\ninterval_seconds = '1s'",
            "S.interval_seconds: expected a number from 0.001 to 100, found \"1s\"",
        ),
        (
            "driver = 'lm75'\nadress = 0x48",
            "S.adress: expected one of driver, interval_seconds, bus, address, quantity, \
                                            found this unknown key",
        ),
        ("driver = 'lm75'\naddress = 0x50", "S.address: expected 0x48 to 0x4f for lm75, found 0x50"),
        ("driver = 'lm75'\nbus = -1", "S.bus: expected a whole number from 0 to 255, found -1"),
        (
            "driver = 'sht3x'\nquantity = 'pressure'",
            "S.quantity: expected one of temperature, humidity, found \"pressure\"",
        ),
        ("driver = 'hwmon'", "S.chip: expected the chip's name as in /sys/class/hwmon/*/name, found nothing"),
        ("driver = 'gpio-motion'", "S.line: expected a line's number on the chip, for example 17, found nothing"),
        (
            "driver = 'gpio-motion'\nline = 1\nchip = '../sda'",
            "S.chip: expected a device name such as \"gpiochip0\", found \"../sda\"",
        ),
        ("driver = 'gpio-motion'\nline = 1\nactive_low = 1", "S.active_low: expected true or false, found 1"),
        ("driver = 'simulated'\nspike_probability = 2", "S.spike_probability: expected a number from 0 to 1, found 2"),
        (
            "driver = 'simulated'\nmean = inf",
            "S.mean: expected a number from -1000000000000 to 1000000000000, found inf",
        ),
    ] {
        assert_eq!(sensor(keys).unwrap_err().to_string(), format!("sensor.sensors.{error}"), "{keys}");
    }
}

#[test]
fn the_section_itself_is_checked() {
    for (section, error) in [
        ("ring_capacity = 1", "sensor.ring_capacity: expected a whole number from 16 to 1000000, found 1"),
        ("rings = 1", "sensor.rings: expected one of ring_capacity, sensors, found this unknown key"),
        ("sensors = 1", "sensor.sensors: expected a table, found 1"),
        ("[sensors]\nS = 1", "sensor.sensors.S: expected a table, found 1"),
    ] {
        assert_eq!(parse(section).unwrap_err().to_string(), error);
    }
    let reserved = parse("[sensors.configuration]\ndriver = 'lm75'").unwrap_err().to_string();
    assert!(reserved.starts_with("sensor.sensors.configuration: expected another name"), "{reserved}");
    assert!(parse("[sensors.'']\ndriver = 'lm75'").unwrap_err().to_string().contains("a name of 1 to 64 characters"));
}

#[test]
fn two_chips_cannot_share_an_address_but_two_quantities_of_one_chip_share_it() {
    let shared = "[sensors.T]\ndriver = 'sht3x'\n[sensors.H]\ndriver = 'sht3x'\nquantity = 'humidity'";
    let settings = parse(shared).unwrap();
    assert_eq!(settings.sensors["T"].source, settings.sensors["H"].source);
    let clash = "[sensors.A]\ndriver = 'lm75'\n[sensors.B]\ndriver = 'tmp105'";
    assert_eq!(
        parse(clash).unwrap_err().to_string(),
        "sensor.sensors.B.address: expected an address of its own, found i2c-1 address 0x48, where sensor A has a lm75"
    );
}

#[test]
fn settings_survive_being_written_and_read() {
    let section = "ring_capacity = 100\n[sensors.T]\ndriver = 'sht3x'\naddress = 0x45\ninterval_seconds = 0.5";
    let settings = parse(section).unwrap();
    let text = toml::to_string(&settings).unwrap();
    assert_eq!(toml::from_str::<Settings>(&text).unwrap(), settings);
    let expected = Source::I2c { chip: I2cChip::Sht3x, bus: 1, address: 0x45 };
    assert_eq!(settings.sensors["T"].source, expected);
}

#[test]
fn simulations_are_never_shared_and_differ_by_name() {
    let settings = parse("[sensors.A]\ndriver = 'simulated'\n[sensors.B]\ndriver = 'simulated'").unwrap();
    let seed = |name: &str| match &settings.sensors[name].source {
        Source::Simulated { simulation, .. } => simulation.seed,
        other => panic!("{other:?}"),
    };
    assert_ne!(seed("A"), seed("B"));
}
