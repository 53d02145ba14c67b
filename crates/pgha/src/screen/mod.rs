//! What commands show: tables and lines drawn from plain data. Nothing here asks Docker.
//!
//! Everything is drawn with its colours; [`crate::terminal`] leaves them out where nobody would see them.

pub(crate) mod backups;
pub(crate) mod bench;
pub(crate) mod certs;
pub(crate) mod compare;
pub(crate) mod connect;
pub(crate) mod doctor;
pub(crate) mod drill;
pub(crate) mod drill_check;
pub(crate) mod events;
pub(crate) mod fault;
pub(crate) mod learn;
pub(crate) mod list;
pub(crate) mod load;
pub(crate) mod plan;
pub(crate) mod repair;
pub(crate) mod restore;
pub(crate) mod scale;
pub(crate) mod status;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod wan;
pub(crate) mod watch;

pub(crate) use crate::terminal::{BAD, GOOD, PLAIN, TITLE, WARN};
