#!/bin/sh
# `sudo -u USER COMMAND…` as DockerPgHA's documentation has it, for the root of `docker exec`. It gives
# nobody any right: it only becomes a lesser user.
if [ "$1" != -u ] || [ $# -lt 3 ]; then
    echo "usage: sudo -u USER COMMAND..." >&2
    exit 2
fi
user=$2
shift 2
if [ "$(id -un)" = "$user" ]; then exec "$@"; fi
HOME=$(getent passwd "$user" | cut -d : -f 6)
export HOME
exec setpriv --reuid "$user" --regid "$user" --init-groups -- "$@"
