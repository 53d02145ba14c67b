"""An S3 service for one test: moto behind TLS and a check of every signature.

    s3_server.py PORT BUCKET REGION FOLDER

`GET /everything` gives the bytes of all objects, for the test alone. FOLDER has `crt` and `key` of the service, and the credentials `access` and `secret`. moto takes any
credentials, so signatures (AWS Signature Version 4) are checked here. Objects are kept in memory.
"""

import hashlib
import hmac
import os
import pathlib
import re
import sys

# The first word of the service's name is no bucket.
os.environ["S3_IGNORE_SUBDOMAIN_BUCKETNAME"] = "true"

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.s3.models import s3_backends
from werkzeug.serving import run_simple

PORT, BUCKET, REGION, FOLDER = sys.argv[1:]
ACCESS, SECRET = (pathlib.Path(FOLDER, name).read_text().strip() for name in ("access", "secret"))


def signed(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def is_signed(environ: dict) -> bool:
    """Whether the request was signed with the credentials."""
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    parts = dict(re.findall(r"(Credential|SignedHeaders|Signature)=([^, ]+)", authorization))
    access, _, scope = parts.get("Credential", "").partition("/")
    if access != ACCESS or not scope:
        return False
    path, _, query = environ["RAW_URI"].partition("?")
    names = parts["SignedHeaders"].split(";")

    def header(name: str) -> str:
        variable = name.upper().replace("-", "_")
        value = environ.get(f"HTTP_{variable}", environ.get(variable, ""))
        return f"{name}:{value.strip()}\n"

    digest = environ.get("HTTP_X_AMZ_CONTENT_SHA256", "")
    canonical = "\n".join([
        environ["REQUEST_METHOD"],
        path,
        "&".join(sorted(query.split("&"))),
        "".join(map(header, names)),
        ";".join(names),
        digest,
    ])
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = signed(key, part)
    text = "\n".join([
        "AWS4-HMAC-SHA256",
        environ["HTTP_X_AMZ_DATE"],
        scope,
        hashlib.sha256(canonical.encode()).hexdigest(),
    ])
    return hmac.compare_digest(signed(key, text).hex(), parts["Signature"])


class Handler(MotoRequestHandler):
    """Says in TLS too that an answer ends, where pgBackRest reads up to that."""

    def finish(self):
        super().finish()
        try:
            self.connection.settimeout(5)
            self.connection.unwrap()
        except OSError:
            pass  # The client was the first to close.


def checked(application):
    def answer(environ, start_response):
        if environ["PATH_INFO"] == "/everything":
            objects = s3_backends["123456789012"]["aws"].buckets[BUCKET].keys.values()
            start_response("200 OK", [("Content-Type", "application/octet-stream")])
            return [kept.value for kept in objects]
        if is_signed(environ):
            return application(environ, start_response)
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        text = b"<Error><Code>SignatureDoesNotMatch</Code><Message>Wrong credentials.</Message></Error>"
        headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(text)))]
        start_response("403 Forbidden", headers)
        return [text]

    return answer


s3_backends["123456789012"]["aws"].create_bucket(BUCKET, REGION)
run_simple(
    "0.0.0.0",
    int(PORT),
    checked(DomainDispatcherApplication(create_backend_app)),
    threaded=True,
    ssl_context=(f"{FOLDER}/crt", f"{FOLDER}/key"),
    request_handler=Handler,
)
