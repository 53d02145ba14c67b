//! The `pgha` command: what [`pgha_core`] decides, done with Docker.

mod agree;
mod alerts;
mod archived;
mod bring_up;
mod certs;
mod chronicle;
mod cli;
mod cluster;
mod cluster_file;
mod command;
mod compose_file;
mod compose_tool;
mod connection;
mod docker;
mod doctor;
mod drill;
mod error;
mod events;
mod fault;
mod fingerprint;
mod generated;
mod handover;
mod host;
mod images;
mod init_sql;
mod interrupt;
mod kept_file;
mod load;
mod member;
mod member_logs;
mod metrics;
mod node_log;
mod observe;
mod patroni;
mod pause;
mod program;
mod project;
mod provider;
mod rehearsal;
mod removal;
mod repair;
mod repository;
mod restore;
mod scale;
mod screen;
mod secrets;
mod sink;
mod sizes;
mod sources;
mod steps;
mod terminal;
mod turn;
mod waiting;
mod wan;
mod watch;
mod web;
mod write_probe;

use std::process::ExitCode;
use std::time::Instant;

use pgha_core::event::Event;
use pgha_core::fault::Kind;
use pgha_wan::units::whole_ms;

use crate::cli::Command;
use crate::error::Result;
use crate::events::Events;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let (cli, verb) = match cli::explain::parse() {
        Ok(parsed) => parsed,
        Err(refused) => {
            // A reader that has gone wants nothing more.
            let _ = refused.print();
            return ExitCode::from(u8::try_from(refused.exit_code()).unwrap_or(2));
        }
    };
    let events = Events::into_sink(sink::of(cli.command.format()));
    events.emit(Event::RunStarted { verb, version: env!("CARGO_PKG_VERSION").to_owned() });
    let started = Instant::now();
    let result = carry_out(cli.command, &events).await;
    let took_ms = whole_ms(started.elapsed());
    events.end(result.as_ref().err(), took_ms);
    result.map_or_else(|error| ExitCode::from(error.exit_code()), |()| ExitCode::SUCCESS)
}

async fn carry_out(command: Command, events: &Events) -> Result<()> {
    match command {
        Command::Plan(args) => command::plan::run(&args, events).await,
        Command::Generate(args) => command::generate::run(&args, events).await,
        Command::List(args) => command::list::run(&args, events).await,
        Command::Status(args) => command::status::run(&args, events).await,
        Command::Up(args) => command::up::run(&args, events).await,
        Command::Stop(args) => Box::pin(command::stop::stop(&args, events)).await,
        Command::Start(args) => Box::pin(command::stop::start(&args, events)).await,
        Command::Down(args) => command::stop::down(&args, events).await,
        Command::Build(args) => command::build::run(&args, events).await,
        Command::Watch(args) => Box::pin(command::watch::run(&args, events)).await,
        Command::Wan(args) => command::wan::run(&args, events).await,
        Command::Connect(args) => command::connect::run(&args, events).await,
        Command::Psql(args) => command::psql::run(&args).await,
        Command::Patronictl(args) => command::tool::patronictl(&args).await,
        Command::Pgbackrest(args) => command::tool::pgbackrest(&args).await,
        Command::Kill(args) => command::fault::strike(&args, Kind::Kill, events).await,
        Command::PauseContainer(args) => command::fault::strike(&args, Kind::Pause, events).await,
        Command::Fault(args) => command::fault::run(&args, events).await,
        Command::Heal(args) => command::fault::heal(&args, events).await,
        Command::Repair(args) => Box::pin(command::repair::run(&args, events)).await,
        Command::Drill(args) => command::drill::run(&args, events).await,
        Command::Learn(args) => Box::pin(command::learn::run(&args, events)).await,
        Command::Prove(args) => Box::pin(command::prove::run(&args, events)).await,
        Command::Load(args) => command::load::run(&args, events).await,
        Command::Switchover(args) => Box::pin(command::switchover::run(&args, events)).await,
        Command::Failover(args) => command::failover::run(&args, events).await,
        Command::Add(args) => Box::pin(command::scale::add(&args, events)).await,
        Command::Remove(args) => Box::pin(command::scale::remove(&args, events)).await,
        Command::Scale(args) => Box::pin(command::scale::scale(&args, events)).await,
        Command::Restart(args) => Box::pin(command::restart::run(&args, events)).await,
        Command::Reload(args) => command::patroni::reload(&args, events).await,
        Command::Reinit(args) => Box::pin(command::patroni::reinit(&args, events)).await,
        Command::Pause(args) => command::patroni::pause(&args, true, events).await,
        Command::Resume(args) => command::patroni::pause(&args, false, events).await,
        Command::Maintenance(args) => Box::pin(command::maintenance::run(&args, events)).await,
        Command::Passwd(args) => Box::pin(command::passwd::run(&args, events)).await,
        Command::Certs(args) => Box::pin(command::certs::run(&args, events)).await,
        Command::History(args) => command::patroni::history(&args).await,
        Command::Config(args) => Box::pin(command::config::run(&args, events)).await,
        Command::Restore(args) => Box::pin(command::restore::run(&args, events)).await,
        Command::Backup(args) => command::backup::run(&args, events).await,
        Command::Backups(args) => command::backups::run(&args, events).await,
        Command::RestorePoint(args) => command::restore_point::run(&args, events).await,
        Command::Logs(args) => command::logs::run(&args, events).await,
        Command::Events(args) => command::events::run(&args).await,
        Command::Metrics(args) => command::metrics::run(&args).await,
        Command::Export(args) => command::export::run(&args, events).await,
        Command::Web(args) => command::web::run(&args, events).await,
        Command::Exec(args) => command::exec::run(&args).await,
        Command::Shell(args) => command::exec::shell(&args).await,
        Command::Bench(args) => Box::pin(command::bench::run(&args, events)).await,
        Command::Bundle(args) => Box::pin(command::bundle::run(&args, events)).await,
        Command::Doctor(args) => command::doctor::run(&args).await,
        Command::Completions(args) => command::completions::run(&args),
        Command::Man(args) => command::completions::man(&args, events),
    }
}
