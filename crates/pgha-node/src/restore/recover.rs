//! The files of a backup, and a Postgres without Patroni that replays WAL up to the target.
//!
//! That Postgres listens nowhere and archives nothing: whatever the new timeline is, the repository
//! learns of it only once Patroni runs on it, so that until then everything can be taken back.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use pgha_core::agent::Recovered;
use pgha_core::archive_get::Reader;
use pgha_core::render::{CONFIG_DIR, PGDATA_MOUNT};
use pgha_core::restore::{DYNAMIC_FILE, Recovery, without_operation};

use crate::files::sync;
use crate::files::{self as own_files, POSTGRES};
use crate::identity::Identity;
use crate::repository;
use crate::restore::files::{self, Folders};
use crate::restore::hold::{PASSWORDS, password_file};
use crate::{Result, say};

/// Folder of Postgres's socket.
const SOCKET_DIR: &str = "/run/postgresql";
/// What the recovering Postgres logs to; the log of an earlier attempt is appended to.
const LOG: &str = "restore.log";
/// Lets in the user postgres of this container, and nobody else.
const HBA: &str = "local all postgres peer\n";
/// How often to look how far recovery is.
const POLL: Duration = Duration::from_millis(100);
/// Seconds that a recovery may take: a month of WAL takes days.
const FOR_EVER_S: &str = "31536000";
/// Lines of Postgres's log that are shown when it fails.
const SHOWN_LINES: usize = 15;
/// What Postgres says where WAL ends before the target.
const NOT_REACHED: &str = "recovery ended before configured recovery target was reached";
/// What it says of the last commit that it has replayed.
const LAST_TRANSACTION: &str = "last completed transaction was at log time";
/// Makes the roles that Patroni makes with a new database, where a database of another origin has none.
const MISSING_ROLES: [(&str, &str); 2] = [
    (
        "replicator",
        "select 'create role replicator login replication' \
         where not exists (select from pg_roles where rolname = 'replicator') \\gexec\n",
    ),
    (
        "rewinder",
        "select command from unnest(array[ \
         'create role rewinder login', \
         'grant execute on function pg_catalog.pg_ls_dir(text, boolean, boolean) to rewinder', \
         'grant execute on function pg_catalog.pg_stat_file(text, boolean) to rewinder', \
         'grant execute on function pg_catalog.pg_read_binary_file(text) to rewinder', \
         'grant execute on function pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean) to rewinder' \
         ]) command where not exists (select from pg_roles where rolname = 'rewinder') \\gexec\n",
    ),
];
/// Settings that pgBackRest leaves behind: a standby would stop at the old target again.
const RECOVERY_SETTINGS: [&str; 9] = [
    "restore_command",
    "recovery_target",
    "recovery_target_name",
    "recovery_target_time",
    "recovery_target_xid",
    "recovery_target_lsn",
    "recovery_target_inclusive",
    "recovery_target_timeline",
    "recovery_target_action",
];

/// Copies a backup's files into the data folder. Prints what pgBackRest says as it says it.
///
/// What an interrupted attempt has copied is used again.
pub(crate) fn fetch(me: &Identity, arguments: &[String]) -> Result<()> {
    let folders = Folders::of(me);
    let data = &folders.data;
    own_files::private_dir(&data.display().to_string(), POSTGRES)?;
    let mut command = repository::pgbackrest();
    let known = ["backup.manifest", "PG_VERSION"].iter().any(|name| data.join(name).exists());
    if known {
        // The lock of a Postgres that was killed would keep pgBackRest from going on.
        own_files::remove_stale(&data.join("postmaster.pid"))?;
        command.arg("--delta");
        // WAL is not replayed onto pages that are newer: pgBackRest cleans only what the backup has.
        let option = |name: &str| arguments.iter().find_map(|argument| argument.strip_prefix(name));
        if let (Some(repository), Some(backup)) = (option("--repo="), option("--set=")) {
            files::clear_others(&folders, &repository::tablespaces(repository, backup)?)?;
        }
    } else if !files::is_empty(data) {
        files::remove(data)?;
        own_files::private_dir(&data.display().to_string(), POSTGRES)?;
    }
    let _ = fs::remove_file(Path::new(PGDATA_MOUNT).join(LOG));
    command.args(["--log-level-console=detail", "--no-log-timestamp"]).args(arguments);
    run(command, "pgbackrest restore")
}

/// Replays WAL up to the target and begins a new timeline there; prints what came of it as JSON.
pub(crate) fn recover(me: &Identity, how: Recovery) -> Result<()> {
    let mut recovery = Recovering::new(me)?;
    // Where an earlier attempt has come to its end this is a start like any other, and the same is
    // asked again.
    let made = recovery.start_making_folders(me);
    let made = match made {
        Err(reason) if how.or_end && reason.contains(NOT_REACHED) => {
            say("the archive has nothing from the target on: replaying all of it");
            recovery.to_the_end = true;
            recovery.start_making_folders(me)?
        }
        made => made?,
    };
    let mut disabled = Vec::new();
    if how.copy {
        disabled = recovery.disable_subscriptions()?;
    }
    let (timeline, lsn) = recovery.settle()?;
    recovery.stop()?;
    drop_operation(&recovery.data)?;
    sync(&recovery.data)?;
    let stopped =
        recovery.log_lines().into_iter().rev().find(|line| line.contains("recovery stopping"));
    let stopped =
        stopped.as_deref().and_then(|line| line.split_once("LOG:  ")).map(|l| l.1.to_owned());
    let last = recovery.log_lines().into_iter().rev().find(|line| line.contains(LAST_TRANSACTION));
    let last = last.as_deref().and_then(|line| line.split_once("LOG:  ")).map(|l| l.1.to_owned());
    let history = recovery.data.join(format!("pg_wal/{timeline:08X}.history"));
    let history = fs::read_to_string(&history)
        .map_err(|e| format!("cannot read {}: {e}", history.display()))?;
    let recovered = Recovered {
        timeline: Some(timeline),
        lsn: Some(lsn),
        stopped,
        last,
        history: Some(history),
        made,
        disabled,
    };
    say(&serde_json::to_string(&recovered).map_err(|e| format!("cannot write JSON: {e}"))?);
    Ok(())
}

/// Drops from Patroni's own copy of its configuration what was about the old cluster's operation. The new leader
/// of a cluster whose etcd is empty takes it from there.
fn drop_operation(data: &Path) -> Result<()> {
    let path = data.join(DYNAMIC_FILE);
    let Ok(dynamic) = fs::read_to_string(&path) else { return Ok(()) };
    match without_operation(&dynamic) {
        Some(kept) => own_files::keep(&path.display().to_string(), &kept, POSTGRES),
        None => Ok(()),
    }
}

/// The folder that a Postgres wanted for a tablespace which is made in the WAL.
fn missing_folder(said: &str) -> Option<&str> {
    said.lines().rev().find_map(|line| {
        line.split_once("FATAL:  directory \"")?.1.strip_suffix("\" does not exist")
    })
}

/// Ends a Postgres that a failed recovery has left.
pub(crate) fn end(me: &Identity) {
    let Ok(recovery) = Recovering::new(me) else { return };
    if recovery.runs() {
        // What it did is thrown away.
        let _ = recovery.pg_ctl().args(["-m", "immediate", "-w", "-s", "stop"]).status();
    }
}

/// A Postgres without Patroni.
struct Recovering {
    bin: PathBuf,
    data: PathBuf,
    log: PathBuf,
    /// It takes no account of the target.
    to_the_end: bool,
}

impl Recovering {
    fn new(me: &Identity) -> Result<Self> {
        let bin = PathBuf::from(format!("/usr/lib/postgresql/{}/bin", me.topology.spec.postgres));
        own_files::write(&format!("{CONFIG_DIR}/restore.hba"), HBA, POSTGRES)?;
        let log = Path::new(PGDATA_MOUNT).join(LOG);
        Ok(Self { bin, data: Folders::of(me).data, log, to_the_end: false })
    }

    fn pg_ctl(&self) -> Command {
        let mut command = Command::new(self.bin.join("pg_ctl"));
        command.arg("-D").arg(&self.data);
        command
    }

    /// Whether it runs; a lock file alone says nothing.
    fn runs(&self) -> bool {
        let status =
            self.pg_ctl().arg("status").stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }

    /// Has it run until it takes writes. Folders that it wants for tablespaces are made, as whoever made
    /// those had to; gives them.
    fn start_making_folders(&self, me: &Identity) -> Result<Vec<String>> {
        let mut made: Vec<String> = Vec::new();
        loop {
            let Err(reason) = self.start() else { return Ok(made) };
            match missing_folder(&reason) {
                Some(path) if !made.iter().any(|known| known == path) => {
                    files::make_places(me, &[path.to_owned()])
                        .map_err(|e| format!("{reason}\n{e}"))?;
                    made.push(path.to_owned());
                }
                _ => return Err(reason),
            }
        }
    }

    /// Has it run until it takes writes, and prints what it says until then.
    fn start(&self) -> Result<()> {
        let mut told = 0;
        if !self.runs() {
            told = self.launch()?;
        }
        // pg_ctl is content with a Postgres that is consistent and still replays.
        while self.state().as_deref() != Some("ready") {
            if !self.runs() {
                return Err(self.failed("the recovery has not reached its target"));
            }
            told = self.tell(told);
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Starts it and waits until it is consistent; gives how much of its log has been printed.
    fn launch(&self) -> Result<u64> {
        let mut told = 0;
        own_files::remove_stale(&self.data.join("postmaster.pid"))?;
        files::demand_settings(&self.data)?;
        own_files::remove_stale(&Path::new(SOCKET_DIR).join(".s.PGSQL.5432.lock"))?;
        // Parameters that are too small for a hot standby would halt the recovery half-way. Without archive_mode
        // the history of the new timeline would not be kept for the archive, and replicas would not find it.
        let options = format!(
            "-c listen_addresses= -c port=5432 -c unix_socket_directories={SOCKET_DIR} \
             -c hba_file={CONFIG_DIR}/restore.hba -c ssl=off -c hot_standby=off \
             -c archive_mode=on -c archive_command= -c archive_library= -c logging_collector=off \
             -c log_destination=stderr -c log_line_prefix= -c synchronous_standby_names= \
             -c primary_conninfo= -c primary_slot_name= -c max_logical_replication_workers=0 \
             -c 'restore_command={}'{}",
            Reader::Recovery.restore_command(),
            // What stands on the command line wins over what pgBackRest has written.
            if self.to_the_end { " -c recovery_target_time= -c recovery_target_lsn=" } else { "" }
        );
        let mut command = self.pg_ctl();
        command
            .arg("-l")
            .arg(&self.log)
            .args(["-w", "-t", FOR_EVER_S, "-s", "-o", &options, "start"]);
        command.stderr(Stdio::null());
        let mut child = command.spawn().map_err(|e| format!("cannot run pg_ctl: {e}"))?;
        loop {
            let ended = child.try_wait().map_err(|e| format!("cannot wait for pg_ctl: {e}"))?;
            told = self.tell(told);
            match ended {
                Some(status) if status.success() => return Ok(told),
                Some(_) => return Err(self.failed("the recovery has not reached its target")),
                None => std::thread::sleep(POLL),
            }
        }
    }

    /// The last line of `postmaster.pid`: `starting`, `ready` or `stopping`.
    fn state(&self) -> Option<String> {
        let text = fs::read_to_string(self.data.join("postmaster.pid")).ok()?;
        text.lines().nth(7).map(|line| line.trim().to_owned())
    }

    fn tell(&self, told: u64) -> u64 {
        let Ok(mut log) = File::open(&self.log) else { return told };
        let mut text = Vec::new();
        if log.seek(SeekFrom::Start(told)).is_err() || log.read_to_end(&mut text).is_err() {
            return told;
        }
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        for line in String::from_utf8_lossy(&text[..whole]).lines() {
            say(line);
        }
        told + whole as u64
    }

    fn log_lines(&self) -> Vec<String> {
        let text = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
    }

    fn failed(&self, what: &str) -> String {
        let lines = self.log_lines();
        format!("{what}\n{}", lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n"))
    }

    /// Keeps a copy from its original's publishers: each subscription is disabled, and lets go of its slot, so that
    /// dropping it does not drop the slot. Gives their names.
    fn disable_subscriptions(&self) -> Result<Vec<String>> {
        let databases = self.psql(
            "postgres",
            "select datname from pg_database where datallowconn and oid in \
             (select subdbid from pg_subscription) order by 1",
        )?;
        let mut names = Vec::new();
        for database in databases.lines() {
            let of_it = "from pg_subscription where subdbid = \
                (select oid from pg_database where datname = current_database())";
            let script = format!(
                "select subname {of_it} order by 1;\n\
                 select format('alter subscription %I disable', subname) {of_it} \\gexec\n\
                 select format('alter subscription %I set (slot_name = none)', subname) {of_it} \
                 \\gexec\n"
            );
            names.extend(self.psql(database, &script)?.lines().map(str::to_owned));
        }
        Ok(names)
    }

    /// Makes it an ordinary primary with this cluster's passwords; gives timeline and position.
    fn settle(&self) -> Result<(u32, String)> {
        let mut script = String::new();
        for name in RECOVERY_SETTINGS {
            let _ = writeln!(script, "alter system reset {name};");
        }
        // A container that is only looked at keeps those of the backup.
        for user in PASSWORDS.into_iter().filter(|user| Path::new(&password_file(user)).exists()) {
            let password = own_files::read_secret_copy(&password_file(user))?;
            let password = password.replace('\'', "''");
            if let Some((_, role)) = MISSING_ROLES.iter().find(|(name, _)| *name == user) {
                script.push_str(role);
            }
            let _ = writeln!(
                script,
                "select format('alter role {user} password %L', e'{}') \
                 where exists (select from pg_roles where rolname = '{user}') \\gexec",
                password.replace('\\', "\\\\")
            );
        }
        self.psql("postgres", &script)?;
        self.psql("postgres", "checkpoint")?;
        let facts = self.psql(
            "postgres",
            "select timeline_id, pg_current_wal_insert_lsn() from pg_control_checkpoint() \
             where not pg_is_in_recovery()",
        )?;
        facts
            .trim()
            .split_once('|')
            .and_then(|(timeline, lsn)| Some((timeline.parse().ok()?, lsn.to_owned())))
            .ok_or_else(|| format!("Postgres says `{}` of itself", facts.trim()))
    }

    fn psql(&self, database: &str, script: &str) -> Result<String> {
        let mut command = Command::new(self.bin.join("psql"));
        command.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-h", SOCKET_DIR, "-U", "postgres"]);
        // Not in the arguments: they can be seen by others, and a script may hold passwords.
        command.env("PGDATABASE", database);
        command.args(["-f", "-"]).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| format!("cannot run psql: {e}"))?;
        if let Some(mut stdin) = child.stdin.take() {
            use std::io::Write as _;
            stdin.write_all(script.as_bytes()).map_err(|e| format!("cannot tell psql: {e}"))?;
        }
        let done = child.wait_with_output().map_err(|e| format!("cannot run psql: {e}"))?;
        if done.status.success() {
            return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
        }
        Err(format!("psql failed: {}", String::from_utf8_lossy(&done.stderr).trim()))
    }

    fn stop(&self) -> Result<()> {
        let status = self.pg_ctl().args(["-m", "fast", "-w", "-t", "600", "-s", "stop"]).status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(_) => Err(self.failed("Postgres does not stop")),
            Err(e) => Err(format!("cannot run pg_ctl: {e}")),
        }
    }
}

/// Runs pgBackRest and passes on what it says line by line; its complaints are the reason if it fails.
fn run(mut command: Command, what: &str) -> Result<()> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|e| format!("cannot run {what}: {e}"))?;
    let mut complaints: Vec<String> = Vec::new();
    let stdout = child.stdout.take().map(BufReader::new);
    for line in stdout.into_iter().flat_map(BufRead::lines).map_while(std::io::Result::ok) {
        say(&line);
        let indented = line.starts_with("    ") && !complaints.is_empty();
        if indented || ["ERROR", "HINT", "WARN"].iter().any(|word| line.contains(word)) {
            complaints.push(line);
        }
    }
    let status = child.wait().map_err(|e| format!("cannot run {what}: {e}"))?;
    if status.success() {
        return Ok(());
    }
    let last = &complaints[complaints.len().saturating_sub(SHOWN_LINES)..];
    Err(format!("{what} failed ({status})\n{}", last.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_a_tablespace_that_is_missing_is_read_from_the_log() {
        let log = "redo starts at 0/6000028\n2026-11-24 FATAL:  directory \"/pgdata/fast\" does not exist\n\
            HINT:  Create this directory for the tablespace before restarting the server.\n";
        assert_eq!(missing_folder(log), Some("/pgdata/fast"));
        assert_eq!(
            missing_folder("FATAL:  data directory \"/pgdata/17\" has wrong ownership"),
            None
        );
    }
}
