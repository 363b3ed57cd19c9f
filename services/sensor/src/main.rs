//! The sensor service. See the library for how it works.

use clap::Parser;
use microkernel_daemon::config::Layers;
use microkernel_daemon::state_dir;
use microkernel_sensor::cli::Cli;
use microkernel_sensor::config_files::ConfigFiles;
use microkernel_sensor::driver::{Hardware, Open};
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let files = ConfigFiles::new(Layers::system(), state_dir().join("sensor"));
    let hardware: Arc<dyn Open> = Arc::new(Hardware::default());
    if let Some(exit_code) = cli.answer(&files, &hardware) {
        return exit_code;
    }
    microkernel_daemon::run("microkernel-sensor", async |daemon| {
        microkernel_sensor::run::run(daemon, microkernel_bus::system(), files, hardware).await
    })
}
