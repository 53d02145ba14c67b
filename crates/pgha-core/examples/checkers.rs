//! How long checkers and the file of a history take, as a table: `bench/checkers.sh` runs it.

#![allow(clippy::disallowed_types, clippy::print_stdout, reason = "it measures and prints")]

use std::time::{Duration, Instant};

use pgha_core::check::{Judged, Verdict};
use pgha_core::history::{
    Action, Done, End, Found, History, ListStep, Lists, Outcome, Session, Workload,
};

/// Operations of each history.
const OPERATIONS: u64 = 1_000_000;
/// Clients that are at it at once.
const CLIENTS: u32 = 16;
/// Values of a list, as `pgha load` appends them.
const VALUES: usize = 64;

fn main() {
    println!("{:<10} {:<12} {:>10} {:>9} {:>12}", "workload", "what", "operations", "s", "per s");
    for workload in [Workload::Ledger, Workload::Append, Workload::Register, Workload::Bank] {
        let history = made(workload);
        let (judged, took) = timed(|| Judged::of(&history));
        assert_eq!(judged.verdict(), Verdict::Holds, "{:?}", judged.violations());
        row(workload, "check", took);
        let mut file = Vec::new();
        let (written, took) = timed(|| history.write_to(&mut file));
        written.expect("memory takes it");
        row(workload, "write", took);
        let (read, took) = timed(|| History::read_from(file.as_slice()));
        assert_eq!(read.expect("a history"), history);
        row(workload, "read", took);
        println!("{workload:<10} {:<12} {:>10} bytes each", "", file.len() as u64 / OPERATIONS);
    }
}

fn timed<T>(what: impl FnOnce() -> T) -> (T, f64) {
    let began = Instant::now();
    let done = what();
    (done, began.elapsed().as_secs_f64())
}

#[allow(clippy::cast_precision_loss, reason = "a rate is rounded")]
fn row(workload: Workload, what: &str, took: f64) {
    let rate = OPERATIONS as f64 / took;
    println!("{workload:<10} {what:<12} {OPERATIONS:>10} {took:>9.2} {rate:>12.0}");
}

/// A run in which each operation takes effect 100 µs after the one before, while those of all clients overlap.
fn made(workload: Workload) -> History {
    let us = Duration::from_micros;
    let (mut lists, mut registers) = (Lists::new(), vec![(0, 0); 64]);
    let mut rows = Vec::new();
    let mut operations = Vec::new();
    for number in 0..OPERATIONS {
        let client = u32::try_from(number % u64::from(CLIENTS)).unwrap_or(0);
        let value = u32::try_from(number + 1).unwrap_or(0);
        let action = match workload {
            Workload::Append => {
                let key = value / (4 * 32) * 8 + value % 8;
                Action::Lists(vec![read(&lists, key), appended(&mut lists, key + 1, value)])
            }
            Workload::Register => {
                let key = value % 64;
                let register = &mut registers[key as usize];
                let old = std::mem::replace(register, (key, number + 1)).1;
                match number / 64 % 3 {
                    0 => Action::Set(key, number + 1),
                    1 => Action::Swap(key, old, number + 1),
                    _ => {
                        *register = (key, old);
                        Action::Get(key, old)
                    }
                }
            }
            Workload::Bank => Action::Balances(vec![100; 16]),
            Workload::Ledger | Workload::None => {
                rows.push((client, number));
                Action::Insert
            }
        };
        let at = number * 100;
        operations.push(Done {
            session: client,
            id: number,
            sent: us(at),
            ended: us(at + 800),
            outcome: Outcome::Ok,
            action,
        });
    }
    assert!(lists.values().all(|list| list.len() <= VALUES));
    for (key, register) in (0..).zip(&mut registers) {
        register.0 = key;
    }
    let found = match workload {
        Workload::Append => Found::Lists(lists),
        Workload::Register => Found::Registers(registers),
        Workload::Bank => Found::Balances(vec![100; 16]),
        Workload::Ledger | Workload::None => Found::Rows(rows),
    };
    let session = |client| Session { client, node: 0, timeline: Some(1) };
    History {
        workload,
        nodes: vec!["a".to_owned()],
        took: us(OPERATIONS * 100 + 800),
        sessions: (0..CLIENTS).map(session).collect(),
        operations,
        end: Some(End { node: "a".to_owned(), found }),
    }
}

fn read(lists: &Lists, key: u32) -> ListStep {
    ListStep::Read { key, list: lists.get(&key).cloned().unwrap_or_default() }
}

fn appended(lists: &mut Lists, key: u32, value: u32) -> ListStep {
    lists.entry(key).or_default().push(value);
    ListStep::Append { key, value }
}
