//! What the terminal screen of `pgha watch` shows, and what its keys do, as plain data.
//!
//! Looks at a cluster come in with their times; a screen's data goes out. What is older than [`STALE_MS`] is told
//! as last seen so long ago, never as current. Nothing here draws, reads a clock or asks anybody anything.

mod backups;
mod board;
mod console;
mod links;
mod memory;
mod next_loss;
mod node;
mod order;
mod timeline;
mod trail;

pub use backups::{BackupsBoard, LastBackup};
pub use board::{Board, Headline, Line, MemberRow, SiteRows, Standing};
pub use console::{Console, Effect, Key, Overlay, Rows, Screen};
pub use links::{LinkRow, LinksBoard};
pub use memory::{LastSeen, Memory};
pub use next_loss::{NextLoss, next_losses};
pub use node::{NODE_SQL, NodeReport, Replica, Session};
pub use order::Order;
pub use timeline::{Lane, Timeline};
pub use trail::{Lag, Trail};

/// How old a look may be before nothing of it is shown as current, in milliseconds: three looks that are due.
pub const STALE_MS: u64 = 4000;

/// `3 s`, `2 min`: how long ago.
pub fn ago(ms: u64) -> String {
    crate::status::age_words(ms / 1000)
}
