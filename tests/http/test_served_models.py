"""Every model that `make serve` serves: listed, ready, and answering with the core's own bits."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from conftest import DAEMON, MODELS, ROOT, Answer, Daemon
from libirrep import Model
from models import served_names

# Bits, unless the daemon is a sanitized one, which is compiled otherwise than the library.
TOLERANCE = 0.0 if DAEMON == ROOT / "build" / "irrepd" else 1e-4
NAMES = served_names(MODELS)


class Crystal:
    """Twelve atoms of the model's elements in a sheared cell, out of their places."""

    def __init__(self, model: Model) -> None:
        rng = np.random.default_rng(len(model.atomic_numbers))
        sites = np.array([(x / 2, y / 2, z / 3) for x in (0, 1) for y in (0, 1) for z in (0, 1, 2)])
        self.numbers = rng.choice(model.atomic_numbers, len(sites))
        self.cell = np.array([[4.4, 0, 0], [0.7, 4.2, 0], [0, 0.5, 6.6]])
        self.positions = sites @ self.cell + rng.uniform(-0.1, 0.1, sites.shape)
        self.pbc = np.array([True, True, True])

    def request(self) -> dict[str, Any]:
        return {key: value.tolist() for key, value in vars(self).items()}


def predict(daemon: Daemon, name: str, body: dict[str, Any]) -> Answer:
    text, kind = json.dumps(body).encode(), {"Content-Type": "application/json"}
    return daemon.ask("POST", f"/v1/models/{name}/predict", text, kind)


def test_every_architecture_is_ready(daemon: Daemon) -> None:
    cards = daemon.ask("GET", "/v1/models").json()["models"]
    assert sorted(card["name"] for card in cards) == NAMES
    assert {card["state"] for card in cards} == {"ready"}
    assert {card["architecture"] for card in cards} == {
        "schnet", "so3net", "nequip", "allegro", "mace",
    }  # fmt: skip


@pytest.mark.parametrize("precision", ("float32", "float64"))
@pytest.mark.parametrize("name", NAMES)
def test_predict(daemon: Daemon, name: str, precision: str) -> None:
    model = Model(MODELS / f"{name}.safetensors")
    crystal = Crystal(model)
    answer = predict(daemon, name, {"structures": [crystal.request()], "precision": precision})
    assert answer.status == 200, answer.body
    (result,) = answer.json()["results"]
    expected = model.evaluate_one(crystal, precision)
    for key in ("energy", "forces", "stress"):
        found, right = np.array(result[key]), np.array(getattr(expected, key))
        assert np.allclose(found, right, rtol=TOLERANCE, atol=TOLERANCE), key
    assert np.abs(expected.forces).max() > 1e-3


def test_predict_of_an_element_without_training(daemon: Daemon) -> None:
    for name in NAMES:
        numbers = set(range(1, 119)) - set(Model(MODELS / f"{name}.safetensors").atomic_numbers)
        structure = {"numbers": [max(numbers)], "positions": [[0, 0, 0]]}
        answer = predict(daemon, name, {"structures": [structure]})
        assert answer.status == 422
        (error,) = answer.json()["errors"]
        assert error["pointer"] == "#/structures/0/numbers/0"
