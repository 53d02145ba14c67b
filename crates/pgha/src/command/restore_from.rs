//! `pgha restore --from`: a cluster of a repository whose own cluster is gone.

use std::time::Duration;

use pgha_core::restore::Target;
use pgha_core::topology::Topology;

use super::restore::{agree, new_id, restore_made};
use crate::cli::Restore;
use crate::docker::Engine;
use crate::error::Result;
use crate::events::Events;
use crate::restore::fresh::{self, FRESH_ID, Fresh, Origin};
use crate::restore::from::{self, Source};
use crate::screen::{self, restore::OldData};
use crate::{images, terminal};

/// Plans, shows, asks, makes the cluster and restores it.
pub(super) async fn run(args: &Restore, target: &Target, events: &Events) -> Result<()> {
    let name = args.into.as_deref().unwrap_or_default();
    let source = Source::of(&args.from)?;
    let engine = Engine::connect().await?;
    // Whether the repository may be used is the first question, what is in the way of its cluster the last.
    let found = source.find(&engine, args.from.stanza.as_deref(), events).await?;
    let spec = from::spec_of(name, &args.from, &found)?;
    // The number is of no matter for the plan but in names.
    let topology = Topology::new(spec.clone(), args.instance.unwrap_or(1));
    let planned = source.plan(&found, &topology, target).await?;
    if args.dry_run && args.json {
        return terminal::print_json(&planned);
    }
    let place = source.place.with_root(&found.at.root);
    let what = format!("stanza {} in {place}", found.at.stanza);
    let text = screen::restore::plan(&format!("{what} into {name}"), &planned, OldData::Gone);
    if args.dry_run {
        return terminal::print(&text);
    }
    events.note(text);
    agree(args, &format!("make cluster {name} from it? The repository is only read."))?;
    images::demand(&engine, &spec, events).await?;
    let fresh = Fresh {
        name: name.to_owned(),
        file: args.output.clone(),
        instance: args.instance,
        spec,
        key: source.key(),
    };
    let id = format!("{FRESH_ID}{}", new_id());
    let made =
        fresh::make(&engine, &fresh, &id, &Origin::Source(&source, &found), &what, events).await?;
    restore_made(args, made, planned, None, id, Duration::from_secs(args.wait.timeout)).await
}
