//! The text of a layout, short enough for a label on every container: equal neighbours are one word.

use std::fmt::Write as _;

use super::{Layout, MAX_NODES_PER_SITE, MAX_SITES, Role, SiteKind, Span};
use crate::spec::Spec;

/// Equal entries: `count` in each of the sites from `first` to `last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    kind: char,
    first: u8,
    last: u8,
    count: u32,
    span: Span,
}

impl Run {
    fn one(kind: char, site: u8, span: Span) -> Self {
        Self { kind, first: site, last: site, count: 1, span }
    }

    fn is_like(&self, other: &Self) -> bool {
        self.kind == other.kind && self.span == other.span
    }
}

fn kind_of_site(kind: SiteKind) -> char {
    match kind {
        SiteKind::DataCenter => 'd',
        SiteKind::External => 'x',
    }
}

fn kind_of_role(role: Role) -> char {
    match role {
        Role::Postgres => 'p',
        Role::Etcd => 'e',
        Role::Backup | Role::Proxy | Role::Wan => 'b',
    }
}

/// The canonical text.
pub(super) fn write(layout: &Layout) -> String {
    let mut text = layout.generation.to_string();
    if layout.generation == 1 {
        return text;
    }
    let sites = layout.sites.iter().map(|s| Run::one(kind_of_site(s.kind), s.number, s.span));
    let members = layout.members.iter().map(|m| Run::one(kind_of_role(m.role), m.site, m.span));
    for run in join(join(sites.chain(members), in_one_site), in_the_next_site) {
        let _ = write!(text, " {}{}", run.kind, run.first);
        if run.last > run.first {
            let _ = write!(text, "-{}", run.last);
        }
        if run.count > 1 {
            let _ = write!(text, "*{}", run.count);
        }
        if run.span.added > 1 {
            let _ = write!(text, "@{}", run.span.added);
        }
        if let Some(removed) = run.span.removed {
            let _ = write!(text, "!{removed}");
        }
    }
    text
}

/// Makes one of two neighbours wherever `both` does.
fn join(runs: impl IntoIterator<Item = Run>, both: fn(Run, Run) -> Option<Run>) -> Vec<Run> {
    let mut joined: Vec<Run> = Vec::new();
    for run in runs {
        match joined.last_mut().and_then(|last| Some((both(*last, run)?, last))) {
            Some((one, last)) => *last = one,
            None => joined.push(run),
        }
    }
    joined
}

fn in_one_site(a: Run, b: Run) -> Option<Run> {
    let is_member = !matches!(a.kind, 'd' | 'x');
    let same = is_member && a.is_like(&b) && a.first == b.first;
    same.then_some(Run { count: a.count + 1, ..a })
}

fn in_the_next_site(a: Run, b: Run) -> Option<Run> {
    let next = a.is_like(&b) && a.count == b.count && b.first.checked_sub(1) == Some(a.last);
    next.then_some(Run { last: b.first, ..a })
}

/// Reads what [`write()`] writes, and whatever means a layout.
pub(super) fn parse(text: &str, spec: &Spec) -> Result<Layout, String> {
    let mut words = text.split_ascii_whitespace();
    let first = words.next().ok_or("the layout is empty")?;
    let generation: u32 = first.parse().map_err(|_| format!("`{first}` is no generation"))?;
    let mut layout = Layout { generation, sites: Vec::new(), members: Vec::new() };
    match (generation, words.clone().next()) {
        (0, _) => return Err("generations are counted from 1".to_owned()),
        (1, None) => return Ok(Layout::of(spec)),
        (1, Some(_)) => return Err("generation 1 follows from the specification".to_owned()),
        _ => {}
    }
    let mut before = (Span { added: 1, removed: None }, Span { added: 1, removed: None });
    let mut removed_sites = Vec::new();
    for word in words {
        let bad = || format!("`{word}` is no part of a layout of generation {generation}");
        let run = run(word).ok_or_else(bad)?;
        let Span { added, removed } = run.span;
        let is_site = matches!(run.kind, 'd' | 'x');
        let last = if is_site { &mut before.0 } else { &mut before.1 };
        let in_order = last.added <= added && added <= generation;
        if !in_order || removed.is_some_and(|removed| removed <= added || removed > generation) {
            return Err(bad());
        }
        *last = run.span;
        for site in run.first..=run.last {
            for _ in 0..run.count {
                let role = match run.kind {
                    'p' => Role::Postgres,
                    'e' => Role::Etcd,
                    'b' => Role::Backup,
                    kind => {
                        let kind =
                            if kind == 'd' { SiteKind::DataCenter } else { SiteKind::External };
                        let number = layout.push_site(kind, added).map_err(|e| e.to_string())?;
                        if number != site || run.count != 1 {
                            return Err(bad());
                        }
                        removed_sites.extend(removed.map(|removed| (site, removed)));
                        continue;
                    }
                };
                layout.push_member(role, site, added).map_err(|e| e.to_string())?;
                if let Some(member) = layout.members.last_mut() {
                    member.span.removed = removed;
                }
            }
        }
    }
    for (site, removed) in removed_sites {
        layout.sites[usize::from(site) - 1].span.removed = Some(removed);
    }
    layout.check().map_err(|e| e.to_string())?;
    Ok(layout)
}

/// Reads one word.
fn run(word: &str) -> Option<Run> {
    let kind = word.chars().next().filter(|kind| "dxpeb".contains(*kind))?;
    let (rest, removed) = split(&word[1..], '!')?;
    let (rest, added) = split(rest, '@')?;
    let (rest, count) = split(rest, '*')?;
    let (first, last) = split(rest, '-')?;
    let site = |number: u32| {
        u8::try_from(number).ok().filter(|n| (1..=MAX_SITES).contains(&u32::from(*n)))
    };
    let first = site(number(first)?)?;
    let last = last.map_or(Some(first), site)?;
    let count = count.unwrap_or(1);
    let span = Span { added: added.unwrap_or(1), removed };
    let sound = first <= last && (1..=MAX_NODES_PER_SITE).contains(&count) && span.added >= 1;
    sound.then_some(Run { kind, first, last, count, span })
}

/// What stands before a sign, and the number behind it, where there is the sign.
fn split(text: &str, sign: char) -> Option<(&str, Option<u32>)> {
    match text.split_once(sign) {
        None => Some((text, None)),
        Some((before, after)) => Some((before, Some(number(after)?))),
    }
}

/// Digits only: `parse` takes a sign, too.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}
