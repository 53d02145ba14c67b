//! PID 1 of an etcd member.

use std::process::ExitCode;

use pgha_core::render::{self, CONFIG_DIR, ETCD_MOUNT};

use crate::Result;
use crate::files::{self, ETCD};
use crate::identity::Identity;
use crate::network;
use crate::supervise::{Process, Supervisor};

/// Runs etcd until it ends.
pub(crate) fn run(me: &Identity) -> Result<ExitCode> {
    let member = me.member()?;
    network::join_site(member, me.topology.site(member.site))?;
    network::give_up_network_rights()?;
    files::private_dir(ETCD_MOUNT, ETCD)?;
    files::private_dir(CONFIG_DIR, ETCD)?;
    let config = format!("{CONFIG_DIR}/etcd.yaml");
    files::write(&config, &render::etcd(&me.topology, member), ETCD)?;
    let main = Process::new(ETCD, ETCD_MOUNT, &["etcd", "--config-file", &config]);
    Supervisor { main: Some(main), ..Supervisor::default() }.run()
}
