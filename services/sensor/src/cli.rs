//! The command line.

use crate::driver::CATALOGUE;
use clap::Parser;
use std::fmt::Write;

/// Reads the device's sensors and offers their readings as io.microkernel.Sensor1 on the system bus.
///
/// The sensors are configured in the section "sensor" of the *.toml files in /usr/lib/microkernel/config.d, then
/// /etc/microkernel/config.d, then /data/microkernel/config.d; later ones override single keys of earlier ones. On top
/// comes what was applied over the bus. SIGHUP reads them again. A file that is wrong is reported, and the last good
/// configuration stays in force.
#[derive(Debug, Parser)]
#[command(name = "microkernel-sensor", version, after_help = AFTER_HELP)]
pub struct Cli {
    /// Check the configuration and end: 0 when it is good, 78 when not
    #[arg(long, conflicts_with = "list_drivers")]
    pub check_config: bool,
    /// List the drivers with their keys and end
    #[arg(long)]
    pub list_drivers: bool,
}

const AFTER_HELP: &str = "\
Example of a configuration file:
  [sensor]
  ring_capacity = 65536          # readings held for those who pull them
  [sensor.sensors.Temperature]
  driver = \"tmp105\"
  bus = 1
  address = 0x48
  interval_seconds = 1.0         # 0.001 to 100

Environment:
  MICROKERNEL_CONFIG_PATH   folders, separated by colons, instead of the three above
  MICROKERNEL_STATE_DIR     where state is kept, instead of /var/lib/microkernel; there:
                            sensor/config.d/applied.toml   what was applied over the bus
                            sensor/last-good.toml          the last good configuration
  DBUS_SYSTEM_BUS_ADDRESS   the bus, instead of the system's
  RUST_LOG                  what is logged, for example debug";

/// The text of `--list-drivers`.
pub fn list_drivers() -> String {
    CATALOGUE.iter().fold(String::new(), |mut text, driver| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:<12} {}\n{:<12} keys: {}", driver.name, driver.summary, "", driver.keys);
        text
    })
}
