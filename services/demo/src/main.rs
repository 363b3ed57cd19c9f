//! The demo: see [`microkernel_demo`].

use clap::Parser;
use microkernel_demo::{cli::Cli, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(run::demo(Cli::parse())));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nmicrokernel-demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}
