//! First stage: proxies that do not go together.

use super::Finding;
use crate::proxy::PGBOUNCER_USER;
use crate::spec::Spec;

/// Everything there is to say about `[proxy]`.
pub(super) fn check(spec: &Spec) -> Vec<Finding> {
    let mut findings = Vec::new();
    if spec.proxy.pgbouncer && !spec.proxy.haproxy {
        findings.push(Finding::error(
            "pgbouncer_without_haproxy",
            "PgBouncer without HAProxy: PgBouncer does not know which node leads",
            "--proxy haproxy,pgbouncer, or haproxy = true in [proxy]",
        ));
    }
    if spec.proxy.pgbouncer && spec.server.users.iter().any(|user| user == PGBOUNCER_USER) {
        findings.push(Finding::error(
            "pgbouncer_user",
            format!("the user {PGBOUNCER_USER} is the one that PgBouncer looks up others by"),
            "another name for the user of the cluster file",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str) -> Vec<&'static str> {
        let spec = Spec::from_toml(text).expect("a spec");
        crate::lint::check(&spec)
            .into_iter()
            .map(|finding| finding.code)
            .filter(|code| code.starts_with("pgbouncer"))
            .collect()
    }

    #[test]
    fn pgbouncer_needs_haproxy_and_a_user_of_its_own() {
        assert_eq!(codes("[proxy]\nhaproxy = true\npgbouncer = true\n"), [""; 0]);
        assert_eq!(codes("[proxy]\npgbouncer = true\n"), ["pgbouncer_without_haproxy"]);
        let user = "[postgres]\nusers = [\"pgbouncer\"]\n[proxy]\nhaproxy = true\n";
        assert_eq!(codes(user), [""; 0]);
        assert_eq!(codes(&format!("{user}pgbouncer = true\n")), ["pgbouncer_user"]);
    }
}
