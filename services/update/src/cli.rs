//! The command line.

use clap::Parser;
use std::path::PathBuf;

/// Keeps this device up to date: asks the update server (hawkBit DDI over HTTPS), has RAUC install, reboots into the new
/// slot, and reports that it was confirmed, or why the device fell back. On the bus as io.microkernel.Update1.
///
/// It is configured in the `[update]` section of the *.toml files in /usr/lib/microkernel/config.d, then
/// /etc/microkernel/config.d, then /data/microkernel/config.d; later ones override single keys of earlier ones.
#[derive(Debug, Parser)]
#[command(name = "microkernel-update", version, after_help = AFTER_HELP)]
pub struct Cli {
    /// Check the configuration and end: 0 when it is good, 78 when not
    #[arg(long, conflicts_with = "once")]
    pub check_config: bool,
    /// Ask the server once, do what follows up to a reboot, and end: 0 when the server answered
    #[arg(long)]
    pub once: bool,
    /// Look for /proc, /sys and /etc below this folder (for tests)
    #[arg(long, hide = true, default_value = "/")]
    pub root: PathBuf,
}

const AFTER_HELP: &str = "\
Example of a configuration file, with the defaults where there are any:
  [update]
  server = \"https://updates.example.com:8443\"   # else https://{mqtt.host}:8443
  tenant = \"default\"
  ca_cert = \"/var/lib/microkernel/identity/ca.crt\"
  client_cert = \"/var/lib/microkernel/identity/device.crt\"
  client_key = \"/var/lib/microkernel/identity/device.key\"
  # target_token or gateway_token instead of the certificate, as hawkBit knows them
  poll_interval_seconds = 300    # until the server says
  transport = \"stream\"           # RAUC reads what it needs from the server; or \"file\": downloaded whole, resumed
  allow_downgrade = false
  attempts = 8                   # then a deployment that keeps failing is given up
  [update.maintenance_window]    # local time; absent: at any time. What the server forces does not wait for it
  days = [\"sat\", \"sun\"]          # absent: daily
  start = \"02:00\"
  end = \"05:00\"
  [update.attributes]            # what the server is told beside version, slot and compatible
  site = \"hall 3\"

Environment:
  DEVICE_ID                 the device's name at the server
  MICROKERNEL_CONFIG_PATH   folders, separated by colons, instead of the three above
  MICROKERNEL_STATE_DIR     where state is kept, instead of /var/lib/microkernel; there: update/journal.json, update/download/
  DBUS_SYSTEM_BUS_ADDRESS   the bus, instead of the system's
  RUST_LOG                  what is logged, for example debug";
