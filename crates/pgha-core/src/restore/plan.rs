//! From what there is and what is asked to what would be done, or why it cannot be.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::repository::BackupType;
use crate::restore::{
    Backup, Holdings, Lineage, Linked, LogicalReplication, Moment, OffVolume, Step, Stop, Target,
    demand_on_volume, is_on_volume,
};
use crate::topology::{Role, Topology};
use crate::wal::{Lsn, Segment};

mod reach;
mod refusal;

pub use reach::{End, NotArchived, WalRange};
pub use refusal::Refusal;

/// How a recovery goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovery {
    /// It may end with the archive, where that does not go past the target.
    pub or_end: bool,
    /// The recovered database is a copy, and the original goes on.
    pub copy: bool,
}

/// Tells `pgha-node` of [`Recovery::or_end`].
pub const RECOVER_OR_END: &str = "or-end";
/// Tells `pgha-node` of [`Recovery::copy`].
pub const RECOVER_COPY: &str = "copy";

/// What is known when the plan is made.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The cluster.
    pub topology: &'a Topology,
    /// What its repositories hold, those that may be read, in the order they are preferred.
    pub repositories: &'a [Holdings],
    /// Its leader, where one answers: what it has written will be archived before it is stopped.
    pub leader: Option<LeaderFact>,
    /// Nodes whose containers run: one of them leads where nobody does now.
    pub running: Vec<String>,
    /// System identifiers of the data on these nodes, of each that has data.
    pub databases: Vec<u64>,
    /// The repository was named: then its database is the one that is meant, whatever the nodes have.
    pub named: bool,
    /// The restore makes a copy, and the cluster that the backups are of goes on.
    pub copy: bool,
    /// Who leads that cluster, where a copy is made: what it has not archived is not in the copy.
    pub source: Option<LeaderFact>,
    /// Logical replication of the database now, where somebody leads.
    pub logical: LogicalReplication,
    /// The time, in seconds since 1970.
    pub now_s: i64,
}

/// A leader that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaderFact {
    /// Its name.
    pub name: String,
    /// System identifier of its database.
    pub system_id: u64,
    /// Its timeline.
    pub timeline: u32,
    /// How far it has written.
    pub written: Lsn,
    /// Its clock, in seconds since 1970.
    pub now_s: i64,
}

/// What the result will not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Loss {
    /// Nothing: the leader archives all it has before it is stopped.
    Nothing,
    /// All that was written after the target.
    AfterTarget,
    /// What came after the last archived segment and is on the nodes only.
    NotArchived {
        /// The last archived segment.
        last: Option<Segment>,
        /// When it arrived, in seconds since 1970.
        arrived_s: Option<i64>,
    },
}

/// What a restore will do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own in JSON")]
pub struct RestorePlan {
    /// Where it ends.
    pub target: Target,
    /// The repository that has the backup and the WAL.
    pub repository: u32,
    /// Label of the backup.
    pub backup: String,
    /// How much the backup holds by itself.
    pub backup_kind: BackupType,
    /// When the backup ended, in seconds since 1970.
    pub backup_stopped_s: i64,
    /// Size of the database in it, in bytes.
    pub backup_bytes: u64,
    /// Whether the backup was chosen without knowing that the target lies after it: pgBackRest cannot
    /// tell where a transaction or a restore point is.
    pub backup_assumed: bool,
    /// The timeline that is followed.
    pub timeline: u32,
    /// The newest timeline that there is: what is newer at the end is the restore's own.
    pub newest_timeline: u32,
    /// The WAL after the backup.
    pub wal: WalRange,
    /// What the result will not have.
    pub loss: Loss,
    /// Backups that the new timeline cannot use: they are of the part of history that is left.
    pub left_behind: Vec<String>,
    /// The node that is restored and leads.
    pub leader: String,
    /// The nodes that are re-initialized from the repository, all at once.
    pub replicas: Vec<String>,
    /// Whether there is a leader of this database now, which archives its last WAL first.
    pub leader_archives: bool,
    /// Where the backup has tablespaces.
    #[serde(default)]
    pub tablespaces: Vec<String>,
    /// Other databases that nodes have now: nothing of them will be left.
    #[serde(default)]
    pub replaces: Vec<u64>,
    /// No node has data: what is not archived is lost already.
    #[serde(default)]
    pub nodes_empty: bool,
    /// Where the recovery ends.
    #[serde(default)]
    pub ends: End,
    /// The restore makes a copy, and the cluster that the backups are of goes on.
    #[serde(default)]
    pub copy: bool,
    /// Who leads that cluster, and what it has not archived: that is not in the copy.
    #[serde(default)]
    pub source: Option<NotArchived>,
    /// Logical replication of the database now.
    #[serde(default)]
    pub logical: LogicalReplication,
    /// What is done, in this order.
    pub steps: Vec<Step>,
}

/// Decides what a restore to `target` would do, and from which repository: from the first that can, as
/// pgBackRest does. Where the archive alone says what the latest state is, from the one that goes on
/// for longest.
///
/// # Errors
/// When the target cannot be reached; nothing has been touched then. Of several refusals the first that
/// is about the target, not about a repository that is empty or away.
pub fn plan(facts: &Facts<'_>, target: &Target) -> Result<RestorePlan, Refusal> {
    let each = facts.repositories.iter().map(|holdings| plan_from(holdings, facts, target));
    let (plans, refusals): (Vec<_>, Vec<_>) = each.partition(Result::is_ok);
    let plans = plans.into_iter().flatten();
    let best = plans.reduce(|best, other| {
        // Where the leader archives all of it, each repository will have it.
        let by_archive = best.ends != End::Target && best.loss != Loss::Nothing;
        let goes_further = other.wal.last > best.wal.last || other.ends == End::Target;
        if by_archive && goes_further { other } else { best }
    });
    let refusals: Vec<Refusal> = refusals.into_iter().filter_map(Result::err).collect();
    best.ok_or_else(|| {
        let of_target =
            |refusal: &&Refusal| !matches!(refusal, Refusal::NoBackup | Refusal::Unreadable { .. });
        let said = refusals.iter().find(of_target).or(refusals.first());
        said.cloned().unwrap_or(Refusal::NoBackup)
    })
}

fn plan_from(
    holdings: &Holdings,
    facts: &Facts<'_>,
    target: &Target,
) -> Result<RestorePlan, Refusal> {
    if let Some(reason) = holdings.unreadable.clone() {
        return Err(Refusal::Unreadable { repository: holdings.repository, reason });
    }
    if holdings.backups.is_empty() {
        return Err(Refusal::NoBackup);
    }
    let replaces = replaced(holdings, facts)?;
    let newest = holdings.newest_timeline().unwrap_or(1);
    // One of another database has no part in this one's history.
    let leads = facts.leader.as_ref().filter(|leader| holdings.is_of(leader.system_id));
    let own = leads.map_or(newest, |leader| leader.timeline);
    let lineage = lineage(holdings, target, own, newest)?;
    // A leader writes on its own timeline only, and what is archived of it goes on growing.
    let live = leads.filter(|leader| leader.timeline == lineage.timeline());
    let last = holdings.last(&lineage);
    let reach = reach::Reach { holdings, lineage: &lineage, live, last, now_s: facts.now_s };
    reach.not_too_late(target)?;
    let backup = choose(holdings, target, &lineage)?;
    let wal = reach.wal(target, backup)?;
    let ends = reach.ends(target, &wal);

    let loss = match (ends, live) {
        (End::Archive, Some(_)) => Loss::Nothing,
        (End::Archive, None) => Loss::NotArchived {
            last: last.map(|last| last.segment),
            arrived_s: last.map(|last| last.arrived_s),
        },
        _ => Loss::AfterTarget,
    };
    let left_behind = holdings.backups.iter().filter(|other| match &target.stop {
        Stop::Latest => !holdings.is_on(other, &lineage),
        _ => other.label != backup.label && !ends_before(other, target, &lineage, holdings, backup),
    });
    let source = facts.source.as_ref().filter(|source| holdings.is_of(source.system_id));
    let nodes: Vec<&str> =
        facts.topology.of_role(Role::Postgres).map(|m| m.name.as_str()).collect();
    let leader = facts.leader.as_ref().map(|leader| leader.name.as_str());
    let runs = |name: &&&str| facts.running.iter().any(|running| running == **name);
    // A node of a standby data center would never take the key.
    let may_lead: Vec<&str> = facts.topology.primary_nodes().map(|m| m.name.as_str()).collect();
    let leader = leader.or_else(|| may_lead.iter().find(runs).copied());
    let leader = leader.or(may_lead.first().copied()).unwrap_or(nodes[0]).to_owned();
    Ok(RestorePlan {
        target: target.clone(),
        repository: holdings.repository,
        backup: backup.label.clone(),
        backup_kind: backup.kind,
        backup_stopped_s: backup.stopped_s,
        backup_bytes: backup.size_bytes,
        backup_assumed: target.set.is_none() && matches!(target.stop, Stop::Xid(_) | Stop::Name(_)),
        timeline: lineage.timeline(),
        newest_timeline: newest.max(own),
        wal,
        loss,
        left_behind: left_behind.map(|other| other.label.clone()).collect(),
        replicas: nodes.into_iter().filter(|n| *n != leader).map(str::to_owned).collect(),
        leader,
        leader_archives: leads.is_some(),
        tablespaces: Vec::new(),
        replaces,
        nodes_empty: facts.leader.is_none()
            && !facts.running.is_empty()
            && facts.databases.is_empty(),
        ends,
        copy: facts.copy,
        source: source.map(|source| NotArchived::of(source, lineage.timeline(), last)),
        logical: facts.logical.clone(),
        steps: Step::ALL.into(),
    })
}

/// The databases that would be lost.
fn replaced(holdings: &Holdings, facts: &Facts<'_>) -> Result<Vec<u64>, Refusal> {
    let of_leader = facts.leader.as_ref().map(|leader| leader.system_id);
    let all: BTreeSet<u64> = facts.databases.iter().copied().chain(of_leader).collect();
    let others = all.iter().copied().filter(|id| !holdings.is_of(*id)).collect::<Vec<_>>();
    match (holdings.system_id, others.first()) {
        // Where some nodes have it, it is the cluster's own.
        (Some(held), Some(&own)) if others.len() == all.len() && !facts.named => {
            Err(Refusal::OtherDatabase { repository: holdings.repository, held, own })
        }
        _ => Ok(others),
    }
}

impl RestorePlan {
    /// Takes note of where the backup has tablespaces.
    ///
    /// # Errors
    /// When one is not on the volume that the data are restored to.
    pub fn with_tablespaces(mut self, paths: Vec<String>, data: &str) -> Result<Self, OffVolume> {
        let linked: Vec<Linked> = paths
            .iter()
            .map(|path| Linked {
                link: "a tablespace".to_owned(),
                path: path.clone(),
                on_volume: is_on_volume(path, data),
            })
            .collect();
        demand_on_volume(&format!("backup {}", self.backup), &linked)?;
        self.tablespaces = paths;
        Ok(self)
    }

    /// What pgBackRest is told beside its configuration, its stanza and whether files are there.
    pub fn pgbackrest(&self) -> Vec<String> {
        // pgBackRest takes the option not for every kind of target, and Postgres's own default is the
        // newest timeline, which the backup may be no part of.
        // One that is named must have its history in the archive; a repository that was made anew may
        // have only what came after.
        let own = self.timeline > 1 && self.timeline == self.wal.first.timeline;
        let timeline = if own { "current".to_owned() } else { self.timeline.to_string() };
        let timeline = match self.target.stop {
            Stop::Backup => format!("--recovery-option=recovery_target_timeline={timeline}"),
            _ => format!("--target-timeline={timeline}"),
        };
        let repository = format!("--repo={}", self.repository);
        let mut arguments = vec![repository, format!("--set={}", self.backup), timeline];
        if self.ends != End::Archive {
            arguments.extend(self.target.pgbackrest());
        }
        arguments.push("restore".to_owned());
        arguments
    }
}

impl RestorePlan {
    /// How WAL is replayed.
    pub fn recovery(&self) -> Recovery {
        Recovery { or_end: self.ends == End::TargetOrArchive, copy: self.copy }
    }
}

fn lineage(
    holdings: &Holdings,
    target: &Target,
    own: u32,
    newest: u32,
) -> Result<Lineage, Refusal> {
    let refuse = |timeline, reason: String| Refusal::Timeline { timeline, reason, newest };
    // A backup that is asked for by name says by itself which history is meant.
    let of_set = target.set.as_ref().and_then(|label| holdings.backup(label));
    let timeline = target.timeline.unwrap_or(match (&target.stop, of_set) {
        (Stop::Backup, Some(backup)) => backup.last.timeline,
        _ => own,
    });
    if timeline > newest.max(own) {
        return Err(refuse(timeline, "there is none of that number".to_owned()));
    }
    holdings.lineage(timeline).map_err(|e| refuse(timeline, e.reason))
}

/// The second of a time target, rounded down.
fn second_of(time: &str) -> i64 {
    Moment::parse(time).map(|moment| moment.at.as_second()).unwrap_or_default()
}

/// A time in seconds since 1970 as it can be given back: `2026-11-23 10:00:00+00`.
fn utc(second: i64) -> String {
    let time = jiff::Timestamp::from_second(second).unwrap_or_default();
    format!("{}+00", time.strftime("%Y-%m-%d %H:%M:%S"))
}

/// Whether a backup had ended where the target is. Of a transaction or a restore point nobody knows.
fn precedes(backup: &Backup, target: &Target) -> bool {
    match &target.stop {
        // The second in which it ended may have had writes before and after its end.
        Stop::Time(time) => backup.stopped_s < second_of(time),
        Stop::Lsn(lsn) => backup.stop <= *lsn,
        Stop::Latest | Stop::Backup | Stop::Xid(_) | Stop::Name(_) => true,
    }
}

/// Whether another backup is part of the history that will be after the restore.
fn ends_before(
    other: &Backup,
    target: &Target,
    lineage: &Lineage,
    holdings: &Holdings,
    chosen: &Backup,
) -> bool {
    let known = matches!(target.stop, Stop::Time(_) | Stop::Lsn(_));
    holdings.is_on(other, lineage)
        && (other.stop <= chosen.stop
            || known && precedes(other, target)
            || !known && target.stop != Stop::Backup)
}

fn choose<'a>(
    holdings: &'a Holdings,
    target: &Target,
    lineage: &Lineage,
) -> Result<&'a Backup, Refusal> {
    let on_it = |backup: &&Backup| holdings.is_on(backup, lineage);
    let earliest = |backup: &Backup| match target.stop {
        Stop::Lsn(_) => format!("--lsn {}", backup.stop),
        _ => format!("--time '{}'", utc(backup.stopped_s.saturating_add(1))),
    };
    let early = |which: String, backup: &Backup| Refusal::TooEarly {
        target: target.to_string(),
        which,
        earliest: earliest(backup),
    };
    if let Some(label) = &target.set {
        let backup = holdings.backup(label).ok_or_else(|| Refusal::UnknownBackup {
            label: label.clone(),
            known: holdings.backups.iter().map(|b| b.label.clone()).collect(),
        })?;
        if !on_it(&backup) {
            return Err(Refusal::OtherHistory {
                label: label.clone(),
                own: backup.last.timeline,
                timeline: lineage.timeline(),
                usable: holdings.newest_on(lineage).map(|b| b.label.clone()),
            });
        }
        return if precedes(backup, target) {
            Ok(backup)
        } else {
            Err(early(format!("backup {label}"), backup))
        };
    }
    let mut usable = holdings.backups.iter().filter(on_it);
    if let Some(backup) = usable.clone().rev().find(|backup| precedes(backup, target)) {
        return Ok(backup);
    }
    if let Some(first) = usable.next() {
        return Err(early("the first backup".to_owned(), first));
    }
    let any = holdings.backups.last().expect("there is one, as was looked at before");
    Err(Refusal::OtherHistory {
        label: any.label.clone(),
        own: any.last.timeline,
        timeline: lineage.timeline(),
        usable: None,
    })
}

#[cfg(test)]
pub(super) mod tests;
