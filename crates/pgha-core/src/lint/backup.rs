//! First stage: settings of backups that pgBackRest does not take, or that are hardly meant.

use super::Finding;
use crate::spec::{BackupSpec, Compression, Encryption, Repo2};

/// The most that pgBackRest takes.
const RETENTION_MAX: u32 = 9_999_999;
/// The most that pgBackRest takes.
const PROCESS_MAX: u32 = 999;
/// More processes than this are more than one machine with a whole cluster has cores for.
const PROCESS_MAX_QUIET: u32 = 16;

/// Everything there is to say about `[backup]`.
pub(super) fn check(backup: &BackupSpec) -> Vec<Finding> {
    let mut findings = retention(backup);
    findings.extend(compression(backup));
    if backup.block_incremental && !backup.bundle {
        findings.push(Finding::error(
            "backup_block_without_bundle",
            "block_incremental requires bundle",
            "bundle = true, or block_incremental = false",
        ));
    }
    findings.extend(processes(backup));
    if backup.encryption == Encryption::None {
        findings.push(Finding::warning(
            "backup_not_encrypted",
            "the repository is not encrypted: anyone with access to its files can read all data",
            "set encryption = \"aes-256-cbc\"; the key is generated beside the compose file",
        ));
    }
    findings.extend(backup.repo2.as_ref().map(repo2).unwrap_or_default());
    findings
}

fn retention(backup: &BackupSpec) -> Vec<Finding> {
    let mut findings = Vec::new();
    let all = [
        ("retention_full", Some(backup.retention_full)),
        ("retention_diff", backup.retention_diff),
        ("retention_archive", backup.retention_archive),
    ];
    for (key, kept) in all.into_iter().filter_map(|(key, kept)| Some((key, kept?))) {
        if kept == 0 || kept > RETENTION_MAX {
            findings.push(Finding::error(
                "backup_retention",
                format!("{key} = {kept}, and pgBackRest keeps 1 to {RETENTION_MAX}"),
                format!("{key} = 2 keeps the last two"),
            ));
        }
    }
    if backup.retention_full == 1 {
        findings.push(Finding::warning(
            "backup_retention_one",
            "retention_full = 1: the previous full backup is removed as soon as a new one completes",
            "set retention_full = 2 to keep one more in case the last is damaged",
        ));
    }
    if backup.retention_archive.is_some_and(|archive| archive > backup.retention_full) {
        findings.push(Finding::warning(
            "backup_retention_archive",
            "retention_archive is larger than retention_full",
            "remove retention_archive: WAL since the oldest backup is kept",
        ));
    }
    findings
}

fn compression(backup: &BackupSpec) -> Option<Finding> {
    let (kind, level) = (backup.compression, backup.compression_level?);
    match kind.levels() {
        None => Some(Finding::warning(
            "backup_compression_level",
            format!("compression_level = {level} has no effect without compression"),
            "leave it out",
        )),
        Some(levels) if !levels.contains(&level) => Some(Finding::error(
            "backup_compression_level",
            format!(
                "compression_level = {level}, and {kind} takes {} to {}",
                levels.start(),
                levels.end()
            ),
            match kind {
                Compression::Zst => "leave it out for 3",
                Compression::Lz4 => "leave it out for 1",
                Compression::Gz | Compression::None => "leave it out for 6",
            },
        )),
        Some(_) => None,
    }
}

fn processes(backup: &BackupSpec) -> Option<Finding> {
    match backup.process_max {
        0 | 1000.. => Some(Finding::error(
            "backup_process_max",
            format!(
                "process_max = {}, and pgBackRest takes 1 to {PROCESS_MAX}",
                backup.process_max
            ),
            "process_max = 2",
        )),
        many if many > PROCESS_MAX_QUIET => Some(Finding::warning(
            "backup_process_max",
            format!(
                "process_max = {many}: each node and the backup host run that many processes at once"
            ),
            "more processes than cores make a backup slower",
        )),
        _ => None,
    }
}

/// What is written into pgBackRest's configuration must stay one value of one line.
fn repo2(repo: &Repo2) -> Vec<Finding> {
    let mut findings = Vec::new();
    match repo {
        Repo2::Posix { path: None } => {}
        Repo2::Posix { path: Some(path) } => {
            if !is_path_from_the_root(path) {
                findings.push(Finding::error(
                    "backup_repo2",
                    format!("repo2 path {path:?} is not absolute"),
                    "path = \"/srv/backups\", or leave it out for a volume of Docker's",
                ));
            }
        }
        Repo2::S3 { bucket, endpoint, region, verify_tls, ca_file, .. } => {
            let fits = |text: &str| {
                let known = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
                !text.is_empty() && text.len() <= 255 && text.chars().all(known)
            };
            for (key, value) in [("bucket", bucket), ("endpoint", endpoint), ("region", region)] {
                if !fits(value) {
                    findings.push(Finding::error(
                        "backup_repo2",
                        format!(
                            "the {key} of the second repository is {:?}",
                            value.chars().take(40).collect::<String>()
                        ),
                        format!("{key} takes letters, digits, `.`, `-` and `_`; the endpoint is a host name"),
                    ));
                }
            }
            if let Some(path) = ca_file.as_ref().filter(|path| !is_path_from_the_root(path)) {
                findings.push(Finding::error(
                    "backup_repo2",
                    format!("repo2 ca_file {path:?} is not absolute"),
                    "ca_file = \"/etc/ssl/own-ca.crt\", or remove it to use Debian's CA certificates",
                ));
            }
            if let Some(path) = ca_file.as_ref().filter(|path| path.contains(':')) {
                findings.push(Finding::error(
                    "backup_repo2",
                    format!(
                        "the ca_file of the second repository is {path:?}, and Compose mounts \
                             a secret as `source:target`"
                    ),
                    "a path without `:`",
                ));
            }
            if !verify_tls {
                findings.push(Finding::warning(
                    "backup_repo2_unverified",
                    "repo2 verify_tls = false: the S3 endpoint's certificate is not checked",
                    "set verify_tls = true, and ca_file to the CA of a private certificate",
                ));
            }
        }
    }
    findings
}

fn is_path_from_the_root(path: &str) -> bool {
    path.starts_with('/') && path.len() >= 2 && !path.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::UriStyle;

    fn codes(backup: &BackupSpec) -> Vec<&'static str> {
        check(backup).iter().map(|f| f.code).collect()
    }

    #[test]
    fn the_defaults_are_nothing_to_talk_about() {
        assert_eq!(codes(&BackupSpec::default()), [""; 0]);
    }

    #[test]
    fn what_pgbackrest_does_not_take_is_an_error() {
        let with = |change: fn(&mut BackupSpec)| {
            let mut backup = BackupSpec::default();
            change(&mut backup);
            codes(&backup)
        };
        assert_eq!(with(|b| b.retention_full = 0), ["backup_retention"]);
        assert_eq!(with(|b| b.retention_diff = Some(0)), ["backup_retention"]);
        assert_eq!(with(|b| b.retention_full = 1), ["backup_retention_one"]);
        assert_eq!(with(|b| b.retention_archive = Some(9)), ["backup_retention_archive"]);
        assert_eq!(with(|b| b.compression_level = Some(23)), ["backup_compression_level"]);
        assert_eq!(with(|b| b.compression_level = Some(22)), [""; 0]);
        assert_eq!(with(|b| b.bundle = false), ["backup_block_without_bundle"]);
        assert_eq!(with(|b| b.process_max = 0), ["backup_process_max"]);
        assert_eq!(with(|b| b.process_max = 17), ["backup_process_max"]);
        assert_eq!(with(|b| b.encryption = Encryption::None), ["backup_not_encrypted"]);
    }

    #[test]
    fn nothing_is_smuggled_into_the_configuration() {
        for path in ["", "/", "srv", "/srv\nrepo1-path=/tmp"] {
            let repo2 = Some(Repo2::Posix { path: Some(path.to_owned()) });
            assert_eq!(codes(&BackupSpec { repo2, ..BackupSpec::default() }), ["backup_repo2"]);
        }
        let s3 = |bucket: &str, ca_file: Option<&str>| Repo2::S3 {
            bucket: bucket.to_owned(),
            endpoint: "s3.example.com".to_owned(),
            region: "eu".to_owned(),
            uri_style: UriStyle::Host,
            port: None,
            verify_tls: true,
            ca_file: ca_file.map(str::to_owned),
        };
        for (bucket, ca_file, found) in [
            ("shop", None, 0),
            ("shop", Some("/srv/ca.crt"), 0),
            ("", None, 1),
            ("a b", None, 1),
            ("a\nrepo1-cipher-type=none", None, 1),
            ("shop", Some("ca.crt"), 1),
            ("shop", Some("/srv/a:b.crt"), 1),
            ("shop", Some("/srv\nca.crt"), 1),
        ] {
            let repo2 = Some(s3(bucket, ca_file));
            assert_eq!(codes(&BackupSpec { repo2, ..BackupSpec::default() }).len(), found);
        }
    }
}
