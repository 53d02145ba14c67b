//! A client that writes rows one by one and remembers which of them were acknowledged.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::{Client, Config, NoTls};

use crate::docker::{sql, try_sql};
use crate::test_cluster::{TestCluster, nodes_of};
use crate::waiting::{tell, until};

/// How long one row may take before its fate is unknown and the next one is tried.
const ROW_DEADLINE: Duration = Duration::from_secs(5);
/// The pause after a failure.
const RETRY: Duration = Duration::from_millis(100);

/// A running writer.
#[derive(Debug)]
pub(crate) struct Writer {
    acknowledged: Arc<Mutex<Vec<i64>>>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Makes the table `written` and starts to write into it through the ports of the host.
    pub(crate) fn start(cluster: &TestCluster) -> Self {
        let view = cluster.status();
        let leader = view["leader"].as_str().expect("there is a leader");
        sql(leader, "create table if not exists written (id bigint primary key)");
        let mut config = Config::new();
        config.user("postgres").dbname("postgres");
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        config.connect_timeout(Duration::from_secs(2));
        for node in nodes_of(&view) {
            let port = node["host_port"].as_u64().and_then(|port| u16::try_from(port).ok());
            config.host("127.0.0.1").port(port.expect("a node has a port"));
        }
        let acknowledged = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (rows, end) = (Arc::clone(&acknowledged), Arc::clone(&stop));
        let password = cluster.secrets_dir().join("postgres");
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(write(config, &password, &rows, &end));
        });
        Self { acknowledged, stop, thread }
    }

    /// Waits until this many more rows than now are acknowledged.
    pub(crate) fn wait_for_more(&self, rows: usize, deadline_s: u64) {
        let wanted = self.count() + rows;
        until("rows are acknowledged", deadline_s, || {
            let count = self.count();
            if count >= wanted { Ok(()) } else { Err(format!("{count} of {wanted}")) }
        });
    }

    fn count(&self) -> usize {
        self.acknowledged.lock().expect("the writer does not panic").len()
    }

    /// Ends the writer and gives every acknowledged row.
    pub(crate) fn stop(self) -> Vec<i64> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the writer does not panic");
        let rows = self.acknowledged.lock().expect("the writer does not panic").clone();
        tell(&format!("{} rows were acknowledged", rows.len()));
        rows
    }
}

/// Whoever connects takes the password that is in its file by then.
async fn write(
    mut config: Config,
    password: &Path,
    acknowledged: &Mutex<Vec<i64>>,
    stop: &AtomicBool,
) {
    let mut id = 0;
    let mut client: Option<Client> = None;
    while !stop.load(Ordering::Relaxed) {
        let Some(connected) = &client else {
            let text = std::fs::read_to_string(password).expect("there is a password");
            config.password(text.trim_end());
            let attempt = tokio::time::timeout(ROW_DEADLINE, config.connect(NoTls)).await;
            match attempt {
                Ok(Ok((connected, connection))) => {
                    tokio::spawn(connection);
                    client = Some(connected);
                }
                Ok(Err(_)) | Err(_) => tokio::time::sleep(RETRY).await,
            }
            continue;
        };
        id += 1;
        let row = async { connected.execute("insert into written values ($1)", &[&id]).await };
        if let Ok(Ok(1)) = tokio::time::timeout(ROW_DEADLINE, row).await {
            acknowledged.lock().expect("nobody panics").push(id);
        } else {
            client = None;
            tokio::time::sleep(RETRY).await;
        }
    }
}

/// Panics where a node does not get to have every one of the rows.
pub(crate) fn assert_has_all(member: &str, rows: &[i64], deadline_s: u64) {
    assert!(!rows.is_empty(), "no row was acknowledged: nothing is proved");
    until(&format!("{member} has every acknowledged row"), deadline_s, || {
        let text = try_sql(member, "select id from written")?;
        let there: BTreeSet<i64> =
            text.lines().map(|line| line.parse().expect("a number")).collect();
        let lost: Vec<_> = rows.iter().filter(|id| !there.contains(id)).collect();
        if lost.is_empty() {
            Ok(())
        } else {
            Err(format!("{} rows are not there: {lost:?}", lost.len()))
        }
    });
}
