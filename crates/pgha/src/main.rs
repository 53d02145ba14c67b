//! The `pgha` command: what [`pgha_core`] decides, done with Docker.

mod cli;
mod cluster;
mod command;
mod compose_file;
mod compose_tool;
mod docker;
mod error;
mod generated;
mod host;
mod images;
mod observe;
mod progress;
mod screen;
mod secrets;
mod waiting;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Plan(args) => command::plan::run(&args),
        Command::Generate(args) => command::generate::run(&args).await,
        Command::List(args) => command::list::run(&args).await,
        Command::Status(args) => command::status::run(&args).await,
        Command::Up(args) => command::up::run(&args).await,
        Command::Stop(args) => command::stop::stop(&args).await,
        Command::Start(args) => command::stop::start(&args).await,
        Command::Down(args) => command::stop::down(&args).await,
        Command::Build(args) => command::build::run(&args).await,
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
