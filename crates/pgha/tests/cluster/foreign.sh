# A PostgreSQL that pgha knows nothing of, in one container, and what is left of it: the repository of stanza
# `main` in /repo, not encrypted, and another in a bucket, encrypted, where $S3_ENDPOINT names a service. Its
# configuration lies outside the data directory, as distributions have it.
set -eu
export PATH="/usr/lib/postgresql/17/bin:$PATH" HOME=/var/lib/postgresql
at=/tmp/foreign
mkdir -p $at/conf
initdb -D $at/data -U postgres -E UTF8 --locale=C.UTF-8 > /dev/null
mv $at/data/*.conf $at/conf/
mv $at/conf/postgresql.auto.conf $at/data/

cat > $at/pgbackrest.conf <<X
[global]
repo1-path=/repo
repo1-retention-full=1
log-level-file=off
lock-path=$at/lock
start-fast=y
[main]
pg1-path=$at/data
pg1-socket-path=$at
X
repos=1
if [ -n "${S3_ENDPOINT:-}" ]; then
    repos="1 2"
    sed -i "/^start-fast/r /dev/stdin" $at/pgbackrest.conf <<X
repo2-path=/elsewhere
repo2-type=s3
repo2-s3-bucket=$S3_BUCKET
repo2-s3-endpoint=$S3_ENDPOINT
repo2-s3-region=$S3_REGION
repo2-s3-uri-style=path
repo2-s3-key=$(cat /s3/access)
repo2-s3-key-secret=$(cat /s3/secret)
repo2-storage-verify-tls=n
repo2-cipher-type=aes-256-cbc
repo2-cipher-pass=$(cat /s3/phrase)
repo2-retention-full=1
repo2-bundle=y
X
fi
pgbackrest="pgbackrest --config=$at/pgbackrest.conf --stanza=main --log-level-console=warn"
cat >> $at/conf/postgresql.conf <<X
data_directory = '$at/data'
hba_file = '$at/conf/pg_hba.conf'
ident_file = '$at/conf/pg_ident.conf'
unix_socket_directories = '$at'
listen_addresses = ''
archive_mode = on
archive_command = '$pgbackrest archive-push %p'
X
pg_ctl -D $at/conf -w -s -l $at/log start
sql() { psql -X -q -h $at -U postgres -c "$1" > /dev/null; }
$pgbackrest stanza-create
sql "create table rows (id int primary key)"
sql "insert into rows values (1), (2)"
for repo in $repos; do $pgbackrest --repo="$repo" backup; done
sql "insert into rows values (3)"
sql "select pg_create_restore_point('before')"
sql "insert into rows values (4)"
sql "select pg_switch_wal()"
# It has archived everything before it ends.
pg_ctl -D $at/data -w -s stop
