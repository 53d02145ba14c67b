//! PID 1 of an etcd member.

use std::process::ExitCode;

use pgha_core::agent::AGENT;
use pgha_core::links::asked::largest_round_trip;
use pgha_core::render::{self, CONFIG_DIR, ETCD_MOUNT};
use pgha_core::tuning::EtcdTimers;

use crate::files::{self, ETCD};
use crate::identity::Identity;
use crate::supervise::{Process, Supervisor};
use crate::{Result, network};

mod repair;
mod start;

pub(crate) use repair::{alone, run as repair, unfinished as unfinished_repair};
pub(crate) use start::start;

/// Runs etcd until it ends.
pub(crate) fn run(me: &Identity) -> Result<ExitCode> {
    let member = me.member()?;
    network::join_site(member, me.topology.site(member.site))?;
    network::give_up_network_rights()?;
    files::private_dir(ETCD_MOUNT, ETCD)?;
    files::private_dir(CONFIG_DIR, ETCD)?;
    files::write(&config(), &render::etcd(&me.topology, member, None), ETCD)?;
    let process = |argv: &[&str]| Process::new(ETCD, ETCD_MOUNT, argv);
    if let Some(asked_to_stop) = repair::prepare()? {
        return Ok(asked_to_stop);
    }
    if start::store_is_empty() {
        let first = process(&[AGENT, "etcd-start"]);
        let first = Supervisor { main: Some(first), ..Supervisor::default() };
        if let Some(asked_to_stop) = first.run_first()? {
            return Ok(asked_to_stop);
        }
    }
    let main = process(&["etcd", "--config-file", &config()]);
    let grace = EtcdTimers::of(largest_round_trip(&me.topology.spec)).stop_grace();
    Supervisor { main: Some(main), grace: Some(grace), ..Supervisor::default() }.run()
}

/// Where etcd's configuration is.
fn config() -> String {
    format!("{CONFIG_DIR}/etcd.yaml")
}
