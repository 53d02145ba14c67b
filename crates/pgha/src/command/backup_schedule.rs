//! `pgha backup schedule`: what the backup host does by itself, and when.

use std::time::Duration;

use jiff::Timestamp;
use pgha_core::agent::Request;
use pgha_core::schedule::Schedule;
use serde::Serialize;

use crate::cli::BackupSchedule;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::provider::Provider as _;
use crate::repository::BackupHost;
use crate::screen;
use crate::terminal;

/// How long writing one line may take.
const DEADLINE: Duration = Duration::from_secs(20);

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Shown {
    cluster: String,
    instance: u32,
    /// `null` where there is none.
    schedule: Option<String>,
    /// When the next backup is due, in UTC; `null` where there is no schedule.
    next: Option<String>,
    /// Its type.
    next_type: Option<&'static str>,
}

/// Carries out `pgha backup schedule`.
pub(crate) async fn run(args: &BackupSchedule, events: &Events) -> Result<()> {
    let (name, text) = sort(&args.words)?;
    if text.is_some() && (args.clear || args.show) {
        return Err(Error::bad_input("a schedule is given, and --show or --clear")
            .hint("leave one of them out"));
    }
    let new = text
        .map(|text| {
            text.parse::<Schedule>().map_err(|e| {
                Error::bad_input("this is no schedule")
                    .because(e)
                    .hint("`pgha backup schedule demo \"0 1 * * 0 full; 0 1 * * 1-6 incr\"`")
            })
        })
        .transpose()?;
    let host = BackupHost::find(name, Some("schedule")).await?;
    let ask = async |request: Request| {
        let ran = host.engine.exec(&host.name, &request.argv(), DEADLINE).await?;
        if ran.code == 0 {
            return Ok(ran.stdout);
        }
        Err(Error::failed(format!("the schedule of {} cannot be read or written", host.name))
            .because(ran.stderr)
            .hint(
                "`pgha up` builds images anew where those of the cluster are older than this pgha",
            ))
    };
    if let Some(schedule) = new {
        ask(Request::KeepSchedule(schedule)).await?;
    } else if args.clear {
        ask(Request::ClearSchedule).await?;
    }
    let kept = ask(Request::ShowSchedule).await?;
    let kept: Option<Schedule> = kept.trim().parse().ok();
    let now = Timestamp::now();
    let next = kept.as_ref().and_then(|schedule| schedule.next(now));
    if args.json {
        return terminal::print_json(&Shown {
            cluster: host.cluster.id.name.clone(),
            instance: host.cluster.id.instance,
            schedule: kept.as_ref().map(ToString::to_string),
            next: next.map(|(at, _)| at.to_string()),
            next_type: next.map(|(_, entry)| entry.kind.as_str()),
        });
    }
    let (Some(schedule), Some((at, entry))) = (&kept, next) else {
        events.note(format!("{} makes no backup by itself", host.name));
        return Ok(());
    };
    events.note(format!(
        "{} makes a backup by itself, next {} at {}",
        host.name,
        entry.kind,
        screen::backups::utc(u64::try_from(at.as_second()).unwrap_or_default())
    ));
    let lines = schedule.entries().iter().map(|entry| format!("{entry}\n"));
    terminal::print(&lines.collect::<String>())
}

/// Which word is the cluster and which the schedule: only a schedule has spaces in it.
fn sort(words: &[String]) -> Result<(Option<&str>, Option<&str>)> {
    let is_schedule = |word: &String| word.trim().contains(char::is_whitespace);
    match words {
        [] => Ok((None, None)),
        [one] if is_schedule(one) || one.trim().is_empty() => Ok((None, Some(one))),
        [one] => Ok((Some(one), None)),
        [name, text] if !is_schedule(name) => Ok((Some(name), Some(text))),
        _ => Err(Error::bad_input("a cluster and one schedule are expected, in this order")
            .hint("the schedule is one argument: `\"0 1 * * 0 full; 0 1 * * 1-6 incr\"`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_with_spaces_is_the_schedule() {
        let sorted = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|&w| w.to_owned()).collect();
            let sorted = sort(&words).map_err(|e| e.exit_code())?;
            Ok((sorted.0.map(str::to_owned), sorted.1.map(str::to_owned)))
        };
        let (name, text) = (Some("demo".to_owned()), Some("0 1 * * 0 full".to_owned()));
        assert_eq!(sorted(&[]), Ok((None, None)));
        assert_eq!(sorted(&["demo"]), Ok((name.clone(), None)));
        assert_eq!(sorted(&["0 1 * * 0 full"]), Ok((None, text.clone())));
        assert_eq!(sorted(&["demo", "0 1 * * 0 full"]), Ok((name, text)));
        assert_eq!(sorted(&["0 1 * * 0 full", "demo"]), Err(2));
        // An empty schedule is one, and refused as such.
        assert_eq!(sorted(&[""]), Ok((None, Some(String::new()))));
    }
}
