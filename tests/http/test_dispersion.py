"""Dispersion as a request has it: in every format, in batches, in relaxations; refusals by name."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import MODEL, MODELS, PREDICT, Answer, Daemon, Factory
from dispersion import Dispersion
from test_binary import SILICON, WATER
from test_outputs import SLAB, system

from irrepd import Client, ServerError, binary, evaluate, relax, safetensors
from irrepd.__main__ import main

PROPERTIES = ["energy", "forces", "stress", "energies", "virial", "stresses"]
STRUCTURES = [WATER, SILICON, SLAB]
SHORT = {"cutoff": 12.0, "cn_cutoff": 9.0, "width": 1.0}


def post(daemon: Daemon, path: str, body: dict[str, Any]) -> Answer:
    headers = {"Content-Type": "application/json"}
    return daemon.ask("POST", path, json.dumps(body).encode(), headers)


def ask(daemon: Daemon, body: dict[str, Any], path: str = PREDICT) -> Answer:
    return post(daemon, path, {"precision": "float64", **body})


@pytest.fixture(scope="module")
def dispersion() -> Dispersion:
    return Dispersion()


@pytest.mark.parametrize(
    "how",
    [{}, {"method": "d3zero", "functional": "PBE0"}, {**SHORT, "three_body": True,
     "three_body_cutoff": 6.0}],
    ids=["default", "zero", "triples"],
)  # fmt: skip
def test_it_is_added(daemon: Daemon, dispersion: Dispersion, how: dict[str, Any]) -> None:
    """What the model gives, and what the library gives for dispersion, add up."""
    body = {"structures": STRUCTURES, "properties": PROPERTIES}
    without = ask(daemon, body).json()["results"]
    found = ask(daemon, {**body, "dispersion": how}).json()["results"]
    for structure, bare, result in zip(STRUCTURES, without, found):
        own = dispersion.evaluate(system(structure), **how)
        assert "dispersion_energy" not in bare
        assert result["dispersion_energy"] == own.energy
        for name in PROPERTIES:
            if bare[name] is None:
                assert result[name] is None
                continue
            added = np.array(result[name]) - bare[name]
            assert np.abs(added - getattr(own, name)).max() < 1e-12, name


def test_same_bits_in_any_batch(daemon: Daemon) -> None:
    """With and without dispersion, with others of either kind, in one request or several."""
    body = {"structures": STRUCTURES, "properties": PROPERTIES, "dispersion": SHORT}
    together = ask(daemon, body).json()["results"]
    for structure, result in zip(STRUCTURES, together):
        alone = ask(daemon, {**body, "structures": [structure]}).json()["results"]
        assert alone == [result]
    again = ask(daemon, {**body, "structures": [*STRUCTURES, *STRUCTURES]}).json()["results"]
    assert again == [*together, *together]


def test_every_format(daemon: Daemon) -> None:
    body = {"structures": [SILICON, WATER], "dispersion": SHORT}
    expected = ask(daemon, body).json()["results"]
    client = Client(daemon.url)
    for binary_from in (0, 10**9):
        client_module = __import__("irrepd.client").client
        kept, client_module.BINARY_FROM = client_module.BINARY_FROM, binary_from
        try:
            found = client.predict(MODEL, [SILICON, WATER], precision="float64", dispersion=SHORT)
        finally:
            client_module.BINARY_FROM = kept
        for result, other in zip(found, expected):
            assert result["dispersion_energy"] == other["dispersion_energy"]
            assert result["energy"] == other["energy"]
            assert np.array_equal(result["forces"], other["forces"])
    inputs = [
        ("n_atoms", "INT32", [1], [3]),
        ("numbers", "INT32", [3], WATER["numbers"]),
        ("positions", "FP64", [3, 3], WATER["positions"]),
    ]
    for given in (SHORT, json.dumps(SHORT)):
        infer = {
            "inputs": [
                dict(zip(("name", "datatype", "shape", "data"), values)) for values in inputs
            ],
            "parameters": {"precision": "float64", "dispersion": given},
        }
        answer = post(daemon, f"/v2/models/{MODEL}/infer", infer).json()
        outputs = {output["name"]: output["data"] for output in answer["outputs"]}
        assert outputs["dispersion_energy"] == [expected[1]["dispersion_energy"]]
        assert outputs["energy"] == [expected[1]["energy"]]


def test_refused_in_binary(daemon: Daemon) -> None:
    data = binary.encode([WATER], None, None, dispersion={"cutoff": -3})
    headers = {"Content-Type": binary.MEDIA_TYPE}
    answer = daemon.ask("POST", PREDICT, data, headers=headers)
    assert answer.status == 422
    assert answer.json()["errors"] == [{"pointer": "#/__metadata__/dispersion/cutoff"}]


@pytest.mark.parametrize(
    ("how", "status", "pointer"),
    [
        ({"functional": "nothing"}, 422, "functional"),
        ({"cutoff": -1.0}, 422, "cutoff"),
        ({"cn_cutoff": 1e6}, 422, "cn_cutoff"),
        ({"alpha": 14}, 400, "alpha"),
        ({"method": "d4"}, 422, "method"),
        ({"s8": 0.5, "a1": 0.4}, 422, "a2"),
        ({"three_body": "yes"}, 422, "three_body"),
    ],
)
@pytest.mark.parametrize("path", ["predict", "estimate"])
def test_refused(daemon: Daemon, path: str, how: dict, status: int, pointer: str) -> None:
    body = {"structures": [WATER], "dispersion": how}
    answer = post(daemon, f"/v1/models/{MODEL}/{path}", body)
    assert answer.status == status
    assert answer.json()["errors"] == [{"pointer": f"#/dispersion/{pointer}"}]


def test_estimates_count_it(daemon: Daemon) -> None:
    path = f"/v1/models/{MODEL}/estimate"
    bare = ask(daemon, {"structures": [SILICON]}, path).json()["results"][0]["bytes"]
    with_it = ask(daemon, {"structures": [SILICON], "dispersion": {}}, path).json()["results"][0]
    assert with_it["bytes"] > bare


def test_relaxation(daemon: Daemon) -> None:
    """The end of a relaxation is a minimum of the sum."""
    options = {"fmax": 0.01, "max_steps": 400}
    body = {"structures": [WATER], "relax": options, "dispersion": {}}
    relaxed = ask(daemon, body, f"/v1/models/{MODEL}/relax").json()["results"][0]
    assert relaxed["converged"]
    again = {**WATER, "positions": relaxed["positions"]}
    found = ask(daemon, {"structures": [again], "dispersion": {}}).json()["results"][0]
    assert found["energy"] == relaxed["energy"]
    assert found["dispersion_energy"] == relaxed["dispersion_energy"] < 0
    assert np.linalg.norm(found["forces"], axis=1).max() <= 0.01


def test_dynamics(daemon: Daemon) -> None:
    """Each frame, and the end, tells the part of dispersion; without it nothing is told."""
    options = {"ensemble": "nve", "temperature": 300, "timestep": 0.5, "steps": 4, "every": 2}
    body = {"structures": [WATER], "md": options, "precision": "float64"}
    path = f"/v1/models/{MODEL}/md"
    moved = ask(daemon, {**body, "dispersion": {}}, path).json()["results"][0]
    assert [frame["step"] for frame in moved["frames"]] == [0, 2, 4]
    for frame in [*moved["frames"], moved]:
        again = {"structures": [{**WATER, "positions": frame["positions"]}], "dispersion": {}}
        found = ask(daemon, {**again, "precision": "float64"}).json()["results"][0]
        assert frame["dispersion_energy"] == found["dispersion_energy"] < 0
        assert frame["energy"] == found["energy"]
    bare = ask(daemon, body, path).json()["results"][0]
    assert all("dispersion_energy" not in frame for frame in [*bare["frames"], bare])


def test_streams_and_ase(daemon: Daemon, tmp_path: Path) -> None:
    ase = pytest.importorskip("ase")
    from irrepd.calculator import IrrepCalculator

    atoms = ase.Atoms(WATER["numbers"], WATER["positions"])
    (direct,) = Client(daemon.url).predict(MODEL, [WATER], dispersion=True)
    (streamed,) = evaluate([WATER], MODEL, daemon.url, dispersion={"functional": "pbe"})
    assert streamed["dispersion_energy"] == direct["dispersion_energy"] < 0
    atoms.calc = IrrepCalculator(daemon.url, MODEL, dispersion=True)
    assert atoms.get_potential_energy() == direct["energy"]
    assert atoms.calc.results["dispersion_energy"] == direct["dispersion_energy"]
    atoms.calc.set(dispersion=False)
    assert "dispersion_energy" not in atoms.calc.results
    bare = atoms.get_potential_energy()
    assert abs(direct["energy"] - bare - direct["dispersion_energy"]) < 1e-5
    with pytest.raises(TypeError, match="dispersion"):
        atoms.calc.set(dispersion="pbe")
    with pytest.raises(ServerError, match="no functional"):
        Client(daemon.url).predict(MODEL, [WATER], dispersion={"functional": "x"})


def test_the_shell(daemon: Daemon, tmp_path: Path) -> None:
    ase_io = pytest.importorskip("ase.io")
    ase = pytest.importorskip("ase")
    ase_io.write(tmp_path / "in.xyz", ase.Atoms(WATER["numbers"], WATER["positions"]))
    files = [str(tmp_path / name) for name in ("in.xyz", "out.jsonl")]
    common = ["--url", daemon.url, "--model", MODEL]
    assert main([files[0], "--output", files[1], *common, "--dispersion", "scan"]) == 0
    told = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[-1])
    (direct,) = Client(daemon.url).predict(MODEL, [WATER], dispersion={"functional": "scan"})
    assert told["dispersion_energy"] == direct["dispersion_energy"]
    (relaxed,) = relax([WATER], MODEL, daemon.url, dispersion=True, max_steps=2)
    (bare,) = relax([WATER], MODEL, daemon.url, max_steps=2)
    assert relaxed["energy"] < bare["energy"]
    assert main([files[0], *common, "--dispersion", "{1"]) == 2


@pytest.mark.parametrize("damage", [None, b"no tensors at all"])
def test_without_data(start: Factory, tmp_path: Path, damage: bytes | None) -> None:
    """The data are no model; without them, or with damaged ones, dispersion alone is refused."""
    name = "schnet-small"
    (tmp_path / f"{name}.safetensors").write_bytes((MODELS / f"{name}.safetensors").read_bytes())
    if damage is not None:
        (tmp_path / "dftd3.params.safetensors").write_bytes(damage)
    daemon = start(models=tmp_path)
    cards = daemon.ask("GET", "/v1/models").json()["models"]
    assert [card["name"] for card in cards] == [name]
    path = f"/v1/models/{name}/predict"
    assert post(daemon, path, {"structures": [WATER]}).status == 200
    answer = post(daemon, path, {"structures": [WATER], "dispersion": {}})
    assert answer.status == 422
    problem = answer.json()
    assert problem["type"].endswith("no-dispersion-data")
    assert "dftd3.params.safetensors" in problem["detail"]
    assert ("damaged" in problem["detail"]) == (damage is not None)


def test_a_reload_reads_the_data_again(start: Factory, tmp_path: Path) -> None:
    """What comes, changes or goes is seen on SIGHUP; a damaged file leaves what was there."""
    name = "schnet-small"
    (tmp_path / f"{name}.safetensors").write_bytes((MODELS / f"{name}.safetensors").read_bytes())
    data, file = MODELS / "dftd3.params.safetensors", tmp_path / "dftd3.params.safetensors"
    daemon = start(models=tmp_path).wait_ready()
    path = f"/v1/models/{name}/predict"
    n_reloads = 0

    def ask_again(wanted: dict[str, Any]) -> Answer:
        """After a reload, which is a line of the log."""
        nonlocal n_reloads
        daemon.signal(signal.SIGHUP)
        n_reloads += 1
        log = daemon.log
        daemon.wait_for(lambda: log.read_text().count('"reloaded"') == n_reloads, "the reload")
        return post(daemon, path, {"structures": [WATER], "dispersion": wanted})

    assert post(daemon, path, {"structures": [WATER], "dispersion": {}}).status == 422
    file.write_bytes(data.read_bytes())
    first = ask_again({}).json()["results"][0]["dispersion_energy"]
    tensors, metadata = safetensors.read(data)
    safetensors.write(file, {**tensors, "c6": 2 * tensors["c6"]}, metadata)
    changed = ask_again({"s6": 1.0, "s8": 0.0, "a1": 0.0, "a2": 0.0}).json()["results"][0]
    file.write_bytes(data.read_bytes())
    back = ask_again({"s6": 1.0, "s8": 0.0, "a1": 0.0, "a2": 0.0}).json()["results"][0]
    assert abs(changed["dispersion_energy"] / back["dispersion_energy"] - 2) < 1e-12
    file.write_bytes(data.read_bytes()[:-1])
    assert ask_again({}).json()["results"][0]["dispersion_energy"] == first
    assert "the data of dispersion stay" in daemon.log.read_text()
    file.unlink()
    assert ask_again({}).status == 422


def test_a_card_may_name_its_own(start: Factory, tmp_path: Path) -> None:
    """It is taken where a request says nothing of method, functional or parameters."""
    tensors, metadata = safetensors.read(MODELS / "schnet-small.safetensors")
    own = {"method": "d3zero", "functional": "b3lyp"}
    card = json.dumps({**json.loads(metadata["irrepd"]), "dispersion": own})
    safetensors.write(tmp_path / "m.safetensors", tensors, {"irrepd": card})
    data = (MODELS / "dftd3.params.safetensors").read_bytes()
    (tmp_path / "dftd3.params.safetensors").write_bytes(data)
    daemon = start(models=tmp_path)
    daemon.wait_ready()
    assert daemon.ask("GET", "/v1/models/m").json()["dispersion"] == own

    def energy(how: dict[str, Any]) -> float:
        body = {"structures": [WATER], "dispersion": how}
        return post(daemon, "/v1/models/m/predict", body).json()["results"][0]["dispersion_energy"]

    assert energy({}) == energy(own) != energy({"functional": "pbe"})
    assert energy({"cutoff": 9.0}) == energy({**own, "cutoff": 9.0})


def test_the_file_is_no_model(daemon: Daemon) -> None:
    tensors, _ = safetensors.read(MODELS / "dftd3.params.safetensors")
    assert tensors["c6"].shape == (95, 95, 5, 5)
    cards = daemon.ask("GET", "/v1/models").json()["models"]
    assert not [card["name"] for card in cards if "dftd3" in card["name"]]


def test_it_leaves_descriptors_alone(daemon: Daemon) -> None:
    body = {"structures": STRUCTURES, "properties": ["energy", "descriptors", "descriptors_l"]}
    without = ask(daemon, body).json()["results"]
    for bare, result in zip(without, ask(daemon, {**body, "dispersion": {}}).json()["results"]):
        assert result["energy"] != bare["energy"]
        assert result["descriptors"] == bare["descriptors"]
        assert result["descriptors_l"] == bare["descriptors_l"]
