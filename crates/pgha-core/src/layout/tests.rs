//! Identities over any history of changes.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::lint;
use crate::spec::DataCenterSpec;
use crate::topology::{Member, Topology};

/// The members of a new cluster as they were always named.
fn literal(spec: &Spec, instance: u32) -> Vec<Member> {
    let last = spec.data_centers + u32::from(spec.external);
    let at = |site: u32, octet: u32| {
        let byte = |n: u32| u8::try_from(n).expect("a byte");
        Ipv4Addr::new(198, 18, byte(site), byte(octet))
    };
    let member = |name: String, role, site: u32, octet| Member {
        name,
        role,
        site: u8::try_from(site).expect("a byte"),
        address: at(site, octet),
        added: 1,
    };
    let mut members = Vec::new();
    for site in 1..=spec.data_centers {
        let differs = spec.each.get(site as usize - 1).and_then(|it| it.nodes);
        for n in 1..=differs.unwrap_or(spec.nodes) {
            let name = format!("pgha-{}{n}-DC{site}-{instance}", spec.name);
            members.push(member(name, Role::Postgres, site, 100 + n));
        }
    }
    let mut count = 0;
    for (site, voters) in (1..).zip(Placement::of(spec).per_site()) {
        for n in 1..=voters {
            count += 1;
            let name = format!("pgha-etcd{count}-DC{site}-{instance}");
            members.push(member(name, Role::Etcd, site, 2 + n));
        }
    }
    let name = format!("pgha-pgbackrest-DC{last}-{instance}");
    members.push(member(name, Role::Backup, last, 2));
    members
}

pub(crate) fn specs() -> impl Strategy<Value = Spec> {
    let numbers = (1u32..8, 2u32..6, 1u32..8, prop::option::of(1u32..4));
    let differs = prop::collection::vec(prop::option::of(1u32..4), 0..4);
    let more = (prop::bool::weighted(0.7), differs);
    (numbers, more).prop_filter_map("no cluster", |(numbers, (external, differs))| {
        let (data_centers, nodes, must_suffice, etcd) = numbers;
        let one = |nodes| DataCenterSpec { nodes, ..DataCenterSpec::default() };
        let each = differs.into_iter().map(one).collect();
        let spec =
            Spec { data_centers, nodes, etcd, each, external, must_suffice, ..Spec::default() };
        (!lint::has_errors(&lint::check(&spec))).then_some(spec)
    })
}

/// Numbers that a history of changes is made from.
pub(crate) fn histories() -> impl Strategy<Value = Vec<Vec<[u8; 3]>>> {
    prop::collection::vec(prop::collection::vec(any::<[u8; 3]>(), 1..4), 0..8)
}

/// One change, made from numbers so that it is often possible.
fn wish(layout: &Layout, [what, which, more]: [u8; 3]) -> Vec<Change> {
    let current: Vec<_> = layout.current().collect();
    let one = current[usize::from(which) % current.len()];
    match what % 6 {
        0 => {
            let site = u8::try_from(layout.sites().len() + 1).expect("few sites");
            let nodes = (0..=more % 3).map(|_| Change::AddMember(Role::Postgres, site));
            [Change::AddDataCenter].into_iter().chain(nodes).collect()
        }
        1 => vec![Change::AddMember(Role::Postgres, one.site)],
        2 => vec![Change::AddMember(Role::Etcd, one.site)],
        3 => {
            let all = current.iter().filter(|m| m.site == one.site);
            let all = all.map(|m| Change::RemoveMember(m.id));
            all.chain([Change::RemoveSite(one.site)]).collect()
        }
        _ => vec![Change::RemoveMember(one.id)],
    }
}

/// Every layout of a history; changes that are refused are left out.
pub(crate) fn layouts(spec: &Spec, history: &[Vec<[u8; 3]>]) -> Vec<Layout> {
    let mut all = vec![Layout::of(spec)];
    for numbers in history {
        let last = all.last().expect("there is one");
        let wishes: Vec<_> = numbers.iter().flat_map(|numbers| wish(last, *numbers)).collect();
        all.extend(last.changed(&wishes).ok());
    }
    all
}

#[test]
fn a_text_is_as_short_as_the_document_says() {
    let spec = Spec { data_centers: 2, ..Spec::default() };
    let first = Layout::of(&spec);
    assert_eq!(first.to_string(), "1");
    let node = Change::AddMember(Role::Postgres, 4);
    let second = first.changed(&[Change::AddDataCenter, node, node]).expect("a data center");
    assert_eq!(second.to_string(), "2 d1-2 x3 d4@2 p1-2*2 e1-3 b3 p4*2@2");
    let third = second.changed(&[Change::RemoveMember(5), Change::AddMember(Role::Etcd, 4)]);
    let third = third.expect("an etcd member for another");
    assert_eq!(third.to_string(), "3 d1-2 x3 d4@2 p1-2*2 e1!3 e2-3 b3 p4*2@2 e4@3");
    let large = Spec { data_centers: 249, nodes: 3, must_suffice: 249, ..Spec::default() };
    let large = Layout::of(&large).changed(&[Change::AddMember(Role::Postgres, 7)]);
    assert!(large.expect("a node").to_string().len() < 60);
}

#[test]
fn the_names_of_what_is_added_go_on_after_those_that_were() {
    let spec = Spec { data_centers: 2, ..Spec::default() };
    let changes = [
        Change::RemoveMember(2),
        Change::AddMember(Role::Postgres, 1),
        Change::AddDataCenter,
        Change::AddMember(Role::Postgres, 4),
        Change::AddMember(Role::Etcd, 4),
    ];
    let layout = Layout::of(&spec).changed(&changes).expect("a layout");
    let topology = Topology::with(spec, 1, layout);
    assert_eq!(
        topology.containers(),
        [
            "pgha-demo1-DC1-1",
            "pgha-demo3-DC1-1",
            "pgha-demo1-DC2-1",
            "pgha-demo2-DC2-1",
            "pgha-demo1-DC4-1",
            "pgha-etcd1-DC1-1",
            "pgha-etcd2-DC2-1",
            "pgha-etcd4-DC4-1",
            "pgha-etcd3-DC3-1",
            "pgha-pgbackrest-DC3-1",
            "pgha-wan-1",
        ]
    );
    let sites: Vec<&str> = topology.sites.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(sites, ["DC1", "DC2", "DC4", "DC3"], "the external one is last");
    assert_eq!(topology.placement.per_site(), [1, 1, 1, 1]);
    assert_eq!(topology.backup_host().name, "pgha-pgbackrest-DC3-1");
}

#[test]
fn what_every_cluster_has_stays() {
    let layout = Layout::of(&Spec { data_centers: 2, ..Spec::default() });
    let refused = |changes: &[Change]| layout.changed(changes).expect_err("no such layout");
    let remove = Change::RemoveMember;
    assert_eq!(refused(&[remove(8)]), LayoutError::BackupHostStays);
    assert_eq!(refused(&[remove(1), remove(2)]), LayoutError::LastNode { site: 1 });
    assert_eq!(refused(&[Change::RemoveSite(3)]), LayoutError::ExternalSiteStays);
    let has = LayoutError::SiteHasMembers { site: 1, members: 3 };
    assert_eq!(refused(&[Change::RemoveSite(1)]), has);
    assert_eq!(refused(&[remove(5), remove(6), remove(7)]), LayoutError::NoEtcd);
    assert_eq!(refused(&[Change::AddDataCenter]), LayoutError::LastNode { site: 4 });
    assert_eq!(refused(&[remove(99)]), LayoutError::NoSuchMember { id: 99 });
    let (role, site) = (Role::Postgres, 3);
    let wrong = LayoutError::WrongPlace { role, site };
    assert_eq!(refused(&[Change::AddMember(role, site)]), wrong);
    let all = vec![Change::AddMember(Role::Postgres, 1); 149];
    assert!(matches!(refused(&all), LayoutError::NoAddressLeft { had: 150, .. }));
    let mut gone: Vec<_> = [1, 2, 5].map(remove).to_vec();
    gone.push(Change::RemoveSite(1));
    let one = layout.changed(&gone).expect("one data center is left");
    let mut gone: Vec<_> = [3, 4, 6].map(remove).to_vec();
    gone.push(Change::RemoveSite(2));
    assert_eq!(one.changed(&gone), Err(LayoutError::NoDataCenter));
}

#[test]
fn what_is_no_layout_is_refused() {
    let spec = Spec { data_centers: 2, ..Spec::default() };
    for text in [
        "",
        "0",
        "x",
        "1 d1-2",
        "2",
        "2 d1 p1",
        "2 d1 x2 p1 e1",
        "2 d1 x2 p1 b2",
        "2 d1 x2 x3 p1 e1 b2",
        "2 d2 x1 p2 e1 b1",
        "2 d1 x2 p1*151 e1 b2",
        "2 d1 x2 p2 e1 b2",
        "2 d1 x2 p1 e3 b2",
        "2 d1 x2 p1 e1 b2 p1@3",
        "2 d1 x2 p1 e1 b2 p1@2!2",
        "2 d1 x2 p1@2 e1 b2",
        "2 d1 x2 p1 e1!2 b2",
        "2 d1 x2 p1 e1 b2!2",
        "2 d1!2 x2 p1 e1 b2",
        "2 d1 x2 p1 e1 b2 b2",
        "2 d1 x2 p+1 e1 b2",
        "2 d9-1 x2 p1 e1 b2",
        "2 d1 x2 p1*0 e1 b2",
        "2 d0-1 x2 p1 e1 b2",
    ] {
        assert!(Layout::parse(text, &spec).is_err(), "{text:?}");
    }
    assert_eq!(Layout::parse(" 1\n", &spec), Ok(Layout::of(&spec)));
    assert!(Layout::parse("2 d1 x2 p1 e1 b2", &spec).is_ok());
}

#[test]
fn the_newest_layout_wins_and_of_equal_ones_the_first() {
    let spec = Spec::default();
    let first = Layout::of(&spec);
    let of = |role| first.changed(&[Change::AddMember(role, 1)]).expect("a member");
    let (node, etcd) = (of(Role::Postgres), of(Role::Etcd));
    let newest = Layout::newest([first.clone(), node.clone(), etcd, first]);
    assert_eq!(newest, Some(node));
    assert_eq!(Layout::newest([]), None);
}

proptest! {
    #[test]
    fn generation_1_is_the_cluster_that_the_specification_always_gave(spec in specs(), instance in 1u32..99) {
        let topology = Topology::new(spec.clone(), instance);
        prop_assert_eq!(&topology.members, &literal(&spec, instance));
        prop_assert_eq!(&topology.placement, &Placement::of(&spec));
        let names: Vec<String> = (1..=spec.sites()).map(|n| format!("DC{n}")).collect();
        prop_assert_eq!(topology.sites.iter().map(|s| s.name.clone()).collect::<Vec<_>>(), names);
    }

    #[test]
    fn a_name_or_an_address_is_one_members_for_ever(spec in specs(), history in histories()) {
        let id = ClusterId { name: spec.name.clone(), instance: 1 };
        let (mut names, mut addresses) = (BTreeMap::new(), BTreeMap::new());
        let mut before: Option<Layout> = None;
        for layout in layouts(&spec, &history) {
            for m in layout.members() {
                prop_assert_eq!(*names.entry(m.name(&id)).or_insert(m.id), m.id);
                prop_assert_eq!(*addresses.entry(m.address).or_insert(m.id), m.id);
                prop_assert_eq!(m.address.octets()[2], m.site);
            }
            if let Some(before) = before {
                prop_assert!(layout.comes_from(&before) && !before.comes_from(&layout));
                for m in before.members() {
                    let now = layout.member(m.id).expect("it stays in the list");
                    prop_assert_eq!((now.role, now.site, now.number), (m.role, m.site, m.number));
                    prop_assert!(m.span.removed.is_none() || now.span == m.span);
                }
            }
            before = Some(layout);
        }
    }

    #[test]
    fn a_text_reads_back_as_its_layout(spec in specs(), history in histories()) {
        for layout in layouts(&spec, &history) {
            let text = layout.to_string();
            prop_assert_eq!(Layout::parse(&text, &spec), Ok(layout), "{}", text);
        }
    }

    #[test]
    fn a_layout_knows_what_it_was_in_each_generation(spec in specs(), history in histories()) {
        let all = layouts(&spec, &history);
        let last = all.last().expect("there is one");
        for (generation, layout) in (1..).zip(&all) {
            prop_assert_eq!(&last.at(generation), layout);
        }
        prop_assert_eq!(&last.at(u32::MAX), last);
    }

    #[test]
    fn any_text_is_a_layout_or_refused(text in "[0-9]{1,2}( [dxpeb][0-9]{1,3}(-[0-9]{1,3})?(\\*[0-9]{1,3})?(@[0-9])?(![0-9])?){0,9}", noise: String) {
        for text in [text, noise] {
            if let Ok(layout) = Layout::parse(&text, &Spec::default()) {
                let again = Layout::parse(&layout.to_string(), &Spec::default());
                prop_assert_eq!(again, Ok(layout.clone()));
                Topology::with(Spec::default(), 1, layout);
            }
        }
    }
}
