//! What a key asks of the cluster: each is a command line of pgha, which a user could have typed.

/// A command that a key stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Move the leader.
    Switchover {
        /// To whom; `None` where the best candidate is meant.
        to: Option<String>,
    },
    /// Kill a member.
    Kill {
        /// Which.
        member: String,
    },
    /// Take back all injected faults.
    Heal,
    /// Block a link for a while.
    Cut {
        /// Between which sites.
        between: [String; 2],
    },
    /// Block all links of a site for a while.
    Isolate {
        /// Which.
        site: String,
    },
    /// Unblock all links.
    HealLinks,
    /// Change the latency of a link for a while.
    Latency {
        /// Between which sites.
        between: [String; 2],
        /// One way, in milliseconds.
        ms: u64,
    },
    /// Make a backup.
    Backup,
}

/// How long a link is changed from here, unless it is taken back before.
const FOR: &str = "60s";

impl Order {
    /// The arguments of pgha, for this cluster.
    pub fn argv(&self, cluster: &str) -> Vec<String> {
        let words: Vec<&str> = match self {
            Self::Switchover { to: None } => vec!["switchover", cluster],
            Self::Switchover { to: Some(to) } => vec!["switchover", cluster, "--to", to],
            Self::Kill { member } => vec!["kill", cluster, member],
            Self::Heal => vec!["heal", cluster],
            Self::Cut { between: [a, b] } => vec!["wan", "cut", cluster, a, b, "--for", FOR],
            Self::Isolate { site } => vec!["wan", "isolate", cluster, site, "--for", FOR],
            Self::HealLinks => vec!["wan", "reset", cluster],
            Self::Latency { between: [a, b], .. } => vec!["wan", "set", cluster, a, b],
            Self::Backup => vec!["backup", cluster],
        };
        let mut argv: Vec<String> = words.into_iter().map(str::to_owned).collect();
        if let Self::Latency { ms, .. } = self {
            let latency = ["--latency".to_owned(), format!("{ms}ms"), "--for".to_owned()];
            argv.extend(latency.into_iter().chain([FOR.to_owned()]));
        }
        argv
    }

    /// The command line, to be copied. No name of a cluster, member or site has anything to be quoted.
    pub fn command_line(&self, cluster: &str) -> String {
        format!("pgha {}", self.argv(cluster).join(" "))
    }

    /// What it does, in a phrase.
    pub fn effect(&self) -> &'static str {
        match self {
            Self::Switchover { .. } => "Moves the leader; writes are away for a moment.",
            Self::Kill { .. } => "Kills the container (SIGKILL) until it is healed or started.",
            Self::Heal => "Takes back every injected fault of this cluster.",
            Self::Cut { .. } => "Blocks both directions of this link for 60 s.",
            Self::Isolate { .. } => "Blocks all links of this site for 60 s.",
            Self::HealLinks => "Puts all links back to the cluster file.",
            Self::Latency { .. } => "Changes the latency of both directions for 60 s.",
            Self::Backup => "Makes a backup.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_a_command_line() {
        let between = || ["DC1".to_owned(), "DC2".to_owned()];
        let line = |order: Order| order.command_line("demo-1");
        let to = Some("pgha-demo1-DC2-1".to_owned());
        assert_eq!(line(Order::Switchover { to }), "pgha switchover demo-1 --to pgha-demo1-DC2-1");
        assert_eq!(
            line(Order::Cut { between: between() }),
            "pgha wan cut demo-1 DC1 DC2 --for 60s"
        );
        assert_eq!(
            line(Order::Latency { between: between(), ms: 40 }),
            "pgha wan set demo-1 DC1 DC2 --latency 40ms --for 60s"
        );
    }
}
