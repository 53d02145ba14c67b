//! The `pgha` command: what [`pgha_core`] decides, done with Docker.

mod archived;
mod cli;
mod cluster;
mod command;
mod compose_file;
mod compose_tool;
mod connection;
mod docker;
mod doctor;
mod error;
mod generated;
mod handover;
mod host;
mod images;
mod kept_file;
mod member;
mod node_log;
mod observe;
mod pause;
mod progress;
mod repository;
mod restore;
mod screen;
mod secrets;
mod turn;
mod waiting;
mod wan;

use std::process::ExitCode;

use crate::cli::Command;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = match cli::explain::parse() {
        Ok(cli) => cli,
        Err(refused) => {
            // A reader that has gone wants nothing more.
            let _ = refused.print();
            return ExitCode::from(u8::try_from(refused.exit_code()).unwrap_or(2));
        }
    };
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
        Command::Wan(args) => command::wan::run(&args).await,
        Command::Connect(args) => command::connect::run(&args).await,
        Command::Psql(args) => command::psql::run(&args).await,
        Command::Restore(args) => command::restore::run(&args).await,
        Command::Backup(args) => command::backup::run(&args).await,
        Command::Backups(args) => command::backups::run(&args).await,
        Command::RestorePoint(args) => command::restore_point::run(&args).await,
        Command::Logs(args) => command::logs::run(&args).await,
        Command::Exec(args) => command::exec::run(&args).await,
        Command::Doctor(args) => command::doctor::run(&args).await,
        Command::Completions(args) => command::completions::run(&args),
        Command::Man(args) => command::completions::man(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("{error}");
            ExitCode::from(error.exit_code())
        }
    }
}
