//! The command line.

use crate::Wanted;
use clap::Parser;
use std::path::PathBuf;

/// Starts Microkernel on this machine: the fleet server and devices with simulated sensors.
///
/// Ctrl-C stops everything that it started and nothing else; the data stays.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli {
    /// How many devices
    #[arg(long, env = "DEVICES", default_value_t = 3, value_parser = clap::value_parser!(u16).range(0..=999))]
    pub devices: u16,

    /// Folder of all data, logs and certificates
    #[arg(long, env = "DEMO_DIR", default_value = "target/demo", value_name = "DIR")]
    pub dir: PathBuf,

    /// Boot the whole operating system in QEMU as one more device, virtual-001
    #[arg(long, env = "VIRTUAL_DEVICE", default_value = "auto", value_name = "WHEN")]
    pub virtual_device: Wanted,

    /// The source's folder images, which makes that device's image
    #[arg(long, default_value = "images", value_name = "DIR")]
    pub images: PathBuf,

    /// End by itself so many seconds after everything runs; 0 for never
    #[arg(long, env = "DEMO_SECONDS", default_value_t = 0, value_name = "N")]
    pub seconds: u64,
}
