"""The page at /: its files, what they may load, and that they are whole."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import pytest
from conftest import ROOT, Daemon

FILES = sorted(
    path.name
    for suffix in ("js", "css", "svg")
    for path in (ROOT / "server" / "page").glob(f"*.{suffix}")
)
TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


def test_page(daemon: Daemon) -> None:
    answer = daemon.ask("GET", "/", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.body == (ROOT / "server/page/index.html").read_bytes()
    linked = set(re.findall(rb'(?:src|href)="page/([^"]+)"', answer.body))
    assert {name.decode() for name in linked} == {"main.js", "style.css", "icon.svg"}
    assert not re.search(rb"<script>|<style|\son\w+=|\sstyle=", answer.body)
    assert daemon.ask("GET", "/", headers={"Accept": "application/json"}).status == 406


@pytest.mark.parametrize("name", FILES)
def test_files(daemon: Daemon, name: str) -> None:
    get, head = daemon.ask("GET", f"/page/{name}"), daemon.ask("HEAD", f"/page/{name}")
    assert (get.status, head.status, head.body) == (200, 200, b"")
    assert get.headers["content-type"] == TYPES[PurePosixPath(name).suffix]
    assert get.body == (ROOT / "server/page" / name).read_bytes()
    for imported in re.findall(rb'from "\./([^"]+)"', get.body):
        assert imported.decode() in FILES
    assert b"http://" not in get.body.replace(b"http://www.w3.org/", b"")
    assert b"https://" not in get.body


@pytest.mark.parametrize("path", ["/", "/page/main.js"])
def test_headers(daemon: Daemon, path: str) -> None:
    headers = daemon.ask("GET", path).headers
    policy = headers["content-security-policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    for rule in policy:
        assert set(rule.split()[1:]) <= {"'none'", "'self'", "'script'"}, rule
    assert "frame-ancestors 'none'" in policy and "connect-src 'self'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-cache"


def test_versions(daemon: Daemon) -> None:
    with_version = {"If-None-Match": daemon.ask("GET", "/").headers["etag"]}
    same = daemon.ask("GET", "/", headers=with_version)
    assert (same.status, same.body) == (304, b"")
    assert same.headers["etag"] == with_version["If-None-Match"]
    assert daemon.ask("GET", "/page/main.js", headers=with_version).status == 200
    twice = b"GET / HTTP/1.1\r\nHost: x\r\n" + 2 * (
        b"If-None-Match: " + with_version["If-None-Match"].encode() + b"\r\n"
    )
    assert daemon.raw(twice + b"\r\n").status == 200


@pytest.mark.parametrize("name", ["index.html", "openapi.json", "none.js", "..", "MAIN.JS"])
def test_other_files(daemon: Daemon, name: str) -> None:
    assert daemon.ask("GET", f"/page/{name}").status == 404
