"""TLS goes through both servers untouched: the client sees the dependency's own certificate, and
every byte, whatever toxics do with time; and a toxic acts on connections of TLS as on others."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from toxiproxy_servers import OURS, REAL, Api, running

_NAME = "dependency.test"
_MUCH = 1 << 20


@dataclass(frozen=True)
class Dependency:
    """A server of TLS that answers what it is sent with its digest, and that again as often."""

    port: int
    certificate: Path


@pytest.fixture(scope="module")
def dependency(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dependency]:
    home = tmp_path_factory.mktemp("tls")
    certificate, key = home / "certificate.pem", home / "key.pem"
    argv = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
        "-nodes", "-days", "2", "-subj", f"/CN={_NAME}",
        "-addext", f"subjectAltName=DNS:{_NAME}", "-keyout", str(key), "-out", str(certificate),
    ]  # fmt: skip
    subprocess.run(argv, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0), backlog=200) as listener:
        threading.Thread(target=_serve, args=(listener, context), daemon=True).start()
        yield Dependency(listener.getsockname()[1], certificate)


def _serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            one, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_answer, args=(one, context), daemon=True).start()


def _answer(plain: socket.socket, context: ssl.SSLContext) -> None:
    with contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as one:
        while question := _exactly(one, _MUCH):
            one.sendall(_told(question))


def _exactly(one: ssl.SSLSocket, count: int) -> bytes:
    data = b""
    while len(data) < count and (more := one.recv(1 << 16)):
        data += more
    return data


def _told(question: bytes) -> bytes:
    return hashlib.sha256(question).digest() * (_MUCH // 32)


def asks(port: int, dependency: Dependency) -> tuple[bytes, float]:
    """A verified connection through the proxy: the certificate, and seconds of one round trip."""
    context = ssl.create_default_context(cafile=str(dependency.certificate))
    question = os.urandom(_MUCH)
    plain = socket.create_connection(("127.0.0.1", port), 20)
    with plain, context.wrap_socket(plain, server_hostname=_NAME) as one:
        begun = time.monotonic()
        one.sendall(question)
        assert _exactly(one, _MUCH) == _told(question)
        took = time.monotonic() - begun
        certificate = one.getpeercert(binary_form=True)
        assert certificate
        return certificate, took


@pytest.fixture(params=[OURS, REAL])
def proxied(request: pytest.FixtureRequest, dependency: Dependency) -> Iterator[tuple[Api, int]]:
    with running(request.param) as api:
        yield api, api.proxy("p", dependency.port)


def test_certificate_and_bytes_are_the_dependencys(
    proxied: tuple[Api, int], dependency: Dependency
) -> None:
    api, port = proxied
    direct, _ = asks(dependency.port, dependency)
    for toxic in (None, {"latency": 150}):
        if toxic:
            api.toxic("p", "latency", **toxic)
        certificate, took = asks(port, dependency)
        assert certificate == direct
        assert not toxic or took > 0.149


def test_a_share_of_connections_meets_the_toxic(
    proxied: tuple[Api, int], dependency: Dependency
) -> None:
    """30 connections of which half are late: none or all of them by chance once in 10^8."""
    api, port = proxied
    body = {"type": "latency", "toxicity": 0.5, "attributes": {"latency": 600}}
    assert api.ask("POST", "/proxies/p/toxics", body)[0] == 200
    late = [asks(port, dependency)[1] > 0.599 for _ in range(30)]
    assert 0 < sum(late) < 30


def test_one_who_cannot_trust_it_is_told_so(
    proxied: tuple[Api, int], dependency: Dependency
) -> None:
    _, port = proxied
    plain = socket.create_connection(("127.0.0.1", port), 20)
    with plain, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(plain, server_hostname=_NAME)
