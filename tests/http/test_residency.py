"""Models that come and go: on demand, by budget, idle, replaced on disk, and by the admin calls."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import MODEL, MODELS, Answer, Daemon, Factory, check, kind, read_raw
from test_life import body, busy

JSON = {"Content-Type": "application/json"}
ATOM = b'{"structures":[{"numbers":[14],"positions":[[0,0,0]]}]}'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three copies of one model: a, b and c."""
    made = tmp_path / "served"
    made.mkdir()
    for name in "abc":
        shutil.copy(MODELS / f"{MODEL}.safetensors", made / f"{name}.safetensors")
    return made


def another(source: Path, target: Path, spaces: int) -> None:
    """The same model in other bytes: blanks behind the header. Replaces the target at once."""
    data = source.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = data[8 : 8 + size] + b" " * spaces
    partial = target.with_name("partial")
    partial.write_bytes(len(header).to_bytes(8, "little") + header + data[8 + size :])
    os.replace(partial, target)


def call(daemon: Daemon, name: str, what: str, text: bytes = b"") -> Answer:
    return daemon.ask("POST", f"/v1/models/{name}/{what}", text, JSON)


def states(daemon: Daemon) -> str:
    """ready, loading, unloaded, failed as r, l, u, f for a, b, c."""
    models = daemon.ask("GET", "/v1/models").json()["models"]
    return "".join(model["state"][0] for model in models)


def size_of(daemon: Daemon, name: str) -> int:
    return int(daemon.ask("GET", f"/v1/models/{name}").json()["bytes"])


def test_a_deadline_holds_while_the_model_waits_to_be_loaded(start: Factory, folder: Path) -> None:
    """The budget has room for one model, and that one is at work for long."""
    size = (folder / "a.safetensors").stat().st_size
    daemon = start("--on-demand", "--workers", "1", models=folder)
    assert call(daemon, "a", "predict", ATOM).status == 200
    budget = size_of(daemon, "a") + size
    assert daemon.ask("GET", "/v1/health/ready").status == 200
    daemon = start("--on-demand", "--workers", "1", "--model-budget", str(budget), models=folder)
    assert call(daemon, "a", "predict", ATOM).status == 200
    with daemon.connect() as peer:
        text = body(40)
        head = "POST /v1/models/a/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        peer.sendall(f"{head}Content-Length: {len(text)}\r\n\r\n".encode() + text)
        daemon.wait_for(lambda: busy(daemon), "the computation")
        late = json.loads(ATOM)
        late["deadline_ms"] = 50
        answer = call(daemon, "b", "predict", json.dumps(late).encode())
        assert (answer.status, kind(answer)) == (504, "deadline-passed")
        assert states(daemon)[1] == "l" and busy(daemon)  # the load has not even begun
        peer.close()
    answer = call(daemon, "b", "predict", ATOM)
    assert answer.status == 200


def with_a_hole(source: Path, target: Path, size: int) -> None:
    """The same model and a tensor of so many bytes that are not on the disk."""
    data = source.read_bytes()
    n = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + n])
    end = len(data) - 8 - n
    offsets = [end, end + size]
    header["hole"] = {"dtype": "F64", "shape": [size // 8], "data_offsets": offsets}
    text = json.dumps(header).encode()
    target.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + n :])
    os.truncate(target, 8 + len(text) + end + size)


def test_sparse_files_are_not_read(start: Factory, folder: Path) -> None:
    """Several of 1 GiB, each of which is some kilobytes on the disk, take no memory."""
    for i in range(4):
        with_a_hole(folder / "a.safetensors", folder / f"hole{i}.safetensors", 1 << 30)
        (folder / f"zero{i}.safetensors").touch()
        os.truncate(folder / f"zero{i}.safetensors", 1 << 30)
    daemon = start(models=folder).wait_ready()
    told = {x["name"]: x for x in daemon.ask("GET", "/v1/models").json()["models"]}
    assert [told[name]["state"] for name in "abc"] == ["ready"] * 3
    # Where memory is little, their loads are not begun.
    assert all(x["state"] != "ready" for name, x in told.items() if len(name) > 1)
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    most = int(status.split("VmHWM:")[1].split()[0]) << 10
    assert most < 512 << 20


def test_one_load_for_all_that_wait(start: Factory, folder: Path) -> None:
    daemon = start("--on-demand", models=folder)
    assert daemon.ask("GET", "/v1/health/ready").status == 200
    assert states(daemon) == "uuu"
    seen: list[Answer] = []
    threads = [
        threading.Thread(target=lambda: seen.append(call(daemon, "b", "predict", ATOM)))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [x.status for x in seen] == [200] * 16
    assert states(daemon) == "uru"
    assert daemon.metric("model_loads_total") == 1
    assert daemon.metric("model_resident_bytes") == size_of(daemon, "b")


def test_pins_are_loaded_at_start_and_stay(start: Factory, folder: Path) -> None:
    one = start("--on-demand", "--pin", "c", models=folder)
    one.wait_ready()
    assert states(one) == "uur"
    budget = str(2 * size_of(one, "c") + 1000)
    daemon = start("--pin", "c", "--model-budget", budget, "--on-demand", models=folder)
    daemon.wait_ready()
    for name in "aba":
        assert call(daemon, name, "predict", ATOM).status == 200
        assert states(daemon) == {"a": "rur", "b": "urr"}[name]
        assert daemon.metric("model_resident_bytes") <= int(budget)
    assert daemon.metric("model_evictions_total", reason="budget") == 2
    assert daemon.metric("model_state", model="c", state="ready") == 1
    small = start("--pin", "c", "--model-budget", str(size_of(one, "c") + 10), models=folder)
    small.wait_ready()
    refused = call(small, "a", "predict", ATOM)
    assert (refused.status, kind(refused)) == (503, "no-memory")
    assert call(small, "c", "predict", ATOM).status == 200


def test_budget_under_load(start: Factory, folder: Path) -> None:
    """Three models, room for one, six clients: all are answered, the budget holds throughout."""
    probe = start(models=folder).wait_ready()
    budget = size_of(probe, "a") + 1000
    daemon = start("--on-demand", "--model-budget", str(budget), models=folder)
    statuses: list[int] = []

    def client(index: int) -> None:
        for turn in range(4):
            name = "abc"[(index + turn) % 3]
            statuses.append(call(daemon, name, "predict", ATOM).status)

    threads = [threading.Thread(target=client, args=(index,)) for index in range(6)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert daemon.metric("model_resident_bytes") <= budget
    for thread in threads:
        thread.join()
    assert statuses == [200] * 24


def test_idle_models_are_unloaded(start: Factory, folder: Path) -> None:
    daemon = start("--keep-alive", "1", "--pin", "a", models=folder).wait_ready()
    daemon.wait_for(lambda: states(daemon) == "ruu", "the idle models to go")
    assert daemon.metric("model_evictions_total", reason="idle") == 2
    assert call(daemon, "b", "predict", ATOM).status == 200


def test_load_and_unload(start: Factory, folder: Path) -> None:
    daemon = start(models=folder).wait_ready()
    card = call(daemon, "b", "unload").json()
    assert (card["name"], card["state"]) == ("b", "unloaded")
    assert states(daemon) == "rur"
    card = call(daemon, "b", "load", b"{}").json()
    assert card["state"] == "ready" and len(card["sha256"]) == 64
    assert daemon.metric("model_loads_total", model="b") == 2
    assert call(daemon, "b", "load").status == 200  # nothing has changed: nothing is done
    assert daemon.metric("model_loads_total", model="b") == 2
    (folder / "b.safetensors").write_bytes(b"damaged")
    failed = call(daemon, "b", "load")
    assert (failed.status, kind(failed)) == (500, "bad-model-file")
    assert call(daemon, "b", "predict", ATOM).json()["model_sha256"] == card["sha256"]
    unknown = call(daemon, "none", "load")
    assert (unknown.status, kind(unknown)) == (404, "unknown-model")
    assert call(daemon, "b", "load", b'{"force":true}').status == 400
    assert daemon.ask("POST", "/v1/models/b/load", b"").status == 415
    page = {"Content-Type": "application/json", "Origin": "http://rebound.example:8421"}
    assert daemon.ask("POST", "/v1/models/b/unload", b"{}", page).status == 403
    assert states(daemon) == "rrr"


class Load:
    """Clients that ask one model again and again, and what they got."""

    def __init__(self, daemon: Daemon, name: str, clients: int = 4):
        self.daemon, self.path = daemon, f"/v1/models/{name}/predict"
        self.stop = threading.Event()
        self.stopping = threading.Event()  # what is sent from now on may find nobody
        self.answers: list[Answer] = []
        self.lost: list[Any] = []
        self.threads = [threading.Thread(target=self._client) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def _client(self) -> None:
        while not self.stop.is_set():
            try:
                peer = self.daemon.connect()
            except OSError:
                return  # it does not accept any more: nothing was promised
            with peer:
                head = f"POST {self.path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                late = self.stopping.is_set()
                try:
                    peer.sendall(f"{head}Content-Length: {len(ATOM)}\r\n\r\n".encode() + ATOM)
                    self.answers.append(check(read_raw(peer)))
                except OSError as error:
                    if not late:
                        self.lost.append(error)
                    return

    def end(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def shas(self) -> set[str]:
        return {x.json()["model_sha256"] for x in self.answers if x.status == 200}


@pytest.mark.parametrize("how", ["signal", "call"])
def test_hot_swap_under_load(start: Factory, folder: Path, how: str) -> None:
    daemon = start(models=folder).wait_ready()
    target = folder / "a.safetensors"
    old = daemon.ask("GET", "/v1/models/a").json()["sha256"]
    wanted = call(daemon, "a", "predict", ATOM).json()["results"]
    load = Load(daemon, "a")

    def swap(write: Callable[[], Any], outcome: str, count: int) -> None:
        write()
        if how == "signal":
            daemon.signal(signal.SIGHUP)
        else:
            call(daemon, "a", "load")
        daemon.wait_for(
            lambda: daemon.metric("model_loads_total", model="a", outcome=outcome) == count,
            "the load",
        )

    try:
        swap(lambda: another(folder / "b.safetensors", target, 8), "ok", 2)
        new = daemon.ask("GET", "/v1/models/a").json()["sha256"]
        assert new != old
        answer = call(daemon, "a", "predict", ATOM).json()
        assert (answer["model_sha256"], answer["results"]) == (new, wanted)
        # Cut short in place, as a careless copy leaves it: the version in memory serves on.
        swap(lambda: os.truncate(target, 1000), "failed", 1)
        assert call(daemon, "a", "predict", ATOM).json()["model_sha256"] == new
        swap(lambda: another(folder / "b.safetensors", target, 16), "ok", 3)
    finally:
        load.end()
    last = daemon.ask("GET", "/v1/models/a").json()["sha256"]
    assert not load.lost
    assert {x.status for x in load.answers} == {200}
    assert load.shas() <= {old, new, last}
    daemon.wait_for(
        lambda: daemon.metric("model_resident_bytes", model="a") == size_of(daemon, "a"),
        "the old versions to go",
    )


def test_files_come_and_go(start: Factory, folder: Path) -> None:
    daemon = start(models=folder).wait_ready()
    (folder / "b.safetensors").unlink()
    shutil.copy(folder / "a.safetensors", folder / "d.safetensors")
    daemon.signal(signal.SIGHUP)
    path = "/v1/models/d/predict"
    daemon.wait_for(lambda: daemon.ask("POST", path, ATOM, JSON).status == 200, "the new model")
    assert call(daemon, "b", "predict", ATOM).status == 404
    assert call(daemon, "c", "predict", ATOM).status == 200
    assert states(daemon) == "rrr"


def test_a_stop_a_swap_and_a_long_batch_at_once(start: Factory, folder: Path) -> None:
    daemon = start("--workers", "2", models=folder).wait_ready()
    text = body(8)
    with contextlib.ExitStack() as stack:
        long = stack.enter_context(daemon.connect())
        head = "POST /v1/models/a/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        long.sendall(f"{head}Content-Length: {len(text)}\r\n\r\n".encode() + text)
        daemon.wait_for(lambda: busy(daemon), "the computation")
        load = Load(daemon, "a", 8)
        daemon.wait_for(lambda: len(load.answers) > 20, "some answers")
        another(folder / "b.safetensors", folder / "a.safetensors", 8)
        daemon.signal(signal.SIGHUP)
        load.stopping.set()
        daemon.signal(signal.SIGTERM)
        answer = check(read_raw(long))
        assert answer.status == 200
        assert [x["status"] for x in answer.json()["results"]] == ["ok"] * 8
        assert daemon.wait() == 0
        load.end()
    assert not load.lost
    assert len(load.answers) > 20
    refused = [x for x in load.answers if x.status != 200]
    assert {kind(x) for x in refused} <= {"draining"}
    assert json.loads(load.answers[0].body)["model"] == "a"
