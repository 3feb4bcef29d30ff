from __future__ import annotations

import itertools
import json
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import molecule
from fake_server import FakeServer, Handler, busy, problem_of

import irrepd
from irrepd import Client, ServerError, structure
from irrepd.progress import Progress


def atoms(count: int, n_atoms: int = 1) -> Iterator[dict[str, Any]]:
    for i in range(count):
        positions = [[float(i), float(k), 0.0] for k in range(n_atoms)]
        yield structure([1] * n_atoms, positions, id=str(i))


def energies(results: Any) -> list[float]:
    return [result["energy"] for result in results]


EXPECTED = [i * i / 2 for i in range(1000)]


def test_order_is_kept_with_many_requests_under_way(server: FakeServer) -> None:
    barrier = threading.Barrier(3, timeout=20)

    def together(_: Handler) -> bool:
        barrier.wait()
        return False

    server.faults = [together] * 3
    with Client(server.url) as client:
        found = list(
            irrepd.evaluate(atoms(100), "springs", client, batch_structures=10, in_flight=3)
        )
    assert energies(found) == EXPECTED[:100]
    assert [result["id"] for result in found] == [str(i) for i in range(100)]
    assert [len(request["structures"]) for request in server.requests] == [10] * 10


def test_what_is_asked_of_all(server: FakeServer) -> None:
    options = {"properties": ("energy",), "precision": "float64", "priority": "bulk"}
    assert energies(irrepd.evaluate(atoms(5), "springs", server.url, **options)) == EXPECTED[:5]
    assert server.requests[0].items() >= {**options, "properties": ["energy"]}.items()


def test_batches_by_atoms(server: FakeServer) -> None:
    entries = itertools.chain(atoms(4, 3), atoms(1, 50), atoms(2, 3))
    run = irrepd.evaluate(entries, "springs", server.url, batch_atoms=10, in_flight=1)
    assert len(list(run)) == 7
    assert [len(request["structures"]) for request in server.requests] == [3, 1, 1, 2]


def test_kinds_of_structures(server: FakeServer) -> None:
    class Lattice:
        matrix, pbc = np.eye(3) * 4, (True, True, True)

    class LikePymatgen:
        atomic_numbers, cart_coords, lattice = (14,), np.ones((1, 3)), Lattice

    given = [structure([8], [[1, 0, 0]]), molecule("H2O"), LikePymatgen()]
    found = list(irrepd.evaluate(given, "springs", server.url))
    assert [result.ok for result in found] == [True] * 3
    assert [result["stress"] is None for result in found] == [True, True, False]
    with pytest.raises(TypeError, match="Atom is no structure"):
        list(irrepd.evaluate(molecule("H2O"), "springs", server.url))


def test_refusals_are_results_and_the_rest_goes_on(server: FakeServer) -> None:
    server.most_structures = 2
    entries = [*atoms(3), structure([118], [[0, 0, 0]], id="bad"), *atoms(2)]
    found = list(irrepd.evaluate(entries, "springs", server.url))
    assert [result.ok for result in found] == [True] * 3 + [False] + [True] * 2
    assert (found[3]["id"], found[3].problem) == ("bad", "unknown element Og")


def test_what_concerns_all_is_raised(server: FakeServer) -> None:
    with pytest.raises(ServerError) as caught:
        list(irrepd.evaluate(atoms(3), "absent", server.url))
    assert caught.value.status == 404
    for options in ({"properties": ["dipole"]}, {"precision": "float16"}):
        field = f"#/{next(iter(options))}"

        def refuse(handler: Handler, field: str = field) -> bool:
            handler.answer(422, problem_of(422, "not so", field), "application/problem+json")
            return True

        server.faults = [refuse] * 9
        with pytest.raises(ServerError, match=field):
            list(irrepd.evaluate(atoms(3), "springs", server.url, **options))
        server.faults = []
    with pytest.raises(TypeError, match="a URL, not a object"):
        irrepd.evaluate(atoms(3), "springs", object())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="in_flight"):
        irrepd.evaluate(atoms(3), "springs", server.url, in_flight=0)


def test_busy_daemon_and_busy_items_are_asked_again(server: FakeServer) -> None:
    def busy_item(handler: Handler) -> bool:
        entries = server.requests[-1]["structures"]
        fault = {"status": "error", "error": {"status": 503, "title": "queue full"}}
        fault["id"] = entries[-1]["id"]
        results = [handler.result(i, entry, server.requests[-1]) for i, entry in enumerate(entries)]
        handler.answer(200, {"results": [*results[:-1], fault]})
        return True

    server.faults = [busy("0"), busy_item]
    found = list(irrepd.evaluate(atoms(4), "springs", server.url))
    assert energies(found) == EXPECTED[:4]
    assert [len(request["structures"]) for request in server.requests] == [4, 4, 1]
    server.faults = [busy_item] * 100
    with Client(server.url, timeout=0.5) as client, pytest.raises(ServerError, match="queue full"):
        list(irrepd.evaluate(atoms(4), "springs", client))


def test_an_endless_stream_is_read_as_it_is_needed(server: FakeServer) -> None:
    taken = itertools.count()
    endless = (next(atoms(1)) for _ in taken)
    run = irrepd.evaluate(endless, "springs", server.url, batch_structures=5, in_flight=2)
    assert energies(itertools.islice(run, 50)) == [0.0] * 50
    run.close()
    assert next(taken) < 50 + 5 * 4


def test_memory_does_not_grow_with_the_stream(server: FakeServer) -> None:
    def peak(count: int) -> int:
        server.requests.clear()
        tracemalloc.start()
        for _ in irrepd.evaluate(atoms(count), "springs", server.url, batch_structures=20):
            server.requests.clear()
            server.headers.clear()
        result = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return result

    peak(200)
    assert peak(4000) < 2 * peak(400)


class Cut(Exception):
    pass


def cut_off(count: int) -> Iterator[dict[str, Any]]:
    yield from atoms(count)
    raise Cut


def test_resumes_from_a_partial_file(server: FakeServer, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    run = {"model": "springs", "client": server.url, "batch_structures": 5, "output": path}
    seen = 0
    with pytest.raises(Cut):
        for _ in irrepd.evaluate(cut_off(60), in_flight=1, **run):
            seen += 1
    assert 40 < seen <= 60
    text = path.read_bytes()
    path.write_bytes(text[:-7])  # killed within a line
    with FakeServer() as other:  # to the first one a request may still be under way
        run["client"] = other.url
        found = list(irrepd.evaluate(atoms(80), **run))
        assert energies(found) == EXPECTED[:80]
        assert found[3]["forces"].tolist() == [[-3.0, 0.0, 0.0]]
        assert sum(len(request["structures"]) for request in other.requests) == 80 - (seen - 1)
        other.requests.clear()
        assert energies(irrepd.evaluate(atoms(80), **run)) == EXPECTED[:80]
        assert not other.requests
        other.shutdown()
    assert len(path.read_text().splitlines()) == 81


def test_files_of_other_runs_are_refused(server: FakeServer, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    list(irrepd.evaluate(atoms(5), "springs", server.url, output=path))
    before = path.read_bytes()
    others = [
        (atoms(5), {"precision": "float64"}, "another model"),
        (atoms(5, 2), {}, "other structures"),
        (atoms(4), {}, "more structures"),
    ]
    for entries, options, message in others:
        with pytest.raises(ValueError, match=message):
            list(irrepd.evaluate(entries, "springs", server.url, output=path, **options))
    assert path.read_bytes() == before
    assert json.loads(before.splitlines()[0])["model"] == "springs"


@pytest.mark.parametrize("text", ["2\n\nH 0 0 0\nH 0 0 1\n", "notes", "[1]\n", '{"form":"x'])
def test_files_of_another_kind_stay_as_they_are(
    server: FakeServer, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "frames.xyz"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"frames\.xyz is no file of results"):
        list(irrepd.evaluate(atoms(5), "springs", server.url, output=path))
    assert path.read_text() == text


def test_a_file_cut_off_in_its_heading_begins_anew(server: FakeServer, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    list(irrepd.evaluate(atoms(5), "springs", server.url, output=path))
    whole = path.read_bytes()
    path.write_bytes(whole[:20])
    assert energies(irrepd.evaluate(atoms(5), "springs", server.url, output=path)) == EXPECTED[:5]
    assert path.read_bytes() == whole


class Terminal:
    def __init__(self) -> None:
        self.text = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass


def test_progress_bar() -> None:
    terminal = Terminal()
    bar = Progress(200, terminal)  # type: ignore[arg-type]
    for _ in range(50):
        bar.step(3)
    bar.close()
    assert "50/200" in terminal.text and terminal.text.endswith("\n")
    assert bar.line(10.0).split() == [
        "[#######.......................]",
        *("50/200", "5/s", "15", "atoms/s", "0:30", "left"),
    ]
    unknown = Progress(None, terminal)  # type: ignore[arg-type]
    unknown.step(1)
    assert unknown.line(2.0).split() == ["1", "0.5/s", "0.5", "atoms/s"]
    resumed = Progress(None, terminal)  # type: ignore[arg-type]
    resumed.step(1, 0.5)
    resumed.step(1, 0.6)
    assert resumed.line(2.0).split()[-2:] == ["0:08", "left"]


def test_notebooks_show_results(server: FakeServer) -> None:
    with Client(server.url) as client:
        results = client.predict(
            "springs", [*atoms(1), structure([118], [[0, 0, 0]], id="<b>"), *atoms(30)]
        )
    text = results._repr_html_()
    assert text.startswith("<table>") and "unknown element Og" in text
    assert "&lt;b&gt;" in text and "<b>" not in text and "12 more" in text
    assert "0.125" not in results[0]._repr_html_() and "0.000000" in results[0]._repr_html_()
