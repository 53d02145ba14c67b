//! Reads the logs of members: of their containers, and of a running Postgres node those of its own files.

use std::time::Duration;

use bollard::query_parameters::LogsOptions;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use jiff::Timestamp;
use pgha_core::chronicle::MemberLog;
use pgha_core::member_log::{self, LogLine};
use pgha_core::render::data_dir;
use pgha_core::status::ContainerState;
use pgha_core::topology::Role;
use tokio::time::{Instant, timeout_at};

use crate::cluster::Cluster;
use crate::docker::Engine;
use crate::provider::Provider as _;

/// Prints the end of what the files of Postgres's log hold: of so many files so many lines.
const END_OF_FILES: &str = r#"cd "$1/log" 2> /dev/null || exit 0
cat $(ls -tr | tail -n "$2") | tail -n "$3" | tail -c 8000000"#;
/// Files that are enough for the last lines: one may have been begun just now.
const FILES: &str = "2";
/// How long reading a log may take; what there is by then is shown.
const DEADLINE: Duration = Duration::from_secs(10);

/// The logs of all members of a cluster, from `since` on.
pub(crate) async fn of_cluster(
    engine: &Engine,
    cluster: &Cluster,
    since: Option<Timestamp>,
) -> Vec<MemberLog> {
    join_all(cluster.containers.iter().map(async |container| {
        let member = container.name.clone();
        let data = cluster.topology.as_ref().map(|topology| data_dir(topology.spec.postgres));
        let runs = container.state == ContainerState::Running;
        let postgres = match data {
            Some(data) if runs && container.role == Some(Role::Postgres) => {
                of_postgres(engine, &member, &data, since, None).await
            }
            _ => Vec::new(),
        };
        let container = of_container(engine, &member, since, None).await;
        MemberLog { member, container, postgres }
    }))
    .await
}

/// The lines of a container's log, from `since` on and the last `tail` of them.
pub(crate) async fn of_container(
    engine: &Engine,
    member: &str,
    since: Option<Timestamp>,
    tail: Option<u32>,
) -> Vec<LogLine> {
    let options = LogsOptions {
        stdout: true,
        stderr: true,
        timestamps: true,
        since: since.and_then(|at| i32::try_from(at.as_second()).ok()).unwrap_or_default(),
        tail: tail.map_or_else(|| "all".to_owned(), |lines| lines.to_string()),
        ..LogsOptions::default()
    };
    let mut text = Vec::new();
    let mut log = engine.api().logs(member, Some(options));
    let deadline = Instant::now() + DEADLINE;
    while let Ok(Some(Ok(piece))) = timeout_at(deadline, log.next()).await {
        text.extend_from_slice(&piece.into_bytes());
    }
    member_log::of_container(&String::from_utf8_lossy(&text))
}

/// The same of the files of a running node's Postgres, in its folder of data.
pub(crate) async fn of_postgres(
    engine: &Engine,
    member: &str,
    data: &str,
    since: Option<Timestamp>,
    tail: Option<u32>,
) -> Vec<LogLine> {
    let (files, lines) = match tail {
        Some(lines) => (FILES, lines.to_string()),
        None => ("+1", "+1".to_owned()),
    };
    let read = ["sh", "-c", END_OF_FILES, "sh", data, files, &lines];
    // Where there are no files yet, nothing is printed, and so it is where the member has just ended.
    let printed = engine.exec_stdout(member, &read, DEADLINE).await.unwrap_or_default();
    let mut log = member_log::of_postgres(&String::from_utf8_lossy(&printed));
    let since = since.map(stamp).unwrap_or_default();
    log.retain(|line| line.at >= since);
    log
}

/// As a line of a log has it.
pub(crate) fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S.%3f").to_string()
}
