//! The screens on a terminal that is only simulated, on constructed clusters.

use pgha_core::chronicle::{Entry, What};
use pgha_core::observe::SiteObservation;
use pgha_core::repository::Repository;
use pgha_core::spec::Spec;
use pgha_core::status::{ClusterView, ContainerState, Observed};
use pgha_core::topology::Topology;
use pgha_core::watch::{Key, Memory, STALE_MS};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::screen::status::tests::healthy_of;

/// A cluster that is looked at, at these times in milliseconds.
struct Scene {
    console: Console,
    memory: Memory,
    timeline: Timeline,
    links: Option<LinksBoard>,
    backups: Option<BackupsBoard>,
    node: Option<(NodeReport, Vec<String>)>,
}

impl Scene {
    fn of(looks: Vec<(u64, ClusterView)>) -> Self {
        let mut memory = Memory::default();
        for (at, view) in looks {
            memory.take(at, Ok(view));
        }
        Self {
            console: Console::new("demo-1".to_owned(), false),
            memory,
            timeline: Timeline::default(),
            links: None,
            backups: None,
            node: None,
        }
    }

    fn healthy() -> Self {
        Self::of(vec![(0, view(&two_by_two()))])
    }

    fn with_picture<T>(&self, now_ms: u64, each: impl FnOnce(&Picture<'_>) -> T) -> T {
        fn detail<T: Clone>(data: Option<&T>) -> Detail<T> {
            Detail { data: data.cloned(), ..Detail::default() }
        }
        let board = Board::of(&self.memory, now_ms);
        each(&Picture {
            console: &self.console,
            board: board.as_ref(),
            failure: self.memory.failure(),
            clock: "18:31:02 UTC",
            timeline: &self.timeline,
            links: detail(self.links.as_ref()),
            backups: detail(self.backups.as_ref()),
            node: detail(self.node.as_ref()),
        })
    }

    fn press(&mut self, keys: &[Key], size: (u16, u16)) {
        for key in keys {
            let area = Rect::new(0, 0, size.0, size.1);
            let rows = self.with_picture(0, |picture| rows(picture, area));
            self.console.press(*key, &rows);
        }
    }

    /// The screen, blanks at the ends of lines left out.
    fn drawn(&self, now_ms: u64, size: (u16, u16)) -> String {
        let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).expect("a terminal");
        let drawn = self.with_picture(now_ms, |picture| {
            terminal.draw(|frame| {
                draw(picture, Palette::Plain, frame.area(), frame.buffer_mut());
            })
        });
        drawn.expect("it can be drawn");
        page::text(terminal.backend().buffer())
            .lines()
            .map(|line| anstream::adapter::strip_str(line).to_string())
            .collect::<Vec<_>>()
            .join("\n")
    }
}

const SMALL: (u16, u16) = (80, 24);

fn two_by_two() -> (Topology, Observed) {
    healthy_of(Spec { data_centers: 2, ..Spec::default() }, 1)
}

fn view((topology, observed): &(Topology, Observed)) -> ClusterView {
    ClusterView::new(topology, observed)
}

fn stop(observed: &mut Observed, names: impl Fn(&str) -> bool) {
    for container in observed.containers.iter_mut().filter(|c| names(&c.name)) {
        container.state = ContainerState::Stopped;
    }
}

fn sites(observed: &mut Observed) -> impl Iterator<Item = &mut SiteObservation> {
    observed.sites.values_mut().filter_map(|site| site.as_mut().ok())
}

#[test]
fn a_healthy_cluster_fits_a_small_terminal() {
    insta::assert_snapshot!(Scene::healthy().drawn(900, SMALL));
}

#[test]
fn a_lost_data_center_is_told_first_and_what_it_was() {
    let mut lab = two_by_two();
    let before = view(&lab);
    stop(&mut lab.1, |name| name.contains("-DC2-"));
    lab.1.sites.remove("DC2");
    let scene = Scene::of(vec![(0, before), (7000, view(&lab))]);
    insta::assert_snapshot!(scene.drawn(7500, SMALL));
}

#[test]
fn an_engine_that_does_not_answer_leaves_what_was_seen_last() {
    let mut scene = Scene::healthy();
    scene.memory.take(3000, Err("the Docker engine does not answer".to_owned()));
    assert!(!scene.drawn(STALE_MS, SMALL).contains("LAST SEEN"));
    insta::assert_snapshot!(scene.drawn(9000, SMALL));
}

#[test]
fn before_the_first_look_nothing_is_claimed() {
    let mut scene = Scene::of(Vec::new());
    assert!(scene.drawn(0, SMALL).contains("looking at the cluster"));
    scene.memory.take(0, Err("the Docker engine does not answer".to_owned()));
    assert!(scene.drawn(0, SMALL).contains("the Docker engine does not answer; trying again"));
}

#[test]
fn sixty_nodes_are_a_line_for_each_site_and_what_is_ill_comes_first() {
    let mut lab = healthy_of(Spec { data_centers: 20, nodes: 3, ..Spec::default() }, 1);
    for node in sites(&mut lab.1).flat_map(|site| &mut site.postgres) {
        if node.name.contains("-DC17-") {
            node.patroni = Err("no answer in time".to_owned());
            break;
        }
    }
    let scene = Scene::of(vec![(0, view(&lab))]);
    let drawn = scene.drawn(500, SMALL);
    let at = |what: &str| drawn.find(what).unwrap_or_else(|| panic!("{what} in\n{drawn}"));
    assert!(at("\n DC17") < at("? pgha-demo1-DC17-1"), "{drawn}");
    assert!(at("? pgha-demo1-DC17-1") < at("\n DC1 "), "{drawn}");
    assert_eq!(drawn.lines().count(), 24);
}

#[test]
fn every_site_and_member_can_be_chosen_and_seen() {
    let mut scene = Scene::healthy();
    let size = (80, 16);
    scene.press(&[Key::End], size);
    let last = scene.console.chosen.clone().expect("the last line");
    assert!(scene.drawn(0, size).contains(&format!(">{last}")), "{}", scene.drawn(0, size));
    scene.press(&[Key::Home], size);
    assert!(scene.drawn(0, size).contains(">DC1"), "{}", scene.drawn(0, size));
}

#[test]
fn the_timeline_has_a_mark_in_the_lane_of_each_entry() {
    let entry = |second: u8, member: Option<&str>, what| Entry {
        at: format!("2026-11-28 18:30:{second:02}.250"),
        member: member.map(str::to_owned),
        what,
    };
    let mut scene = Scene::healthy();
    scene.console.screen = Screen::Timeline;
    let (one, two) = (Some("pgha-demo1-DC1-1"), Some("pgha-demo1-DC2-1"));
    let kill = What::Fault { fault: "kill".to_owned(), targets: vec!["DC1".to_owned()] };
    scene.timeline.take(vec![
        entry(1, None, kill),
        entry(2, two, What::StreamLost),
        entry(31, two, What::LeaderKeyFree),
        entry(32, two, What::LeaderKeyTaken),
        entry(33, two, What::Timeline { timeline: 2 }),
        entry(40, one, What::EtcdUnreachable),
        entry(
            41,
            Some("pgha-wan-1"),
            What::Links { links: Vec::new(), change: None, for_ms: None },
        ),
    ]);
    scene.timeline.scrub(-3);
    scene.timeline.take(vec![entry(50, one, What::Streaming { timeline: 2 })]);
    insta::assert_snapshot!(scene.drawn(0, SMALL));
}

#[test]
fn the_backups_screen_says_what_can_be_recovered() {
    let mut scene = Scene::healthy();
    scene.console.screen = Screen::Backups;
    assert!(scene.drawn(0, SMALL).contains("backups: asking"));
    let info = include_bytes!("../../../../pgha-core/src/repository/info-three-backups.json");
    let repository = Repository::from_info(info).expect("a listing");
    let now = repository.latest().expect("a backup").stopped_s + 3600;
    let archive = scene.memory.view().and_then(|view| view.archive.clone());
    scene.backups = Some(BackupsBoard::of(&repository, archive.as_ref(), now));
    insta::assert_snapshot!(scene.drawn(0, SMALL));
}

#[test]
fn the_node_screen_has_replicas_sessions_and_the_end_of_the_log() {
    let mut scene = Scene::healthy();
    scene.press(&[Key::Down, Key::Down, Key::Enter], SMALL);
    assert_eq!(scene.console.screen, Screen::Node);
    let printed = br#"{"recovery": false, "lsn": "0/5000148", "connections": 3, "connections_max": 100,
        "started_s": 4000, "replicas": [{"name": "pgha-demo1-DC2-1", "state": "streaming", "sync": "async",
        "sent": "0/5000148", "replay_ms": 12}],
        "sessions": [{"pid": 4711, "user": "postgres", "state": "active", "wait": "PgSleep", "ms": 2100,
        "query": "select pg_sleep(100)"}, {"pid": 12, "user": "app", "state": "idle", "ms": 9, "query": "commit"}]}"#;
    let report = NodeReport::from_json(printed).expect("a report");
    let log = (1..30).map(|n| format!("2026-11-28 18:30:00.000 UTC [{n}] LOG:  line {n}"));
    scene.node = Some((report, log.collect()));
    insta::assert_snapshot!(scene.drawn(0, SMALL));
}

#[test]
fn a_command_is_shown_before_it_runs_and_what_it_prints_after() {
    let mut scene = Scene::healthy();
    scene.press(&[Key::Char('s')], SMALL);
    assert!(scene.drawn(0, SMALL).contains("Enter run · y copy · Esc back"));
    scene.press(&[Key::Enter], SMALL);
    (0..50).for_each(|n| scene.console.printed(format!("line {n}")));
    scene.console.ended(1);
    let drawn = scene.drawn(0, SMALL);
    assert!(drawn.contains("line 49") && drawn.contains("exit code 1"), "{drawn}");
    scene.press(&[Key::Esc, Key::Char('?')], SMALL);
    insta::assert_snapshot!(scene.drawn(0, SMALL));
}

#[test]
fn any_size_can_be_drawn() {
    let mut scene = Scene::healthy();
    for screen in Screen::ALL {
        scene.console.screen = screen;
        for size in [(1, 1), (39, 9), (40, 10), (79, 23), (200, 60), (300, 11)] {
            for keys in [&[][..], &[Key::Char('?')], &[Key::Esc, Key::Char('h')]] {
                scene.press(keys, size);
                scene.drawn(STALE_MS * 3, size);
                scene.console.overlay = None;
            }
        }
    }
}
