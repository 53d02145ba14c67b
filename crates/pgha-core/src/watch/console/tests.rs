//! Keys, one after the other.

use super::*;

fn rows() -> Rows {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Rows {
        cluster: names(&["DC1", "a", "etcd", "DC2", "b"]),
        nodes: names(&["a", "b"]),
        replicas: names(&["b"]),
        links: vec![(["DC1".to_owned(), "DC2".to_owned()], 40)],
        page: 10,
    }
}

fn pressed(console: &mut Console, keys: &[Key]) -> Effect {
    keys.iter().fold(Effect::None, |_, key| console.press(*key, &rows()))
}

fn asked(keys: &[Key]) -> Option<String> {
    let mut console = Console::new("demo-1".to_owned(), false);
    pressed(&mut console, keys);
    match console.overlay {
        Some(Overlay::Asking { order, .. }) => Some(order.command_line("demo-1")),
        _ => None,
    }
}

#[test]
fn a_key_shows_its_command_and_only_enter_runs_it() {
    let mut console = Console::new("demo-1".to_owned(), false);
    assert_eq!(pressed(&mut console, &[Key::End, Key::Char('s')]), Effect::None);
    let to = Some("b".to_owned());
    assert_eq!(
        pressed(&mut console, &[Key::Char('y')]),
        Effect::Copy("pgha switchover demo-1 --to b".to_owned())
    );
    assert_eq!(pressed(&mut console, &[Key::Enter]), Effect::Run(Order::Switchover { to }));
    // Nothing else is begun while it runs.
    assert_eq!(pressed(&mut console, &[Key::Esc, Key::Char('s'), Key::Enter]), Effect::None);
    assert!(matches!(console.overlay, Some(Overlay::Running { ended: None, .. })));
    console.printed("done".to_owned());
    console.ended(0);
    assert_eq!(pressed(&mut console, &[Key::Esc]), Effect::None);
    assert_eq!(console.overlay, None);
}

#[test]
fn a_read_only_screen_copies_and_runs_nothing() {
    let mut console = Console::new("demo-1".to_owned(), true);
    assert_eq!(pressed(&mut console, &[Key::Char('s'), Key::Enter]), Effect::None);
    assert_eq!(
        pressed(&mut console, &[Key::Char('y')]),
        Effect::Copy("pgha switchover demo-1".to_owned())
    );
}

#[test]
fn what_is_chosen_is_what_is_meant() {
    assert_eq!(asked(&[Key::Char('s')]).as_deref(), Some("pgha switchover demo-1"));
    // To the leader, or to an etcd member, nobody hands over.
    assert_eq!(
        asked(&[Key::Down, Key::Down, Key::Char('s')]).as_deref(),
        Some("pgha switchover demo-1")
    );
    assert_eq!(asked(&[Key::Char('x')]), None, "nothing is chosen");
    assert_eq!(asked(&[Key::Home, Key::Char('x')]).as_deref(), Some("pgha kill demo-1 DC1"));
    assert_eq!(asked(&[Key::Char('h')]).as_deref(), Some("pgha heal demo-1"));
    let links = Key::Char('3');
    assert_eq!(
        asked(&[links, Key::Char('x')]).as_deref(),
        Some("pgha wan cut demo-1 DC1 DC2 --for 60s")
    );
    assert_eq!(
        asked(&[links, Key::Char('I')]).as_deref(),
        Some("pgha wan isolate demo-1 DC2 --for 60s")
    );
    assert_eq!(
        asked(&[links, Key::Char('-')]).as_deref(),
        Some("pgha wan set demo-1 DC1 DC2 --latency 30ms --for 60s")
    );
    assert_eq!(asked(&[links, Key::Char('h')]).as_deref(), Some("pgha wan reset demo-1"));
    assert_eq!(asked(&[Key::Char('4'), Key::Char('b')]).as_deref(), Some("pgha backup demo-1"));
    assert_eq!(asked(&[Key::Char('h'), Key::Esc]), None);
}

#[test]
fn enter_opens_the_node_that_is_chosen() {
    let mut console = Console::new("demo-1".to_owned(), false);
    pressed(&mut console, &[Key::End, Key::Enter]);
    assert_eq!((console.screen, console.node.as_deref()), (Screen::Node, Some("b")));
    pressed(&mut console, &[Key::Up]);
    assert_eq!(console.node.as_deref(), Some("a"));
    pressed(&mut console, &[Key::Tab]);
    assert_eq!(console.screen, Screen::Cluster);
}

#[test]
fn lines_that_have_gone_are_no_longer_chosen() {
    let mut console = Console::new("demo-1".to_owned(), false);
    pressed(&mut console, &[Key::End]);
    assert_eq!(console.press(Key::Char('3'), &Rows::default()), Effect::None);
    assert_eq!(console.press(Key::Char('x'), &Rows::default()), Effect::None);
    assert_eq!(console.overlay, None);
    assert_eq!(console.press(Key::Char('q'), &Rows::default()), Effect::Quit);
}
