//! The topology as one self-contained picture.
//!
//! Sites are cards, members are rows in them with their cluster addresses, and each site hangs on
//! the rail of the WAN router in the middle. The picture has its own background, so it reads on
//! light and dark pages, and refers to nothing: no script, no font, no image, no style sheet.
//!
//! It shows what is decided, and never what runs: there is no leader in it.

mod canvas;
mod layout;

use std::time::Duration;

use canvas::{Anchor, Canvas};
use layout::{CARD_HEADER, Layout, Placed, ROUTER_HEIGHT, ROW, ROW_GAP, SIDE};
use pgha_wan::units::format_duration;

use crate::links::asked;
use crate::spec::{SiteRole, Spec};
use crate::topology::{Member, Role, Site, SiteKind, Topology};
use crate::words::list;

/// Most members of one role that have a row each; of more, the last row tells the number.
const ROWS_PER_ROLE: usize = 12;
/// Most distances written beside a site's link.
const DISTANCES_SHOWN: usize = 3;

/// Most data centers whose numbers of nodes are all told.
const DATA_CENTERS_SPELLED: usize = 6;

/// Most etcd members that are drawn as dots beside the title.
const DOTS_MAX: u32 = 15;

/// What the icons stand for, and the room of the words in the widest of the fonts.
const LEGEND: &[(Role, &str, u32)] = &[
    (Role::Postgres, "Postgres under Patroni", 136),
    (Role::Etcd, "etcd member", 81),
    (Role::Backup, "pgBackRest repository", 135),
];

/// Draws the topology as an SVG document.
pub fn topology_svg(topology: &Topology) -> String {
    let cards: Vec<Card<'_>> = topology.sites.iter().map(|site| Card::of(topology, site)).collect();
    let longest = cards.iter().flat_map(|c| &c.rows).map(|row| row.text.chars().count()).max();
    let rows: Vec<usize> = cards.iter().map(|card| card.rows.len()).collect();
    let layout = Layout::of(&rows, longest.unwrap_or(0));

    let mut canvas = Canvas::new(layout.width, layout.height, &topology.id.to_string());
    title(&mut canvas, topology, &layout);
    links(&mut canvas, topology, &layout);
    for (card, at) in cards.iter().zip(&layout.cards) {
        draw_card(&mut canvas, card, at);
    }
    router(&mut canvas, topology, &layout);
    legend(&mut canvas, &layout);
    canvas.finish()
}

/// A site and the rows of its card.
#[derive(Debug)]
struct Card<'a> {
    site: &'a Site,
    role: SiteRole,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    role: Role,
    text: String,
    address: String,
}

impl<'a> Card<'a> {
    fn of(topology: &Topology, site: &'a Site) -> Self {
        let rows = [Role::Postgres, Role::Etcd, Role::Backup, Role::Proxy]
            .into_iter()
            .flat_map(|role| {
                let here: Vec<&Member> =
                    topology.of_role(role).filter(|m| m.site == site.number).collect();
                rows_of(role, &here)
            })
            .collect();
        Self { site, role: topology.role_in(site.number), rows }
    }
}

fn rows_of(role: Role, members: &[&Member]) -> Vec<Row> {
    let shown = if members.len() > ROWS_PER_ROLE { ROWS_PER_ROLE - 1 } else { members.len() };
    let mut rows: Vec<Row> = members[..shown]
        .iter()
        .map(|m| Row { role, text: m.name.clone(), address: m.address.to_string() })
        .collect();
    if let (Some(last), true) = (members.last(), shown < members.len()) {
        rows.push(Row {
            role,
            text: format!("… {} more", members.len() - shown),
            address: format!("to .{}", last.address.octets()[3]),
        });
    }
    rows
}

fn title(canvas: &mut Canvas, topology: &Topology, layout: &Layout) {
    let spec = &topology.spec;
    canvas.text(SIDE, 56, "title", Anchor::Start, &topology.id.name);
    canvas.text(
        SIDE,
        82,
        "sub",
        Anchor::Start,
        &format!(
            "{} × {} · PostgreSQL {} · durability {}",
            plural(spec.data_centers, "data center", "data centers"),
            nodes_in_words(spec),
            spec.postgres,
            spec.durability
        ),
    );

    // The quorum as that many full dots among all, where they are few enough to be counted.
    let placement = &topology.placement;
    let (total, quorum) = (placement.total(), placement.quorum());
    let right = layout.width - SIDE;
    let words = format!("etcd {total} members, quorum {quorum}");
    canvas.text(right, 82, "sub", Anchor::End, &words);
    let room = right - SIDE - layout::text_width(topology.id.name.chars().count(), 32);
    if total <= DOTS_MAX && 20 * total <= room {
        for n in 0..total {
            let x = right - 7 - 20 * (total - 1 - n);
            canvas.dot(x, 51, 7, if n < quorum { "etcd" } else { "etcd-hollow" });
        }
    }
}

fn plural(count: u32, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// `2 nodes`, or `3, 1 and 2 nodes` where data centers differ; of many the sum.
fn nodes_in_words(spec: &Spec) -> String {
    let each: Vec<u32> = (1..=spec.data_centers).map(|number| spec.nodes_in(number)).collect();
    match each.as_slice() {
        [first, rest @ ..] if rest.iter().all(|nodes| nodes == first) => {
            plural(*first, "node", "nodes")
        }
        some if some.len() <= DATA_CENTERS_SPELLED => {
            let each: Vec<String> = some.iter().map(u32::to_string).collect();
            format!("{} nodes", list(&each))
        }
        _ => format!("{} nodes in all", spec.all_nodes()),
    }
}

fn links(canvas: &mut Canvas, topology: &Topology, layout: &Layout) {
    for line in &layout.rails {
        canvas.line(*line, "rail");
    }
    for (site, at) in topology.sites.iter().zip(&layout.cards) {
        canvas.line(at.stub, "link");
        if at.meets_rail {
            canvas.dot(at.stub.x2, at.stub.y2, 4, "joint");
        }
        let upward = at.stub.y2 < at.stub.y1;
        let lines = distances(topology, site);
        for (n, text) in (0..).zip(&lines) {
            let first =
                if upward { at.stub.y1 - 8 - 15 * (count(&lines) - 1) } else { at.stub.y1 + 17 };
            canvas.text(at.stub.x1 + 9, first + 15 * n, "distance", Anchor::Start, text);
        }
    }
}

fn count(lines: &[String]) -> u32 {
    u32::try_from(lines.len()).expect("a handful of lines")
}

/// What is written beside a site's link: the delay to each other site that has one.
fn distances(topology: &Topology, site: &Site) -> Vec<String> {
    let others: Vec<(&str, Duration)> = topology
        .sites
        .iter()
        .filter(|other| other.number != site.number)
        .map(|other| {
            let settings = asked::settings(&topology.spec, &site.name, &other.name);
            (other.name.as_str(), settings.latency)
        })
        .filter(|(_, latency)| !latency.is_zero())
        .collect();
    let shown = if others.len() > DISTANCES_SHOWN { DISTANCES_SHOWN - 1 } else { others.len() };
    let mut lines: Vec<String> = others[..shown]
        .iter()
        .map(|(name, latency)| format!("{} to {name}", format_duration(*latency)))
        .collect();
    if shown < others.len() {
        lines.push(format!("and {} more", others.len() - shown));
    }
    lines
}

fn draw_card(canvas: &mut Canvas, card: &Card<'_>, at: &Placed) {
    let site = card.site;
    let (style, kind) = match site.kind {
        SiteKind::DataCenter if card.role == SiteRole::Standby => ("card", "standby data center"),
        SiteKind::DataCenter => ("card", "data center"),
        SiteKind::External => ("card external", "external site"),
    };
    canvas.rect(at.x, at.y, at.width, at.height, 12, style);
    canvas.text(at.x + 18, at.y + 33, "site", Anchor::Start, &site.name);
    canvas.text(at.x + at.width - 18, at.y + 24, "kind", Anchor::End, kind);
    canvas.text(at.x + at.width - 18, at.y + 41, "net", Anchor::End, &site.network);

    let mut y = at.y + CARD_HEADER;
    for row in &card.rows {
        canvas.rect(at.x + 12, y, at.width - 24, ROW, 7, &format!("row {}", row.role));
        canvas.icon(row.role, at.x + 22, y + (ROW - 16) / 2);
        canvas.text(at.x + 46, y + 19, "member", Anchor::Start, &row.text);
        canvas.text(at.x + at.width - 22, y + 19, "address", Anchor::End, &row.address);
        y += ROW + ROW_GAP;
    }
}

fn router(canvas: &mut Canvas, topology: &Topology, layout: &Layout) {
    let at = layout.router;
    canvas.rect(at.x, at.y, at.width, ROUTER_HEIGHT, 26, "router");
    let middle = at.x + at.width / 2;
    canvas.text(middle, at.y + 22, "router-name", Anchor::Middle, "WAN router");
    let words = format!("{} · 198.18.<site>.1", topology.router());
    canvas.text(middle, at.y + 39, "router-net", Anchor::Middle, &words);
}

fn legend(canvas: &mut Canvas, layout: &Layout) {
    let y = layout.height - 34;
    let mut x = SIDE;
    for (role, words, width) in LEGEND {
        canvas.icon(*role, x, y - 12);
        canvas.text(x + 23, y, "legend", Anchor::Start, words);
        x += 23 + width + 24;
    }
    canvas.line(layout::Line { x1: x, y1: y - 4, x2: x + 22, y2: y - 4 }, "link");
    canvas.text(x + 30, y, "legend", Anchor::Start, "WAN link");
}

#[cfg(test)]
mod tests;
