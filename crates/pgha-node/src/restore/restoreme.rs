//! The restore that a trigger file asks for: the reference's `restoremeOnStartup`, without its risk.
//!
//! The script checks that there is something to restore and that this is the node to do it on, and
//! sets the trigger. The next start of the container restores the latest state before it starts
//! Patroni. The old data stand aside until that has succeeded, and are put back where it has not.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use pgha_core::agent::AGENT;
use pgha_core::render::{CONFIG_DIR, PGDATA_MOUNT, SCOPE};
use pgha_core::restore::{
    Facts, Holdings, LogicalReplication, Recovery, Target, TargetOptions, plan,
};
use pgha_core::topology::{Member, PATRONI_PORT, Role};

use crate::files::POSTGRES_HOME;
use crate::files::{self as own_files, POSTGRES};
use crate::identity::Identity;
use crate::restore::hold::{self, PASSWORDS, password_file};
use crate::restore::{files, recover};
use crate::supervise::{Process, Supervisor};
use crate::{Result, patroni, say};
use crate::{dcs, repository};

/// What a user runs to ask for it.
const SCRIPT: &str = "restoremeOnStartup";
/// Asks for it; holds the name that the old data get.
const TRIGGER: &str = "restoreme";
/// Lies on the volume from the first change to the last, so that a container that is made anew
/// meanwhile does not start on half of a restore.
const STARTED: &str = "restoreme.started";

fn trigger() -> PathBuf {
    Path::new(CONFIG_DIR).join(TRIGGER)
}

fn started() -> PathBuf {
    Path::new(PGDATA_MOUNT).join(STARTED)
}

/// Puts the script where users of the reference look for it.
pub(crate) fn install() -> Result<()> {
    let path = format!("{CONFIG_DIR}/{SCRIPT}");
    let text = format!(
        "#!/bin/sh\n# Has the next start of this container restore the latest state.\nexec {AGENT} restoreme\n"
    );
    own_files::write(&path, &text, POSTGRES)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
        .map_err(|e| format!("cannot make {path} executable: {e}"))
}

/// Checks, explains, and sets the trigger.
pub(crate) fn ask() -> Result<ExitCode> {
    let me = Identity::from_environment()?;
    let own = me.member()?;
    let repositories = repositories(&me)?;
    if repositories.iter().all(|holdings| holdings.backups.is_empty()) {
        return Err(format!(
            "there is no backup to restore\nmake one first: docker exec {} pgbackrest \
             --stanza=$STANZA_NAME --type=full backup",
            me.topology.backup_host().name
        ));
    }
    if patroni::leads(own).is_none() {
        let leader = leader_besides(&me, own);
        let leader = leader.map_or("nobody is".to_owned(), |name| format!("{name} is"));
        return Err(format!("{} is not the leader, {leader}: restore there", own.name));
    }
    let plan = latest(&me, own, &repositories)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs());
    own_files::write(&trigger().display().to_string(), &now.to_string(), POSTGRES)?;
    say(&guidance(&me, own, &plan.backup));
    Ok(ExitCode::SUCCESS)
}

fn guidance(me: &Identity, own: &Member, backup: &str) -> String {
    let replicas: Vec<&Member> =
        me.topology.of_role(Role::Postgres).filter(|node| node.name != own.name).collect();
    let each = |line: &dyn Fn(&Member) -> String| {
        replicas.iter().map(|node| line(node)).collect::<Vec<_>>().join("\n")
    };
    let name = &own.name;
    format!(
        "************* READ THIS *****************

The next start of {name} restores backup {backup} and all WAL after it.

Copy these commands and shut down the replica containers before restarting {name}

{stop}

Validate all replicas are down and {name} is running as the Leader

docker exec -it {name} patronictl -c {CONFIG_DIR}/patroni.conf list

Before restarting {name}.

docker restart {name}

When {name} is back on line and running as a Leader again, restart the replicas.
`docker logs {name}` says how the restore went. One that fails leaves the old data as they were.

docker exec -it {name} patronictl -c {CONFIG_DIR}/patroni.conf list

Restart the replicas

{start}

If there are errors and a replica does not come online, you can reinitialize it with one of these commands.
Depending on the size of the database, this could take time.
Consider looking at the container's log before reinitializing.

{reinit}

If you change your mind, remove the trigger file {trigger} *****

docker exec {name} rm {trigger}",
        stop = each(&|node| format!("docker stop {}", node.name)),
        start = each(&|node| format!("docker start {}", node.name)),
        reinit = each(&|node| format!(
            "docker exec {name} patronictl -c {CONFIG_DIR}/patroni.conf reinit {SCOPE} {} --force",
            node.name
        )),
        trigger = trigger().display(),
    )
}

/// Restores where the trigger is set, before anything else of the node runs; `Some` where the container
/// was asked to stop meanwhile.
pub(crate) fn run_where_asked() -> Result<Option<ExitCode>> {
    if !trigger().exists() && !started().exists() {
        return Ok(None);
    }
    for user in PASSWORDS {
        own_files::install_secret(user, &password_file(user), POSTGRES)?;
    }
    let restore = [AGENT, "restoreme-now"];
    let main = Some(Process::new(POSTGRES, POSTGRES_HOME, &restore));
    Supervisor { main, ..Supervisor::default() }.run_first()
}

/// Restores the latest state, or leaves the old data as they were and says why.
pub(crate) fn now() -> Result<ExitCode> {
    let me = Identity::from_environment()?;
    let id = fs::read_to_string(started()).or_else(|_| fs::read_to_string(trigger()));
    let id = id.map(|id| id.trim().to_owned()).ok().filter(|id| !id.is_empty());
    let id = id.unwrap_or_else(|| TRIGGER.to_owned());
    let _lock = hold::lock_step()?;
    crate::start::wait_for_etcd(&me);
    let done = checked(&me).and_then(|(arguments, tablespaces)| {
        own_files::keep(&started().display().to_string(), &id, POSTGRES)?;
        files::aside(&me, &id, &tablespaces)?;
        crate::log(&format!("{TRIGGER}: restoring; the old data are kept until it succeeds"));
        recover::fetch(&me, &arguments)?;
        recover::recover(&me, Recovery::default())?;
        dcs::clear(&me, &BTreeMap::new())
    });
    match &done {
        Ok(()) => {
            files::tidy(&me, &id)?;
            crate::log(&format!("{TRIGGER}: the restore has succeeded; the old data are removed"));
        }
        Err(reason) => {
            recover::end(&me);
            files::back(&me, &id)?;
            crate::log(&format!(
                "{TRIGGER}: the restore has FAILED, and the old data are as they were: {reason}"
            ));
        }
    }
    for path in [trigger(), started()] {
        own_files::remove_if_there(&path)?;
    }
    Ok(if done.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What pgBackRest shall be told, and where the backup has tablespaces, where nothing speaks against it.
fn checked(me: &Identity) -> Result<(Vec<String>, Vec<String>)> {
    let own = me.member()?;
    if let Some(leader) = leader_besides(me, own) {
        return Err(format!("{leader} leads now: stop the replicas before this node is restarted"));
    }
    let plan = latest(me, own, &repositories(me)?)?;
    let tablespaces = repository::tablespaces(&plan.repository.to_string(), &plan.backup)?;
    Ok((plan.pgbackrest(), tablespaces))
}

fn latest(
    me: &Identity,
    own: &Member,
    repositories: &[Holdings],
) -> Result<pgha_core::restore::RestorePlan> {
    let options = TargetOptions { latest: true, ..TargetOptions::default() };
    let target = Target::parse(&options).map_err(|e| e.to_string())?;
    let running = vec![own.name.clone()];
    let facts = Facts {
        topology: &me.topology,
        repositories,
        leader: None,
        running,
        databases: crate::start::system_id(me).into_iter().collect(),
        named: false,
        copy: false,
        source: None,
        logical: LogicalReplication::default(),
        now_s: 0,
    };
    plan(&facts, &target).map_err(|refusal| format!("{refusal}\n{}", refusal.hint()))
}

fn repositories(me: &Identity) -> Result<Vec<Holdings>> {
    me.topology.spec.backup.repositories().map(repository::holdings).collect()
}

fn leader_besides(me: &Identity, own: &Member) -> Option<String> {
    let others = me.topology.of_role(Role::Postgres).filter(|node| node.name != own.name);
    let mut leading =
        others.filter(|node| crate::http::get(node.address, PATRONI_PORT, "primary").is_some());
    leading.next().map(|node| node.name.clone())
}
