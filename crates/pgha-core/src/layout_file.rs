//! The layout as it is put into a container that was made with an older one, and what becomes of it there.

use serde::{Deserialize, Serialize};

use crate::layout::Layout;
use crate::ownership::Identity;
use crate::spec::Spec;

/// Where a member keeps a newer layout than that of its environment. It is in the container, so it outlives
/// a restart and ends with the container: the next one has the layout in its environment.
pub const LAYOUT_FILE: &str = "/pgha/layout";

/// A layout and the cluster that it is of. The text has two lines: the mark of the cluster, and the layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayoutFile {
    /// Whose it is.
    pub cluster: Identity,
    /// The layout.
    pub layout: Layout,
}

impl LayoutFile {
    /// The text, with a line feed at its end.
    pub fn text(&self) -> String {
        format!("{}\n{}\n", self.cluster.mark(), self.layout)
    }

    /// Reads the layout in such a text for a member of the cluster `own`, whose layout is `known`. `None` where it
    /// is not newer.
    ///
    /// # Errors
    /// Why it is not taken: it cannot be read, is of another cluster, or is older.
    pub fn newer(
        text: &str,
        own: &Identity,
        spec: &Spec,
        known: &Layout,
    ) -> Result<Option<Layout>, String> {
        let (mark, layout) = text.split_once('\n').ok_or("it has no two lines")?;
        let of = Identity::parse_mark(mark).ok_or("its first line names no cluster")?;
        // Containers of an earlier pgha do not know the number of their cluster.
        if of.id != own.id || own.uid.is_some() && of.uid != own.uid {
            return Err(format!("it is of the cluster {}, and this is {}", of.mark(), own.mark()));
        }
        let layout = Layout::parse(layout, spec)?;
        let (theirs, ours) = (layout.generation(), known.generation());
        if theirs < ours {
            return Err(format!("it has generation {theirs}, and this member {ours}"));
        }
        Ok((theirs > ours).then_some(layout))
    }
}

/// What a member has done with its newest layout.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Its name.
    pub member: String,
    /// The generation that it works with now.
    pub generation: u32,
    /// Files that were written anew, since they were not as they should be.
    pub written: Vec<String>,
    /// What was told to read its configuration again.
    pub reloaded: Vec<String>,
    /// Why the container has to be made anew or started again; empty where all is done.
    pub restart: Vec<String>,
}
