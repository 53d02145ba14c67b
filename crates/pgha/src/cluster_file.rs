//! The cluster file of the command line: what a cluster is asked to be, without what flags lay over it.

use std::path::Path;

use pgha_core::spec::Spec;

use crate::error::{Error, Result};

/// The spec that a file asks for, and its text.
///
/// # Errors
/// When it cannot be read or is no cluster file; the error says where in it.
pub(crate) fn read(path: &Path) -> Result<(Spec, String)> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Error::bad_input(format!("cannot read {}", path.display())).because(e))?;
    let spec = Spec::from_toml(&text).map_err(|e| {
        Error::bad_input(format!("{} is not a cluster file", path.display()))
            .because(e)
            .hint("docs/cluster-file.md lists every key")
    })?;
    Ok((spec, text))
}
