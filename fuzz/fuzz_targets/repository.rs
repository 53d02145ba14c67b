//! What pgBackRest and a user say of backups: a listing, a line, a schedule, a name of WAL is read or refused, and what is
//! read is written as it was.

#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use pgha_core::backup_run::{Event, Said};
use pgha_core::repository::{Repository, label_time_s};
use pgha_core::schedule::Schedule;
use pgha_core::wal::{Lsn, Segment};

fuzz_target!(|body: &[u8]| {
    if let Ok(repository) = Repository::from_info(body) {
        let _ = (repository.latest(), repository.latest_full(), repository.current_database());
        let _ = repository.running.and_then(|running| running.percent());
        let printed = serde_json::to_string(&repository).expect("a listing is always JSON");
        assert_eq!(serde_json::from_str::<Repository>(&printed).ok(), Some(repository));
    }
    if let Ok(event) = serde_json::from_slice::<Event>(body) {
        let line = serde_json::to_string(&event).expect("an event is always JSON");
        assert!(!line.contains('\n'));
    }
    let Ok(text) = std::str::from_utf8(body) else { return };
    if let Some(said) = Said::parse(text) {
        let _ = (said.phase(), said.new_label());
    }
    let _ = label_time_s(text);
    if let Ok(schedule) = text.parse::<Schedule>() {
        assert_eq!(schedule.to_string().parse(), Ok(schedule.clone()));
        let (due, _) =
            schedule.next(Timestamp::UNIX_EPOCH).expect("one that never comes is refused");
        assert!(due > Timestamp::UNIX_EPOCH);
    }
    if let Ok(segment) = text.parse::<Segment>() {
        assert_eq!(segment.to_string(), text.to_ascii_uppercase());
        assert!(segment.start() < segment.last_byte());
    }
    if let Ok(lsn) = text.parse::<Lsn>() {
        assert_eq!(lsn.to_string().parse(), Ok(lsn));
    }
});
