"""`irrepd pull` against a server that stalls, truncates, redirects and lies."""

from __future__ import annotations

import dataclasses
import hashlib
import http.server
import json
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from irrepd import pull, safetensors
from irrepd.__main__ import main
from irrepd.catalogue import CATALOGUE, Part, Published, canonical, find
from irrepd.fetching import FetchError, _Redirects, fetch
from irrepd.private import local_url


class Mirror(http.server.ThreadingHTTPServer):
    """Serves one file; `how` says what it does wrong, and `seen` which ranges it was asked for."""

    daemon_threads = True

    def __init__(self, data: bytes):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.data, self.how, self.seen, self.etag = data, "", [], '"one"'
        self.files: dict[str, bytes] = {}  # by path, in place of data
        self.release = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        mirror, data = self.server, self.server.data
        data = mirror.files.get(self.path, data)
        wanted = self.headers.get("Range")
        mirror.seen.append(wanted)
        if mirror.how in ("loop", "to a file", "away") or self.path.endswith("/moved"):
            places = {"loop": "/loop", "to a file": "file:///etc/passwd", "away": "/x/moved"}
            where = "/there" if self.path.endswith("/moved") else places[mirror.how]
            self.send_response(302)
            self.send_header("Location", where)
            self.end_headers()
            mirror.how = "" if mirror.how == "away" else mirror.how
            return
        if mirror.how == "absent":
            self.send_error(404)
            return
        start = 0
        if wanted and self.headers.get("If-Range") == mirror.etag:
            start = int(wanted[6:-1])
        self.send_response(206 if start else 200)
        if start:
            begin = start + 1 if mirror.how == "another part" else start
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        length = len(data) - start
        self.send_header("Content-Length", str(1 << 40 if mirror.how == "huge" else length))
        self.send_header("ETag", mirror.etag)
        self.end_headers()
        if mirror.how == "stall":
            self.wfile.write(data[start : start + 100])
            self.wfile.flush()
            mirror.release.wait(30)
        elif mirror.how in ("truncate", "another part"):
            self.wfile.write(data[start : start + length // 2])
        else:
            self.wfile.write(data[start:])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def mirror(fixtures: Path) -> Iterator[Mirror]:
    server = Mirror((fixtures / "nequix.nqx").read_bytes())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.release.set()
    server.shutdown()
    thread.join()
    server.server_close()


ENTRY = dataclasses.replace(find("nequix-oam-1"), size=None, sha256=None)  # of another file


def test_a_name_becomes_a_model(mirror: Mirror, tmp_path: Path) -> None:
    path = pull.pull(ENTRY, tmp_path / "models", source=mirror.url)
    assert [p.name for p in path.parent.iterdir()] == ["nequix-oam-1.safetensors"]
    card = json.loads(safetensors.read(path)[1]["irrepd"])
    assert (card["name"], card["license"]) == ("nequix-oam-1", "CC-BY-4.0")
    assert card["citation"] == ENTRY.citation and card["source"].startswith(ENTRY.url)
    assert card["sha256_source"] == hashlib.sha256(mirror.data).hexdigest()


def test_commands(
    mirror: Mirror,
    tmp_path: Path,
    fixtures: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IRREPD_MODELS", str(tmp_path))
    monkeypatch.setenv("IRREPD_MIRROR", mirror.url)
    assert main(["pull", "mace-mpa-0-medium"]) == 0
    assert "MIT; cite" in capsys.readouterr().out
    assert main(["pull", "nequix-mp-1"]) == 2  # whose size is known
    assert "bytes, not 2842366" in capsys.readouterr().err
    assert main(["pull", "nequix-omat-1", "--from", str(fixtures / "nequix.pt")]) == 0
    assert main(["pull", "nequix-oam-1", "--from", str(tmp_path / "absent")]) == 2
    assert "there is no file" in capsys.readouterr().err
    assert main(["pull", "mace-omat-0-small"]) == 2
    assert "--accept-license" in capsys.readouterr().err
    assert main(["pull", "small-omat-0", "--accept-license"]) == 0
    assert "no commercial use" in capsys.readouterr().out
    card = json.loads(safetensors.read(tmp_path / "mace-omat-0-small.safetensors")[1]["irrepd"])
    assert "no commercial use" in card["description"] and card["dispersion"]["functional"] == "pbe"
    assert main(["pull", "nequix-oam"]) == 2
    assert "did you mean nequix-oam-1" in capsys.readouterr().err
    assert main(["pull"]) == 2
    assert main(["pull", "--list"]) == 0
    listed = capsys.readouterr().out
    assert all(entry.name in listed for entry in CATALOGUE)
    made = sorted(path.name for path in tmp_path.iterdir())
    assert made == [f"{name}.safetensors" for name in
                    ("mace-mpa-0-medium", "mace-omat-0-small", "nequix-omat-1")]  # fmt: skip


def test_a_cut_connection_is_resumed(mirror: Mirror, tmp_path: Path) -> None:
    mirror.how = "truncate"
    target = tmp_path / "file"
    with pytest.raises(FetchError, match="what arrived is kept"):
        fetch(mirror.url, target, stall=0.05)
    assert mirror.seen[0] is None and all(seen.startswith("bytes=") for seen in mirror.seen[1:])
    kept = (tmp_path / "file.part").stat().st_size
    assert 0.9 * len(mirror.data) < kept < len(mirror.data) and not target.exists()
    mirror.how = ""
    fetch(mirror.url, target, stall=5)
    assert mirror.seen[-1] == f"bytes={kept}-"
    assert target.read_bytes() == mirror.data
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_file_that_has_changed_is_begun_anew(mirror: Mirror, tmp_path: Path) -> None:
    mirror.how = "truncate"
    with pytest.raises(FetchError):
        fetch(mirror.url, tmp_path / "file", stall=0.05)
    mirror.how, mirror.etag, mirror.data = "", '"two"', b"other" * 1000
    fetch(mirror.url, tmp_path / "file", stall=5)
    assert (tmp_path / "file").read_bytes() == mirror.data


def test_another_part_is_not_appended(mirror: Mirror, tmp_path: Path) -> None:
    mirror.how = "truncate"
    with pytest.raises(FetchError):
        fetch(mirror.url, tmp_path / "file", stall=0.05)
    mirror.how = "another part"
    with pytest.raises(FetchError):
        fetch(mirror.url, tmp_path / "file", stall=0.05)
    mirror.how = ""
    fetch(mirror.url, tmp_path / "file", stall=5)
    assert (tmp_path / "file").read_bytes() == mirror.data


def test_a_server_that_stalls_is_given_up(mirror: Mirror, tmp_path: Path) -> None:
    mirror.how = "stall"
    with pytest.raises(FetchError, match=r"stopped sending|timed out"):
        fetch(mirror.url, tmp_path / "file", stall=0.1)
    assert len(mirror.seen) == 4 and not (tmp_path / "file").exists()


def test_redirections(mirror: Mirror, tmp_path: Path) -> None:
    mirror.how = "away"
    fetch(mirror.url + "/x", tmp_path / "file", stall=5)
    assert (tmp_path / "file").read_bytes() == mirror.data
    mirror.how = "to a file"
    with pytest.raises(FetchError, match="not allowed"):
        fetch(mirror.url, tmp_path / "other", stall=5)
    mirror.how = "loop"
    with pytest.raises(FetchError, match="302"):
        fetch(mirror.url, tmp_path / "other", stall=5)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_https_leads_to_no_http() -> None:
    request = urllib.request.Request("https://example.org/file")
    with pytest.raises(FetchError, match="from https to http"):
        _Redirects().redirect_request(request, None, 302, "", {}, "http://example.org/file")
    with pytest.raises(FetchError, match="no address of http"):
        fetch("file:///etc/passwd", Path("absent"))


@pytest.mark.parametrize(
    ("how", "expected", "message"),
    [
        ("absent", {}, "answers 404"),
        ("huge", {}, "the server has 1099511627776 bytes"),
        ("", {"size": 17}, "not 17"),
        ("", {"sha256": "0" * 64}, "its sha256 is"),
        ("", {"md5": "0" * 32}, "its md5 is"),
    ],
)
def test_what_is_not_expected_leaves_nothing(
    how: str, expected: dict[str, object], message: str, mirror: Mirror, tmp_path: Path
) -> None:
    mirror.how = how
    with pytest.raises(FetchError, match=message):
        pull.pull(dataclasses.replace(ENTRY, **expected), tmp_path, source=mirror.url)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("data", [b"<html>sorry</html>", b"", b"PK\x03\x04", b'{"a": 1}\n'])
def test_a_page_in_place_of_the_file(data: bytes, mirror: Mirror, tmp_path: Path) -> None:
    mirror.data = data
    with pytest.raises(ValueError, match="'nequix-oam-1' is not converted: "):
        pull.pull(ENTRY, tmp_path, source=mirror.url)
    assert list(tmp_path.iterdir()) == []


FOLDER = find("tensornet-matpes-pbe")


def folder_of(mirror: Mirror, fixtures: Path) -> Published:
    """The mirror has a small folder of three files under the name of the published one."""
    stem, parts = FOLDER.file_name, []
    for part in FOLDER.parts:
        data = (fixtures / "matgl-tensornet" / part.name).read_bytes()
        mirror.files[f"/{stem}/{part.name}"] = data
        parts.append(Part(part.name, len(data), hashlib.sha256(data).hexdigest()))
    return dataclasses.replace(FOLDER, parts=tuple(parts))


def test_a_folder(mirror: Mirror, fixtures: Path, tmp_path: Path) -> None:
    entry = folder_of(mirror, fixtures)
    path = pull.pull(entry, tmp_path, source=mirror.url)
    assert [p.name for p in tmp_path.iterdir()] == ["tensornet-matpes-pbe.safetensors"]
    card = json.loads(safetensors.read(path)[1]["irrepd"])
    assert (card["license"], card["architecture"]) == ("BSD-3-Clause", "tensornet")
    assert card["dispersion"] == {"method": "d3bj", "functional": "pbe"}
    assert card["sha256_source"] == entry.parts[-1].sha256
    path.unlink()
    pull.pull(entry, tmp_path, source=str(fixtures / "matgl-tensornet"))
    assert path.is_file()
    with pytest.raises(FetchError, match="there is no folder"):
        pull.pull(entry, tmp_path, source=str(fixtures / "absent"))


def test_a_folder_of_other_files_leaves_nothing(
    mirror: Mirror, fixtures: Path, tmp_path: Path
) -> None:
    entry = folder_of(mirror, fixtures)
    mirror.files[f"/{entry.file_name}/state.pt"] = bytes(entry.parts[-1].size)
    with pytest.raises(FetchError, match="its sha256 is"):
        pull.pull(entry, tmp_path, source=mirror.url)
    with pytest.raises(FetchError, match="bytes, not"):
        pull.pull(FOLDER, tmp_path, source=mirror.url)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_cut_off(mirror: Mirror, fixtures: Path, tmp_path: Path) -> None:
    entry = folder_of(mirror, fixtures)
    mirror.how = "truncate"
    with pytest.raises(FetchError, match="what arrived is kept"):
        pull.pull(entry, tmp_path, source=mirror.url, stall=0.05)
    mirror.how = ""
    pull.pull(entry, tmp_path, source=mirror.url)
    assert any(wanted for wanted in mirror.seen)  # went on where it had ended
    assert [p.name for p in tmp_path.iterdir()] == ["tensornet-matpes-pbe.safetensors"]


def test_conversions_are_bounded(
    fixtures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = str(fixtures / "nequix.nqx")
    monkeypatch.setattr(pull, "MEMORY_MAX", 1 << 20)
    with pytest.raises(ValueError, match="not converted"):
        pull.pull(ENTRY, tmp_path, source=source)
    monkeypatch.undo()
    monkeypatch.setattr(pull, "CONVERSION_SECONDS", 0.001)
    with pytest.raises(ValueError, match="took more than"):
        pull.pull(ENTRY, tmp_path, source=source)
    assert list(tmp_path.iterdir()) == []


def test_the_catalogue_is_consistent() -> None:
    names = [name for entry in CATALOGUE for name in (entry.name, *entry.aliases)]
    assert len(names) == len(set(names)) and len(CATALOGUE) > 20
    for entry in CATALOGUE:
        assert isinstance(entry, Published) and entry.url.startswith("https://")
        assert entry.license and entry.citation and entry.functional and entry.file_name
        assert find(entry.name) is entry and all(find(alias) is entry for alias in entry.aliases)
        assert entry.sha256 is None or (len(entry.sha256) == 64 and entry.size is not None)
        assert entry.md5 is None or (len(entry.md5) == 32 and entry.size is not None)
        assert all(len(part.sha256) == 64 and part.size > 0 for part in entry.parts)
    assert canonical("medium-mpa-0") == "mace-mpa-0-medium" and canonical("7net-0") == "sevennet-0"


def test_local_names_what_is_near(tmp_path: Path) -> None:
    (tmp_path / "sevennet-0.safetensors").write_bytes(b"")
    for name, near in (("sevenet-0", "sevennet-0"), ("medium-mpa-0", "irrepd pull")):
        with pytest.raises(FileNotFoundError, match=near):
            local_url(name, models=tmp_path, daemon="/bin/true")
