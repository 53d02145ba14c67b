//! The checker of lists: transactions append to several lists and read them whole, so that a read tells the order of all
//! writes before it.
//!
//! From that follows who has to come before whom, and what goes round in a circle is not serializable. The idea is
//! Elle's (Kingsbury and Alvaro, "Elle: Inferring Isolation Anomalies from Experimental Observations", VLDB 2020). It
//! takes time in proportion to what was done. Transactions on a leader are serializable, those on a replica read a
//! snapshot.

mod graph;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use super::{Checked, Findings, Kind};
use crate::history::{ListStep, Lists, Outcome};
use graph::{Edge, Graph, Why};

/// Most edges that are looked at in search of shortest cycles: a history that is so wrong has enough of them.
const WAYS_MAX: usize = 20_000_000;
/// Most values of a list that are told.
const VALUES_TOLD: usize = 6;

/// One transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transaction<'a> {
    /// How it ended.
    pub outcome: Outcome,
    /// It only read, and on a replica.
    pub replica: bool,
    /// What it did, in order.
    pub steps: &'a [ListStep],
}

/// Judges transactions by what they read, and by the lists as they are at the end where these are known.
pub fn append(transactions: &[Transaction<'_>], end: Option<&Lists>) -> Checked {
    let mut checker = Checker {
        transactions,
        at_end: end.is_some(),
        writers: writers(transactions),
        orders: longest(transactions, end),
        took_part: Vec::new(),
        findings: Findings::default(),
    };
    checker.orders();
    checker.took_part = transactions
        .iter()
        .map(|transaction| match transaction.outcome {
            Outcome::Ok => true,
            Outcome::Failed => false,
            Outcome::Unknown => appends(transaction.steps).any(|a| checker.is_placed(a)),
        })
        .collect();
    checker.missing();
    let mut edges = checker.writes();
    checker.reads(&mut edges);
    let graph = Graph::new(transactions.len(), &edges);
    drop(edges);
    checker.cycles(&graph);
    checker.findings.checked("append", transactions.len())
}

/// A value and its list.
type Appended = (u32, u32);

/// Who appended a value.
#[derive(Debug, Clone, Copy)]
struct Writer {
    by: u32,
    /// Which of its appends.
    at: usize,
    /// It appended nothing else to that list later.
    last: bool,
    /// The value is in the order of its list.
    placed: bool,
}

/// The order of the values of a list.
#[derive(Debug, Default)]
struct Order<'a> {
    values: &'a [u32],
    /// Who wrote each; none where nobody did, or a transaction that failed.
    writers: Vec<Option<Writer>>,
}

struct Checker<'a> {
    transactions: &'a [Transaction<'a>],
    at_end: bool,
    writers: HashMap<Appended, Writer>,
    orders: BTreeMap<u32, Order<'a>>,
    /// Which transactions were done.
    took_part: Vec<bool>,
    findings: Findings,
}

fn appends(steps: &[ListStep]) -> impl Iterator<Item = Appended> {
    steps.iter().filter_map(|step| match step {
        ListStep::Append { key, value } => Some((*key, *value)),
        ListStep::Read { .. } => None,
    })
}

fn writers(transactions: &[Transaction<'_>]) -> HashMap<Appended, Writer> {
    let mut writers = HashMap::with_capacity(transactions.len());
    for (by, transaction) in (0..).zip(transactions) {
        for (at, (key, value)) in appends(transaction.steps).enumerate() {
            let last = !appends(transaction.steps).skip(at + 1).any(|later| later.0 == key);
            writers.insert((key, value), Writer { by, at, last, placed: false });
        }
    }
    writers
}

/// Each list as it is at the end, else the longest that a leader showed, else a replica.
fn longest<'a>(
    transactions: &[Transaction<'a>],
    end: Option<&'a Lists>,
) -> BTreeMap<u32, Order<'a>> {
    let order = |values| Order { values, writers: Vec::new() };
    if let Some(lists) = end {
        return lists.iter().map(|(key, list)| (*key, order(list.as_slice()))).collect();
    }
    let mut orders: BTreeMap<u32, Order<'a>> = BTreeMap::new();
    for replica in [false, true] {
        let mut found: BTreeMap<u32, &'a [u32]> = BTreeMap::new();
        let those = |t: &&Transaction<'_>| t.outcome == Outcome::Ok && t.replica == replica;
        for transaction in transactions.iter().filter(those) {
            for (key, list) in externals(transaction.steps).flatten() {
                let longest = found.entry(key).or_default();
                if list.len() > longest.len() {
                    *longest = list;
                }
            }
        }
        for (key, list) in found {
            orders.entry(key).or_insert_with(|| order(list));
        }
    }
    orders
}

/// Each read without what the transaction itself had appended before; none where that is not at its end.
fn externals(steps: &[ListStep]) -> impl Iterator<Item = Option<(u32, &[u32])>> {
    steps.iter().enumerate().filter_map(|(at, step)| {
        let ListStep::Read { key, list } = step else { return None };
        let own = || appends(&steps[..at]).filter(|own| own.0 == *key).map(|own| own.1);
        let before = list.len().checked_sub(own().count());
        let sees = |before: &usize| own().eq(list[*before..].iter().copied());
        Some(before.filter(sees).map(|before| (*key, &list[..before])))
    })
}

impl Checker<'_> {
    fn is_placed(&self, appended: Appended) -> bool {
        self.writers.get(&appended).is_some_and(|writer| writer.placed)
    }

    /// Looks who wrote what is in the orders.
    fn orders(&mut self) {
        let Self { transactions, writers, orders, findings, .. } = self;
        for (key, order) in orders {
            twice(findings, *key, order.values);
            order.writers = order
                .values
                .iter()
                .map(|value| {
                    let mut writer = writers.get_mut(&(*key, *value));
                    let seen = writer.as_deref().copied();
                    let seen = written(findings, transactions, seen, (*key, *value))?;
                    if let Some(writer) = &mut writer {
                        writer.placed = true;
                    }
                    Some(seen)
                })
                .collect();
        }
    }

    /// Looks for what is not there at the end.
    fn missing(&mut self) {
        if !self.at_end {
            return;
        }
        for (number, transaction) in (0_u32..).zip(self.transactions) {
            if !self.took_part[number as usize] {
                continue;
            }
            let kind = if transaction.outcome == Outcome::Ok { Kind::Lost } else { Kind::Torn };
            for (key, value) in appends(transaction.steps) {
                if !self.is_placed((key, value)) {
                    let is_told = || {
                        let what = tell(number, transaction);
                        format!("{value} is not in list {key} at the end, and {what}")
                    };
                    self.findings.add(kind, is_told);
                }
            }
        }
    }

    /// What follows from the orders: each write comes after the one before it.
    fn writes(&mut self) -> Vec<Edge> {
        let mut edges = Vec::with_capacity(2 * self.transactions.len());
        for (key, order) in &self.orders {
            for (at, pair) in (0..).zip(order.writers.windows(2)) {
                let [Some(before), Some(after)] = pair else { continue };
                if before.by != after.by {
                    edges.push(Edge { from: before.by, to: after.by, why: Why::Ww, key: *key, at });
                } else if before.at > after.at {
                    self.findings.add(Kind::Internal, || {
                        let writer = tell(before.by, &self.transactions[before.by as usize]);
                        format!("list {key} is {}, and {writer}", shown(order.values))
                    });
                }
            }
        }
        edges
    }

    /// What follows from the reads.
    fn reads(&mut self, edges: &mut Vec<Edge>) {
        let nothing = Order::default();
        for (number, transaction) in (0_u32..).zip(self.transactions) {
            // Without the end the orders are those of what was acknowledged: more is not known.
            let known = self.at_end || transaction.outcome == Outcome::Ok;
            if !self.took_part[number as usize] || !known {
                continue;
            }
            let mut before: Vec<(u32, &[u32])> = Vec::new();
            for external in externals(transaction.steps) {
                let Some((key, list)) = external else {
                    self.findings.add(Kind::Internal, || tell(number, transaction));
                    continue;
                };
                if let Some((_, first)) = before.iter().find(|first| first.0 == key) {
                    if *first != list {
                        self.findings.add(Kind::Internal, || tell(number, transaction));
                    }
                    continue;
                }
                before.push((key, list));
                let order = self.orders.get(&key).unwrap_or(&nothing);
                if !order.values.starts_with(list) {
                    let order = order.values;
                    self.contradicts(number, key, list, order);
                    continue;
                }
                let length = u32::try_from(list.len()).unwrap_or(u32::MAX);
                let other = |writer: &Writer| writer.by != number;
                let end = list.len().checked_sub(1).and_then(|end| order.writers[end]);
                if let Some(writer) = end.filter(other) {
                    if !writer.last {
                        let (by, value) = (name(writer.by), list.last().copied().unwrap_or(0));
                        self.findings.add(Kind::IntermediateRead, || {
                            let reader = tell(number, transaction);
                            format!("{by} appended more to list {key} after {value}, and {reader}")
                        });
                    }
                    let at = length - 1;
                    edges.push(Edge { from: writer.by, to: number, why: Why::Wr, key, at });
                }
                let next = order.writers.get(list.len()).copied().flatten();
                if let Some(writer) = next.filter(other) {
                    edges.push(Edge { from: number, to: writer.by, why: Why::Rw, key, at: length });
                }
            }
        }
    }

    /// A read that is not how the list began.
    fn contradicts(&mut self, number: u32, key: u32, list: &[u32], order: &[u32]) {
        let transaction = &self.transactions[number as usize];
        twice(&mut self.findings, key, list);
        let agreed = list.iter().zip(order).take_while(|(a, b)| a == b).count();
        for value in &list[agreed..] {
            let writer = self.writers.get(&(key, *value)).copied();
            written(&mut self.findings, self.transactions, writer, (key, *value));
        }
        let first = list.get(agreed).and_then(|value| self.writers.get(&(key, *value)));
        let outcome = first.map(|writer| self.transactions[writer.by as usize].outcome);
        let kind = if transaction.replica && outcome == Some(Outcome::Unknown) {
            Kind::ReplicaAhead
        } else {
            Kind::IncompatibleOrder
        };
        let when = if self.at_end { "at the end it is" } else { "another one read" };
        self.findings.add(kind, || {
            let (reader, order) = (tell(number, transaction), shown(order));
            format!("list {key}: {when} {order}, and {reader}")
        });
    }

    /// Looks for circles, the worst kind first; one of each set of transactions that go round.
    fn cycles(&mut self, graph: &Graph) {
        let mut budget = WAYS_MAX;
        for nodes in graph.components() {
            let part = graph.part(&nodes);
            let (kind, way) = self.worst(&part, &nodes, &mut budget);
            if kind == Kind::LongFork && budget == 0 {
                self.findings.undecided(|| "too many cycles to look at each of them".to_owned());
                continue;
            }
            let global = |edge: &Edge| Edge {
                from: nodes[edge.from as usize],
                to: nodes[edge.to as usize],
                ..*edge
            };
            let way: Vec<Edge> = way.iter().map(global).collect();
            let story = self.story(&way);
            self.findings.add(kind, || story);
        }
    }

    fn worst(&self, part: &Graph, nodes: &[u32], budget: &mut usize) -> (Kind, Vec<Edge>) {
        for (kind, most) in [(Kind::G0, Why::Ww), (Kind::G1c, Why::Wr)] {
            let some = part.filtered(|edge| edge.why <= most);
            if let Some(way) = round(&some, budget) {
                return (kind, way);
            }
        }
        let rest = part.filtered(|edge| edge.why != Why::Rw);
        for edge in part.edges().iter().filter(|edge| edge.why == Why::Rw) {
            if let Some(mut way) = rest.way(edge.to, edge.from, budget) {
                way.insert(0, *edge);
                return (Kind::GSingle, way);
            }
        }
        let on_leader = |node: u32| !self.transactions[nodes[node as usize] as usize].replica;
        let leaders = part.filtered(|edge| on_leader(edge.from) && on_leader(edge.to));
        if let Some(way) = round(&leaders, budget) {
            return (Kind::G2, way);
        }
        // A snapshot of a replica is one of its leader, but for the order in which commits become visible.
        let replicas = leaders.components().is_empty();
        let kind = if replicas { Kind::LongFork } else { Kind::G2 };
        (kind, round(part, budget).unwrap_or_default())
    }

    /// `T1 < T2`, because of what, all the way round.
    fn story(&self, way: &[Edge]) -> String {
        let mut story = String::new();
        for edge in way {
            let (from, to, key, at) = (name(edge.from), name(edge.to), edge.key, edge.at as usize);
            let order = self.orders.get(&key).map_or(&[][..], |order| order.values);
            let value = |at: usize| order.get(at).map_or_else(String::new, u32::to_string);
            let because = match edge.why {
                Why::Ww => {
                    let (first, then) = (value(at), value(at + 1));
                    format!("{to} appended {then} to list {key} after {from} appended {first}")
                }
                Why::Wr => format!("{to} read {} in list {key}, which {from} appended", value(at)),
                Why::Rw => {
                    format!("{from} read list {key} without {}, which {to} appended", value(at))
                }
            };
            let _ = write!(story, "{from} < {to}, because {because}; ");
        }
        let first = way.first().map_or_else(|| "one before itself".to_owned(), |e| name(e.from));
        story + &format!("so {first} comes before itself")
    }
}

/// Some way round, if there is one.
fn round(graph: &Graph, budget: &mut usize) -> Option<Vec<Edge>> {
    let component = graph.components().into_iter().next()?;
    let first = *component.iter().min()?;
    graph.way(first, first, budget)
}

/// The writer of what was seen, where it was not rolled back; tells of one that was, and of none.
fn written(
    findings: &mut Findings,
    transactions: &[Transaction<'_>],
    writer: Option<Writer>,
    (key, value): Appended,
) -> Option<Writer> {
    let Some(writer) = writer else {
        findings.add(Kind::Garbage, || format!("{value} in list {key}, and nobody appended it"));
        return None;
    };
    if transactions[writer.by as usize].outcome != Outcome::Failed {
        return Some(writer);
    }
    let by = name(writer.by);
    findings.add(Kind::AbortedRead, || {
        format!("{value} in list {key}, and {by}, which appended it, was rolled back")
    });
    None
}

fn twice(findings: &mut Findings, key: u32, list: &[u32]) {
    let mut sorted = list.to_vec();
    sorted.sort_unstable();
    for pair in sorted.windows(2).filter(|pair| pair[0] == pair[1]) {
        findings.add(Kind::Duplicate, || format!("{} more than once in list {key}", pair[0]));
    }
}

fn name(number: u32) -> String {
    format!("T{}", number + 1)
}

/// A transaction with what it did.
fn tell(number: u32, transaction: &Transaction<'_>) -> String {
    let outcome = match (transaction.outcome, transaction.replica) {
        (Outcome::Ok, true) => "on a replica",
        (Outcome::Ok, false) => "acknowledged",
        (Outcome::Failed, _) => "rolled back",
        (Outcome::Unknown, _) => "outcome unknown",
    };
    let step = |step: &ListStep| match step {
        ListStep::Append { key, value } => format!("append {value} to list {key}"),
        ListStep::Read { key, list } => format!("read list {key} as {}", shown(list)),
    };
    let steps: Vec<String> = transaction.steps.iter().map(step).collect();
    format!("{} ({outcome}) did: {}", name(number), steps.join(", "))
}

/// A list, or its end.
fn shown(list: &[u32]) -> String {
    let end = &list[list.len().saturating_sub(VALUES_TOLD)..];
    let values: Vec<String> = end.iter().map(u32::to_string).collect();
    let more = if end.len() < list.len() { "… " } else { "" };
    format!("[{more}{}]", values.join(" "))
}
