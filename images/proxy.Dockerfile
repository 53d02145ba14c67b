# The image of proxies: HAProxy and PgBouncer over the image of the router, which has what every member has.
#
#   BASE  the image of the router
#
# The context is this folder and, optionally, host-ca.crt, as for Dockerfile. It is built once a cluster has proxies.

ARG BASE

# ---- fetch: throw-away ------------------------------------------------------
FROM $BASE AS fetch

COPY unpack-debs.sh host-ca*.crt /build/
RUN if [ -e /build/host-ca.crt ] && [ -e /etc/ssl/certs/ca-certificates.crt ]; then \
        cat /build/host-ca.crt >> /etc/ssl/certs/ca-certificates.crt; \
    fi \
 && apt-get update \
 && sh /build/unpack-debs.sh /out/proxy haproxy pgbouncer


# ---- the image ---------------------------------------------------------------
FROM $BASE

LABEL org.opencontainers.image.title="pgha-proxy" \
      org.opencontainers.image.description="HAProxy and PgBouncer of a pgha cluster"

COPY --from=fetch /out/proxy/ /
# The last line proves that both find their libraries.
RUN apt-get update \
 && xargs -r apt-get install -y --no-install-recommends < /usr/share/pgha/libraries/proxy \
 && ldconfig \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/*.log /var/cache/debconf/*-old \
 && haproxy -v && pgbouncer --version
