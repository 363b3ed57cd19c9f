//! The OTA agent. See the library for how it works.

use clap::Parser;
use microkernel_daemon::{EXIT_CONFIG, config::Layers, state_dir};
use microkernel_update::{cli::Cli, run::run, settings::Settings};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.check_config {
        return check();
    }
    microkernel_daemon::run("microkernel-update", async |daemon| {
        run(daemon, microkernel_bus::system(), Layers::system(), &state_dir(), &cli).await
    })
}

/// Says whether the configuration is good.
fn check() -> ExitCode {
    match Settings::load(&Layers::system(), &state_dir()) {
        Ok(settings) => {
            println!("The configuration is good. {} asks {}", settings.controller, settings.server);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(EXIT_CONFIG)
        }
    }
}
