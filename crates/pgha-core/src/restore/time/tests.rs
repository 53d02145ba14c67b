//! Claims about times.

use proptest::prelude::*;

use super::*;

fn utc(text: &str) -> String {
    in_utc(Moment::parse(text).unwrap_or_else(|e| panic!("{text}: {e}")).at)
}

#[test]
fn what_postgres_and_pgbackrest_print_is_read() {
    for (given, moment) in [
        // log_line_prefix %m and %t, timestamptz, `pgbackrest info`, a zone without an abbreviation.
        ("2026-11-24 16:24:39.123 UTC", "2026-11-24 16:24:39.123000+00"),
        ("2026-11-24 16:24:39 GMT", "2026-11-24 16:24:39+00"),
        ("2026-11-24 17:24:39.123 CET", "2026-11-24 16:24:39.123000+00"),
        ("2026-11-24 16:24:39.123456+00", "2026-11-24 16:24:39.123456+00"),
        ("2026-11-24 21:54:39.123456+05:30", "2026-11-24 16:24:39.123456+00"),
        ("2026-11-24 16:24:38+00", "2026-11-24 16:24:38+00"),
        ("2026-11-24 13:24:39.123 -03", "2026-11-24 16:24:39.123000+00"),
        ("1890-01-01 00:53:28+00:53:28", "1890-01-01 00:00:00+00"),
        ("Tue Nov 24 17:24:39.123456 2026 CET", "2026-11-24 16:24:39.123456+00"),
        ("Thu Jan  1 00:00:00 2026 UTC", "2026-01-01 00:00:00+00"),
        ("24.11.2026 17:24:39.5 CET", "2026-11-24 16:24:39.500000+00"),
    ] {
        assert_eq!(utc(given), moment, "{given}");
    }
}

#[test]
fn an_offset_is_taken_in_every_form_and_also_after_a_blank() {
    for offset in ["+02", "+0200", "+02:00", "+2", " +02", " +0200", "  +02:00", "+02:00:00"] {
        assert_eq!(utc(&format!("2026-11-24 18:24:39{offset}")), "2026-11-24 16:24:39+00");
    }
    for offset in ["Z", " Z", "z", " UTC", "UTC", " utc", " Zulu", "-00", " +0000"] {
        assert_eq!(utc(&format!("2026-11-24T16:24{offset}")), "2026-11-24 16:24:00+00");
    }
}

#[test]
fn a_name_is_taken_with_the_offset_it_has_then() {
    for (given, name, offset) in [
        ("2026-11-24 17:24:39 Europe/Berlin", "Europe/Berlin", "+01"),
        ("2026-07-24 17:24:39 europe/berlin", "Europe/Berlin", "+02"),
        ("2026-11-24 17:24:39 Asia/Kolkata", "Asia/Kolkata", "+05:30"),
        // Summer or not, an abbreviation is one offset.
        ("2026-07-24 17:24:39 CET", "CET", "+01"),
        ("2026-07-24 17:24:39 CEST", "CEST", "+02"),
        ("2026-11-24 17:24:39 EST", "EST", "-05"),
        ("2026-11-24 17:24:39 JST", "JST", "+09"),
    ] {
        let zone = Moment::parse(given).unwrap_or_else(|e| panic!("{given}: {e}")).zone;
        let expected = NamedZone { name: name.to_owned(), offset: offset.to_owned() };
        assert_eq!(zone, Some(expected), "{given}");
    }
    assert_eq!(Moment::parse("2026-11-24 17:24:39 UTC").expect("a time").zone, None);
}

/// Each choice is another moment, and is taken.
fn choices(error: &TimeError) -> Vec<String> {
    let (TimeError::AmbiguousZone { choices, .. }
    | TimeError::Twice { choices, .. }
    | TimeError::Never { choices, .. }) = error
    else {
        panic!("no choices: {error:?}");
    };
    let moments: Vec<_> = choices.iter().map(|c| Moment::parse(c).expect("a choice").at).collect();
    assert!(
        moments.len() > 1
            && moments.iter().collect::<std::collections::BTreeSet<_>>().len() == moments.len()
    );
    choices.clone()
}

#[test]
fn an_hour_that_occurs_twice_or_never_is_refused_with_both_choices() {
    let error = Moment::parse("2026-10-25 02:30:00 Europe/Berlin").expect_err("twice");
    assert_eq!(error.to_string(), "2026-10-25 02:30:00 occurs twice in Europe/Berlin");
    assert_eq!(choices(&error), ["2026-10-25 02:30:00+02", "2026-10-25 02:30:00+01"]);
    let error = Moment::parse("2026-03-29 02:30:00.5 Europe/Berlin").expect_err("never");
    assert_eq!(choices(&error), ["2026-03-29 02:30:00.5+02", "2026-03-29 02:30:00.5+01"]);
    assert!(error.hint().contains("--time '2026-03-29 02:30:00.5+01'"), "{}", error.hint());
}

#[test]
fn an_abbreviation_of_several_zones_is_refused_with_what_it_may_mean() {
    for (zone, offsets) in
        [("IST", ["+05:30", "+01"]), ("CST", ["-06", "+08"]), ("UTC+2", ["+02", "-02"])]
    {
        let error = Moment::parse(&format!("2026-07-24 17:24:39 {zone}")).expect_err(zone);
        let choices = choices(&error);
        for offset in offsets {
            assert!(choices.contains(&format!("2026-07-24 17:24:39{offset}")), "{error}");
        }
    }
}

#[test]
fn what_is_no_moment_is_refused_for_what_is_wrong_with_it() {
    for zoneless in ["2026-11-24 16:24:39", "2026-11-24T16:24", "Tue Nov 24 16:24:39 2026"] {
        assert_eq!(Moment::parse(zoneless), Err(TimeError::Zoneless), "{zoneless}");
    }
    for zone in ["XYZ", "Europe/Atlantis", "P00", "+01[Europe/Berlin]x"] {
        let error = Moment::parse(&format!("2026-11-24 16:24:39 {zone}")).expect_err(zone);
        assert!(error.to_string().contains(zone), "{error}");
    }
    for malformed in [
        "",
        "noon",
        "10:00",
        "2026-11-24",
        "2026-11-24 UTC",
        "2026-13-01 00:00:00+00",
        "2026-02-30 00:00:00+00",
        "2026-11-24 24:00:00+00",
        "2026-11-24 16:24:39+16",
        "2026-11-24 16:24:39+02:60",
        "2026-11-24 16:24:39.+00",
        "11/24/2026 16:24:39 UTC",
        "2026-11-24 1:2:3 UTC",
    ] {
        assert!(matches!(Moment::parse(malformed), Err(TimeError::Malformed(_))), "{malformed}");
    }
}

proptest! {
    #[test]
    fn any_words_are_read_or_refused(text: String, zone in "[ A-Za-z/+:0-9-]{0,12}") {
        let _ = Moment::parse(&text);
        let _ = Moment::parse(&format!("2026-11-24 16:24:39{zone}"));
    }

    #[test]
    fn what_is_printed_is_read_back(
        micros in 0_i64..4_102_444_800_000_000,
        minutes in -899_i32..=899,
        blank: bool,
    ) {
        let at = Timestamp::from_microsecond(micros).expect("in range");
        let read = |text: String| Moment::parse(&text).unwrap_or_else(|e| panic!("{text}: {e}")).at;
        prop_assert_eq!(read(in_utc(at)), at);
        prop_assert_eq!(read(at.to_string()), at);
        prop_assert_eq!(read(at.strftime("%Y-%m-%d %H:%M:%S%.6f UTC").to_string()), at);
        prop_assert_eq!(read(at.strftime("%a %b %e %H:%M:%S%.6f %Y UTC").to_string()), at);
        let offset = Offset::from_seconds(minutes * 60).expect("in range");
        let civil = offset.to_datetime(at);
        let between = if blank { " " } else { "" };
        prop_assert_eq!(read(format!("{}{between}{}", civil_text(civil), offset_text(offset))), at);
    }

    #[test]
    fn a_time_of_a_zone_is_that_moment_or_refused_with_choices_that_include_it(
        second in 0_i64..4_102_444_800,
        index in 0_usize..400,
    ) {
        let database = TimeZoneDatabase::bundled();
        let name = database.available().nth(index).expect("a zone").to_string();
        let zone = database.get(&name).expect("a zone");
        let at = Timestamp::from_second(second).expect("in range");
        let civil = zone.to_datetime(at);
        match Moment::parse(&format!("{} {name}", civil_text(civil))) {
            Ok(moment) => prop_assert!(moment.at == at || !name.contains('/')),
            Err(TimeError::Twice { choices, .. } | TimeError::AmbiguousZone { choices, .. }) => {
                let moments: Vec<_> = choices.iter().map(|c| Moment::parse(c).expect("a choice").at).collect();
                prop_assert!(moments.contains(&at));
            }
            Err(other) => prop_assert!(false, "{name}: {other}"),
        }
    }
}
