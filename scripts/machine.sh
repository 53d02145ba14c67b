# What a machine needs before pgha can be built and run; sourced by quickstart.sh, test.sh and CI.
# shellcheck shell=bash

RUST_NEEDED=1.89

say() { printf '%s\n' "$*" >&2; }

# fail WHAT [HINT]
fail() {
    say "error: $1"
    [ $# -lt 2 ] || say "hint: $2"
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

have() { command -v "$1" > /dev/null 2>&1; }

# Packages to install, as words; nothing where all is there.
missing_packages() {
    local packages=()
    have dockerd || have docker || packages+=(docker.io)
    docker compose version > /dev/null 2>&1 || have docker-compose || packages+=(docker-compose)
    have cc || packages+=(gcc libc6-dev)
    have mmdebstrap || packages+=(mmdebstrap)
    if ! have cargo && rust_of_the_distribution_will_do; then
        packages+=(cargo rustc)
    fi
    echo "${packages[*]}"
}

# install_packages NAME...
install_packages() {
    have apt-get || fail "this machine has no apt-get to install $* with" "install them by hand"
    say "installing $*"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" > /dev/null
}

rust_of_the_distribution_will_do() {
    local offered
    offered=$(apt-cache policy rustc 2> /dev/null | sed -n 's/ *Candidate: \([0-9.]*\).*/\1/p')
    [ -n "$offered" ] && at_least "$offered" "$RUST_NEEDED"
}

# at_least HAVE NEED
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

ensure_rust() {
    have cargo || fail "there is no Rust toolchain, and this distribution's is older than $RUST_NEEDED" \
        "install one with rustup, then run this again"
    local version
    version=$(rustc --version | cut -d ' ' -f 2)
    at_least "$version" "$RUST_NEEDED" \
        || fail "rustc is $version, and pgha needs $RUST_NEEDED" "\`rustup update\`"
}

engine_answers() { docker version --format '{{.Server.Version}}' > /dev/null 2>&1; }

# Starts the Docker engine if it does not run, with whatever starts services here.
ensure_engine() {
    engine_answers && return
    say "starting the Docker engine"
    if [ -d /run/systemd/system ]; then
        as_root systemctl start docker || true
    elif [ -x /etc/init.d/docker ]; then
        as_root /etc/init.d/docker start > /dev/null 2>&1 || true
    fi
    local second
    for second in $(seq 30); do
        engine_answers && return
        # Some minimal systems have the engine and nothing that starts it.
        if [ "$second" = 5 ] && have dockerd && ! pgrep -x dockerd > /dev/null; then
            as_root sh -c 'nohup dockerd > /var/log/dockerd.log 2>&1 &'
        fi
        sleep 1
    done
    if docker version 2>&1 | grep -q 'permission denied'; then
        fail "this user may not use the Docker engine" "sudo usermod -aG docker \"\$USER\", log in again"
    fi
    fail "the Docker engine does not answer" "look into its log: journalctl -u docker"
}
