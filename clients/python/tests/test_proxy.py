"""Proxies that the environment names: HTTP_PROXY, HTTPS_PROXY, NO_PROXY."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_server import FakeServer
from test_client import ATOM, energy, with_tls

from irrepd.client import Client
from irrepd.errors import ConnectionFailed

FAR = "irrepd.example"  # a name that nobody resolves: only the proxy knows it


class Proxy:
    """Passes on what it is asked for, whatever host is named, to one server."""

    def __init__(self, server: FakeServer):
        self.asked: list[bytes] = []  # heads
        self.refuses = False
        self._target = server.server_address[:2]
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.name = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            peer, _ = self._listening.accept()
            with peer:
                head = b""
                while b"\r\n\r\n" not in head and (got := peer.recv(65536)):
                    head += got
                if not head:
                    return
                self.asked.append(head)
                self._serve(peer, head)

    def _serve(self, peer: socket.socket, head: bytes) -> None:
        if self.refuses:
            peer.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        with socket.create_connection(self._target) as server:
            if head.startswith(b"CONNECT "):
                peer.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                method, url, rest = head.split(b" ", 2)
                path = b"/" + url.split(b"/", 3)[3]
                server.sendall(b" ".join([method, path, rest]))
            back = threading.Thread(target=pass_on, args=(server, peer))
            back.start()
            pass_on(peer, server)
            back.join()

    def end(self) -> None:
        with socket.create_connection(self._listening.getsockname()):
            pass
        self._thread.join()
        self._listening.close()


def pass_on(source: socket.socket, sink: socket.socket) -> None:
    try:
        while got := source.recv(65536):
            sink.sendall(got)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@pytest.fixture
def proxy(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    made = Proxy(server)
    yield made
    made.end()


def test_another_machine(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://us%20er:pass@{proxy.name}")
    monkeypatch.setenv("http_proxy", f"http://us%20er:pass@{proxy.name}")
    with Client(f"http://{FAR}:8421/below") as client, pytest.raises(Exception, match="no model"):
        energy(client)  # the fake server knows no prefix
    with Client(f"http://{FAR}:8421", key="secret") as client:
        assert energy(client) == 0.125
    first, second = proxy.asked
    assert first.startswith(f"POST http://{FAR}:8421/below/v1/models/springs/predict ".encode())
    assert second.startswith(f"POST http://{FAR}:8421/v1/models/springs/predict HTTP/1.1".encode())
    assert f"\r\nHost: {FAR}:8421\r\n".encode() in second
    token = base64.b64encode(b"us er:pass")
    assert b"\r\nProxy-Authorization: Basic " + token + b"\r\n" in second


def test_tls(
    proxy: Proxy, server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_tls(server, tmp_path)
    monkeypatch.setenv("https_proxy", f"http://me:word@{proxy.name}")
    with Client(f"https://{FAR}:8443", key="secret", verify=False) as client:
        assert energy(client) == 0.125
    (head,) = proxy.asked
    assert head.startswith(f"CONNECT {FAR}:8443 HTTP/1.".encode())
    assert b"Proxy-Authorization: Basic " in head and b"secret" not in head
    proxy.refuses = True
    with (
        Client(f"https://{FAR}:8443", verify=False, patience=0) as client,
        pytest.raises(ConnectionFailed, match=rf"by the proxy {proxy.name}\).*403"),
    ):
        energy(client)


def test_this_machine_and_exceptions(
    proxy: Proxy, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy.name)
    with Client(server.url) as client:
        assert client.predict("springs", [ATOM])
    monkeypatch.setenv("no_proxy", f"other, {FAR}")
    with (
        Client(f"http://{FAR}:8421", patience=0) as client,
        pytest.raises(ConnectionFailed) as caught,
    ):
        energy(client)
    assert proxy.asked == [] and "proxy" not in str(caught.value)


@pytest.mark.parametrize("proxy_url", ["socks5://me:secret@127.0.0.1:1080", "http://"])
def test_other_proxies_are_refused(proxy_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", proxy_url)
    with pytest.raises(ValueError, match="http://HOST:PORT") as caught:
        Client(f"http://{FAR}:8421")
    assert "secret" not in str(caught.value)
