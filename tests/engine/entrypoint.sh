#!/bin/sh
# Runs inside the container of start.sh: prepares what an engine expects of a machine,
# then runs it until SIGTERM.
set -eu

# Mounted read-only in containers; the engine sets sysctls of its networks and reads devices.
mount -o remount,rw /proc/sys
mount -o remount,rw /sys

# The WAN router of a cluster asks the engine for this device.
mkdir -p /dev/net
[ -e /dev/net/tun ] || mknod /dev/net/tun c 10 200

# A killed engine leaves its pid file, which would keep the next one from starting.
rm -f /run/docker.pid /run/docker/containerd/containerd.pid

dockerd --host unix:///run/docker.sock --cgroup-parent /pgha-test-engine &
engine=$!
trap 'kill -TERM $engine' TERM INT

# The first wait ends with the signal, the second with the engine. In between, this shell,
# being PID 1, reaps what containers leave behind.
wait $engine || true
wait $engine || true
