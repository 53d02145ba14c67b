//! What commands show: tables and lines drawn from plain data. Nothing here asks Docker.

pub(crate) mod plan;
