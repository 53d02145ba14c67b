//! A text in the editor of the user.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use tempfile::NamedTempFile;

use crate::error::{Error, OrFail as _, Result};
use crate::program::on_path;

/// What came back, and the file that it is in.
#[derive(Debug)]
pub(super) struct Edited {
    text: String,
    file: NamedTempFile,
}

impl Edited {
    /// The text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Leaves the file where it is, readable by its owner alone; where that is.
    pub(super) fn keep(self) -> Option<PathBuf> {
        self.file.keep().ok().map(|(_, path)| path)
    }
}

/// Has a text edited, in a file that only its owner can read and that is removed with what this gives.
///
/// # Errors
/// When there is no editor, or it fails.
pub(super) fn edit(text: &str) -> Result<Edited> {
    let cannot = "cannot write a file to edit";
    let builder = tempfile::Builder::new().prefix("pgha-config-").suffix(".toml").tempfile();
    let mut file = builder.or_fail(cannot)?;
    let owner_only = std::fs::Permissions::from_mode(0o600);
    file.as_file().set_permissions(owner_only).or_fail(cannot)?;
    file.write_all(text.as_bytes()).or_fail(cannot)?;
    let editor = editor()?;
    // As git does: the variable may have arguments in it.
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{editor} \"$1\""), "sh"]).arg(file.path());
    let ended = command.status().or_fail(format!("cannot run the editor `{editor}`"))?;
    if !ended.success() {
        return Err(Error::failed(format!("the editor `{editor}` failed: nothing was changed"))
            .because(ended)
            .hint("EDITOR names another one"));
    }
    // Editors may put a new file in its place.
    let text = std::fs::read_to_string(file.path()).or_fail("cannot read the edited file")?;
    Ok(Edited { text, file })
}

fn editor() -> Result<String> {
    let mut set = ["VISUAL", "EDITOR"].iter().filter_map(|name| std::env::var(name).ok());
    let named = set.find(|editor| !editor.trim().is_empty());
    let there = || ["nano", "vi"].into_iter().find(|editor| on_path(editor)).map(str::to_owned);
    named.or_else(there).ok_or_else(|| {
        Error::missing("there is no editor on this machine")
            .hint("EDITOR names one; `pgha config set` changes single settings")
    })
}
