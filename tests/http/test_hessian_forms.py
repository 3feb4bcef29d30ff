"""Second derivatives in every format, by Python and in the shell, with heads, committees and
dispersion: the bits of JSON, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ase
import ase.io
import numpy as np
import pytest
import tritonclient.http as triton
from conftest import MODEL, PREDICT, ROOT, Answer, Daemon, kind, pointer
from test_binary import SILICON, WATER
from test_kserve import arrays, inputs
from tritonclient.utils import InferenceServerException

import irrepd
from irrepd import ServerError, binary, derivatives, safetensors
from irrepd.__main__ import main
from irrepd.convert import convert

CHECKPOINTS = ROOT / "clients" / "python" / "tests" / "fixtures"
TYPE = {"Content-Type": binary.MEDIA_TYPE}
PATH = f"/v1/models/{MODEL}/hessian"
UNKNOWN = {"numbers": [118, 1], "positions": [[0.0, 0.0, 0.0], [0.0, 0.0, 1.5]]}
MASSES = [15.999, 2.014, 1.008]
NAMES = (
    "hessian",
    "frequencies",
    "modes",
    "zero_point_energy",
    "step",
    "asymmetry",
    "n_rigid",
    "analytic",
)


def ask(daemon: Daemon, body: Any, path: str = PATH) -> Answer:
    return daemon.ask("POST", path, json.dumps(body).encode(), {"Content-Type": "application/json"})


def of_json(daemon: Daemon, structures: list[Any], path: str = PATH, **more: Any) -> list[Any]:
    answer = ask(daemon, {"structures": structures, **more}, path)
    assert answer.status == 200, answer.body[:500]
    return list(answer.json()["results"])


def check_bits(found: list[Any], expected: list[Any]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected):
        assert one["status"] == other["status"]
        for name in (*NAMES[:-1], "method") if one["status"] == "ok" else ():
            assert np.array_equal(one[name], other[name]), name


def test_safetensors_has_the_bits_of_json(daemon: Daemon) -> None:
    structures = [WATER, UNKNOWN, SILICON]
    expected = of_json(daemon, structures)
    answer = daemon.ask("POST", PATH, binary.encode(structures, None, None), TYPE)
    assert (answer.status, answer.headers["content-type"]) == (200, binary.MEDIA_TYPE)
    tensors, metadata = safetensors.loads(answer.body)
    assert set(tensors) == {*NAMES, "status"}
    assert tensors["status"].tolist() == [0, 422, 0]
    assert tensors["hessian"].shape == (81 + 36 + 36,)
    assert np.isnan(tensors["hessian"][81:117]).all() and tensors["n_rigid"].tolist() == [6, 0, 3]
    assert metadata["model"] == MODEL
    assert metadata["request_id"] == answer.headers["x-request-id"]
    check_bits(binary.decode_hessian(answer.body, structures), expected)
    answer = daemon.ask("POST", PATH, binary.encode([WATER], None, None), {
        **TYPE, "Accept": "application/json"})  # fmt: skip
    check_bits(answer.json()["results"], expected[:1])


def test_one_fault_alone_in_arrays(daemon: Daemon) -> None:
    answer = daemon.ask("POST", PATH, binary.encode([UNKNOWN], None, None), TYPE)
    assert (answer.status, kind(answer)) == (422, "unknown-element")
    assert pointer(answer) == "#/structures/0/numbers/0"
    body = binary.encode([WATER], None, None, method="exact")
    answer = daemon.ask("POST", PATH, body, TYPE)
    assert (answer.status, pointer(answer)) == (422, "#/__metadata__/method")
    answer = daemon.ask(
        "POST", PREDICT, binary.encode([WATER], None, None, method="analytic"), TYPE
    )
    assert answer.status == 400
    answer = daemon.ask("POST", PATH, binary.encode([WATER], ["energy"], None), TYPE)
    assert (answer.status, pointer(answer)) == (422, "#/properties")
    assert daemon.ask("POST", PATH, b"{}", TYPE).status == 400


def test_masses_in_arrays(daemon: Daemon) -> None:
    heavy = {**WATER, "masses": MASSES}
    body = binary.encode([heavy], None, None, of_hessian=True)
    answer = daemon.ask("POST", PATH, body, TYPE)
    check_bits(binary.decode_hessian(answer.body, [heavy]), of_json(daemon, [heavy]))


@pytest.fixture
def client(daemon: Daemon) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(f"{daemon.host}:{daemon.port}") as made:
        yield made


@pytest.mark.parametrize("is_binary", [True, False])
def test_kserve(daemon: Daemon, client: triton.InferenceServerClient, is_binary: bool) -> None:
    structures = [WATER, UNKNOWN, SILICON]
    expected = of_json(daemon, structures)
    outputs = [triton.InferRequestedOutput(x, binary_data=is_binary) for x in (*NAMES, "status")]
    got = client.infer(MODEL, inputs(structures), outputs=outputs)
    assert got.as_numpy("status").tolist() == [0, 422, 0]
    assert got.as_numpy("n_rigid").tolist() == [6, 0, 3]
    begin = dict.fromkeys(NAMES, 0)
    for structure, result in zip(structures, expected):
        n = 3 * len(structure["numbers"])
        for name in NAMES:
            count = {"hessian": n * n, "modes": n * n, "frequencies": n}.get(name, 1)
            found = got.as_numpy(name)[begin[name] : begin[name] + count]
            begin[name] += count
            if result["status"] != "ok":
                assert name in ("n_rigid", "analytic") or np.isnan(found.astype(float)).all()
            elif name == "analytic":
                assert result["method"] == "analytic" and found.tolist() == [1]
            elif name == "step":
                assert np.isnan(found.astype(float)).all() and result["step"] is None
            else:
                assert np.array_equal(found.astype(float), np.ravel(result[name])), name


def test_kserve_with_masses_and_parameters(
    daemon: Daemon, client: triton.InferenceServerClient
) -> None:
    given = inputs([WATER])
    given.append(triton.InferInput("masses", [3], "FP64"))
    given[-1].set_data_from_numpy(np.array(MASSES))
    outputs = [triton.InferRequestedOutput("frequencies")]
    parameters = {"dispersion": "{}", "method": "differences"}
    got = client.infer(MODEL, given, outputs=outputs, parameters=parameters)
    (expected,) = of_json(daemon, [{**WATER, "masses": MASSES}], dispersion={})
    assert got.as_numpy("frequencies").tolist() == expected["frequencies"]


def test_kserve_refuses(daemon: Daemon, client: triton.InferenceServerClient) -> None:
    both = [triton.InferRequestedOutput(name) for name in ("energy", "hessian")]
    with pytest.raises(InferenceServerException, match="another request"):
        client.infer(MODEL, inputs([WATER]), outputs=both)
    wanted = [triton.InferRequestedOutput("hessian")]
    with pytest.raises(InferenceServerException, match="differences"):
        client.infer(MODEL, inputs([WATER]), outputs=wanted, parameters={"method": "exact"})
    with pytest.raises(InferenceServerException, match="method"):
        client.infer(MODEL, inputs([WATER]), parameters={"method": "analytic"})
    with pytest.raises(InferenceServerException, match="float64"):
        client.infer(MODEL, inputs([WATER]), outputs=wanted, parameters={"precision": "float32"})
    with pytest.raises(InferenceServerException) as caught:
        client.infer("nobody", inputs([WATER]), outputs=wanted)
    assert caught.value.status() == "404"
    given = inputs([WATER])
    given.append(triton.InferInput("masses", [3], "FP64"))
    given[-1].set_data_from_numpy(np.array([1.0, 1.0, -1.0]))
    with pytest.raises(InferenceServerException, match="mass"):
        client.infer(MODEL, given, outputs=wanted)
    plain = [triton.InferRequestedOutput("energy")]
    with pytest.raises(InferenceServerException, match="inputs are"):
        client.infer(MODEL, given, outputs=plain)
    # the word alone is no wish for it
    got = client.infer(MODEL, inputs([WATER]), request_id="hessian")
    assert got.as_numpy("energy").shape == (1,)


def test_5000_atoms_are_refused_in_every_format(daemon: Daemon) -> None:
    sites = np.array(np.meshgrid(*[np.arange(18)] * 3)).reshape(3, -1).T[:5000] * 2.5
    many = {"numbers": [14] * 5000, "positions": sites.tolist()}
    answer = daemon.ask("POST", PATH, binary.encode([many], None, None), TYPE)
    assert (answer.status, kind(answer)) == (422, "too-large")
    needed = [int(word) for word in answer.json()["detail"].split() if word.isdigit()]
    assert needed[0] > 4 * 8 * 9 * 5000**2
    given = [
        {"name": name, "datatype": "FP64" if array.dtype == float else "INT32",
         "shape": list(array.shape), "data": array.ravel().tolist()}
        for name, array in arrays([many]).items() if name not in ("cell", "pbc")
    ]  # fmt: skip
    body = {"inputs": given, "outputs": [{"name": "hessian"}]}
    answer = ask(daemon, body, f"/v2/models/{MODEL}/infer")
    assert (answer.status, kind(answer)) == (422, "too-large")


def test_python_has_the_same_bits_either_way(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    atoms = ase.Atoms(WATER["numbers"], WATER["positions"], masses=MASSES)
    as_json = irrepd.hessian(atoms, MODEL, daemon.url)
    monkeypatch.setattr(derivatives, "BINARY_FROM", 1)
    in_arrays = irrepd.hessian(atoms, MODEL, daemon.url)
    check_bits([in_arrays], [as_json])
    assert in_arrays["hessian"].shape == as_json["hessian"].shape == (3, 3, 3, 3)
    by_differences = irrepd.hessian(atoms, MODEL, daemon.url, method="differences")
    assert (as_json["method"], by_differences["method"]) == ("analytic", "differences")
    assert np.abs(as_json["hessian"] - by_differences["hessian"]).max() < 2e-5
    with pytest.raises(ServerError) as caught:
        irrepd.hessian(UNKNOWN, MODEL, daemon.url)
    assert caught.value.status == 422 and caught.value.pointers == ["#/structures/0/numbers/0"]


def test_in_the_shell(daemon: Daemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = [ase.Atoms(x["numbers"], x["positions"], cell=x.get("cell"), pbc="cell" in x)
              for x in (WATER, SILICON)]  # fmt: skip
    frames.append(ase.Atoms([118, 1], UNKNOWN["positions"]))
    path = tmp_path / "frames.extxyz"
    ase.io.write(path, frames)
    expected = of_json(daemon, [WATER, SILICON])
    words = ["hessian", str(path), "--url", daemon.url, "--model", MODEL]
    assert main([*words, "--output", str(tmp_path / "out.npz")]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and "H2O" in lines[1] and "not" in lines[3]
    assert f"{expected[0]['zero_point_energy']:.6f}" in lines[1]
    with np.load(tmp_path / "out.npz") as file:
        assert np.array_equal(file["0/hessian"], expected[0]["hessian"])
        assert np.array_equal(file["1/modes"], expected[1]["modes"])
        assert "2/hessian" not in file.files
    assert main([*words, "--index", "0", "--output", str(tmp_path / "out.jsonl")]) == 0
    (line,) = (tmp_path / "out.jsonl").read_text().splitlines()
    check_bits([json.loads(line)], expected[:1])
    assert main([*words, "--output", "out.csv"]) == 2
    assert "npz or .jsonl" in capsys.readouterr().err
    assert main([*words, "--head", "nobody", "--index", "0"]) == 1
    assert main(["hessian", str(path), "--url", daemon.url, "--model", "nobody"]) == 2


# Heads, committees and dispersion


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("heads")
    source = CHECKPOINTS / "modal.pth"
    convert(source, folder / "fidelities.safetensors")
    for name in ("first", "second"):
        convert(source, folder / f"{name}.safetensors", modality=name)
    made = Daemon(tmp_path_factory.mktemp("daemon"), "--workers", "2", models=folder)
    made.wait_ready()
    yield made
    made.signal()
    assert made.wait() == 0, made.log.read_text()[-4000:]


def test_a_model_without_tangents(heads: Daemon, tmp_path: Path) -> None:
    """Allegro's: differences, or a refusal where the other method is asked for."""
    daemon = Daemon(tmp_path, models=ROOT / "build" / "models")
    daemon.wait_ready()
    path = "/v1/models/allegro-small/hessian"
    (result,) = of_json(daemon, [WATER], path)
    assert result["method"] == "differences" and result["step"] > 0
    answer = ask(daemon, {"structures": [WATER], "method": "analytic"}, path)
    assert answer.status == 422 and pointer(answer) == "#/method"
    assert "without tangents" in answer.json()["detail"]
    daemon.end()


def matrix(daemon: Daemon, model: str, structure: Any, **more: Any) -> np.ndarray:
    (result,) = of_json(daemon, [structure], f"/v1/models/{model}/hessian", **more)
    n = 3 * len(structure["numbers"])
    return np.array(result["hessian"]).reshape(n, n)


def test_heads(heads: Daemon) -> None:
    found = [matrix(heads, "fidelities", WATER, head=name) for name in ("first", "second")]
    for name, one in zip(("first", "second"), found):
        alone = matrix(heads, name, WATER)
        assert np.array_equal(one, alone)
    assert np.abs(found[0] - found[1]).max() > 1e-3
    answer = ask(heads, {"structures": [WATER]}, "/v1/models/fidelities/hessian")
    assert answer.status == 422 and pointer(answer) == "#/head"
    assert "first" in answer.json()["detail"]
    answer = ask(heads, {"structures": [WATER], "head": "x"}, "/v1/models/fidelities/hessian")
    assert answer.status == 422 and pointer(answer) == "#/head"
    result = irrepd.hessian(WATER, "fidelities", heads.url, head="second")
    assert np.array_equal(result["hessian"].reshape(9, 9), found[1])
    with pytest.raises(ServerError, match="second"):
        irrepd.hessian(WATER, "fidelities", heads.url)


def test_committees_give_the_hessian_of_the_mean(heads: Daemon) -> None:
    found = matrix(heads, "first", WATER, committee=["second"])
    members = [matrix(heads, name, WATER) for name in ("first", "second")]
    assert np.abs(members[0] - members[1]).max() > 1e-3
    mean = np.mean(members, axis=0)
    assert np.abs(found - mean).max() < 1e-6 * np.abs(mean).max()
    result = irrepd.hessian(WATER, "first", heads.url, committee=["second"])
    assert np.array_equal(result["hessian"].reshape(9, 9), found)
    for members_given in (["nobody"], ["fidelities"]):
        body = {"structures": [WATER], "committee": members_given}
        answer = ask(heads, body, "/v1/models/first/hessian")
        assert answer.status == 422 and pointer(answer).startswith("#/committee")


def test_dispersion_is_a_part(daemon: Daemon) -> None:
    bare, found = matrix(daemon, MODEL, WATER), matrix(daemon, MODEL, WATER, dispersion={})
    start, step, rows = np.array(WATER["positions"]), 1e-3, []
    for k in range(9):
        sides = []
        for h in (-step, step):
            moved = start.copy()
            moved.flat[k] += h
            body = {"structures": [{**WATER, "positions": moved.tolist()}],
                    "precision": "float64", "properties": ["forces"]}  # fmt: skip
            with_it = daemon.predict({**body, "dispersion": {}}).json()["results"][0]["forces"]
            without = daemon.predict(body).json()["results"][0]["forces"]
            sides.append(np.ravel(with_it) - np.ravel(without))
        rows.append((sides[0] - sides[1]) / (2 * step))
    assert np.abs(rows).max() > 1e-4
    assert np.abs(found - bare - np.array(rows)).max() < 5e-5
    body = {"structures": [WATER], "dispersion": {"functional": "nobody"}}
    answer = ask(daemon, body)
    assert answer.status == 422 and pointer(answer) == "#/dispersion/functional"
    answer = ask(daemon, {"structures": [WATER], "dispersion": {"cutoff": -1.0}})
    assert answer.status == 422 and pointer(answer) == "#/dispersion/cutoff"
