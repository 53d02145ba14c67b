//! A cluster file is anybody's text: it is read or refused, and what is read goes through the lint, the plan and back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pgha_core::lint;
use pgha_core::plan::Plan;
use pgha_core::spec::Spec;

/// Most data centers whose whole plan is made: its table doubles with each.
const PLANNED_MAX: u32 = 6;

fuzz_target!(|text: &str| {
    let Ok(spec) = Spec::from_toml(text) else { return };
    assert_eq!(Spec::from_toml(&spec.to_toml()).as_ref(), Ok(&spec));
    let findings = lint::check(&spec);
    if spec.data_centers <= PLANNED_MAX {
        let plan = Plan::of(&spec);
        assert_eq!(plan.sites.is_empty(), lint::has_errors(&findings));
    }
});
