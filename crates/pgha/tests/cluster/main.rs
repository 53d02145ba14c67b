//! The claims of the README on real containers: the real `pgha`, the real engine.
//!
//! ```text
//! ./test.sh                                                               everything
//! cargo test -p pgha --test cluster -- --ignored --test-threads=1 --nocapture [NAME]
//! ```
//!
//! The images must have been built (`pgha build`). Every cluster has an instance number from 9000
//! upward and is removed at the end, also after a failure; then the logs of its members are kept in
//! `target/e2e-logs/<test>`. A test is a scenario on one cluster; each of its claims is announced
//! with the seconds it took. Randomness is seeded, and `PGHA_E2E_SEED` repeats it.
//!
//! `./test.sh` runs three at a time, since they mostly wait: first all others, then those of `beside`, then that of `alone`.

#![allow(clippy::print_stderr, reason = "a test says what it is at")]

mod acknowledge;
mod alone;
mod background_mode;
mod backup_s3;
mod backups;
mod bad_input;
mod beside;
mod by_hand;
mod certs;
mod connection_strings;
mod consoles;
mod daily_use;
mod database;
mod docker;
mod documented;
mod drills;
mod durability;
mod faults;
mod inside;
mod interrupted_up;
mod leader_loss;
mod lessons;
mod main_path;
mod members;
mod node_build;
mod operate;
mod postgres_versions;
mod process;
mod proxy;
mod recorded;
mod reference_commands;
mod repair_etcd;
mod restore_from;
mod restore_interrupted;
mod restore_into;
mod restore_reference;
mod restore_targets;
mod restored;
mod s3;
mod security;
mod settings;
mod ssh_transport;
mod status_truth;
mod stopped_while_starting;
mod test_cluster;
mod unequal_sites;
mod ups_at_once;
mod waiting;
mod watch;
mod web;
mod weekly;
mod workloads;
mod writer;
