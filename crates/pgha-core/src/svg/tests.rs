use proptest::prelude::*;

use super::*;
use crate::spec::{LinkSpec, Spec};

fn picture(spec: Spec) -> String {
    topology_svg(&Topology::new(spec, 1))
}

fn link(a: &str, b: &str, latency_ms: u64) -> LinkSpec {
    LinkSpec::between(a, b, Duration::from_millis(latency_ms))
}

#[test]
fn the_picture_of_two_data_centers_is_this_document() {
    let spec = Spec { data_centers: 2, ..Spec::default() };
    insta::assert_snapshot!(picture(spec));
}

#[test]
fn every_member_its_address_and_the_quorum_are_in_the_picture() {
    let topology = Topology::new(Spec { data_centers: 3, nodes: 3, ..Spec::default() }, 1);
    let picture = topology_svg(&topology);
    for member in &topology.members {
        assert!(picture.contains(&format!(">{}<", member.name)), "{}", member.name);
        assert!(picture.contains(&format!(">{}<", member.address)), "{}", member.address);
    }
    assert!(picture.contains("etcd 5 members, quorum 3"));
}

#[test]
fn distances_stand_beside_the_links_of_both_ends() {
    let links = vec![link("DC1", "DC2", 40), link("DC2", "DC3", 7)];
    let picture = picture(Spec { data_centers: 2, links, ..Spec::default() });
    for label in [">40ms to DC2<", ">40ms to DC1<", ">7ms to DC3<", ">7ms to DC2<"] {
        assert!(picture.contains(label), "{label}");
    }
}

#[test]
fn the_picture_refers_to_nothing_outside_itself() {
    let picture = picture(Spec { data_centers: 8, ..Spec::default() });
    let without_namespace = picture.replace("http://www.w3.org/2000/svg", "");
    for word in ["http", "href", "url(", "<script", "@import", "<image"] {
        assert!(!without_namespace.contains(word), "{word}");
    }
}

#[test]
fn markup_in_a_name_stays_text() {
    let picture = picture(Spec { name: "<b>&\"".into(), ..Spec::default() });
    assert!(picture.contains("&lt;b&gt;&amp;&quot;"));
    assert!(!picture.contains("<b>"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn cards_never_overlap_and_stay_inside(
        rows in prop::collection::vec(0usize..26, 2..251),
        longest in 5usize..50,
    ) {
        let layout = Layout::of(&rows, longest);
        prop_assert_eq!(layout.cards.len(), rows.len());
        for (i, a) in layout.cards.iter().enumerate() {
            prop_assert!(a.x + a.width <= layout.width && a.y + a.height <= layout.height);
            for b in &layout.cards[..i] {
                let apart = a.x + a.width <= b.x
                    || b.x + b.width <= a.x
                    || a.y + a.height <= b.y
                    || b.y + b.height <= a.y;
                prop_assert!(apart, "{:?} and {:?}", a, b);
            }
            let crosses = |line: &layout::Line| {
                line.x1 < a.x + a.width && line.x2 > a.x && line.y1 < a.y + a.height && line.y2 > a.y
            };
            prop_assert!(!layout.rails.iter().any(crosses), "a rail crosses {a:?}");
            let router = layout.router;
            prop_assert!(
                router.x + router.width <= a.x
                    || a.x + a.width <= router.x
                    || router.y + ROUTER_HEIGHT <= a.y
                    || a.y + a.height <= router.y
            );
        }
    }
}
