//! Adding and removing members of a running cluster: which layout is meant, what that means for failures and for the host, and
//! the journal of the way there.
//!
//! The steps are those of [`crate::layout_change`]. Nothing here takes one.

mod asked;
mod journal;
mod plan;
#[cfg(test)]
mod tests;

pub use asked::{Asked, Refused, Sizes};
pub use journal::{Journal, Step};
pub use plan::{Disk, Moved, Plan};
