//! `microkernel-server`: parses the command line and hands over to the library.

use clap::Parser;
use microkernel_server::cli::{Cli, Command};
use microkernel_server::{certificate, operator, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command() {
        Command::Serve(arguments) => run::serve(*arguments).map(|()| ExitCode::SUCCESS),
        Command::Certificate(arguments) => certificate::run(arguments).map(|()| ExitCode::SUCCESS),
        Command::Releases(arguments) => operator::releases(arguments),
        Command::Rollouts(arguments) => operator::rollouts(arguments),
        Command::Deployments(arguments) => operator::deployments(arguments),
        Command::Devices(arguments) => operator::devices(arguments),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("microkernel-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}
