//! The file that `init_sql` of a cluster file names: its text is copied beside the compose file, where it belongs to the
//! cluster, and is run once. What changes in the file later is told, and does nothing.

use std::fs;
use std::path::{Path, PathBuf};

use pgha_core::spec::Spec;

use crate::error::{Error, OrFail as _, Result};
use crate::events::Events;
use crate::generated::Generated;
use crate::secrets;

/// A file to run, as the user has it.
#[derive(Debug)]
pub(crate) struct InitSql {
    path: PathBuf,
    text: String,
}

impl InitSql {
    /// The file that a spec names, relative to the cluster file; nothing where it names none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn read(spec: &Spec, cluster_file: Option<&Path>) -> Result<Option<Self>> {
        let Some(named) = &spec.server.init_sql else { return Ok(None) };
        let folder = cluster_file.and_then(Path::parent).unwrap_or(Path::new(""));
        let path = folder.join(named);
        let text = fs::read_to_string(&path).map_err(|e| {
            Error::bad_input(format!("init_sql names {named}, and it cannot be read"))
                .because(format!("{}: {e}", path.display()))
                .hint("the path is relative to the cluster file; psql reads the file as UTF-8")
        })?;
        Ok(Some(Self { path, text }))
    }

    /// Copies it beside the compose file. Of a cluster that `exists` the copy stays, and that the file is another by now is
    /// told.
    ///
    /// # Errors
    /// When the copy cannot be written.
    pub(crate) fn keep(&self, generated: &Generated, exists: bool, events: &Events) -> Result<()> {
        let copy = secrets::init_sql_of(&generated.file);
        let kept = fs::read_to_string(&copy).ok();
        if kept.as_ref().is_some_and(|kept| kept.trim_end() == self.text.trim_end()) {
            return Ok(());
        }
        if exists && kept.is_some() {
            let id = &generated.topology.id;
            events.note(format!(
                "{} was changed since the files of cluster {id} were made, and is not run again: `pgha psql {id} < {}` runs it",
                self.path.display(),
                self.path.display()
            ));
            return Ok(());
        }
        secrets::keep_init_sql(&generated.file, &self.text)
            .or_fail(format!("cannot copy {}", self.path.display()))
    }
}

/// Fails where a new cluster would lack its copy: in its place the engine would mount an empty folder.
pub(crate) fn demand(generated: &Generated) -> Result<()> {
    let copy = secrets::init_sql_of(&generated.file);
    match &generated.topology.spec.server.init_sql {
        Some(named) if !copy.is_file() => {
            Err(Error::missing(format!("the copy of {named} for this cluster is not there"))
                .because(format!("{} is no file", copy.display()))
                .hint("copy the file there, or `pgha up -f FILE` with the cluster file"))
        }
        _ => Ok(()),
    }
}
