//! The command line, and where the settings come from.

use crate::mqtt::client_config;
use crate::settings::{Config, Settings};
use clap::Parser;
use microkernel_daemon::EXIT_CONFIG;
use microkernel_daemon::config::{ConfigError, Layers};
use std::path::Path;
use std::process::ExitCode;

/// Pulls readings from the sensor service, asks the edge scripts and the model about them, and publishes them over MQTT.
///
/// Configuration: the sections device, mqtt and uplink of the *.toml in /usr/lib/microkernel/config.d,
/// /etc/microkernel/config.d and /data/microkernel/config.d (the later wins), then DEVICE_ID, MQTT_BROKER_HOST,
/// MQTT_BROKER_PORT, MQTT_CA_CERT, MQTT_CLIENT_CERT and MQTT_CLIENT_KEY. MICROKERNEL_CONFIG_PATH names other folders,
/// MICROKERNEL_STATE_DIR another place for state, RUST_LOG what is logged.
#[derive(Debug, Parser)]
#[command(name = "microkernel-uplink", version)]
pub struct Cli {
    /// Check the configuration and the certificates, say what is wrong, and end: 0 good, 78 not.
    #[arg(long)]
    pub check_config: bool,
}

/// The settings, or the last good ones where the present configuration is faulty, which is logged.
///
/// # Errors
/// What is wrong with the configuration, when there is no last good one.
pub fn load_settings(state_dir: &Path) -> Result<Settings, ConfigError> {
    let last_good = state_dir.join("uplink/config.last-good.toml");
    let loaded = Layers::system().load_with_last_good::<Config>(&last_good)?;
    if let Some(problem) = loaded.problem {
        tracing::error!("going on with the last good configuration ({}): {problem}", last_good.display());
    }
    loaded.value.try_into()
}

/// Says whether the configuration is good.
pub fn check_config() -> ExitCode {
    match check() {
        Ok(settings) => {
            println!("the configuration is good: device {}, broker {}", settings.device, settings.broker);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(EXIT_CONFIG)
        }
    }
}

fn check() -> anyhow::Result<Settings> {
    let settings = Settings::try_from(Layers::system().load::<Config>()?)?;
    client_config(&settings.identity)?;
    Ok(settings)
}
