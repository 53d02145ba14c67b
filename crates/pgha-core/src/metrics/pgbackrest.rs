//! What the repository holds, under the names of `pgbackrest_exporter`.

use super::exposition::{Exposition, Label};
use super::{Seen, flag, number};
use crate::repository::{Backup, BackupType, Database, Repository, STANZA};
use crate::topology::Role;

/// One metric of each backup: its name, its help, and its value where there is one.
type Metric = (&'static str, &'static str, fn(&Backup) -> Option<f64>);

const OF_BACKUP: &[Metric] = &[
    ("pgbackrest_backup_size_bytes", "Full uncompressed size of the database.", |b| {
        Some(number(b.database_bytes))
    }),
    ("pgbackrest_backup_delta_bytes", "Amount of data in the database to actually backup.", |b| {
        Some(number(b.copied_bytes))
    }),
    (
        "pgbackrest_backup_repo_size_bytes",
        "Full compressed files size to restore the database from backup.",
        |b| b.repository_set_bytes.map(number),
    ),
    ("pgbackrest_backup_repo_delta_bytes", "Compressed files size in backup.", |b| {
        Some(number(b.repository_bytes))
    }),
    ("pgbackrest_backup_duration_seconds", "Backup duration.", |b| {
        Some(number(b.stopped_s.saturating_sub(b.started_s)))
    }),
    ("pgbackrest_backup_error_status", "Backup error status.", |b| Some(flag(b.page_errors))),
];

pub(super) fn add(out: &mut Exposition, seen: &Seen<'_>) {
    let Some(repository) = seen.repository else { return };
    let host = seen.view.members.iter().find(|m| m.kind == Role::Backup);
    let mut labels = host.map_or_else(|| vec![seen.cluster()], |host| seen.of_member(host));
    labels.push(("stanza", STANZA.to_owned()));
    out.gauge("pgbackrest_stanza_status", "Current stanza status.")
        .set(labels.clone(), f64::from(repository.status.code));
    let family = out.gauge("pgbackrest_repo_status", "Current repository status.");
    for one in &repository.repositories {
        let own = [("cipher", one.cipher.clone()), ("repo_key", one.key.to_string())];
        family.set([labels.as_slice(), &own].concat(), f64::from(one.status.code));
    }
    backups(out, repository, &labels);
    archive(out, repository, &labels);
    since_last(out, seen, repository, &labels);
}

fn backups(out: &mut Exposition, repository: &Repository, labels: &[Label]) {
    let of = |backup: &Backup| {
        let own = [
            ("backup_name", backup.label.clone()),
            ("backup_type", backup.kind.to_string()),
            ("database_id", backup.database.to_string()),
            ("repo_key", backup.repository.to_string()),
        ];
        [labels, &own].concat()
    };
    let family = out.gauge("pgbackrest_backup_info", "Backup info.");
    for backup in &repository.backups {
        let text = |value: Option<String>| value.unwrap_or_default();
        let own = [
            ("lsn_start", text(backup.lsn_start.map(|lsn| lsn.to_string()))),
            ("lsn_stop", text(backup.lsn_stop.map(|lsn| lsn.to_string()))),
            ("prior", text(backup.prior.clone())),
            ("wal_start", text(backup.wal_start.map(|wal| wal.to_string()))),
            ("wal_stop", text(backup.wal_stop.map(|wal| wal.to_string()))),
        ];
        family.set([of(backup).as_slice(), &own].concat(), 1.0);
    }
    for (name, help, value) in OF_BACKUP {
        let family = out.gauge(name, help);
        for backup in &repository.backups {
            family.set_some(of(backup), value(backup));
        }
    }
}

fn archive(out: &mut Exposition, repository: &Repository, labels: &[Label]) {
    let family = out.gauge("pgbackrest_wal_archive_status", "Current WAL archive status.");
    for range in &repository.archives {
        let version = |database: &&Database| {
            database.id == range.database && database.repository == range.repository
        };
        let version = repository.databases.iter().find(version).map(|d| d.version.clone());
        let own = [
            ("database_id", range.database.to_string()),
            ("pg_version", version.unwrap_or_default()),
            ("repo_key", range.repository.to_string()),
        ];
        let holds = range.min.is_some() && range.max.is_some();
        family.set([labels, &own].concat(), flag(holds));
    }
}

/// A differential backup is no older than the last full one, an incremental one no older than either.
fn since_last(out: &mut Exposition, seen: &Seen<'_>, repository: &Repository, labels: &[Label]) {
    let Some(now_s) = seen.observed.now_s else { return };
    let family = out.gauge(
        "pgbackrest_backup_since_last_completion_seconds",
        "Seconds since the last completed full, differential or incremental backup.",
    );
    for (place, kind) in BackupType::ALL.into_iter().enumerate() {
        let counts = |backup: &&Backup| BackupType::ALL[..=place].contains(&backup.kind);
        let last = repository.backups.iter().filter(counts).map(|backup| backup.stopped_s).max();
        if let Some(last) = last {
            let own = [("backup_type", kind.to_string())];
            family.set([labels, &own].concat(), number(now_s.saturating_sub(last)));
        }
    }
}
