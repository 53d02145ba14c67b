//! Everything pgha decides, as plain data and functions.
//!
//! The path through the crate is one line: a [`spec::Spec`] is what the user asked, a
//! [`topology::Topology`] has every name, address and site decided, [`render`] turns it into the
//! files a cluster runs from, and [`status`] turns what was observed into what every screen draws.
//!
//! This crate never reads a clock, the environment, a file or a socket, and never starts a process.

pub mod agent;
pub mod archive_get;
pub mod backup_run;
pub mod backup_source;
pub mod bench;
pub mod bundle;
pub mod certs;
pub mod check;
pub mod chronicle;
pub mod config;
pub mod connect;
pub mod console;
pub mod disk;
pub mod drill;
pub mod dynamic;
pub mod estimate;
pub mod etcd_repair;
pub mod etcd_start;
pub mod event;
pub mod extensions;
pub mod failover;
pub mod fault;
pub mod finding;
pub mod history;
pub mod identity;
pub mod layout;
pub mod layout_change;
pub mod layout_file;
pub mod lineage;
pub mod links;
pub mod lint;
pub mod member_log;
pub mod metrics;
pub mod names;
pub mod observe;
pub mod overview;
pub mod ownership;
pub mod page;
pub mod passwd;
pub mod placement;
pub mod plan;
pub mod postgres_log;
pub mod prediction;
pub mod prometheus;
pub mod proxy;
pub mod ready;
pub mod render;
pub mod repository;
pub mod restore;
pub mod rolling;
pub mod safety;
pub mod scale;
pub mod schedule;
pub mod set_up;
pub mod spec;
pub mod status;
pub mod steps;
pub mod stopping;
pub mod survival;
pub mod svg;
pub mod switchover;
pub mod topology;
pub mod tuning;
pub mod wal;
pub mod watch;
pub mod words;
