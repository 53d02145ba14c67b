//! A new password of the cluster while this node runs: its files are written anew with it, and Patroni reads them.

use std::fmt::Display;
use std::path::Path;

use pgha_core::passwd::NewSecret;
use pgha_core::render::NODE_PASSWORDS;

use crate::files::POSTGRES;
use crate::identity::Identity;
use crate::layout::{Program, reload};
use crate::postgres::{API_PASSWORD, write_patroni};
use crate::{Result, files, patroni};

/// Takes the new text of a secret from a file, which is removed.
pub(crate) fn take(me: &Identity, path: &Path) -> Result<()> {
    let cannot = |e: &dyn Display| format!("cannot read {}: {e}", path.display());
    let text = std::fs::read_to_string(path).map_err(|e| cannot(&e))?;
    files::remove_if_there(path)?;
    let new: NewSecret = serde_json::from_str(&text).map_err(|e| cannot(&e))?;
    if !NODE_PASSWORDS.contains(&new.secret.as_str()) {
        return Err(format!("{:?} is no secret of a node", new.secret));
    }
    let before = files::secret("patroni")?;
    files::renew_secret(&new.secret, &new.text)?;
    files::install_secret("patroni", API_PASSWORD, POSTGRES)?;
    write_patroni(me)?;
    if reload(Program::Patroni)? {
        // It reads its files at the beginning of a round. Which password it takes until then depends on how far an earlier
        // attempt came.
        let after = files::secret("patroni")?;
        let _ = patroni::wake_up(me.member()?, &before) || patroni::wake_up(me.member()?, &after);
    }
    Ok(())
}
