//! `pgha export`: files for the monitoring of a cluster.

use std::fs;
use std::path::Path;

use pgha_core::prometheus;

use crate::cli::web::{Export, ExportPrometheus, ExportWhat};
use crate::cluster::{self, Among};
use crate::docker::Engine;
use crate::error::{Error, OrFail as _, Result};
use crate::events::Events;
use crate::kept_file::{self, PLAIN};
use crate::terminal;
use crate::web::token::Token;

const RULES: &str = "rules.yml";
const TOKEN: &str = "token";

/// Carries out `pgha export`.
pub(crate) async fn run(args: &Export, events: &Events) -> Result<()> {
    match &args.what {
        ExportWhat::Prometheus(args) => self::prometheus(args, events).await,
    }
}

async fn prometheus(args: &ExportPrometheus, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let found = cluster::find(&engine).await?;
    let id = cluster::resolve(found, args.cluster.as_deref(), Among::All)?.id;
    let files = [
        ("prometheus.yml", prometheus::configuration(&id, args.port, TOKEN, RULES)),
        (RULES, prometheus::RULES.to_owned()),
        ("dashboard.json", prometheus::dashboard()),
    ];
    let dir = args.dir.as_path();
    if !args.force
        && let Some((name, _)) = files.iter().find(|(name, text)| differs(&dir.join(name), text))
    {
        return Err(Error::bad_input(format!("{} exists and differs", dir.join(name).display()))
            .hint("--force replaces it; -o writes to another folder"));
    }
    fs::create_dir_all(dir).or_fail(format!("cannot create {}", dir.display()))?;
    for (name, text) in &files {
        let path = dir.join(name);
        kept_file::write(&path, text.as_bytes(), PLAIN)
            .or_fail(format!("cannot write {}", path.display()))?;
    }
    let token = dir.join(TOKEN);
    Token::kept_in(&token)?;
    let names = files.iter().map(|(name, _)| *name).chain([TOKEN]);
    let paths: Vec<String> = names.map(|name| dir.join(name).display().to_string()).collect();
    events.note(format!(
        "`pgha web {id} --port {} --token-file {}` serves the metrics",
        args.port,
        token.display()
    ));
    terminal::print(&(paths.join("\n") + "\n"))
}

/// There is a file with another text.
fn differs(path: &Path, text: &str) -> bool {
    path.exists() && fs::read(path).is_ok_and(|there| there != text.as_bytes())
}
