"""Heads as a request has them: in every format, in batches, in trajectories, in clients."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, Answer, Daemon
from libirrep import Model
from test_binary import WATER
from test_outputs import system

from irrepd import Client, ServerError, binary, evaluate, md, relax
from irrepd import client as client_module
from irrepd.__main__ import main
from irrepd.convert import convert

CHECKPOINTS = ROOT / "clients" / "python" / "tests" / "fixtures"
HEADS = ("first", "second", "third")
PREDICT = "/v1/models/fidelities/predict"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models of three heads, without a default and with one, and one that has none."""
    folder = tmp_path_factory.mktemp("heads")
    source = CHECKPOINTS / "modal.pth"
    convert(source, folder / "fidelities.safetensors")
    convert(source, folder / "second.safetensors", default_head="second")
    convert(source, folder / "plain.safetensors", modality="second")
    return folder


@pytest.fixture(scope="module")
def daemon(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    made = Daemon(tmp_path_factory.mktemp("daemon"), "--workers", "2", models=folder)
    made.wait_ready()
    yield made
    made.signal()
    assert made.wait() == 0, made.log.read_text()[-4000:]
    made.check_log()


@pytest.fixture(scope="module")
def expected(folder: Path) -> dict[str, Any]:
    """What the library gives for water, by head."""
    model = Model(folder / "fidelities.safetensors")
    water = system(WATER)
    return {head: model.evaluate([water], "float64", heads=[head])[0] for head in HEADS}


def post(daemon: Daemon, path: str, body: dict[str, Any]) -> Answer:
    headers = {"Content-Type": "application/json"}
    body = {"precision": "float64", **body} if "inputs" not in body else body
    return daemon.ask("POST", path, json.dumps(body).encode(), headers)


def test_cards_list_them(daemon: Daemon) -> None:
    cards = {card["name"]: card for card in daemon.ask("GET", "/v1/models").json()["models"]}
    assert cards["fidelities"]["heads"] == list(HEADS)
    assert "default_head" not in cards["fidelities"]
    assert cards["second"]["default_head"] == "second"
    assert "heads" not in cards["plain"] and cards["plain"]["modality"] == "second"


@pytest.mark.parametrize("head", HEADS)
def test_every_format(daemon: Daemon, expected: dict[str, Any], head: str) -> None:
    body = {"structures": [WATER, WATER], "head": head}
    for result in post(daemon, PREDICT, body).json()["results"]:
        assert result["energy"] == expected[head].energy
        assert np.array_equal(result["forces"], expected[head].forces)
    data = binary.encode([WATER], None, "float64", head=head)
    answer = daemon.ask("POST", PREDICT, data, {"Content-Type": binary.MEDIA_TYPE})
    (found,) = binary.decode(answer.body, [WATER], ("energy", "forces"))
    assert found["energy"] == expected[head].energy
    inputs = [
        ("n_atoms", "INT32", [1], [3]),
        ("numbers", "INT32", [3], WATER["numbers"]),
        ("positions", "FP64", [3, 3], WATER["positions"]),
    ]
    names = ("name", "datatype", "shape", "data")
    infer = {
        "inputs": [dict(zip(names, values)) for values in inputs],
        "parameters": {"precision": "float64", "head": head},
    }
    answer = post(daemon, "/v2/models/fidelities/infer", infer)
    outputs = {output["name"]: output["data"] for output in answer.json()["outputs"]}
    assert outputs["energy"] == [expected[head].energy]


def test_the_default(daemon: Daemon, expected: dict[str, Any]) -> None:
    body = {"structures": [WATER]}
    for model in ("second", "plain"):
        found = post(daemon, f"/v1/models/{model}/predict", body).json()["results"][0]
        assert found["energy"] == expected["second"].energy
    other = post(daemon, "/v1/models/second/predict", {**body, "head": "third"}).json()
    assert other["results"][0]["energy"] == expected["third"].energy


def test_batches_mix_heads(daemon: Daemon, expected: dict[str, Any]) -> None:
    """Requests of all heads at the same time share batches, and have their own numbers."""
    from concurrent.futures import ThreadPoolExecutor

    def ask(i: int) -> tuple[str, list[float], int]:
        head = HEADS[i % 3]
        body = {"structures": [WATER] * 8, "head": head}
        answer = post(daemon, PREDICT, body).json()
        energies = [result["energy"] for result in answer["results"]]
        return head, energies, answer["timing"]["batch_structures"]

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(ask, range(60)))
    for head, energies, _ in answers:
        assert energies == [expected[head].energy] * 8
    assert max(size for _, _, size in answers) > 8


@pytest.mark.parametrize("path", ["predict", "estimate", "relax"])
@pytest.mark.parametrize(
    ("model", "head", "kind", "said"),
    [
        ("fidelities", None, "missing-head", "first, second, third"),
        ("fidelities", "secnd", "unknown-head", 'did you mean "second"? Its heads: first, second'),
        ("second", "pbe", "unknown-head", "Its heads: first, second, third"),
        ("plain", "second", "unknown-head", "has none by name"),
    ],
)
def test_refused_by_name(
    daemon: Daemon, path: str, model: str, head: str | None, kind: str, said: str
) -> None:
    body: dict[str, Any] = {"structures": [WATER]}
    if head is not None:
        body["head"] = head
    if path == "relax":
        body["relax"] = {"max_steps": 1}
    answer = post(daemon, f"/v1/models/{model}/{path}", body)
    assert answer.status == 422
    problem = answer.json()
    assert problem["type"] == f"urn:irrepd:{kind}"
    assert said in problem["detail"]
    assert problem["errors"] == [{"pointer": "#/head"}]


@pytest.mark.parametrize("head", [1, None, "", "x" * 64, ["first"]])
def test_no_name_at_all(daemon: Daemon, head: Any) -> None:
    answer = post(daemon, PREDICT, {"structures": [WATER], "head": head})
    assert answer.status == 422
    assert answer.json()["errors"] == [{"pointer": "#/head"}]


def test_refused_in_binary(daemon: Daemon) -> None:
    data = binary.encode([WATER], None, None, head="forth")
    answer = daemon.ask("POST", PREDICT, data, {"Content-Type": binary.MEDIA_TYPE})
    assert answer.status == 422
    assert answer.json()["errors"] == [{"pointer": "#/__metadata__/head"}]


def test_trajectories(daemon: Daemon, expected: dict[str, Any]) -> None:
    """The first energy is that of the head; what is relaxed is a minimum of it."""
    for head in HEADS[:2]:
        frames = md([WATER], "fidelities", daemon.url, steps=2, every=1, precision="float64",
                    head=head, timestep=0.1)  # fmt: skip
        first = next(iter(frames))
        assert first["energy"] == expected[head].energy
    ends = {
        head: next(relax([WATER], "fidelities", daemon.url, max_steps=3, head=head))
        for head in HEADS[:2]
    }
    assert ends["first"]["energy"] != ends["second"]["energy"]
    with pytest.raises(ServerError, match="several heads"):
        body = {"structures": [WATER], "relax": {"max_steps": 1}}
        Client(daemon.url).call("POST", "/v1/models/fidelities/relax", body)


def test_clients(daemon: Daemon, expected: dict[str, Any], tmp_path: Path) -> None:
    client = Client(daemon.url)
    for binary_from in (0, 10**9):
        kept, client_module.BINARY_FROM = client_module.BINARY_FROM, binary_from
        try:
            (found,) = client.predict("fidelities", [WATER], precision="float64", head="third")
        finally:
            client_module.BINARY_FROM = kept
        assert found["energy"] == expected["third"].energy
    (found,) = evaluate([WATER], "fidelities", daemon.url, precision="float64", head="first")
    assert found["energy"] == expected["first"].energy
    with pytest.raises(ServerError, match='did you mean "third"'):
        list(evaluate([WATER, WATER], "fidelities", daemon.url, head="thrid"))
    assert client.label("second")["head"] == "second"
    assert client.label("second", head="third")["head"] == "third"
    assert "head" not in client.label("plain")


def test_ase_and_the_shell(daemon: Daemon, expected: dict[str, Any], tmp_path: Path) -> None:
    ase = pytest.importorskip("ase")
    ase_io = pytest.importorskip("ase.io")
    from irrepd.calculator import IrrepCalculator

    atoms = ase.Atoms(WATER["numbers"], WATER["positions"])
    atoms.calc = IrrepCalculator(daemon.url, "fidelities", precision="float64", head="first")
    assert atoms.get_potential_energy() == expected["first"].energy
    atoms.calc.set(head="second")
    assert atoms.get_potential_energy() == expected["second"].energy
    ase_io.write(tmp_path / "in.xyz", ase.Atoms(WATER["numbers"], WATER["positions"]))
    files = [str(tmp_path / name) for name in ("in.xyz", "out.xyz")]
    common = [files[0], "--url", daemon.url, "--model", "fidelities", "--precision", "float64"]
    assert main([*common, "--head", "third", "--output", files[1]]) == 0
    written = ase_io.read(files[1])
    assert written.info["irrepd_head"] == "third"
    assert abs(written.get_potential_energy() - expected["third"].energy) < 1e-7
    assert main(common) == 2
    relaxed = str(tmp_path / "relaxed.xyz")
    words = ["relax", *common, "--head", "first", "--max-steps", "2", "--output", relaxed]
    assert main(words) in (0, 1)


def test_sockets(daemon: Daemon) -> None:
    body = {"protocol": "ipi", "address": "unix:irrepd-heads", "model": "fidelities"}
    for head, status in ((None, 422), ("forth", 422), ("first", 201)):
        given = {**body, "head": head} if head else body
        answer = daemon.ask(
            "POST", "/v1/sockets", json.dumps(given).encode(), {"Content-Type": "application/json"}
        )
        assert answer.status == status
        if status == 201:
            assert answer.json()["head"] == "first"


def test_descriptors_are_the_heads(daemon: Daemon) -> None:
    """Of a head by name in JSON, in arrays and in Python: those of the model that has it alone."""
    names = ["descriptors", "descriptors_l"]
    body = {"structures": [WATER], "properties": names}
    (alone,) = post(daemon, "/v1/models/plain/predict", body).json()["results"]
    (found,) = post(daemon, PREDICT, {**body, "head": "second"}).json()["results"]
    (other,) = post(daemon, PREDICT, {**body, "head": "first"}).json()["results"]
    with Client(daemon.url) as client:
        (ours,) = client.predict("fidelities", [WATER], names, "float64", head="second")
    data = binary.encode([WATER], names, "float64", head="second")
    answer = daemon.ask("POST", PREDICT, data, {"Content-Type": binary.MEDIA_TYPE})
    (arrays,) = binary.decode(answer.body, [WATER], names)
    for name in names:
        assert np.array_equal(found[name], alone[name])
        assert np.array_equal(found[name], ours[name])
        assert np.array_equal(found[name], arrays[name])
        assert np.abs(np.subtract(found[name], other[name])).max() > 1e-6
    assert post(daemon, PREDICT, body).status == 422
