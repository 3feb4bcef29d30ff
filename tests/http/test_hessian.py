"""POST /v1/models/{m}/hessian: against mace-torch, differences of forces, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import MODEL, ROOT, Answer, Daemon, Factory, kind, pointer
from test_binary import SILICON, WATER

FIXTURES = ROOT / "tests" / "reference" / "fixtures"
PATH = f"/v1/models/{MODEL}/hessian"


def ask(daemon: Daemon, body: Any, path: str = PATH) -> Answer:
    return daemon.ask("POST", path, json.dumps(body).encode(), {"Content-Type": "application/json"})


def hessian(
    daemon: Daemon, structure: dict[str, Any], path: str = PATH, **more: Any
) -> dict[str, Any]:
    answer = ask(daemon, {"structures": [structure], **more}, path)
    assert answer.status == 200, answer.body[:500]
    (result,) = answer.json()["results"]
    assert result["status"] == "ok"
    return result


def square(values: Any) -> np.ndarray:
    matrix = np.array(values)
    return matrix.reshape(matrix.shape[0] * 3, -1)


def differences(daemon: Daemon, structure: dict[str, Any], step: float = 1e-3) -> np.ndarray:
    """Of fourth order, of forces that predict gives."""
    start = np.array(structure["positions"])
    structures = []
    for k in range(start.size):
        for h in (-2, -1, 1, 2):
            moved = start.copy()
            moved.flat[k] += h * step
            structures.append({**structure, "positions": moved.tolist()})
    body = {"structures": structures, "properties": ["forces"], "precision": "float64"}
    results = daemon.predict(body).json()["results"]
    forces = np.array([r["forces"] for r in results]).reshape(start.size, 4, -1)
    return np.einsum("h,khj->kj", np.array([-1, 8, -8, 1]) / (12 * step), forces)


@pytest.mark.parametrize("method", ["analytic", "differences"])
@pytest.mark.parametrize("structure", [WATER, SILICON], ids=["water", "silicon"])
def test_second_derivatives(daemon: Daemon, structure: dict[str, Any], method: str) -> None:
    result = hessian(daemon, structure, method=method)
    assert result["method"] == method
    n = len(structure["numbers"])
    assert np.shape(result["hessian"]) == (n, 3, n, 3)
    found = square(result["hessian"])
    assert np.array_equal(found, found.T)
    assert np.abs(found).max() > 1
    assert np.abs(found - differences(daemon, structure)).max() < 2e-5
    if method == "analytic":
        assert result["asymmetry"] < 1e-12 and result["step"] is None
        other = square(hessian(daemon, structure, method="differences")["hessian"])
        assert np.abs(found - other).max() < 2e-5  # of tabulated filters
    else:
        assert result["asymmetry"] < 1e-5 and 1e-5 < result["step"] < 0.02
    assert np.shape(result["modes"]) == (3 * n, n, 3)
    frequencies = np.array(result["frequencies"])
    assert (frequencies == 0).sum() == result["n_rigid"] == (3 if structure is SILICON else 6)
    assert (np.diff(frequencies) >= 0).all()
    modes = np.reshape(result["modes"], (3 * n, 3 * n))
    assert np.allclose(modes @ modes.T, np.eye(3 * n), rtol=0, atol=1e-10)


def test_frequencies_are_those_of_ase(daemon: Daemon) -> None:
    ase = pytest.importorskip("ase")
    from ase.vibrations import VibrationsData

    masses = [15.999, 2.014, 1.008]
    result = hessian(daemon, {**WATER, "masses": masses})
    atoms = ase.Atoms(WATER["numbers"], WATER["positions"], masses=masses)
    theirs = VibrationsData(atoms, np.array(result["hessian"]))
    wave_numbers = theirs.get_frequencies()
    found = np.array(result["frequencies"])
    expected = np.sort(wave_numbers.real[-3:])  # the three vibrations, far above rigid motions
    assert np.allclose(found[-3:], expected, rtol=1e-3, atol=2)
    energy = 0.5 * found[found > 0].sum() * 1.2398419739640717e-4
    assert result["zero_point_energy"] == pytest.approx(energy, rel=1e-9)


@pytest.mark.parametrize("method", ["analytic", "differences"])
def test_same_bits_whatever_else_runs(daemon: Daemon, method: str) -> None:
    alone = hessian(daemon, WATER, method=method)
    structures = [SILICON, WATER, {**WATER, "id": "again"}]
    answer = ask(daemon, {"structures": structures, "method": method}).json()
    assert answer["units"]["hessian"] == "eV/Angstrom^2"
    crystal, second, third = answer["results"]
    assert crystal == hessian(daemon, SILICON, method=method)
    assert second == alone
    assert third.pop("id") == "again" and third == alone


def test_a_fault_is_its_structures_own(daemon: Daemon) -> None:
    unknown = {"numbers": [118, 1], "positions": [[0, 0, 0], [0, 0, 1.5]]}
    bad = {"numbers": [1, 1], "positions": [[0, 0, 0]]}
    answer = ask(daemon, {"structures": [unknown, WATER, bad]})
    assert answer.status == 200
    first, second, third = answer.json()["results"]
    assert first["error"]["type"] == "urn:irrepd:unknown-element"
    assert first["error"]["errors"][0]["pointer"] == "#/structures/0/numbers/0"
    assert second["status"] == "ok" and third["status"] == "error"
    alone = ask(daemon, {"structures": [WATER, unknown]}).json()["results"][1]
    assert alone["error"]["errors"][0]["pointer"] == "#/structures/1/numbers/0"
    assert ask(daemon, {"structures": [unknown]}).status == 422


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ({"precision": "float32"}, "#/precision"),
        ({"properties": ["energy"]}, "#/properties"),
        ({"steps": 3}, "#/steps"),
        ({"method": "exact"}, "#/method"),
        ({"method": 1}, "#/method"),
        ({"method": "analytic", "dispersion": {}}, "#/method"),
        ({"method": "analytic", "committee": ["x"]}, "#/method"),
        ({"structures": [{**WATER, "fixed": [0]}]}, "#/structures/0/fixed"),
        ({"structures": [{**WATER, "velocities": [[0, 0, 0]] * 3}]}, "#/structures/0/velocities"),
        ({"structures": [{**WATER, "masses": [1, 1, 0]}]}, "#/structures/0/masses/2"),
    ],
)
def test_what_is_not_understood(daemon: Daemon, more: dict[str, Any], where: str) -> None:
    answer = ask(daemon, {"structures": [WATER], **more})
    assert answer.status in (400, 422) and pointer(answer) == where


def test_a_hessian_of_5000_atoms_is_refused_with_its_bytes(daemon: Daemon) -> None:
    sites = np.array(np.meshgrid(*[np.arange(18)] * 3)).reshape(3, -1).T[:5000] * 2.5
    body = {"numbers": [14] * 5000, "positions": sites.tolist()}
    answer = ask(daemon, {"structures": [body]})
    assert answer.status == 422 and kind(answer) == "too-large"
    (needed, most) = re.findall(r"\d+", answer.json()["detail"])
    assert int(needed) > 2 * 9 * 5000**2 * 22 > int(most)  # the texts alone


def test_deadline(daemon: Daemon) -> None:
    answer = ask(daemon, {"structures": [SILICON] * 8, "deadline_ms": 1})
    assert answer.status == 504 and kind(answer) == "deadline-passed"


def test_a_client_that_leaves_ends_it(daemon: Daemon) -> None:
    def count(name: str, **labels: str) -> float:
        return daemon.metric(name, **labels)

    def done() -> float:
        return count("inference_structures_total", model=MODEL, outcome="ok")

    body = json.dumps({"structures": [SILICON] * 64, "method": "differences"}).encode()
    peer = daemon.connect()
    head = f"POST {PATH} HTTP/1.1\r\nHost: {daemon.host}:{daemon.port}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    before, began = count("requests_cancelled_total", reason="disconnect"), done()
    peer.sendall(head.encode() + body)
    daemon.wait_for(lambda: done() > began, "forces")
    peer.close()
    daemon.wait_for(
        lambda: count("requests_cancelled_total", reason="disconnect") > before, "the end"
    )
    assert done() < began + 64 * 24  # of each structure 12 trials and 12 displaced copies
    hessian(daemon, WATER)


def test_a_client_that_leaves_an_analytic_one(daemon: Daemon) -> None:
    """Rows that nobody waits for are not computed on."""
    sites = np.array(np.meshgrid(*[np.arange(6)] * 3)).reshape(3, -1).T * 2.4
    entry = {"numbers": [14] * len(sites), "positions": sites.tolist()}
    peer = daemon.connect()
    body = json.dumps({"structures": [entry] * 2, "method": "analytic"}).encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: {daemon.host}:{daemon.port}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    before = daemon.metric("requests_cancelled_total", reason="disconnect")
    done = daemon.metric("inference_structures_total", model=MODEL, outcome="ok")
    peer.sendall(head.encode() + body)
    daemon.wait_for(
        lambda: daemon.metric("inference_structures_total", model=MODEL, outcome="ok") > done,
        "its energy",
    )
    peer.close()
    daemon.wait_for(
        lambda: daemon.metric("requests_cancelled_total", reason="disconnect") > before, "the end"
    )
    hessian(daemon, WATER)


def test_predictions_have_turns_between_the_rows(start: Factory) -> None:
    """With one worker, which the rows of a Hessian do not keep from others."""
    daemon = start("--workers", "1").wait_ready()
    sites = np.array(np.meshgrid(*[np.arange(7)] * 3)).reshape(3, -1).T * 2.4
    many = {"numbers": [14] * len(sites), "positions": sites.tolist()}
    peer = daemon.connect()
    body = json.dumps({"structures": [many], "method": "analytic"}).encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: {daemon.host}:{daemon.port}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    peer.sendall(head.encode() + body)
    daemon.wait_for(
        lambda: daemon.metric("inference_structures_total", model=MODEL, outcome="ok") > 0,
        "its energy",
    )
    peer.setblocking(False)
    for _ in range(5):
        assert daemon.predict({"structures": [WATER]}).status == 200
    with pytest.raises(BlockingIOError):  # it is still under way
        peer.recv(1)
    peer.close()


def test_mace_torch(start: Factory, tmp_path: Path) -> None:
    """get_hessian of mace-torch in float64; differences, of filters computed for each edge."""
    sys.path.insert(0, str(ROOT / "tests" / "reference"))
    from structures import load

    with np.load(FIXTURES / "hessian-mace.npz", allow_pickle=False) as file:
        stored = {key: file[key] for key in file.files if key != "made_with"}
    folder = tmp_path / "models"
    folder.mkdir()
    for name in {key.split()[0] for key in stored}:
        shutil.copy(FIXTURES / f"{name}.safetensors", folder / f"{name.split('/')[1]}.safetensors")
    daemon = start("--exact-filters", models=folder).wait_ready()
    structures = load()
    for case, expected in stored.items():
        name, key = case.split()
        s = structures[key]
        entry = {"numbers": s.numbers.tolist(), "positions": s.positions.tolist()}
        entry.update(cell=s.cell.tolist() if s.cell.any() else None, pbc=s.pbc.tolist())
        for method, most in (("analytic", 1e-9), ("differences", 1e-6)):
            path = f"/v1/models/{name.split('/')[1]}/hessian"
            result = hessian(daemon, entry, path, method=method)
            error = np.abs(square(result["hessian"]) - expected).max()
            assert error < most * (1 + np.abs(expected).max()), (case, method, error)
