//! From the `[sensor]` section to [`Settings`].

use super::keys::{InvalidSettings, Keys};
use super::{CONFIGURATION, SensorSettings, Settings, Source};
use crate::driver::{CATALOGUE, I2cChip, Simulation, hwmon_quantity, iio_quantity};
use crate::quantity::Quantity;
use crate::schedule::Interval;
use microkernel_wire::SensorName;
use std::collections::BTreeMap;

/// Simulated numbers stay within what arithmetic keeps finite.
const NUMBERS: std::ops::RangeInclusive<f64> = -1e12..=1e12;

/// Parses the section.
pub(super) fn settings(section: toml::Table) -> Result<Settings, InvalidSettings> {
    let mut keys = Keys::new(&["sensor"], section.clone());
    let ring_capacity = keys.integer("ring_capacity", 16..=1_000_000)?;
    let tables = keys.table("sensors")?;
    keys.finish()?;
    let mut sensors = BTreeMap::new();
    for (name, table) in tables {
        let sensor = sensor(&name, table)?;
        sensors.insert(name, sensor);
    }
    refuse_shared_addresses(&sensors)?;
    let ring_capacity = ring_capacity.and_then(|capacity| usize::try_from(capacity).ok());
    let ring_capacity = ring_capacity.unwrap_or(Settings::DEFAULT_RING_CAPACITY);
    Ok(Settings { ring_capacity, sensors, section })
}

/// Parses `[sensor.sensors.NAME]`.
fn sensor(name: &str, table: toml::Value) -> Result<SensorSettings, InvalidSettings> {
    let path = ["sensor", "sensors", name];
    let invalid = |expected: &str, found: String| {
        Err(InvalidSettings { path: path.map(str::to_owned).into(), expected: expected.to_owned(), found })
    };
    if name == CONFIGURATION {
        return invalid("another name, this one stands for the configuration itself", format!("{name:?}"));
    }
    if name.parse::<SensorName>().is_err() {
        return invalid("a name of 1 to 64 characters without control characters", format!("{name:?}"));
    }
    let toml::Value::Table(table) = table else { return invalid("a table", table.to_string()) };
    let mut keys = Keys::new(&path, table);
    let driver = keys.required_text("driver", &driver_names())?;
    let interval = match keys.number("interval_seconds", 0.001..=100.0)? {
        None => Interval::DEFAULT,
        Some(seconds) => Interval::try_from(seconds)
            .map_err(|error| keys.invalid("interval_seconds", "0.001 to 100 seconds", error.0.to_string()))?,
    };
    let (source, quantity, unit) = match driver.as_str() {
        "hwmon" => hwmon(&mut keys)?,
        "iio" => iio(&mut keys)?,
        "thermal" => thermal(&mut keys)?,
        "gpio-motion" => gpio_motion(&mut keys)?,
        "simulated" => simulated(name, &mut keys)?,
        other => match I2cChip::ALL.into_iter().find(|chip| chip.name() == other) {
            Some(chip) => i2c(chip, &mut keys)?,
            None => return Err(keys.invalid("driver", driver_names(), format!("\"{other}\""))),
        },
    };
    keys.finish()?;
    let unit = unit.unwrap_or_else(|| quantity.unit().to_owned());
    Ok(SensorSettings { source, quantity, unit, interval })
}

fn driver_names() -> String {
    format!("one of {}", CATALOGUE.map(|driver| driver.name).join(", "))
}

/// A source, the quantity taken from it, and its unit where that is configured.
type Parsed = Result<(Source, Quantity, Option<String>), InvalidSettings>;

fn i2c(chip: I2cChip, keys: &mut Keys) -> Parsed {
    let bus = keys.integer("bus", 0..=255)?.and_then(|bus| u8::try_from(bus).ok()).unwrap_or(1);
    let addresses = chip.addresses();
    let address = match keys.integer("address", 0..=0x7F)? {
        None => *addresses.start(),
        Some(number) => u8::try_from(number).ok().filter(|address| addresses.contains(address)).ok_or_else(|| {
            let expected = format!("0x{:02x} to 0x{:02x} for {}", addresses.start(), addresses.end(), chip.name());
            keys.invalid("address", expected, format!("0x{number:02x}"))
        })?,
    };
    let quantity = quantity(keys, chip.measures())?;
    Ok((Source::I2c { chip, bus, address }, quantity, None))
}

fn hwmon(keys: &mut Keys) -> Parsed {
    let chip = keys.required_text("chip", "the chip's name as in /sys/class/hwmon/*/name")?;
    let channel = keys.text("channel")?.unwrap_or_else(|| "temp1".to_owned());
    let Some(quantity) = hwmon_quantity(&channel) else {
        let expected = "a hwmon channel such as temp1, humidity1, in0, curr1, power1, fan1";
        return Err(keys.invalid("channel", expected, format!("\"{channel}\"")));
    };
    Ok((Source::Hwmon { chip, channel }, quantity, None))
}

fn iio(keys: &mut Keys) -> Parsed {
    let device = keys.required_text("device", "the device's name as in /sys/bus/iio/devices/*/name")?;
    let channel = keys.text("channel")?.unwrap_or_else(|| "in_temp".to_owned());
    let Some(quantity) = iio_quantity(&channel) else {
        let expected = "an IIO channel such as in_temp, in_humidityrelative, in_pressure, in_illuminance, in_voltage0";
        return Err(keys.invalid("channel", expected, format!("\"{channel}\"")));
    };
    Ok((Source::Iio { device, channel }, quantity, None))
}

fn thermal(keys: &mut Keys) -> Parsed {
    let zone = keys.required_text("zone", "the zone's type as in /sys/class/thermal/*/type")?;
    Ok((Source::Thermal { zone }, Quantity::Temperature, None))
}

fn gpio_motion(keys: &mut Keys) -> Parsed {
    let chip = keys.text("chip")?.unwrap_or_else(|| "gpiochip0".to_owned());
    if !chip.starts_with("gpiochip") || chip.contains('/') {
        return Err(keys.invalid("chip", "a device name such as \"gpiochip0\"", format!("\"{chip}\"")));
    }
    let line = keys.integer("line", 0..=1023)?.and_then(|line| u32::try_from(line).ok());
    let line = line.ok_or_else(|| keys.invalid("line", "a line's number on the chip, for example 17", "nothing"))?;
    let active_low = keys.flag("active_low")?.unwrap_or(false);
    Ok((Source::GpioMotion { chip, line, active_low }, Quantity::Motion, None))
}

fn simulated(name: &str, keys: &mut Keys) -> Parsed {
    let quantity = quantity(keys, &Quantity::ALL)?;
    let unit = keys.text("unit")?;
    let seed = keys.integer("seed", 0..=i64::MAX)?.map(i64::unsigned_abs);
    let mut simulation = Simulation::of(quantity, seed.unwrap_or_else(|| seed_of(name)));
    let mut set = |key, range, field: &mut f64| -> Result<(), InvalidSettings> {
        *field = keys.number(key, range)?.unwrap_or(*field);
        Ok(())
    };
    set("mean", NUMBERS, &mut simulation.mean)?;
    set("amplitude", NUMBERS, &mut simulation.amplitude)?;
    set("period_seconds", 0.001..=1e9, &mut simulation.period_seconds)?;
    set("noise", 0.0..=1e12, &mut simulation.noise)?;
    set("drift_per_hour", NUMBERS, &mut simulation.drift_per_hour)?;
    set("spike_probability", 0.0..=1.0, &mut simulation.spike_probability)?;
    set("spike_size", NUMBERS, &mut simulation.spike_size)?;
    set("stuck_probability", 0.0..=1.0, &mut simulation.stuck_probability)?;
    Ok((Source::Simulated { sensor: name.to_owned(), simulation }, quantity, unit))
}

/// The quantity asked for, by default the first of those there are.
fn quantity(keys: &mut Keys, measured: &[Quantity]) -> Result<Quantity, InvalidSettings> {
    let Some(text) = keys.text("quantity")? else { return Ok(measured[0]) };
    match text.parse::<Quantity>() {
        Ok(quantity) if measured.contains(&quantity) => Ok(quantity),
        _ => {
            let names: Vec<_> = measured.iter().map(|quantity| quantity.name()).collect();
            Err(keys.invalid("quantity", format!("one of {}", names.join(", ")), format!("\"{text}\"")))
        }
    }
}

/// A seed from a sensor's name (FNV-1a), so that sensors differ without being given one.
fn seed_of(name: &str) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3))
}

/// Two chips cannot have one address of one bus.
fn refuse_shared_addresses(sensors: &BTreeMap<String, SensorSettings>) -> Result<(), InvalidSettings> {
    let mut taken = BTreeMap::new();
    for (name, sensor) in sensors {
        if let Source::I2c { chip, bus, address } = sensor.source {
            let (first, other) = *taken.entry((bus, address)).or_insert((chip, name));
            if first != chip {
                return Err(InvalidSettings {
                    path: ["sensor", "sensors", name, "address"].map(str::to_owned).into(),
                    expected: "an address of its own".to_owned(),
                    found: format!("{}, where sensor {other} has a {}", sensor.source.address(), first.name()),
                });
            }
        }
    }
    Ok(())
}
