//! The command line.

use crate::config_files::ConfigFiles;
use crate::driver::{CATALOGUE, Open};
use crate::read_once::read_once;
use crate::settings::Settings;
use clap::Parser;
use microkernel_daemon::EXIT_CONFIG;
use std::process::ExitCode;
use std::sync::Arc;

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
    #[arg(long, group = "once")]
    pub check_config: bool,
    /// Read each sensor once, print its value and end: 0 when all answered, 1 when one did not, 78 when none is
    /// configured or the configuration is wrong
    ///
    /// Works without the bus. While the service runs it holds the lines of motion detectors; stop it to read those.
    #[arg(long, group = "once")]
    pub read_once: bool,
    /// List the drivers with their keys and end
    #[arg(long, group = "once")]
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

impl Cli {
    /// Answers what was asked in the place of running the service; none when the service is to run.
    pub fn answer(&self, files: &ConfigFiles, hardware: &Arc<dyn Open>) -> Option<ExitCode> {
        if self.list_drivers {
            for driver in CATALOGUE {
                println!("{:<12} {}\n{:<12} keys: {}", driver.name, driver.summary, "", driver.keys);
            }
            return Some(ExitCode::SUCCESS);
        }
        if !self.check_config && !self.read_once {
            return None;
        }
        Some(match files.check() {
            Ok(settings) if self.read_once => print_readings(&settings, hardware),
            Ok(settings) => {
                let names: Vec<_> = settings.sensors.into_keys().collect();
                println!("The configuration is good. Sensors: {}", names.join(", "));
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("{error}");
                ExitCode::from(EXIT_CONFIG)
            }
        })
    }
}

/// Values go to the standard output, failures to the standard error.
fn print_readings(settings: &Settings, hardware: &Arc<dyn Open>) -> ExitCode {
    let readings = read_once(settings, hardware);
    if readings.is_empty() {
        eprintln!("no sensors are configured: add a section [sensor.sensors.NAME], see --help");
        return ExitCode::from(EXIT_CONFIG);
    }
    let mut exit_code = ExitCode::SUCCESS;
    for reading in readings {
        match reading.outcome {
            Ok(value) => println!("{}: {value}", reading.sensor),
            Err(error) => {
                eprintln!("{}: {error}", reading.sensor);
                exit_code = ExitCode::FAILURE;
            }
        }
    }
    exit_code
}
