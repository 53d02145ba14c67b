#[test]
fn dump() {
    use crate::spec::{LinkSpec, Spec};
    for (d, c, e) in [
        (1, 2, None),
        (2, 2, None),
        (3, 2, None),
        (5, 2, None),
        (8, 3, None),
        (20, 2, None),
        (2, 14, Some(2)),
    ] {
        let mut spec = Spec { data_centers: d, nodes: c, etcd: e, ..Spec::default() };
        let svg = crate::svg::topology_svg(&crate::topology::Topology::new(spec.clone(), 1));
        std::fs::write(format!("/tmp/svgt/d{d}c{c}.svg"), svg).unwrap();
        for a in 1..=d + 1 {
            for b in 1..a {
                spec.links.push(LinkSpec {
                    between: [format!("DC{a}"), format!("DC{b}")],
                    latency: std::time::Duration::from_millis(u64::from(a * 10 + b)),
                });
            }
        }
        let svg = crate::svg::topology_svg(&crate::topology::Topology::new(spec.clone(), 1));
        std::fs::write(format!("/tmp/svgt/d{d}c{c}-links.svg"), svg).unwrap();
    }
}
