//! The `pgha` command: what [`pgha_core`] decides, done with Docker.

mod cli;
mod cluster;
mod command;
mod docker;
mod error;
mod screen;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Plan(args) => command::plan::run(&args),
        _ => Err(error::Error::failed("not written yet")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("{error}");
            ExitCode::from(error.exit_code())
        }
    }
}
