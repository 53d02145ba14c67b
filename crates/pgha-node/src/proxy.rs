//! PID 1 of a proxy: `HAProxy`, and `PgBouncer` where it is asked for.

use std::process::ExitCode;

use pgha_core::proxy::PGBOUNCER_PASSWORD;
use pgha_core::render::{self, CONFIG_DIR};

use crate::files::{self, POSTGRES, POSTGRES_HOME};
use crate::identity::Identity;
use crate::supervise::{Process, Supervisor, WhenItEnds};
use crate::{Result, network};

/// Runs the proxies until it is asked to stop.
pub(crate) fn run(me: &Identity) -> Result<ExitCode> {
    let member = me.member()?;
    network::join_site(member, me.topology.site(member.site))?;
    network::give_up_network_rights()?;
    files::private_dir(CONFIG_DIR, POSTGRES)?;
    write_config(me)?;
    // With a master process it takes a new configuration without a restart.
    let haproxy = ["/usr/sbin/haproxy", "-W", "-f", &render::haproxy_config()];
    let main = Process::new(POSTGRES, POSTGRES_HOME, &haproxy);
    let mut others = Vec::new();
    if me.topology.spec.proxy.pgbouncer {
        let pgbouncer = ["/usr/sbin/pgbouncer", &render::pgbouncer_config()];
        let process = Process::new(POSTGRES, POSTGRES_HOME, &pgbouncer);
        others.push((process, WhenItEnds::Restart));
    }
    Supervisor { main: Some(main), others, ..Supervisor::default() }.run()
}

/// Writes the configuration; the files that were not so already.
pub(crate) fn write_config(me: &Identity) -> Result<Vec<String>> {
    let member = me.member()?;
    let mut files = vec![(render::haproxy_config(), render::haproxy(&me.topology, member))];
    if me.topology.spec.proxy.pgbouncer {
        let password = files::secret(PGBOUNCER_PASSWORD)?;
        files.push((render::pgbouncer_userlist(), render::userlist(&password)));
        files.push((render::pgbouncer_config(), render::pgbouncer(&me.topology, member)));
    }
    files::write_changed(files, POSTGRES)
}
