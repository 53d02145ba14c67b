//! What a plan needs to know: the repository, the leader, and room on the volumes. Changes nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::try_join_all;
use pgha_core::agent::{NodeState, Request, Restore};
use pgha_core::render::data_dir;
use pgha_core::restore::{
    self, Facts, Holdings, LOGICAL_SQL, LeaderFact, LogicalReplication, OffVolume, RestorePlan,
    Room, Target, plan,
};
use pgha_core::status::ContainerState;
use pgha_core::topology::Role;

use crate::cluster::Cluster;
use crate::error::{Error, OrFail, Result};
use crate::observe;
use crate::provider::Provider;
use crate::repository::no_second;
use crate::restore::Session;

/// How long the leader of a source may take to say where it is.
const QUESTION: Duration = Duration::from_secs(10);
/// Where the leader is.
const POSITION: &str = "select ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int, \
    pg_current_wal_lsn(), extract(epoch from clock_timestamp())::bigint, \
    (select system_identifier from pg_control_system())";

pub(super) fn refuse_off_volume(off: &OffVolume) -> Error {
    Error::bad_input(off.to_string()).because(off.reason()).hint(off.hint())
}

/// Fails where a node has data that cannot be moved away.
pub(super) fn demand_on_volume(node: &str, state: &NodeState) -> Result<()> {
    restore::demand_on_volume(node, &state.linked).map_err(|off| refuse_off_volume(&off))
}

impl<P: Provider> Session<P> {
    /// Decides what a restore would do.
    ///
    /// # Errors
    /// When the target cannot be reached, what is needed does not run, or a volume is too small.
    pub(crate) async fn plan(
        &self,
        cluster: &Cluster,
        target: &Target,
        repo: Option<u32>,
        discard_old: bool,
    ) -> Result<RestorePlan> {
        let repositories = self.repositories(repo).await?;
        let rooms = self.rooms(cluster).await?;
        let (leader, logical) = self.leading(cluster).await?.unzip();
        let facts = Facts {
            topology: &self.topology,
            repositories: &repositories,
            leader,
            running: rooms.keys().cloned().collect(),
            databases: rooms.values().filter_map(|room| room.system_id).collect(),
            named: repo.is_some(),
            copy: false,
            source: None,
            logical: logical.unwrap_or_default(),
            now_s: jiff::Timestamp::now().as_second(),
        };
        let plan = plan(&facts, target)
            .map_err(|refusal| Error::bad_input(refusal.to_string()).hint(refusal.hint()))?;
        let plan = self.with_tablespaces(plan).await?;
        // The new data stand beside the old until the end.
        plan.demand_room(&rooms, discard_old).map_err(|full| {
            Error::failed(full.to_string()).because(full.reason()).hint(full.hint())
        })?;
        Ok(plan)
    }

    /// Asks pgBackRest where the backup has tablespaces.
    ///
    /// # Errors
    /// When one of them is not on the volume of the data.
    pub(super) async fn with_tablespaces(&self, plan: RestorePlan) -> Result<RestorePlan> {
        let (repository, backup) = (plan.repository, plan.backup.clone());
        let question = Restore::Tablespaces { repository, backup };
        let paths = self.ask_json(&self.backup_host().name, question).await?;
        let data = data_dir(self.topology.spec.postgres);
        plan.with_tablespaces(paths, &data).map_err(|off| refuse_off_volume(&off))
    }

    /// What the repository of that number has, or each one.
    ///
    /// # Errors
    /// When there is none of that number, or the backup host does not say.
    pub(super) async fn repositories(&self, repo: Option<u32>) -> Result<Vec<Holdings>> {
        let all = self.topology.spec.backup.repositories();
        if repo.is_some_and(|repo| !all.contains(&repo)) {
            return Err(no_second(&self.topology.id));
        }
        let mut repositories = Vec::new();
        for number in all.filter(|number| repo.is_none_or(|repo| repo == *number)) {
            // One that cannot be listed does not keep the other from being restored from.
            repositories.push(
                match self.ask(&self.backup_host().name, Request::Repository { number }).await {
                    Ok(report) => {
                        Holdings::parse(report.as_bytes()).or_fail("cannot plan a restore")?
                    }
                    Err(error) => Holdings::unreadable(number, error.cause().to_owned()),
                },
            );
        }
        Ok(repositories)
    }

    fn running(&self, cluster: &Cluster) -> Vec<String> {
        let nodes = self.topology.of_role(Role::Postgres).map(|node| node.name.clone());
        let runs = |name: &String| {
            cluster.container(name).is_some_and(|c| c.state == ContainerState::Running)
        };
        nodes.filter(runs).collect()
    }

    /// Who leads, where it is, and what of its database is replicated logically; `None` where nobody
    /// leads.
    ///
    /// # Errors
    /// When the leader does not say.
    async fn leading(&self, cluster: &Cluster) -> Result<Option<(LeaderFact, LogicalReplication)>> {
        let Some(name) = observe::view(&self.engine, cluster).await?.leader else {
            return Ok(None);
        };
        let said = self.sql(&name, POSITION).await?;
        let fields: Vec<&str> = said.trim().split('|').collect();
        let [timeline, written, now_s, system_id] = fields[..] else {
            return Err(Error::failed(format!("{name} does not say where it is")).because(said));
        };
        let odd = || format!("{name} does not say where it is");
        let logical = self.sql(&name, LOGICAL_SQL).await?;
        let logical = serde_json::from_str(&logical).or_fail(odd())?;
        let leader = LeaderFact {
            timeline: timeline.parse().or_fail(odd())?,
            written: written.parse().or_fail(odd())?,
            now_s: now_s.parse().or_fail(odd())?,
            system_id: system_id.parse().or_fail(odd())?,
            name,
        };
        Ok(Some((leader, logical)))
    }

    /// As [`Session::leading`], where that is only told of: a copy needs no leader.
    pub(crate) async fn leading_if_it_answers(&self) -> Option<(LeaderFact, LogicalReplication)> {
        let ask = async { self.leading(&self.cluster().await?).await };
        tokio::time::timeout(QUESTION, ask).await.ok()?.ok()?
    }

    /// Runs SQL in a node.
    pub(crate) async fn sql(&self, node: &str, sql: &str) -> Result<String> {
        let mut said = String::new();
        let argv = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-c", sql];
        let each = |line: &str| {
            said.push_str(line);
            said.push('\n');
        };
        self.engine.exec_step(node, &argv, each).await?;
        Ok(said)
    }

    /// What is on the volume of each node that runs.
    async fn rooms(&self, cluster: &Cluster) -> Result<BTreeMap<String, Room>> {
        let room = |node: String| async move {
            let state: NodeState = self.ask_json(&node, Restore::Held).await?;
            demand_on_volume(&node, &state)?;
            Ok((node, state.room))
        };
        let rooms = try_join_all(self.running(cluster).into_iter().map(room)).await?;
        Ok(rooms.into_iter().collect())
    }
}
