"""The property that only some models give, by every way of asking for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from conftest import MODELS, ROOT, Daemon, kind, pointer
from libirrep import Model
from test_outputs import infer, system

from irrepd import Client, IrrepCalculator, ServerError, binary, safetensors

WATER = {"numbers": [8, 1, 1], "positions": [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]}
FIXTURES = ROOT / "tests" / "reference" / "fixtures" / "mace"
PATH = "/v1/models/{}/predict"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("dipoles")
    models = folder / "models"
    models.mkdir()
    for source in (
        *(FIXTURES / f"{name}.safetensors" for name in ("dipoles", "dipoles-l2")),
        MODELS / "schnet-small.safetensors",
    ):
        (models / source.name).write_bytes(source.read_bytes())
    made = Daemon(folder, "--workers", "1", models=models).wait_ready()
    yield made
    made.end()


@pytest.fixture(scope="module")
def expected() -> np.ndarray:
    path: Path = FIXTURES / "dipoles.safetensors"
    found: np.ndarray = Model(path).evaluate_one(system(WATER)).dipole
    assert np.abs(found).max() > 1e-3
    return found


def ask(daemon: Daemon, model: str, **more: Any) -> Any:
    body = {"structures": [WATER], "properties": ["energy", "dipole"], "precision": "float64"}
    data = json.dumps({**body, **more}).encode()
    headers = {"Content-Type": "application/json"}
    return daemon.ask("POST", PATH.format(model), data, headers)


def test_json(daemon: Daemon, expected: np.ndarray) -> None:
    answer = ask(daemon, "dipoles").json()
    assert answer["units"]["dipole"] == "e*Angstrom"
    assert answer["results"][0]["dipole"] == expected.tolist()


def test_safetensors(daemon: Daemon, expected: np.ndarray) -> None:
    body = binary.encode([WATER, WATER], ["dipole"], "float64")
    answer = daemon.ask("POST", PATH.format("dipoles"), body, {"Content-Type": binary.MEDIA_TYPE})
    assert np.array_equal(safetensors.loads(answer.body)[0]["dipole"], [expected] * 2)


def test_kserve(daemon: Daemon, expected: np.ndarray) -> None:
    names = {
        model: [x["name"] for x in daemon.ask("GET", f"/v2/models/{model}").json()["outputs"]]
        for model in ("dipoles", "schnet-small")
    }
    assert "dipole" in names["dipoles"] and "dipole" not in names["schnet-small"]
    body = infer(outputs=[{"name": "dipole"}])
    values = {"n_atoms": [3], "numbers": WATER["numbers"], "pbc": [False] * 3, "cell": [0.0] * 9}
    values["positions"] = np.ravel(WATER["positions"]).tolist()
    for tensor in body["inputs"]:
        tensor["data"] = values[tensor["name"]]
        tensor["shape"][0] = 3 if tensor["name"] in ("numbers", "positions") else 1
    data = json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    answer = daemon.ask("POST", "/v2/models/dipoles/infer", data, headers)
    (got,) = answer.json()["outputs"]
    assert (got["shape"], got["data"]) == ([1, 3], expected.tolist())


def test_python(daemon: Daemon, expected: np.ndarray) -> None:
    atoms = Atoms(WATER["numbers"], WATER["positions"])
    atoms.calc = IrrepCalculator(daemon.url, "dipoles", "float64")
    assert np.array_equal(atoms.get_dipole_moment(), expected)
    atoms.calc = IrrepCalculator(daemon.url, "schnet-small")
    with pytest.raises(ServerError, match="gives no dipole"):
        atoms.get_dipole_moment()


def test_committees(daemon: Daemon) -> None:
    """The mean, where all members give one."""
    alone = [np.array(ask(daemon, m).json()["results"][0]["dipole"]) for m in
             ("dipoles", "dipoles-l2")]  # fmt: skip
    both = ask(daemon, "dipoles", committee=["dipoles-l2"]).json()["results"][0]
    assert np.abs(both["dipole"] - np.mean(alone, axis=0)).max() < 1e-14
    refused = ask(daemon, "dipoles", committee=["schnet-small"])
    assert refused.status == 422 and "schnet-small" in refused.json()["detail"]


def test_models_without_one(daemon: Daemon) -> None:
    answer = ask(daemon, "schnet-small")
    assert (answer.status, kind(answer), pointer(answer)) == (422, "wrong-value", "#/properties")
    assert "schnet-small gives no dipole" in answer.json()["detail"]
    with Client(daemon.url) as client:
        assert client.model("dipoles")["dipole"] is True
        assert "dipole" not in client.model("schnet-small")
