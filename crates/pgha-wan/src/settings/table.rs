//! Every setting of a link, once: what it is called, how a command is told of it, and how it reads.
//!
//! The flags of `pgha wan set`, the keys of a `[[link]]` and the differences that a screen names are all
//! made from this table.

use std::fmt::Display;
use std::num::ParseIntError;
use std::time::Duration;

use super::{Cut, LinkChange, LinkSettings, RateLimit};
use crate::service::Service;
use crate::units::{format_duration, parse_duration};

/// One setting of a link.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its key in a file, such as `burst_loss`; the name of its flag has hyphens.
    pub key: &'static str,
    /// Its value in a link, as people read it.
    pub read: fn(&LinkSettings) -> String,
    /// How a command is told of it; `None` where verbs of their own stand for it.
    pub argument: Option<Argument>,
}

/// A setting as an argument of a command.
#[derive(Debug, Clone, Copy)]
pub struct Argument {
    /// What stands for its value in help.
    pub value: &'static str,
    /// One line of help.
    pub help: &'static str,
    /// A number, maybe with a unit: what begins with a hyphen is a number below zero and not a flag.
    pub numeric: bool,
    /// Reads a text into a change; the error says what is wrong with the text.
    pub set: fn(&mut LinkChange, &str) -> Result<(), String>,
}

/// All settings, in the order of [`LinkSettings`].
pub const SETTINGS: [Setting; 13] = [
    Setting {
        key: "latency",
        read: |link| format_duration(link.latency),
        argument: Some(Argument {
            value: "TIME",
            help: "One-way delay, such as 40ms (round trip: twice that)",
            numeric: true,
            set: |change, text| time(&mut change.latency, text),
        }),
    },
    Setting {
        key: "jitter",
        read: |link| format_duration(link.jitter),
        argument: Some(Argument {
            value: "TIME",
            help: "Jitter of the delay, such as 5ms",
            numeric: true,
            set: |change, text| time(&mut change.jitter, text),
        }),
    },
    Setting {
        key: "distribution",
        read: |link| link.distribution.to_string(),
        argument: Some(Argument {
            value: "KIND",
            help: "Distribution of the jitter: none, uniform, normal or pareto",
            numeric: false,
            set: |change, text| put(&mut change.distribution, text.parse()),
        }),
    },
    Setting {
        key: "loss",
        read: |link| link.loss.to_string(),
        argument: Some(Argument {
            value: "PERCENT",
            help: "Packet loss, such as 0.5%",
            numeric: true,
            set: |change, text| put(&mut change.loss, text.parse()),
        }),
    },
    Setting {
        key: "burst",
        read: |link| link.burst.map_or_else(|| "none".to_owned(), |packets| packets.to_string()),
        argument: Some(Argument {
            value: "PACKETS",
            help: "Mean burst length in packets (Gilbert-Elliott); 1: independent loss",
            numeric: true,
            set: |change, text| put(&mut change.burst, whole(text, u32::MAX)),
        }),
    },
    Setting {
        key: "burst_loss",
        read: |link| link.burst_loss.to_string(),
        argument: Some(Argument {
            value: "PERCENT",
            help: "Packet loss within a burst",
            numeric: true,
            set: |change, text| put(&mut change.burst_loss, text.parse()),
        }),
    },
    Setting {
        key: "duplicate",
        read: |link| link.duplicate.to_string(),
        argument: Some(Argument {
            value: "PERCENT",
            help: "Packet duplication",
            numeric: true,
            set: |change, text| put(&mut change.duplicate, text.parse()),
        }),
    },
    Setting {
        key: "reorder",
        read: |link| link.reorder.to_string(),
        argument: Some(Argument {
            value: "PERCENT",
            help: "Packet reordering: percentage sent without delay",
            numeric: true,
            set: |change, text| put(&mut change.reorder, text.parse()),
        }),
    },
    Setting {
        key: "rate",
        read: |link| RateLimit(link.rate).to_string(),
        argument: Some(Argument {
            value: "RATE",
            help: "Bandwidth, such as 100mbit, or `unlimited`",
            numeric: true,
            set: |change, text| put(&mut change.rate, text.parse()),
        }),
    },
    Setting {
        key: "queue",
        read: |link| link.queue.to_string(),
        argument: Some(Argument {
            value: "SIZE",
            help: "Queue size of a link with limited bandwidth, such as 256kb or 50ms",
            numeric: true,
            set: |change, text| put(&mut change.queue, text.parse()),
        }),
    },
    Setting {
        key: "mtu",
        read: |link| link.mtu.to_string(),
        argument: Some(Argument {
            value: "BYTES",
            help: "Largest IP packet, in bytes",
            numeric: true,
            set: |change, text| put(&mut change.mtu, whole(text, u16::MAX)),
        }),
    },
    Setting { key: "cut", read: |link| link.cut.to_string(), argument: None },
    Setting {
        key: "cut_ports",
        read: |link| {
            let services: Vec<String> = link.cut_ports.iter().map(service).collect();
            if services.is_empty() { "none".to_owned() } else { services.join(" and ") }
        },
        argument: None,
    },
];

/// A service that is cut: `etcd`, `etcd 40% of 10s`.
fn service((service, cut): (&Service, &Cut)) -> String {
    match cut {
        Cut::Flaps(flap) => format!("{service} {flap}"),
        _ => service.to_string(),
    }
}

/// Every setting that is not as `of` has it, as `key value`.
pub fn differences(settings: &LinkSettings, of: &LinkSettings) -> Vec<String> {
    SETTINGS
        .iter()
        .map(|setting| (setting.key, (setting.read)(settings), (setting.read)(of)))
        .filter(|(_, here, there)| here != there)
        .map(|(key, here, _)| format!("{key} {here}"))
        .collect()
}

fn put<T, E: Display>(to: &mut Option<T>, value: Result<T, E>) -> Result<(), String> {
    *to = Some(value.map_err(|why| why.to_string())?);
    Ok(())
}

fn time(to: &mut Option<Duration>, text: &str) -> Result<(), String> {
    put(to, parse_duration(text).map_err(|why| format!("{why}, such as 40ms")))
}

/// A whole number from zero to `most`.
fn whole<T: TryFrom<i64> + Display + Copy>(text: &str, most: T) -> Result<T, String> {
    let number: i64 = text.parse().map_err(|why: ParseIntError| why.to_string())?;
    T::try_from(number).map_err(|_| format!("{number} is not in 0..={most}"))
}

#[cfg(test)]
mod tests {
    use super::super::{Distribution, QueueLimit, Rate, Share};
    use super::*;

    /// A link of which nothing is as by default.
    fn unlike() -> LinkSettings {
        LinkSettings {
            latency: Duration::from_millis(40),
            jitter: Duration::from_micros(1500),
            distribution: Distribution::Pareto,
            loss: Share::per_million(5000),
            burst: Some(10),
            burst_loss: Share::per_million(800_000),
            duplicate: Share::per_million(1000),
            reorder: Share::per_million(10_000),
            rate: Some(Rate::bits_per_second(100_000_000)),
            queue: QueueLimit::Bytes(256_000),
            mtu: 1400,
            cut: Cut::Yes,
            cut_ports: [(Service::Etcd, Cut::Yes)].into(),
        }
    }

    #[test]
    fn the_table_has_every_setting_of_a_link_in_its_order_and_no_other() {
        let fields = serde_json::to_value(LinkSettings::default()).expect("settings are JSON");
        assert_eq!(fields.as_object().map(serde_json::Map::len), Some(SETTINGS.len()));
        let text = serde_json::to_string(&LinkSettings::default()).expect("settings are JSON");
        let place = |setting: &Setting| text.find(&format!("\"{}\":", setting.key));
        let places: Vec<_> = SETTINGS.iter().map(place).collect();
        assert!(!places.contains(&None) && places.is_sorted(), "{places:?} in {text}");
    }

    #[test]
    fn a_change_that_names_every_setting_makes_any_link_of_any_other() {
        let text = serde_json::to_string(&unlike()).expect("settings are JSON");
        let change: LinkChange = serde_json::from_str(&text).expect("a change of everything");
        let mut link = LinkSettings::default();
        assert_eq!(differences(&unlike(), &link).len(), SETTINGS.len());
        change.apply(&mut link);
        assert_eq!(link, unlike());
    }

    #[test]
    fn arguments_that_are_given_what_a_link_reads_make_such_a_link() {
        let mut change = LinkChange::default();
        for setting in SETTINGS {
            if let Some(argument) = setting.argument {
                let text = (setting.read)(&unlike());
                assert_eq!((argument.set)(&mut change, &text), Ok(()), "{}", setting.key);
            }
        }
        let mut link = LinkSettings::default();
        change.apply(&mut link);
        assert_eq!(differences(&link, &unlike()), ["cut no", "cut_ports none"]);
    }

    #[test]
    fn whole_numbers_beyond_a_setting_are_refused_with_its_range() {
        assert_eq!(whole("70000", u16::MAX), Err("70000 is not in 0..=65535".to_owned()));
        assert_eq!(whole("-1", u32::MAX), Err("-1 is not in 0..=4294967295".to_owned()));
        assert!(whole("1.5", u32::MAX).is_err());
    }
}
