//! `microkernel-server`: parses the command line and hands over to the library.

use clap::Parser;
use microkernel_server::cli::{Cli, Command};
use microkernel_server::{certificate, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command() {
        Command::Serve(arguments) => run::serve(arguments),
        Command::Certificate(arguments) => certificate::run(arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("microkernel-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}
