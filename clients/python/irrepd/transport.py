"""HTTP exchanges over kept-alive connections: TCP, TLS or a unix socket, one for each thread."""

from __future__ import annotations

import base64
import http.client
import ipaddress
import os
import socket
import ssl
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Union

from irrepd import codings
from irrepd.errors import ConnectionFailed

CONNECT_SECONDS = 60.0
_UNIX = "unix:"
_FOR_EVER = 1e6  # seconds; sockets take no time much longer
_PROBE_SECONDS = 2.0
# What OpenSSL calls an answer that is no record of TLS.
_NO_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}

Verify = Union[bool, str, "os.PathLike[str]"]


class Answer(NamedTuple):
    """What came back: `kind` is the media type without parameters, `location` of a redirection."""

    status: int
    kind: str
    body: bytes
    retry_after: float | None
    location: str | None
    lines: Iterator[bytes] | None = None  # of an answer that is read as it comes


class Proxy(NamedTuple):
    name: str  # host:port
    host: str
    port: int
    headers: dict[str, str]  # of what is asked of the proxy itself


class Transport:
    """Connections to one daemon. Thread-safe; carried across a fork, it opens new ones.

    verify: of https, True for the system's authorities, the path of a file with those to trust
    instead, or False to trust anyone. ValueError: a URL of another kind.

    Other machines are reached through the proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name, as
    by Python's own urllib; this one never.
    """

    def __init__(self, url: str, verify: Verify = True):
        self.url, self._verify = url, verify
        self._path, self._prefix = "", ""
        self._has_answered = False
        if url.startswith(_UNIX):
            self._path = url[len(_UNIX) :]
            if not self._path.startswith("/"):
                raise ValueError(f"'{url}' needs an absolute path, as in unix:/run/irrepd.sock")
            self._scheme, self._host, self._port = "unix", "localhost", None
        else:
            parts = urllib.parse.urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(f"'{url}' is no URL like http://127.0.0.1:8421 or unix:/PATH")
            self._scheme, self._host, self._port = parts.scheme, parts.hostname, parts.port
            self._prefix = parts.path.rstrip("/")
        self._context = _tls_context(verify) if self._scheme == "https" else None
        self._proxy = _proxy_of(self._scheme, self._host)
        if self._proxy and self._scheme == "http":
            self._prefix = f"http://{self._netloc()}{self._prefix}"
        self._forget()

    def _forget(self) -> None:
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def __del__(self) -> None:
        for connection in getattr(self, "_idle", ()):
            connection.close()

    def close(self) -> None:
        """Closes the connections that no thread uses; the next exchange opens one."""
        if self._pid != os.getpid():
            self._forget()
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def exchange(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        deadline: float,
        as_it_comes: bool = False,
        is_repeatable: bool = True,
    ) -> Answer:
        """One request and its answer; repeats it once when a kept connection turns out dead.

        deadline: in time.monotonic(). as_it_comes: of status 200, `lines` is read by the caller, in
        any time, and closed by him. is_repeatable: False takes a new connection and sends once.
        ConnectionFailed: nobody answers, or not in time; a machine that is not there is waited for
        less long.
        """
        if self._pid != os.getpid():
            self._forget()
        with self._lock:
            connection = self._idle.pop() if self._idle and is_repeatable else None
        for is_last in (connection is None, True):
            connection = connection or self._new()
            try:
                answer, is_kept = self._once(
                    connection, method, path, body, headers, deadline, as_it_comes
                )
            except (TimeoutError, socket.timeout):
                connection.close()
                raise ConnectionFailed(f"{self.url} did not answer in time") from None
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                connection = None
                if is_last:
                    way = f" (by the proxy {self._proxy.name})" if self._proxy else ""
                    raise ConnectionFailed(f"{self.url}{way}: {self._reason(error)}") from error
            except BaseException:
                connection.close()
                raise
            else:
                self._has_answered = True
                if is_kept:
                    with self._lock:
                        self._idle.append(connection)
                return answer
        raise AssertionError("unreachable")

    def moved(self, path: str, location: str) -> Transport:
        """Connections to where an answer for this path redirects.

        ConnectionFailed: to another machine, which could be given the key, or away from https.
        """
        if self._scheme == "unix":
            raise ConnectionFailed(f"{self.url} redirects to {location}: name that as the URL")
        prefix = urllib.parse.urlsplit(self.url).path.rstrip("/")
        own = f"{self._scheme}://{self._netloc()}{prefix}{path}"
        target = location
        try:
            target = urllib.parse.urljoin(own, location)
            parts = urllib.parse.urlsplit(target)
            is_same = parts.hostname == self._host and parts.scheme in (self._scheme, "https")
            if is_same and parts.path.endswith(path):
                base = f"{parts.scheme}://{parts.netloc}{parts.path[: -len(path)]}"
                return Transport(base, self._verify)
        except ValueError:
            pass
        raise ConnectionFailed(
            f"{self.url} redirects to {target[:500]}: if that is the daemon, name it as the URL"
        )

    def _netloc(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return host if self._port is None else f"{host}:{self._port}"

    def _reason(self, error: Exception) -> str:
        """Why there was no answer, in words that say what to do where that is known."""
        text = str(error) or type(error).__name__
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"{text}; verify= (--ca-file) names the file of the authorities to trust"
        if isinstance(error, ssl.SSLError) and error.reason in _NO_TLS:
            return f"nobody speaks TLS there: begin the URL with http:// ({text})"
        is_odd = isinstance(error, (http.client.HTTPException, ConnectionResetError))
        may_be_tls = self._scheme == "http" and not self._proxy and not self._has_answered
        if is_odd and may_be_tls and self._speaks_tls():
            return "it speaks TLS there: begin the URL with https://"
        return text

    def _speaks_tls(self) -> bool:
        """Whether a connection of TLS can be made where one without was not understood."""
        try:
            address = (self._host, self._port or http.client.HTTP_PORT)
            context = _tls_context(False)
            with (
                socket.create_connection(address, _PROBE_SECONDS) as plain,
                context.wrap_socket(plain, server_hostname=self._host),
            ):
                return True
        except (OSError, ValueError):
            return False

    def _new(self) -> http.client.HTTPConnection:
        if self._scheme == "unix":
            return _UnixConnection(self._path)
        proxy = self._proxy
        host, port = (proxy.host, proxy.port) if proxy else (self._host, self._port)
        if self._scheme == "http":
            return http.client.HTTPConnection(host, port)
        connection = http.client.HTTPSConnection(host, port, context=self._context)
        if proxy:
            connection.set_tunnel(self._host, self._port, headers=proxy.headers)
        return connection

    def _once(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        deadline: float,
        as_it_comes: bool,
    ) -> tuple[Answer, bool]:
        if connection.sock is None:
            connection.timeout = min(_left(deadline) or CONNECT_SECONDS, CONNECT_SECONDS)
            connection.connect()
        assert connection.sock is not None
        connection.sock.settimeout(_left(deadline))
        sent = dict(headers)
        if self._proxy and self._scheme == "http":
            sent.update(self._proxy.headers)
        connection.request(method, self._prefix + path, body, sent)
        if as_it_comes:  # whoever waits for steps cannot say how long they take
            connection.sock.settimeout(None)
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        response = connection.getresponse()
        if as_it_comes and response.status == http.client.OK:
            lines = self._lines(connection, response)
            return Answer(response.status, "", b"", None, None, lines), False
        text = codings.decoded(response.getheader("Content-Encoding"), response.read())
        kind = (response.getheader("Content-Type") or "").split(";")[0].strip().lower()
        retry_after = _seconds(response.getheader("Retry-After"))
        is_kept = not response.will_close
        if not is_kept:
            connection.close()
        location = response.getheader("Location")
        return Answer(response.status, kind, text, retry_after, location), is_kept

    def _lines(
        self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse
    ) -> Iterator[bytes]:
        """ConnectionFailed: the answer breaks off."""
        try:
            while line := response.readline():
                yield line
            if not response.isclosed():
                raise ConnectionFailed(f"{self.url} broke its answer off")
        except (OSError, http.client.HTTPException) as error:
            raise ConnectionFailed(f"{self.url} broke its answer off: {error}") from error
        finally:
            response.close()
            connection.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str):
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(self.timeout)
            self.sock.connect(self._path)
        except BaseException:
            self.sock.close()
            self.sock = None
            raise


def _proxy_of(scheme: str, host: str) -> Proxy | None:
    """The proxy that the environment names for a host; none for this machine."""
    if scheme == "unix" or _is_loopback(host) or urllib.request.proxy_bypass(host):
        return None
    url = urllib.request.getproxies().get(scheme)
    if not url:
        return None
    parts = urllib.parse.urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme != "http" or not parts.hostname:
        named = f"{parts.scheme}://{parts.hostname or ''}"  # without a password
        raise ValueError(f"{scheme}_proxy names '{named}': proxies are like http://HOST:PORT")
    headers = {}
    if parts.username is not None:
        user, password = (urllib.parse.unquote(x or "") for x in (parts.username, parts.password))
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        headers["Proxy-Authorization"] = f"Basic {token}"
    port = parts.port or http.client.HTTP_PORT
    return Proxy(f"{parts.hostname}:{port}", parts.hostname, port, headers)


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost" or host.lower().endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _tls_context(verify: Verify) -> ssl.SSLContext:
    if not isinstance(verify, bool):
        try:
            return ssl.create_default_context(cafile=os.fspath(verify))
        except OSError as error:
            raise ValueError(f"no certificates to trust in {os.fspath(verify)}: {error}") from error
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _left(deadline: float) -> float | None:
    """Seconds that sockets may take; None: without end."""
    left = max(deadline - time.monotonic(), 0.001)
    return left if left < _FOR_EVER else None


def _seconds(header: str | None) -> float | None:
    try:
        return None if header is None else min(max(float(header), 0.0), 3600.0)
    except ValueError:
        return None
