//! What a restore does inside members. `pgha restore` on the host says which step, and when.
//!
//! Each step can be done again from its beginning. All of them run as the user postgres, on a node that
//! is held ([`hold`]), so nothing else touches the data meanwhile; [`files`] moves folders, [`recover`]
//! runs pgBackRest and a Postgres of its own, [`journal`] keeps the journal and the lock, [`restoreme`] is the
//! restore that a trigger file asks for, [`look`] a container that is only looked at, and [`source`] one that has
//! nothing but a repository. Nothing here
//! decides what to restore: that is [`pgha_core::restore`]'s.

pub(crate) mod files;
pub(crate) mod hold;
pub(crate) mod journal;
pub(crate) mod look;
mod recover;
pub(crate) mod restoreme;
pub(crate) mod source;

use std::process::ExitCode;

use crate::identity::Identity;
use crate::{Result, dcs, repository};

/// What this verb takes.
const USAGE: &str = "usage: pgha-node restore held | aside ID [TABLESPACE…] | discard | folders PATH… | \
    fetch ARGUMENTS | recover [or-end] [copy] | remember | clear [KEYS] | release | back ID | tidy ID | journal [TEXT] | lock | stanza \
    | tablespaces REPOSITORY BACKUP | forget BEGAN";

/// Carries out one step: `pgha-node restore STEP [ARGUMENTS]`.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let me = Identity::from_environment()?;
    match arguments.as_slice() {
        ["journal"] => journal::print(),
        ["journal", text] => journal::write(text),
        ["lock"] => journal::lock(),
        ["stanza"] => crate::stanza::make_missing(),
        ["tablespaces", repository, backup] => repository::print_tablespaces(repository, backup),
        ["forget", began] => journal::forget(&me, began),
        ["tidy", id] => files::tidy(&me, id),
        ["held"] => {
            hold::print_held(&me);
            Ok(())
        }
        ["release"] => hold::release(),
        ["clear"] => dcs::clear(&me, "{}"),
        ["clear", put_back] => dcs::clear(&me, put_back),
        ["remember"] => dcs::remember(&me),
        [step, rest @ ..] => {
            hold::demand()?;
            let _lock = hold::lock_step()?;
            match (*step, rest) {
                ("aside", [id, backup @ ..]) => files::aside(&me, id, backup),
                ("folders", paths) => files::make_places(&me, paths),
                ("discard", []) => files::discard(&me),
                ("fetch", arguments) => recover::fetch(&me, arguments),
                ("recover", options) => recover::recover(&me, options),
                ("back", [id]) => files::back(&me, id),
                _ => Err(USAGE.to_owned()),
            }
        }
        [] => Err(USAGE.to_owned()),
    }?;
    Ok(ExitCode::SUCCESS)
}
