//! `[proxy]` of the cluster file: what each data center has in front of the nodes.
//!
//! Whether the choices go together is judged by the lint.

use std::str::FromStr;

use pgha_wan::units::UnknownChoice;
use serde::{Deserialize, Serialize};

/// The proxies of each data center; none by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProxySpec {
    /// `HAProxy`, with a port for the leader and one for replicas.
    pub haproxy: bool,
    /// `PgBouncer` before it, with one more port for the leader.
    pub pgbouncer: bool,
}

impl ProxySpec {
    /// Whether there are any.
    pub fn any(self) -> bool {
        self.haproxy || self.pgbouncer
    }

    /// As serde asks whether to leave the table out.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(super) fn is_none(&self) -> bool {
        !self.any()
    }
}

impl FromStr for ProxySpec {
    type Err = UnknownChoice;

    /// Reads `haproxy`, `haproxy,pgbouncer` or `none`.
    fn from_str(words: &str) -> Result<Self, UnknownChoice> {
        let mut asked = Self::default();
        if words == "none" {
            return Ok(asked);
        }
        for word in words.split(',') {
            match word {
                "haproxy" => asked.haproxy = true,
                "pgbouncer" => asked.pgbouncer = true,
                other => {
                    return Err(UnknownChoice {
                        given: other.to_owned(),
                        known: "haproxy, pgbouncer, none".to_owned(),
                    });
                }
            }
        }
        Ok(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Spec;

    #[test]
    fn the_table_reads_back_and_says_nothing_where_there_is_none() {
        let spec = Spec::from_toml("[proxy]\nhaproxy = true\npgbouncer = true\n").expect("a spec");
        assert_eq!(spec.proxy, ProxySpec { haproxy: true, pgbouncer: true });
        assert_eq!(Spec::from_toml(&spec.to_toml()), Ok(spec));
        assert!(!Spec::default().to_toml().contains("proxy"));
        let error = Spec::from_toml("[proxy]\nproxysql = true\n").unwrap_err().to_string();
        assert!(error.contains("proxysql") && error.contains("haproxy"), "{error}");
    }

    #[test]
    fn a_flag_lists_them_with_commas() {
        let read = |words: &str| words.parse::<ProxySpec>();
        assert_eq!(read("haproxy"), Ok(ProxySpec { haproxy: true, pgbouncer: false }));
        assert_eq!(read("pgbouncer,haproxy"), Ok(ProxySpec { haproxy: true, pgbouncer: true }));
        assert_eq!(read("none"), Ok(ProxySpec::default()));
        assert!(read("").is_err() && read("haproxy,").is_err() && read("proxysql").is_err());
    }
}
