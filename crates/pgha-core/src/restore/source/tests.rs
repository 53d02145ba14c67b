use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::repository::STATUS_MISSING_STANZA;
use crate::restore::Holdings;
use crate::spec::{Repo2, UriStyle};

const URL: &str = "s3://shop/db/main?endpoint=s3.example.com:9000&region=eu-1&uri_style=path\
    &verify_tls=false&ca_file=/srv/ca.crt";

fn place(text: &str) -> Place {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_folder_is_named_with_and_without_its_kind() {
    let folder = Place::Folder("/srv/backups".to_owned());
    assert_eq!(place("posix:/srv/backups"), folder);
    assert_eq!(place("/srv/backups"), folder);
    assert_eq!(place("backups"), Place::Folder("backups".to_owned()));
    assert_eq!(place(&folder.to_string()), folder);
}

#[test]
fn a_bucket_is_a_url_that_reads_back_as_itself() {
    let Place::S3(bucket) = place(URL) else { panic!("it is no bucket") };
    assert_eq!((bucket.bucket.as_str(), bucket.path.as_deref()), ("shop", Some("/db/main")));
    assert_eq!((bucket.endpoint.as_str(), bucket.port), ("s3.example.com", Some(9000)));
    assert_eq!((bucket.uri_style, bucket.verify_tls), (UriStyle::Path, false));
    assert_eq!(place(URL).to_string(), URL);
    let short = "s3://shop?endpoint=e&region=r";
    assert_eq!(place(short).to_string(), short);
}

#[test]
fn what_names_no_repository_is_refused_with_what_is_missing() {
    for (text, said) in [
        ("", "no repository"),
        ("posix", "no folder"),
        ("posix:", "no folder"),
        ("gcs://shop", "neither a folder nor s3://"),
        ("s3:shop", "`shop` is not understood"),
        ("s3://?endpoint=e&region=r", "no bucket"),
        ("s3://shop?region=r", "no endpoint"),
        ("s3://shop?endpoint=e", "no region"),
        ("s3://shop?endpoint=e&region=r&key=k", "`key=k`"),
        ("s3://shop?endpoint=e:x&region=r", "`endpoint=e:x`"),
        ("s3://shop?endpoint=e&region=r\nrepo1-path=/", "not understood"),
    ] {
        let error = text.parse::<Place>().expect_err(text);
        assert!(error.to_string().contains(said), "{text:?}: {error}");
    }
}

#[test]
fn a_second_repository_is_named_as_from_wants_it() {
    let posix = Repo2::Posix { path: Some("/b".to_owned()) };
    assert_eq!(Place::of(&posix, Some("demo-1")).expect("a folder").to_string(), "posix:/b");
    assert_eq!(Place::of(&Repo2::Posix { path: None }, None), None);
    let s3 = Repo2::S3 {
        bucket: "shop".to_owned(),
        endpoint: "e".to_owned(),
        region: "r".to_owned(),
        uri_style: UriStyle::Host,
        port: None,
        verify_tls: true,
        ca_file: None,
    };
    let named = Place::of(&s3, Some("demo-1")).expect("a bucket");
    assert_eq!(named.to_string(), "s3://shop/pgha/demo-1?endpoint=e&region=r");
}

#[test]
fn a_repository_is_looked_for_where_pgha_puts_it() {
    assert!(is_repository(["archive", "x"]) && !is_repository(["repository"]));
    let folder = place("/srv");
    assert_eq!(folder.further(), Further::Folder("/from/repository".to_owned()));
    assert_eq!(folder.with_root("/from/repository").to_string(), "posix:/srv/repository");
    let bucket = place("s3://b?endpoint=e&region=r");
    assert_eq!(
        (bucket.root().as_str(), bucket.further()),
        ("/", Further::FoldersOf("/pgha".to_owned()))
    );
    assert_eq!(place(URL).further(), Further::Nowhere);

    let root = |name: &str| format!("/pgha/{name}");
    assert_eq!(pick_root(&bucket, vec![root("demo-1")]), Ok(root("demo-1")));
    assert!(matches!(pick_root(&bucket, vec![]), Err(Unusable::NoRepository { .. })));
    let two = pick_root(&bucket, vec![root("a-1"), root("b-2")]).expect_err("two");
    assert!(two.hint().contains("s3://b/pgha/b-2?endpoint=e&region=r"), "{}", two.hint());
}

#[test]
fn the_only_stanza_is_taken_and_of_several_one_is_asked_for() {
    assert_eq!(pick_stanza(&names(&["main"]), None).as_deref(), Ok("main"));
    assert_eq!(pick_stanza(&names(&[]), Some("main")), Err(Unusable::NoStanza));
    let two = names(&["main", "other"]);
    assert_eq!(pick_stanza(&two, Some("other")).as_deref(), Ok("other"));
    let several = pick_stanza(&two, None).expect_err("several");
    assert_eq!(several.to_string(), "the repository has 2 stanzas: main, other");
    let unknown = pick_stanza(&two, Some("Main")).expect_err("another");
    assert!(unknown.hint().contains("main, other"));
}

#[test]
fn a_key_is_wanted_where_the_repository_is_encrypted_and_only_there() {
    assert_eq!(is_encrypted(b"Salted__\x01\x02", true), Ok(true));
    assert_eq!(is_encrypted(b"Salted__\x01\x02", false), Err(Unusable::KeyMissing));
    assert_eq!(is_encrypted(b"[backup:current]\n", false), Ok(false));
    assert_eq!(is_encrypted(b"[backup:current]\n", true), Err(Unusable::NotEncrypted));
    for odd in [&b""[..], b"Salted", b"\x1f\x8b"] {
        assert_eq!(is_encrypted(odd, true), Err(Unusable::UnknownCipher));
        assert_eq!(is_encrypted(odd, false), Err(Unusable::UnknownCipher));
    }
}

#[test]
fn a_repository_of_another_format_is_refused_and_nonsense_is_the_wrong_key() {
    let info =
        |format: u32| format!("[backrest]\nbackrest-format={format}\nbackrest-version=\"2.99\"\n");
    assert_eq!(demand_format(info(5).as_bytes(), true), Ok(()));
    let refused = demand_format(info(6).as_bytes(), false).expect_err("another format");
    assert_eq!(refused.to_string(), "the repository is of format 6, by pgBackRest 2.99");
    assert!(matches!(demand_format(b"\xff\x00garbage", true), Err(Unusable::WrongKey { .. })));
    assert!(matches!(demand_format(b"[backup]\n", false), Err(Unusable::Unreadable { .. })));
}

fn found(version: &str, backup_of: u32, code: u32) -> Found {
    let info = json!([{
        "archive": [],
        "backup": [{
            "archive": {"start": "000000010000000000000004", "stop": "000000010000000000000005"},
            "database": {"id": backup_of, "repo-key": 1},
            "error": false,
            "info": {"size": 23_481_115, "delta": 1, "repository": {"delta": 1}},
            "label": "20261124-160125F",
            "lsn": {"start": "0/4000028", "stop": "0/5000050"},
            "timestamp": {"start": 1, "stop": 2},
            "type": "full",
        }],
        "db": [{"id": 1, "repo-key": 1, "system-id": 7, "version": version}],
        "name": "main",
        "repo": [{"cipher": "none", "key": 1, "status": {"code": code, "message": "said"}}],
        "status": {"code": code, "message": "said"},
    }]);
    let report = json!({ "repository": 1, "info": info, "archive": {}, "histories": {} });
    let at = At { root: SOURCE_MOUNT.to_owned(), stanza: "main".to_owned() };
    Found { at, encrypted: false, report }
}

#[test]
fn a_database_decides_the_major_and_one_without_an_image_or_a_backup_is_refused() {
    assert_eq!(demand_usable(&found("17", 1, STATUS_OK)), Ok(17));
    for version in ["9.6", "13", "19", ""] {
        let refused = demand_usable(&found(version, 1, STATUS_OK));
        assert_eq!(refused, Err(Unusable::Postgres { version: version.to_owned() }));
    }
    // After an upgrade the backups are the earlier major's.
    let refused = demand_usable(&found("17", 2, STATUS_OK));
    assert!(matches!(refused, Err(Unusable::NoBackup { .. })), "{refused:?}");
    for code in [STATUS_MISSING_STANZA, 99] {
        let refused = demand_usable(&found("17", 1, code));
        assert_eq!(refused, Err(Unusable::Unreadable { said: "said".to_owned() }));
    }
}

#[test]
fn the_report_of_a_stanza_of_any_name_is_what_a_plan_is_made_from() {
    let report = found("17", 1, STATUS_OK).report;
    let holdings = Holdings::of_stanza(&report, "main").expect("a report");
    assert_eq!((holdings.backups.len(), holdings.system_id), (1, Some(7)));
    let other = Holdings::of_stanza(&report, "pgha_db").expect("a report");
    assert!(other.backups.is_empty());
}

#[test]
fn the_configuration_has_key_and_credentials_and_debug_has_not() {
    let request = Request {
        place: place(URL),
        credentials: Some(["access".to_owned(), "hidden".to_owned()]),
        key: Some("phrase".to_owned()),
        ask: Ask::Find { stanza: None },
    };
    let sealed = request.config("/db/main", true);
    for line in [
        "repo1-path=/db/main",
        "repo1-s3-bucket=shop",
        "repo1-s3-key-secret=hidden",
        "repo1-storage-port=9000",
        "repo1-storage-verify-tls=n",
        "repo1-storage-ca-file=/run/pgha-source-ca.crt",
        "repo1-cipher-pass=phrase",
    ] {
        assert!(sealed.lines().any(|there| there == line), "{line} is not in\n{sealed}");
    }
    assert!(!request.config("/", false).contains("cipher"));
    let shown = format!("{request:?}");
    assert!(!shown.contains("phrase") && !shown.contains("hidden"), "{shown}");
    let folder = Request { place: place("/srv"), ..request };
    assert!(!folder.config(SOURCE_MOUNT, true).contains("s3"));
}

#[test]
fn a_cluster_file_names_a_major_or_leaves_it_open() {
    assert_eq!(named_postgres("postgres = 16\n"), Some(16));
    for open in ["", "nodes = 2", "postgres = \"16\"", "postgres ="] {
        assert_eq!(named_postgres(open), None, "{open}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_place_that_reads_back_or_none(text in "(s3://|posix:)?[ -~]{0,40}") {
        if let Ok(place) = text.parse::<Place>() {
            prop_assert_eq!(place.to_string().parse(), Ok(place));
        }
    }
}
