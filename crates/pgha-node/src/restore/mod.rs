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

use pgha_core::agent::Restore;

use crate::identity::Identity;
use crate::{Result, dcs, repository};

/// Does what a restore asks for.
pub(crate) fn run(request: &Restore) -> Result<()> {
    let me = Identity::from_environment()?;
    let _lock = if request.needs_hold() {
        hold::demand()?;
        Some(hold::lock_step()?)
    } else {
        None
    };
    match request {
        Restore::Journal => journal::print(),
        Restore::KeepJournal(text) => journal::write(text),
        Restore::Lock => journal::lock(),
        Restore::Stanza => crate::stanza::make_missing(),
        Restore::Tablespaces { repository, backup } => {
            repository::print_tablespaces(*repository, backup)
        }
        Restore::Forget(began) => journal::forget(&me, began),
        Restore::Held => hold::print_held(&me),
        Restore::Release => hold::release(),
        Restore::Remember => dcs::remember(&me),
        Restore::Clear { put_back } => dcs::clear(&me, put_back),
        Restore::Aside { id, tablespaces } => files::aside(&me, id, tablespaces),
        Restore::Discard => files::discard(&me),
        Restore::Folders(paths) => files::make_places(&me, paths),
        Restore::Fetch { arguments } => recover::fetch(&me, arguments),
        Restore::Recover(recovery) => recover::recover(&me, *recovery),
        Restore::Back { id } => files::back(&me, id),
        Restore::Tidy { id } => files::tidy(&me, id),
    }
}
