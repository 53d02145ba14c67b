//! The parser, on what pgBackRest 2.55.1 printed on real clusters.

use proptest::prelude::*;

use super::*;

/// A full, a differential and an incremental backup, each with annotations.
const THREE: &str = include_str!("info-three-backups.json");
/// Right after `stanza-create`.
const WITHOUT_BACKUP: &str = r#"[{"archive":[{"database":{"id":1,"repo-key":1},"id":"17-1",
    "max":"000000010000000000000003","min":"000000010000000000000001"}],"backup":[],"cipher":"none",
    "db":[{"id":1,"repo-key":1,"system-id":7711765257798610996,"version":"17"}],"name":"pgha_db",
    "repo":[{"cipher":"none","key":1,"status":{"code":2,"message":"no valid backups"}}],
    "status":{"code":2,"lock":{"backup":{"held":false}},"message":"no valid backups"}}]"#;
/// Asked for by name before `stanza-create`; without a name the list is empty.
const WITHOUT_STANZA: &str = r#"[{"archive":[],"backup":[],"cipher":"none","db":[],"name":"pgha_db",
    "repo":[{"cipher":"none","key":1,"status":{"code":1,"message":"missing stanza path"}}],
    "status":{"code":1,"lock":{"backup":{"held":false}},"message":"missing stanza path"}}]"#;

fn read(text: &str) -> Repository {
    Repository::from_info(text.as_bytes()).expect("a listing")
}

#[test]
fn a_listing_of_three_backups_is_this_model() {
    insta::assert_json_snapshot!(read(THREE));
}

#[test]
fn the_last_backup_and_the_last_full_one_are_told_apart() {
    let repository = read(THREE);
    assert!(repository.is_ok());
    let latest = repository.latest().expect("a backup");
    assert_eq!((latest.kind, latest.timeline()), (BackupType::Incr, Some(1)));
    assert_eq!(latest.references.len(), 2);
    let full = repository.latest_full().expect("a full backup");
    assert_eq!(full.label, "20261124-154919F");
    assert_eq!(repository.backup(&latest.label), Some(latest));
    assert_eq!(repository.backup("20261124-154919"), None);
    let database = repository.current_database().expect("a database");
    assert_eq!(database.system_id, 7_711_765_257_798_610_996);
}

#[test]
fn a_repository_without_backup_or_stanza_says_so() {
    let without_backup = read(WITHOUT_BACKUP);
    assert_eq!(without_backup.status.code, STATUS_NO_BACKUP);
    assert_eq!((without_backup.latest(), without_backup.latest_full()), (None, None));
    assert_eq!(without_backup.archives[0].max.map(|s| s.number), Some(3));
    for text in [WITHOUT_STANZA, "[]", &WITHOUT_BACKUP.replace("pgha_db", "other")] {
        let without_stanza = read(text);
        assert_eq!(without_stanza.status.code, STATUS_MISSING_STANZA);
        assert!(without_stanza.backups.is_empty() && !without_stanza.is_ok());
    }
}

#[test]
fn of_a_repository_with_another_key_the_complaint_is_shown_without_what_it_quotes() {
    let quoted =
        b"FormatError: key/value found outside of section at line 1: Salted__5\x07\xff\x1b[2J";
    let mut text =
        WITHOUT_BACKUP.replace(r#""code":2,"message":"no valid backups"}}"#, "\u{1}").into_bytes();
    let at = text.iter().position(|byte| *byte == 1).expect("it is there");
    let status =
        [&b"\"code\":99,\"message\":\"[FormatError] x:\n"[..], quoted, b"\n", quoted, b"\"}}"]
            .concat();
    text.splice(at..=at, status);
    let listing = Repository::from_info(&text).expect("a listing");
    assert_eq!(
        listing.repositories[0].status.message,
        "[FormatError] x:\nFormatError: key/value found outside of section at line 1: Salted__5 …"
    );
}

#[test]
fn a_running_backup_says_how_far_it_is() {
    let at = |lock: &str| read(&THREE.replace(r#""held":false"#, lock)).running;
    assert_eq!(at(r#""held":false"#), None);
    assert_eq!(at(r#""held":true"#), Some(Running::default()));
    let half = at(r#""held":true, "size":650988818,"size-cplt":537298137"#);
    assert_eq!(half.and_then(Running::percent), Some(82));
    let odd = at(r#""held":true, "size": 1, "size-cplt": 18446744073709551615"#);
    assert_eq!(odd.and_then(Running::percent), Some(100));
    let nothing_to_do = at(r#""held":true, "size": 0"#);
    assert_eq!(nothing_to_do.and_then(Running::percent), Some(100));
}

#[test]
fn a_backup_that_cannot_be_read_is_an_error_and_not_left_out() {
    for (part, odd) in [
        (r#""type":"diff""#, r#""type":"snapshot""#),
        ("000000010000000000000006", "00000001000000000000zz06"),
        ("0/7000050", "seven"),
        (r#""stop":1795535364"#, r#""stop":-1"#),
        (r#""label":"20261124-154919F","#, ""),
    ] {
        let text = THREE.replace(part, odd);
        assert_ne!(text, THREE, "{part} is not in the listing");
        assert!(Repository::from_info(text.as_bytes()).is_err(), "{odd} was accepted");
    }
    let error = Repository::from_info(b"ERROR: [055]: unable to open").expect_err("no JSON");
    assert!(error.contains("[055]"), "{error}");
    assert!(Repository::from_info(b"").expect_err("nothing").contains("nothing"));
}

#[test]
fn a_label_tells_when_its_backup_began() {
    for backup in read(THREE).backups {
        assert_eq!(label_time_s(&backup.label), Some((backup.kind, backup.started_s)));
    }
    for odd in
        ["", "latest", "20261324-154919F", "20261124-154919", "x_20261124-154919F", "äääääääääF"]
    {
        assert_eq!(label_time_s(odd), None, "{odd}");
    }
}

proptest! {
    #[test]
    fn any_label_is_read_or_refused(label: String) {
        let _ = label_time_s(&label);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        let _ = Repository::from_info(&bytes);
    }

    #[test]
    fn a_listing_with_any_byte_changed_is_read_or_refused(at in 0..THREE.len(), byte: u8) {
        let mut bytes = THREE.as_bytes().to_vec();
        bytes[at] = byte;
        let _ = Repository::from_info(&bytes);
    }

    #[test]
    fn a_cut_listing_is_refused(at in 0..THREE.trim_end().len()) {
        prop_assert!(Repository::from_info(&THREE.as_bytes()[..at]).is_err());
    }
}
