use super::*;
use crate::steps::{StepDone, StepJournal as _};

const NOW: i64 = 1_800_000_000;

fn view(name: &str, issuer: &str, days: i64) -> CertificateView {
    let facts = Facts {
        subject: format!("CN={name}"),
        issuer: format!("CN={issuer}"),
        names: vec![name.to_owned()],
        not_before: 0,
        not_after: NOW + days * DAY + 60,
        fingerprint: format!("print of {name}"),
    };
    let purpose = if name.starts_with("ca") { Purpose::Ca } else { Purpose::Node };
    let now = Timestamp::from_second(NOW).expect("a time");
    let mut view = CertificateView::of(facts, purpose, &format!("{name}.crt"), now);
    if purpose == Purpose::Node {
        view.member = Some(name.to_owned());
        view.served = Some(Served::Same);
        view.trusts = Some(vec!["print of ca".to_owned()]);
    }
    view
}

fn told(all: &[CertificateView], rotating: bool) -> Vec<String> {
    let all = problems(all, "demo-1", rotating).into_iter();
    all.map(|problem| format!("{}: {}", problem.message, problem.hint)).collect()
}

#[test]
fn certificates_in_use_for_long_are_no_problem() {
    let all = [view("ca", "ca", 900), view("node", "ca", SOON_DAYS)];
    assert_eq!(all[1].days_left, SOON_DAYS);
    assert!(told(&all, false).is_empty());
}

#[test]
fn what_is_wrong_is_said_with_what_helps() {
    let mut other = view("b", "ca", 400);
    other.served = Some(Served::Other { fingerprint: "another".to_owned() });
    let mut old = view("c", "gone", 400);
    old.trusts = Some(vec!["print of gone".to_owned()]);
    let mut silent = view("d", "ca", 400);
    silent.served = Some(Served::Unknown { reason: "no answer".to_owned() });
    silent.trusts = None;
    let all = [view("ca", "ca", SOON_DAYS - 1), view("a", "ca", -1), other, old, silent];
    insta::assert_snapshot!(told(&all, false).join("\n"));
    assert!(
        told(&all, true).iter().all(|line| line.ends_with("finishes the rotation in progress"))
    );
}

#[test]
fn while_two_cas_are_trusted_both_are_expected() {
    let mut node = view("node", "ca", 400);
    let cas = [view("ca", "ca", 400), view("ca2", "ca2", 400)];
    assert_eq!(told(&[&cas[..], &[node.clone()]].concat(), true).len(), 1);
    node.trusts = Some(vec!["print of ca2".to_owned(), "print of ca".to_owned()]);
    assert!(told(&[&cas[..], &[node]].concat(), true).is_empty());
}

#[test]
fn the_old_ca_goes_when_nobody_serves_its_certificates_any_more() {
    let members = vec!["a".to_owned(), "b".to_owned()];
    let words = |ca| {
        let journal = Journal::new(ca, None, members.clone());
        journal.steps().iter().map(crate::steps::Step::word).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(words(true));
    assert_eq!(words(false), "new certificates\ncertificate of a\ncertificate of b");
}

#[test]
fn files_that_nobody_was_told_of_are_no_beginning() {
    for ca in [false, true] {
        let mut journal = Journal::new(ca, Some(90), vec!["a".to_owned()]);
        while let Some(step) = journal.begin() {
            let told = !matches!(journal.steps().iter().position(|s| *s == step), Some(0));
            assert_eq!(journal.is_untouched(), !told, "{step:?}");
            let note = String::new();
            journal.progress.done.push(StepDone { step, took_ms: 0, note });
        }
        let text = serde_json::to_string(&journal).expect("plain data is JSON");
        assert_eq!(serde_json::from_str::<Journal>(&text).expect("its own"), journal);
    }
}

#[test]
fn members_that_run_are_told_and_a_frozen_one_is_in_the_way() {
    use ContainerState::{Missing, Paused, Running, Stopped};
    let of = |states: [ContainerState; 3]| {
        let names = ["a", "b", "host"].map(str::to_owned);
        reached(&names.into_iter().zip(states).collect::<Vec<_>>())
    };
    let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    assert_eq!(of([Running, Stopped, Running]), Ok((names(&["a", "host"]), names(&["b"]))));
    assert_eq!(of([Running, Missing, Stopped]), Err(Refused::NoBackupHost("host".into())));
    assert_eq!(of([Paused, Missing, Stopped]), Err(Refused::Frozen(names(&["a"]))));
}

#[test]
fn a_key_is_not_shown_by_accident() {
    let given = Given { ca: "ca".into(), own: Some(["crt".into(), "hush".into()]) };
    assert!(!format!("{given:?}").contains("hush"));
}
