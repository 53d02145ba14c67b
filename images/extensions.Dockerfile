# The image of PostgreSQL under Patroni with extensions, and with a locale of libc's: one layer over another image.
#
#   BASE      the image of the major version
#   PACKAGES  Debian packages with extensions; empty for none
#   LOCALE    such as de_DE.UTF-8; empty for those that libc has already
#
# The context is this folder and, optionally, host-ca.crt, as for Dockerfile. Without BuildKit the stages are built in
# the order in which they stand.

ARG BASE

# ---- fetch: throw-away ------------------------------------------------------
FROM $BASE AS fetch

USER root
COPY unpack-debs.sh install-extensions.sh host-ca*.crt /build/
ARG PACKAGES
RUN mkdir -p /out/extensions/usr/share/pgha/libraries \
 && : > /out/extensions/usr/share/pgha/libraries/extensions \
 && if [ -e /build/host-ca.crt ]; then cat /build/host-ca.crt >> /etc/ssl/certs/ca-certificates.crt; fi \
 && if [ -n "$PACKAGES" ]; then sh /build/install-extensions.sh "$PG_MAJOR" /out/extensions $PACKAGES; fi


# ---- the image ---------------------------------------------------------------
FROM $BASE

COPY --from=fetch /out/extensions/ /
ARG LOCALE
RUN apt-get update \
 && xargs -r apt-get install -y --no-install-recommends < /usr/share/pgha/libraries/extensions \
 && if [ -n "$LOCALE" ]; then \
        apt-get install -y --no-install-recommends locales \
     && charmap=$(echo "$LOCALE" | sed 's/^[^.@]*\.\{0,1\}//; s/@.*//; s/^[uU][tT][fF]-\{0,1\}8$/UTF-8/') \
     && localedef -i "$(echo "$LOCALE" | sed 's/\.[^@]*//')" -c -f "$charmap" "$LOCALE"; \
    fi \
 && ldconfig \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/*.log /var/cache/debconf/*-old
