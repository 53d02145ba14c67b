# Builds pgha-node where the host has no Rust toolchain (or is no Linux), with
# Debian's own, whose version is the oldest that the workspace supports.
#
# The context is the workspace (Cargo.toml, Cargo.lock, crates/) and, where this
# host's way out re-signs TLS, host-ca.crt with the certificates it trusts.
# Take the binary out with: docker create IMAGE; docker cp CONTAINER:/out/pgha-node .
FROM debian:trixie-slim

RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates cargo gcc libc6-dev

COPY Cargo.toml Cargo.lock host-ca*.crt /workspace/
COPY crates /workspace/crates
WORKDIR /workspace

# --target, even though it is the host's: build scripts must not be linked statically.
RUN if [ -e host-ca.crt ]; then cat host-ca.crt >> /etc/ssl/certs/ca-certificates.crt; fi \
 && target=$(uname -m)-unknown-linux-gnu \
 && RUSTFLAGS="-C target-feature=+crt-static" \
        cargo build --release --locked --target "$target" -p pgha-node \
 && install -D "target/$target/release/pgha-node" /out/pgha-node \
 && rm -r target ~/.cargo

# docker create wants a command, though it never runs.
CMD ["/out/pgha-node"]
