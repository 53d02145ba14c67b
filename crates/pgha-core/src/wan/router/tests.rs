use super::*;
use crate::wan::settings::Share;

pub(super) const MS: Duration = Duration::from_millis(1);

pub(super) fn sites() -> Vec<(u8, String)> {
    (1..=3).map(|number| (number, format!("DC{number}"))).collect()
}

pub(super) fn latency(latency: Duration) -> LinkSettings {
    LinkSettings { latency, ..LinkSettings::default() }
}

pub(super) fn direction(from: &str, to: &str) -> Direction {
    Direction { from: from.to_owned(), to: to.to_owned() }
}

fn router(asked: &[(u8, u8, LinkSettings)]) -> Router<u32> {
    Router::new(&sites(), asked, 1).expect("a router")
}

#[test]
fn a_link_of_which_nothing_is_asked_holds_nothing() {
    let mut router = router(&[]);
    let id = router.between(1, 2).expect("a link");
    assert_eq!(router.treatment(id), Treatment::Whole);
    assert_eq!(router.offer(MS, id, 64_000, 44, 7, |_| None), Offer::Now(7));
    assert!(router.is_empty());
    assert_eq!((router.link(id).counters().delivered, router.next_due()), (44, None));
}

#[test]
fn packets_of_all_links_come_out_by_their_moments() {
    let mut router =
        router(&[(1, 2, latency(30 * MS)), (2, 1, latency(10 * MS)), (1, 3, latency(20 * MS))]);
    for (payload, (from, to)) in [(1, 2), (2, 1), (1, 3)].into_iter().enumerate() {
        let id = router.between(from, to).expect("a link");
        let payload = u32::try_from(payload).expect("few");
        assert_eq!(router.offer(MS, id, 100, 1, payload, |_| None), Offer::Kept);
    }
    assert_eq!(router.next_due(), Some(11 * MS));
    assert_eq!(router.pop_due(10 * MS), None);
    let order: Vec<u32> = std::iter::from_fn(|| router.pop_due(100 * MS)).collect();
    assert_eq!(order, [1, 2, 0]);
    assert!(router.is_empty());
}

#[test]
fn a_temporary_change_ends() {
    let mut router = router(&[(1, 2, latency(30 * MS))]);
    let id = router.find(&direction("DC1", "DC2")).expect("a link");
    let cut = LinkChange { cut: Some(true), ..LinkChange::default() };
    let lossy = LinkChange { loss: Some(Share::ALL), ..LinkChange::default() };
    router.change(MS, &[id], &cut, Some(10 * MS)).expect("possible");
    router.change(2 * MS, &[id], &lossy, Some(20 * MS)).expect("possible");
    assert_eq!(router.next_due(), Some(20 * MS));
    assert_eq!(router.pop_due(19 * MS), None);
    assert!(router.link(id).settings().cut);
    router.expire(20 * MS);
    assert_eq!(*router.link(id).settings(), latency(30 * MS));
    assert_eq!(router.next_due(), None);
}
