"""Committees as a request has them: means and deviations, in every format, in trajectories."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, Answer, Daemon
from libirrep import Model
from test_binary import WATER
from test_outputs import system

from irrepd import Client, ServerError, evaluate, md, relax, safetensors
from irrepd import client as client_module
from irrepd.convert import convert

CHECKPOINTS = ROOT / "clients" / "python" / "tests" / "fixtures"
FIDELITIES = ("first", "second", "third")
OTHERS = ["second", "third", "parity"]  # the last one has a graph of its own
CRYSTAL = {
    "numbers": [14, 8, 8, 14],
    "positions": [[0.0, 0.1, 0.0], [1.5, 0.3, -0.2], [0.2, 1.7, 0.3], [1.9, 1.8, 1.2]],
    "cell": [[3.6, 0.1, 0.0], [0.3, 3.4, 0.0], [0.0, -0.2, 3.5]],
}
STRUCTURES = [WATER, CRYSTAL, {**CRYSTAL, "pbc": [True, True, False]}]
PROPERTIES = ["energy", "forces", "stress", "energies", "virial", "stresses"]
PREDICT = "/v1/models/first/predict"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("committee")
    for name in FIDELITIES:
        convert(CHECKPOINTS / "modal.pth", folder / f"{name}.safetensors", modality=name)
    convert(CHECKPOINTS / "modal.pth", folder / "heads.safetensors")
    convert(CHECKPOINTS / "mace.model", folder / "hydrides.safetensors", modality="pbe")
    convert(CHECKPOINTS / "parity.pth", folder / "parity.safetensors")
    tensors, metadata = safetensors.read(folder / "parity.safetensors")
    card = {**json.loads(metadata["irrepd"]), "r_max": 3.4}
    safetensors.write(folder / "parity.safetensors", tensors, {"irrepd": json.dumps(card)})
    return folder


@pytest.fixture(scope="module")
def daemon(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    made = Daemon(tmp_path_factory.mktemp("daemon"), "--workers", "2", models=folder)
    made.wait_ready()
    yield made
    made.signal()
    assert made.wait() == 0, made.log.read_text()[-4000:]
    made.check_log()


def post(daemon: Daemon, path: str, body: dict[str, Any]) -> Answer:
    headers = {"Content-Type": "application/json"}
    body = {"precision": "float64", **body} if "inputs" not in body else body
    return daemon.ask("POST", path, json.dumps(body).encode(), headers)


@pytest.fixture(scope="module")
def members(folder: Path) -> list[list[Any]]:
    """By structure, what the library gives by each member."""
    models = [Model(folder / f"{name}.safetensors") for name in ("first", *OTHERS)]
    return [[m.evaluate_one(system(s), "float64") for m in models] for s in STRUCTURES]


def check(result: Any, members: list[Any]) -> None:
    """Means, and root mean squares of the deviations from them."""
    for name in PROPERTIES:
        values = [getattr(member, name) for member in members]
        if values[0] is None:
            assert result[name] is None
            continue
        mean = np.mean(values, axis=0)
        assert np.abs(np.array(result[name]) - mean).max() < 1e-12 * (1 + np.abs(mean).max()), name
    energies = np.array([float(member.energy) for member in members])
    forces = np.array([member.forces for member in members])
    assert abs(result["energy_std"] - np.std(energies)) < 1e-12 * (1 + np.std(energies))
    spread = np.sqrt(np.mean((forces - forces.mean(axis=0)) ** 2, axis=(0, 2)))
    assert np.abs(np.array(result["forces_std"]) - spread).max() < 1e-12 * (1 + spread.max())
    assert spread.max() > 1e-3
    if members[0].stress is None:
        assert result["stress_std"] is None
    else:
        expected = np.std([member.stress for member in members], axis=0)
        found = np.array(result["stress_std"])
        assert np.abs(found - expected).max() < 1e-12 * (1 + expected.max())


def test_means_and_deviations(daemon: Daemon, members: list[list[Any]]) -> None:
    body = {"structures": STRUCTURES, "properties": PROPERTIES, "committee": OTHERS}
    answer = post(daemon, PREDICT, body).json()
    assert answer["units"]["forces_std"] == "eV/Angstrom"
    assert {"energy_std", "stress_std"} < answer["units"].keys()
    for result, of_members in zip(answer["results"], members):
        check(result, of_members)
    assert answer["timing"]["compute_ms"] > 0


def test_only_what_was_asked_for(daemon: Daemon) -> None:
    body = {"structures": [WATER], "properties": ["energy"], "committee": ["second"]}
    result = post(daemon, PREDICT, body).json()["results"][0]
    assert "energy_std" in result
    assert not {"forces_std", "stress_std", "forces"} & result.keys()


def test_same_bits_in_any_batch(daemon: Daemon) -> None:
    body = {"structures": STRUCTURES, "properties": PROPERTIES, "committee": OTHERS}
    together = post(daemon, PREDICT, body).json()["results"]
    bare = {**body, "structures": [*STRUCTURES, *STRUCTURES]}
    assert post(daemon, PREDICT, bare).json()["results"] == [*together, *together]
    for structure, result in zip(STRUCTURES, together):
        alone = post(daemon, PREDICT, {**body, "structures": [structure]}).json()["results"]
        assert alone == [result]


def test_requests_of_all_kinds_share_batches(daemon: Daemon) -> None:
    """Committees of different members, and none, at the same time: each has its own numbers."""
    from concurrent.futures import ThreadPoolExecutor

    bodies: list[dict[str, Any]] = [
        {"structures": STRUCTURES},
        {"structures": STRUCTURES, "committee": ["second", "third"]},
        {"structures": STRUCTURES, "committee": ["third", "second"]},
        {"structures": STRUCTURES, "committee": ["parity"]},
    ]
    expected = [post(daemon, PREDICT, body).json()["results"] for body in bodies]
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda i: post(daemon, PREDICT, bodies[i % 4]).json(), range(80)))
    for i, answer in enumerate(found):
        assert answer["results"] == expected[i % 4]
    assert "energy_std" not in expected[0][0]


def test_heads_are_members(daemon: Daemon) -> None:
    """Those of one file, as "MODEL:HEAD"; the same as the models of each head."""
    body = {"structures": STRUCTURES, "head": "first", "committee": ["heads:second", "heads:third"]}
    by_heads = post(daemon, "/v1/models/heads/predict", body).json()["results"]
    body = {"structures": STRUCTURES, "committee": ["second", "third"]}
    assert post(daemon, PREDICT, body).json()["results"] == by_heads


def test_every_format(daemon: Daemon) -> None:
    body = {"structures": STRUCTURES, "committee": OTHERS}
    expected = post(daemon, PREDICT, body).json()["results"]
    client = Client(daemon.url)
    names = ("energy", "forces", "stress", "energy_std", "forces_std", "stress_std")
    for binary_from in (0, 10**9):
        kept, client_module.BINARY_FROM = client_module.BINARY_FROM, binary_from
        try:
            found = client.predict("first", STRUCTURES, precision="float64", committee=OTHERS)
        finally:
            client_module.BINARY_FROM = kept
        for result, other in zip(found, expected):
            for name in names:
                same = result[name] is None if other[name] is None else np.array_equal(
                    result[name], other[name]
                )  # fmt: skip
                assert same, name
    (streamed,) = evaluate([WATER], "first", daemon.url, precision="float64", committee=OTHERS)
    assert streamed["energy_std"] == expected[0]["energy_std"]
    inputs = [
        ("n_atoms", "INT32", [1], [3]),
        ("numbers", "INT32", [3], WATER["numbers"]),
        ("positions", "FP64", [3, 3], WATER["positions"]),
    ]
    keys = ("name", "datatype", "shape", "data")
    for given in (OTHERS, json.dumps(OTHERS)):
        infer = {
            "inputs": [dict(zip(keys, values)) for values in inputs],
            "parameters": {"precision": "float64", "committee": given},
        }
        answer = post(daemon, "/v2/models/first/infer", infer).json()
        outputs = {output["name"]: output for output in answer["outputs"]}
        assert outputs["energy_std"]["data"] == [expected[0]["energy_std"]]
        assert outputs["forces_std"]["data"] == expected[0]["forces_std"]
        assert outputs["forces_std"]["shape"] == [3]
        assert outputs["stress_std"]["shape"] == [1, 3, 3]


def test_descriptors_have_no_mean(daemon: Daemon) -> None:
    for name in ("descriptors", "descriptors_l"):
        body = {"structures": [WATER], "committee": ["second"], "properties": ["energy", name]}
        answer = post(daemon, PREDICT, body)
        assert answer.status == 422
        assert answer.json()["errors"] == [{"pointer": "#/properties"}]


@pytest.mark.parametrize("path", ["predict", "estimate"])
@pytest.mark.parametrize(
    ("committee", "status", "pointer", "said"),
    [
        (["nobody"], 422, "#/committee/0", '"nobody"'),
        (["second", "first"], 422, "#/committee/1", "twice"),
        (["second", "second"], 422, "#/committee/1", "twice"),
        (["heads"], 422, "#/committee/0", "first, second, third"),
        (["heads:forth"], 422, "#/committee/0", "no head"),
        ([], 422, "#/committee", "array"),
        ("second", 422, "#/committee", "array"),
        ([3], 422, "#/committee/0", "MODEL"),
        (list("abcdefgh"), 422, "#/committee", "1 to 7"),
        (["hydrides"], 422, "#/structures/0/numbers/0", "member hydrides"),
    ],
)
def test_refused(
    daemon: Daemon, path: str, committee: Any, status: int, pointer: str, said: str
) -> None:
    body = {"structures": [CRYSTAL], "committee": committee}
    answer = post(daemon, f"/v1/models/first/{path}", body)
    problem = answer.json()
    if path == "estimate" and pointer.startswith("#/structures"):
        problem = problem["results"][0]["error"] if answer.status == 200 else problem
    assert problem["status"] == status
    assert problem["errors"] == [{"pointer": pointer}]
    assert said in problem["detail"]


def test_elements_are_each_structure_s(daemon: Daemon) -> None:
    """A member that does not know silicon refuses that structure alone, by its name."""
    body = {"structures": [WATER, CRYSTAL], "committee": ["hydrides"]}
    water, crystal = post(daemon, PREDICT, body).json()["results"]
    assert water["status"] == "ok" and water["energy_std"] > 0
    assert crystal["status"] == "error" and "hydrides" in crystal["error"]["detail"]


def test_models_are_loaded_for_it(folder: Path, tmp_path: Path) -> None:
    """Members that are not in memory are awaited."""
    daemon = Daemon(tmp_path, "--workers", "2", "--on-demand", models=folder)
    try:
        body = {"structures": [WATER], "committee": OTHERS}
        answer = post(daemon, PREDICT, body)
        assert answer.status == 200 and answer.json()["results"][0]["energy_std"] > 0
        states = {m["name"]: m["state"] for m in daemon.ask("GET", "/v1/models").json()["models"]}
        assert all(states[name] == "ready" for name in ("first", *OTHERS))
        assert states["hydrides"] == "unloaded"
        daemon.signal()
        assert daemon.wait() == 0
    finally:
        daemon.end()


def test_estimates_count_them(daemon: Daemon) -> None:
    path = "/v1/models/first/estimate"
    alone = post(daemon, path, {"structures": [CRYSTAL]}).json()["results"][0]
    body = {"structures": [CRYSTAL], "committee": ["second"]}
    assert post(daemon, path, body).json()["results"][0]["bytes"] > alone["bytes"]


def test_relaxations_stop(daemon: Daemon) -> None:
    body = {"structures": [WATER], "committee": ["second"]}
    spread = max(post(daemon, PREDICT, body).json()["results"][0]["forces_std"])
    common: dict[str, Any] = {"committee": ["second"], "precision": "float64", "max_steps": 3}
    (free,) = relax([WATER], "first", daemon.url, **common)
    assert "stopped" not in free and free["max_forces_std"] > 0
    (stopped,) = relax([WATER], "first", daemon.url, max_forces_std=0.5 * spread, **common)
    assert stopped["stopped"] == "max_forces_std" and not stopped["converged"]
    assert stopped["max_forces_std"] == spread and stopped["n_steps"] == 0
    assert np.array_equal(stopped["positions"], WATER["positions"])
    assert stopped["fmax"] is None


def test_dynamics_stop(daemon: Daemon) -> None:
    common: dict[str, Any] = {
        "committee": ["second"], "precision": "float64", "steps": 6, "every": 1, "timestep": 0.2,
        "ensemble": "nve", "temperature": 300,
    }  # fmt: skip
    *frames, end = md([WATER], "first", daemon.url, **common)
    spreads = [frame["max_forces_std"] for frame in frames]
    assert len(spreads) == 7 and end["max_forces_std"] == spreads[-1]
    bound = sorted(spreads)[3]
    first = next(i for i, spread in enumerate(spreads) if spread > bound)
    *told, stopped = md([WATER], "first", daemon.url, max_forces_std=bound, **common)
    assert stopped["stopped"] == "max_forces_std" and stopped["steps"] == first
    assert [frame["max_forces_std"] for frame in told] == spreads[: first + 1]
    assert np.array_equal(stopped["positions"], frames[first]["positions"])


def test_trajectories_in_arrays(daemon: Daemon) -> None:
    tensors = {
        "n_atoms": np.array([3], dtype="<i4"),
        "numbers": np.array(WATER["numbers"], dtype="<i4"),
        "positions": np.array(WATER["positions"], dtype="<f8"),
    }
    wanted = {"committee": ["second"], "precision": "float64"}
    (expected,) = relax([WATER], "first", daemon.url, max_steps=2, **wanted)
    for bound, stopped in (({}, 0), ({"max_forces_std": 1e-3}, 1)):
        options = {"relax": json.dumps({"max_steps": 2, **bound}), "committee": '["second"]'}
        body = safetensors.dumps(tensors, {**options, "precision": "float64"})
        kind = "application/x-safetensors"
        headers = {"Content-Type": kind, "Accept": kind}
        answer = daemon.ask("POST", "/v1/models/first/relax", body, headers)
        assert answer.status == 200, answer.body
        arrays, _ = safetensors.loads(answer.body)
        assert arrays["stopped"].tolist() == [stopped]
        assert np.isnan(arrays["fmax"][0]) == bool(stopped)
        if not stopped:
            assert arrays["max_forces_std"][0] == expected["max_forces_std"]


@pytest.mark.parametrize("kind", ["relax", "md"])
def test_a_bound_needs_a_committee(daemon: Daemon, kind: str) -> None:
    options = {"max_forces_std": 0.1}
    if kind == "md":
        options.update({"ensemble": "nve", "timestep": 1, "steps": 1})  # type: ignore[dict-item]
    answer = post(daemon, f"/v1/models/first/{kind}", {"structures": [WATER], kind: options})
    assert answer.status == 422
    assert answer.json()["errors"] == [{"pointer": f"#/{kind}/max_forces_std"}]


def test_ase(daemon: Daemon) -> None:
    ase = pytest.importorskip("ase")
    from irrepd.calculator import IrrepCalculator

    atoms = ase.Atoms(CRYSTAL["numbers"], CRYSTAL["positions"], cell=CRYSTAL["cell"], pbc=True)
    atoms.calc = IrrepCalculator(daemon.url, "first", committee=OTHERS, precision="float64")
    (direct,) = Client(daemon.url).predict("first", [CRYSTAL], precision="float64",
                                           committee=OTHERS)  # fmt: skip
    assert atoms.get_potential_energy() == direct["energy"]
    assert atoms.calc.results["energy_std"] == direct["energy_std"]
    assert np.array_equal(atoms.calc.results["forces_std"], direct["forces_std"])
    assert atoms.calc.results["stress_std"][3] == direct["stress_std"][1][2]
    with pytest.raises(TypeError, match="list of models"):
        atoms.calc.set(committee="second")
    with pytest.raises(ServerError, match="nobody"):
        Client(daemon.url).predict("first", [WATER], committee=["nobody"])
    assert math.isfinite(direct["energy_std"])
