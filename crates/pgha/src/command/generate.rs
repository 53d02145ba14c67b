//! `pgha generate`: the compose file and its secrets.

use pgha_core::extensions::Addition;
use pgha_core::overview::overview;

use crate::cli::{Generate, OutputArgs};
use crate::cluster::{self, Cluster, FILE_HERE};
use crate::command::spec_args;
use crate::compose_tool::ComposeTool;
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::generated::{self, Generated};
use crate::init_sql::InitSql;
use crate::{project, terminal};

/// Carries out `pgha generate`.
pub(crate) async fn run(args: &Generate, events: &Events) -> Result<()> {
    let spec = spec_args::checked(&args.spec, events)?;
    let init_sql = InitSql::read(&spec, args.spec.shape.file.as_deref())?;
    let existing = clusters_if_reachable(events).await;
    let output = spec_args::output(&args.spec, &args.output)?;
    let made = generated::generate(spec, &output, existing.as_deref(), events)?;
    if let Some(init_sql) = init_sql {
        // Of what cannot be asked nothing is overwritten.
        let exists = existing.is_none_or(|all| all.iter().any(|c| c.id == made.topology.id));
        init_sql.keep(&made, exists, events)?;
    }
    terminal::print(&format!("{}\n{}", overview(&made.topology), next_steps(&made, args, &output)))
}

/// What to run next, in the folder this was called from.
fn next_steps(made: &Generated, args: &Generate, output: &OutputArgs) -> String {
    let id = &made.topology.id;
    let file = output.output.display();
    let compose = ComposeTool::find().map_or("docker-compose".to_owned(), |tool| tool.shown());
    // A folder of whose name Compose keeps nothing wants the project named.
    let compose = match project::folder_name(&made.file) {
        Some(_) => compose,
        None => format!("{compose} -p {}", project::project_name(&made.file, id)),
    };
    let build =
        args.spec.shape.file.as_ref().filter(|_| Addition::of(&made.topology.spec).is_some());
    let build = build.map(|file| format!(" -f {}", file.display())).unwrap_or_default();
    let (named, up) = if output.output.as_os_str() == FILE_HERE {
        (String::new(), "pgha up".to_owned())
    } else {
        (format!(" -f {file}"), format!("pgha up -o {file}"))
    };
    format!(
        "File {file} {}

To get started, run ...

{up}

or, without pgha, once `pgha build{build}` has made the images ...

{compose}{named} up -d

To stop and delete the containers run ...

pgha down {id}

To remove the volumes for good too run ...

pgha down {id} --volumes

Try running the following for a status ...

pgha status {id}
",
        if made.written { "generated" } else { "is there already, unchanged" },
    )
}

/// The clusters of the engine. A file can be written without one, but then without knowing what is
/// taken.
async fn clusters_if_reachable(events: &Events) -> Option<Vec<Cluster>> {
    let found = async { cluster::find(&Engine::connect().await?).await };
    found
        .await
        .inspect_err(|e: &Error| {
            events.note(format!(
                "{e}\nnote: instance, ports and subnets are chosen without asking the engine"
            ));
        })
        .ok()
}
