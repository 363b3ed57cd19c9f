//! The sensor service. See the library for how it works.

use clap::Parser;
use microkernel_daemon::config::Layers;
use microkernel_daemon::{EXIT_CONFIG, state_dir};
use microkernel_sensor::cli::{Cli, list_drivers};
use microkernel_sensor::config_files::ConfigFiles;
use microkernel_sensor::driver::Hardware;
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.list_drivers {
        print!("{}", list_drivers());
        return ExitCode::SUCCESS;
    }
    let files = ConfigFiles::new(Layers::system(), state_dir().join("sensor"));
    if cli.check_config {
        return check(&files);
    }
    microkernel_daemon::run("microkernel-sensor", async |daemon| {
        let bus = microkernel_bus::system();
        microkernel_sensor::run::run(daemon, bus, files, Arc::new(Hardware::default())).await
    })
}

/// Says whether the configuration is good.
fn check(files: &ConfigFiles) -> ExitCode {
    match files.check() {
        Ok(settings) => {
            let names: Vec<_> = settings.sensors.into_keys().collect();
            println!("The configuration is good. Sensors: {}", names.join(", "));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(EXIT_CONFIG)
        }
    }
}
