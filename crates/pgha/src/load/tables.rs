//! The table of a run, by workload: made, written, read at the end.

use pgha_core::history::{ACCOUNTS, BALANCE, Found, Workload};
use tokio_postgres::{Client, Error, Row};

/// Registers of a run.
pub(super) const REGISTERS: u32 = 32;

/// Makes the table.
pub(super) fn create(workload: Workload, table: &str) -> String {
    match workload {
        Workload::Ledger | Workload::None => format!(
            "create table {table} (client bigint, id bigint, \
             at timestamptz not null default clock_timestamp(), primary key (client, id))"
        ),
        Workload::Append => {
            format!("create table {table} (key bigint primary key, list bigint[] not null)")
        }
        // A page has room for new versions of its rows: they are changed all the time.
        Workload::Register => format!(
            "create table {table} (key bigint primary key, value bigint not null) \
             with (fillfactor = 10); \
             insert into {table} select key, 0 from generate_series(0, {}) key",
            REGISTERS - 1
        ),
        Workload::Bank => format!(
            "create table {table} (account bigint primary key, balance bigint not null) \
             with (fillfactor = 10); \
             insert into {table} select account, {BALANCE} from generate_series(0, {}) account",
            ACCOUNTS - 1
        ),
    }
}

/// What clients send, in the order in which they know it.
pub(super) fn statements(workload: Workload, table: &str) -> Vec<String> {
    match workload {
        Workload::Ledger => vec![
            format!("insert into {table} (client, id) values ($1, $2)"),
            format!("select max(id) from {table} where client = $1"),
        ],
        Workload::Append => vec![
            format!(
                "insert into {table} as old (key, list) values ($1, array[$2::bigint]) \
                 on conflict (key) do update set list = old.list || excluded.list"
            ),
            format!("select list from {table} where key = $1"),
        ],
        Workload::Register => vec![
            format!("update {table} set value = $2 where key = $1 returning 1"),
            format!("update {table} set value = $2 where key = $1 and value = $3 returning 1"),
            format!("select value from {table} where key = $1"),
        ],
        Workload::Bank => vec![
            format!(
                "with taken as (update {table} set balance = balance - $3 \
                 where account = $1 and balance >= $3 returning 1) \
                 update {table} set balance = balance + $3 \
                 where account = $2 and exists (select from taken) returning 1"
            ),
            format!("select balance from {table} order by account"),
        ],
        Workload::None => Vec::new(),
    }
}

/// Reads all of it.
pub(super) async fn read(client: &Client, workload: Workload, table: &str) -> Result<Found, Error> {
    let all = |columns: &str, order: &str| {
        let sql = format!("select {columns} from {table} order by {order}");
        async move { client.query(&sql, &[]).await }
    };
    Ok(match workload {
        Workload::Ledger => {
            let row = |row: &Row| (count(row.get(0)), number(row.get(1)));
            Found::Rows(all("client, id", "1, 2").await?.iter().map(row).collect())
        }
        Workload::Append => {
            let row = |row: &Row| {
                let list: Vec<i64> = row.get(1);
                (count(row.get(0)), list.into_iter().map(count).collect())
            };
            Found::Lists(all("key, list", "1").await?.iter().map(row).collect())
        }
        Workload::Register => {
            let row = |row: &Row| (count(row.get(0)), number(row.get(1)));
            Found::Registers(all("key, value", "1").await?.iter().map(row).collect())
        }
        Workload::Bank => {
            let rows = all("balance", "account").await?;
            Found::Balances(rows.iter().map(|row| row.get(0)).collect())
        }
        Workload::None => Found::Rows(Vec::new()),
    })
}

/// What a column has that only clients have written; anything else is something that no client wrote.
pub(super) fn count(column: i64) -> u32 {
    u32::try_from(column).unwrap_or(u32::MAX)
}

fn number(column: i64) -> u64 {
    u64::try_from(column).unwrap_or(u64::MAX)
}
