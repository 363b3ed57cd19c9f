//! `microkernel-provision`: run at every boot, before the services. What is on the boot partition and new is taken over; a mistake in
//! it is said, and changes nothing.

use anyhow::Context;
use clap::Parser;
use microkernel_provision::{Places, Settings, apply};
use std::path::PathBuf;

/// Takes the settings that someone put on the boot partition: microkernel.toml, or what Raspberry Pi Imager writes.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where the boot partition is mounted.
    #[arg(long, default_value = "/run/microkernel/boot")]
    boot: PathBuf,
    /// Where the data partition is mounted.
    #[arg(long, default_value = "/data")]
    data: PathBuf,
    /// Only says whether the settings are right.
    #[arg(long)]
    check: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let Some(settings) = Settings::read(&arguments.boot).context("the boot partition's settings are not taken over")?
    else {
        println!("the boot partition has no settings");
        return Ok(());
    };
    if arguments.check {
        println!("the settings are right");
        return Ok(());
    }
    for path in apply(&settings, &Places::on(&arguments.data))? {
        println!("wrote {}", path.display());
    }
    Ok(())
}
