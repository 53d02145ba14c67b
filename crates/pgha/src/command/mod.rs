//! One module for each verb of the command line.

pub(crate) mod build;
pub(crate) mod generate;
pub(crate) mod plan;
pub(crate) mod spec_args;
pub(crate) mod stop;
pub(crate) mod up;
