#!/bin/sh
# Run as root, as `docker exec NODE pgbackrest info` is, pgBackRest would leave files
# that it could not read as postgres later.
if [ "$(id -u)" = 0 ]; then
    export HOME=/var/lib/postgresql
    exec setpriv --reuid postgres --regid postgres --init-groups -- /usr/bin/pgbackrest "$@"
fi
exec /usr/bin/pgbackrest "$@"
