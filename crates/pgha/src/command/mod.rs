//! One module for each verb of the command line.

pub(crate) mod backup;
pub(crate) mod backup_schedule;
pub(crate) mod backups;
pub(crate) mod build;
pub(crate) mod completions;
pub(crate) mod connect;
pub(crate) mod doctor;
pub(crate) mod exec;
pub(crate) mod generate;
pub(crate) mod kill;
pub(crate) mod list;
pub(crate) mod load;
pub(crate) mod logs;
pub(crate) mod plan;
pub(crate) mod psql;
pub(crate) mod restore;
mod restore_from;
pub(crate) mod restore_point;
pub(crate) mod spec_args;
pub(crate) mod status;
pub(crate) mod stop;
pub(crate) mod up;
pub(crate) mod wan;
