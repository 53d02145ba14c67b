//! What Patroni, etcd and a probe answer comes over a network: any bytes give an answer or an error text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pgha_core::observe::{self, SiteObservation};

fuzz_target!(|body: &[u8]| {
    let _ = observe::patroni(body);
    let _ = observe::etcd_status(body);
    let _ = observe::dcs(body);
    if let Ok(report) = SiteObservation::from_json(body) {
        let printed = serde_json::to_vec(&report).expect("a report is always JSON");
        SiteObservation::from_json(&printed).expect("what is printed reads back");
    }
});
