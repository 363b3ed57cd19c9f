//! What the devices of the demo measure: each has its own character, so that no two charts look alike.

use microkernel_wire::DeviceId;

/// A place where a device stands. Cycles are minutes long, not a day, so that a chart moves while one looks at it.
struct Place {
    name: &'static str,
    temperature: &'static str,
    humidity: &'static str,
    motion: &'static str,
}

const PLACES: [Place; 4] = [
    Place {
        name: "greenhouse: warm and humid, wide swings",
        temperature: "mean = 27.0, amplitude = 5.0, period_seconds = 240.0, noise = 0.15",
        humidity: "mean = 75.0, amplitude = 12.0, period_seconds = 240.0, noise = 0.6",
        motion: "mean = 0.15, amplitude = 0.15, period_seconds = 300.0",
    },
    Place {
        name: "workshop: now and then the sensor reads nonsense",
        temperature: "mean = 19.0, amplitude = 2.0, period_seconds = 150.0, noise = 0.3, spike_probability = 0.02, spike_size = 14.0",
        humidity: "mean = 45.0, amplitude = 4.0, period_seconds = 200.0, noise = 1.2",
        motion: "mean = 0.5, amplitude = 0.4, period_seconds = 90.0",
    },
    Place {
        name: "cold store: steady, but creeping up as if its door didn't close",
        temperature: "mean = 4.0, amplitude = 0.4, period_seconds = 60.0, noise = 0.05, drift_per_hour = 6.0",
        humidity: "mean = 60.0, amplitude = 2.0, period_seconds = 60.0, noise = 0.3",
        motion: "mean = 0.05, amplitude = 0.05, period_seconds = 120.0",
    },
    Place {
        name: "roof: windy, the sensor hangs at times",
        temperature: "mean = 12.0, amplitude = 7.0, period_seconds = 420.0, noise = 0.4, stuck_probability = 0.01",
        humidity: "mean = 65.0, amplitude = 20.0, period_seconds = 420.0, noise = 1.0",
        motion: "mean = 0.1, amplitude = 0.1, period_seconds = 60.0",
    },
];

/// The configuration file of the device that is the `index`-th of the fleet, from 0.
pub(crate) fn configuration(device: &DeviceId, index: usize) -> String {
    let place = &PLACES[index % PLACES.len()];
    let seed = 1000 + 10 * index;
    format!(
        "# {device} stands in the {name}. Written anew at each start of the demo.
[sensor.sensors]
Temperature = {{ driver = \"simulated\", quantity = \"temperature\", interval_seconds = 1.0, seed = {seed}, {temperature} }}
Humidity = {{ driver = \"simulated\", quantity = \"humidity\", interval_seconds = 2.0, seed = {humidity_seed}, {humidity} }}
Motion = {{ driver = \"simulated\", quantity = \"motion\", interval_seconds = 2.0, seed = {motion_seed}, {motion} }}
",
        name = place.name,
        temperature = place.temperature,
        humidity = place.humidity,
        motion = place.motion,
        humidity_seed = seed + 1,
        motion_seed = seed + 2,
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_device_measures_something_of_its_own() {
        let texts: HashSet<String> = (0..50)
            .map(|index| {
                let text = configuration(&"device-001".parse().unwrap(), index);
                let sensors = text.parse::<toml::Table>().unwrap()["sensor"]["sensors"].clone();
                assert_eq!(sensors.as_table().unwrap().len(), 3, "{text}");
                text
            })
            .collect();
        assert_eq!(texts.len(), 50);
    }
}
