"""Every property of the table irrep/outputs.h, by every way of asking for it.

What is walked is the table itself, so that a new row is tested with no line added here: names,
shapes, units and numbers, in JSON, safetensors and KServe, in what describes them, and as the
Python client has them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from conftest import MODEL, PREDICT, ROOT, Daemon, Factory
from libirrep import OUTPUTS as ALL_OUTPUTS
from libirrep import Model, Output
from models import model_path
from test_binary import SILICON, WATER

from irrepd import Client, binary, safetensors
from irrepd import client as client_module

# Those of this model; what others give besides is in test_dipoles.py.
OUTPUTS = [output for output in ALL_OUTPUTS if output.name != "dipole"]
NAMES = [output.name for output in OUTPUTS]
SLAB = {**SILICON, "pbc": [True, True, False]}
STRUCTURES = [SILICON, WATER, SLAB, {"numbers": [14], "positions": [[0.0, 0.0, 0.0]]}]
COUNTS = [len(structure["numbers"]) for structure in STRUCTURES]
INFER = f"/v2/models/{MODEL}/infer"

each_output = pytest.mark.parametrize("output", OUTPUTS, ids=NAMES)


class System(NamedTuple):
    numbers: np.ndarray
    positions: np.ndarray
    cell: np.ndarray
    pbc: np.ndarray


def system(entry: dict[str, Any]) -> System:
    cell = np.array(entry.get("cell", np.zeros((3, 3))))
    pbc = np.array(entry.get("pbc", [bool(cell.any())] * 3))
    return System(np.array(entry["numbers"]), np.array(entry["positions"]), cell, pbc)


@pytest.fixture(scope="module")
def expected() -> list[dict[str, np.ndarray | None]]:
    """What the library gives for each structure."""
    model = Model(model_path(MODEL))
    return [r.outputs for r in model.evaluate([system(s) for s in STRUCTURES], "float64")]


WIDTHS = {
    "descriptors": Model(model_path(MODEL)).card.n_descriptors,
    "descriptors_l": Model(model_path(MODEL)).card.n_descriptors_l,
}


def shape_of(output: Output, n_atoms: int) -> tuple[int, ...]:
    row = tuple(WIDTHS[output.name] if size == "D" else int(size) for size in output.shape)
    return ((n_atoms,) if output.by_atom else ()) + row


def joined(output: Output, expected: list[dict[str, np.ndarray | None]]) -> np.ndarray:
    """The rows of all structures, NaN where there are none, as binary answers have them."""
    rows = []
    for outputs, n_atoms in zip(expected, COUNTS):
        values = outputs[output.name]
        shape = shape_of(output, n_atoms)
        rows.append(np.full(shape, np.nan) if values is None else values)
        assert rows[-1].shape == shape
    return np.concatenate(rows) if output.by_atom else np.stack(rows)


def test_the_structures_tell_properties_apart(
    expected: list[dict[str, np.ndarray | None]],
) -> None:
    for output in OUTPUTS:
        found = [outputs[output.name] for outputs in expected]
        assert all(values is not None for values in found) != output.needs_volume
        if output.needs_volume:
            assert found[0] is not None and found[1:] == [None] * 3


@each_output
def test_json(daemon: Daemon, output: Output, expected: list[dict[str, np.ndarray | None]]) -> None:
    request = {"structures": STRUCTURES, "properties": [output.name], "precision": "float64"}
    answer = daemon.predict(request).json()
    assert answer["units"] == {output.name: output.unit}
    for result, outputs, n_atoms in zip(answer["results"], expected, COUNTS):
        assert list(result) == ["status", output.name, "n_edges"]
        values = outputs[output.name]
        if values is None:
            assert result[output.name] is None
        else:
            assert np.shape(result[output.name]) == shape_of(output, n_atoms)
            assert np.array_equal(result[output.name], values)


@each_output
def test_safetensors(
    daemon: Daemon, output: Output, expected: list[dict[str, np.ndarray | None]]
) -> None:
    body = binary.encode(STRUCTURES, [output.name], "float64")
    answer = daemon.ask("POST", PREDICT, body, {"Content-Type": binary.MEDIA_TYPE})
    tensors, metadata = safetensors.loads(answer.body)
    assert set(tensors) == {output.name, "status"}
    assert metadata["by_atom"] == (output.name if output.by_atom else "")
    assert np.array_equal(tensors[output.name], joined(output, expected), equal_nan=True)


def infer(**more: Any) -> dict[str, Any]:
    systems = [system(structure) for structure in STRUCTURES]
    arrays = {
        "n_atoms": ("INT32", np.array(COUNTS)),
        "numbers": ("INT32", np.concatenate([s.numbers for s in systems])),
        "positions": ("FP64", np.concatenate([s.positions for s in systems])),
        "cell": ("FP64", np.stack([s.cell for s in systems])),
        "pbc": ("BOOL", np.stack([s.pbc for s in systems])),
    }
    given = [
        {"name": name, "datatype": kind, "shape": list(a.shape), "data": a.ravel().tolist()}
        for name, (kind, a) in arrays.items()
    ]
    return {"inputs": given, "parameters": {"precision": "float64"}, **more}


@pytest.mark.parametrize("as_bytes", [False, True], ids=["lists", "bytes"])
@each_output
def test_kserve(
    daemon: Daemon,
    output: Output,
    as_bytes: bool,
    expected: list[dict[str, np.ndarray | None]],
) -> None:
    wanted = {"name": output.name, "parameters": {"binary_data": as_bytes}}
    body = json.dumps(infer(outputs=[wanted])).encode()
    answer = daemon.ask("POST", INFER, body, {"Content-Type": "application/json"})
    assert answer.status == 200
    size = int(answer.headers.get("inference-header-content-length", len(answer.body)))
    (got,) = json.loads(answer.body[:size])["outputs"]
    due = joined(output, expected)
    assert (got["name"], got["datatype"], got["shape"]) == (output.name, "FP64", list(due.shape))
    values = np.frombuffer(answer.body[size:], "<f8") if as_bytes else np.array(got["data"], float)
    assert np.array_equal(values, due.ravel(), equal_nan=True)


@pytest.mark.parametrize("is_binary", [False, True], ids=["json", "binary"])
def test_the_python_client(
    daemon: Daemon,
    is_binary: bool,
    expected: list[dict[str, np.ndarray | None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_module, "BINARY_FROM", 1 if is_binary else 10**6)
    with Client(daemon.url) as client:
        results = client.predict(MODEL, STRUCTURES, NAMES, "float64")
        assert client._takes_binary
    for result, outputs in zip(results, expected):
        for output in OUTPUTS:
            found, values = result[output.name], outputs[output.name]
            assert (found is None) == (values is None), output.name
            assert values is None or np.shape(found) == values.shape
            assert values is None or np.array_equal(found, values)


@pytest.mark.parametrize("kind", ["json", "safetensors", "kserve"])
def test_widths_of_a_model_that_is_loaded_for_the_request(
    start: Factory, kind: str, expected: list[dict[str, np.ndarray | None]]
) -> None:
    """How wide descriptors are is not known before."""
    daemon = start("--on-demand")
    daemon.wait_for(lambda: daemon.ask("GET", "/v1/health/ready").status == 200, "ready")
    assert daemon.ask("GET", f"/v1/models/{MODEL}").json()["state"] == "unloaded"
    output = next(o for o in OUTPUTS if o.name == "descriptors")
    due = joined(output, expected)
    if kind == "json":
        body = {"structures": STRUCTURES, "properties": [output.name], "precision": "float64"}
        results = daemon.predict(body).json()["results"]
        found = np.concatenate([np.array(result[output.name]) for result in results])
    elif kind == "safetensors":
        data = binary.encode(STRUCTURES, [output.name], "float64")
        answer = daemon.ask("POST", PREDICT, data, {"Content-Type": binary.MEDIA_TYPE})
        found = safetensors.loads(answer.body)[0][output.name]
    else:
        data = json.dumps(infer(outputs=[{"name": output.name}])).encode()
        answer = daemon.ask("POST", INFER, data, {"Content-Type": "application/json"})
        (got,) = answer.json()["outputs"]
        found = np.array(got["data"]).reshape(got["shape"])
    assert np.array_equal(found, due)


def test_defaults(daemon: Daemon) -> None:
    defaults = [output.name for output in OUTPUTS if output.is_default]
    schemas = daemon.ask("GET", "/openapi.json").json()["components"]["schemas"]
    assert schemas["PredictRequest"]["properties"]["properties"]["default"] == defaults
    assert list(client_module.PROPERTIES[:3]) == defaults
    assert set(client_module.PROPERTIES) <= set(NAMES)
    answer = daemon.predict({"structures": [SILICON]}).json()
    assert list(answer["units"]) == defaults
    assert list(answer["results"][0]) == ["status", *defaults, "n_edges"]


def test_refusals_list_the_table(daemon: Daemon) -> None:
    answer = daemon.predict({"structures": [SILICON], "properties": ["colour"]})
    assert answer.status == 422 and ", ".join(NAMES) in answer.json()["detail"]


def lengths(schema: dict[str, Any]) -> Iterator[int | None]:
    """Of nested arrays; None: any."""
    while schema.get("type") == "array":
        yield schema.get("minItems") if schema.get("minItems") == schema.get("maxItems") else -1
        schema = schema["items"]
    assert schema == {"type": "number"}


@each_output
def test_openapi_describes_it(daemon: Daemon, output: Output) -> None:
    schemas = daemon.ask("GET", "/openapi.json").json()["components"]["schemas"]
    schema = schemas["Result"]["properties"][output.name]
    n = "[N]" if output.by_atom else ""
    shape = n + "".join(f"[{size}]" for size in output.shape)
    assert (schema["description"] + ":").startswith(f"{output.unit} {shape}".strip())
    if output.needs_volume:
        schema, nothing = schema["oneOf"]
        assert nothing == {"type": "null"}
    schema = {k: v for k, v in schema.items() if k != "description"}
    due = ([None] if output.by_atom else []) + [None if n == "D" else n for n in output.shape]
    assert list(lengths(schema)) == due


def test_the_documents_list_the_table() -> None:
    _, _, text = (ROOT / "docs" / "formats.md").read_text().partition("## Properties")
    text, _, _ = text.partition("\n## ")
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \| ([^|]*)\| ", text, re.M)
    sizes = ["[N]" * o.by_atom + "".join(f"[{n}]" for n in o.shape) for o in ALL_OUTPUTS]
    expected = [(o.name, o.unit, size) for o, size in zip(ALL_OUTPUTS, sizes)]
    assert [tuple(cell.strip() for cell in row) for row in rows] == expected


def test_openapi_and_metadata_name_the_same(daemon: Daemon) -> None:
    schemas = daemon.ask("GET", "/openapi.json").json()["components"]["schemas"]
    names = [output.name for output in ALL_OUTPUTS]
    assert schemas["Property"]["enum"] == names
    others = {"id", "status", "n_edges", "dispersion_energy", "error"}
    others |= {"energy_std", "forces_std", "stress_std"}  # of a committee
    assert set(schemas["Result"]["properties"]) == others | set(names)
    of_properties = schemas["InferRequest"]["properties"]["outputs"]["anyOf"][0]
    assert of_properties["maxItems"] == len(names) + 1
    outputs = daemon.ask("GET", f"/v2/models/{MODEL}").json()["outputs"]
    assert outputs == [
        *(
            {
                "name": o.name,
                "datatype": "FP64",
                "shape": [-1, *(-1 if n == "D" else n for n in o.shape)],
            }
            for o in OUTPUTS
        ),
        {"name": "status", "datatype": "INT32", "shape": [-1]},
    ]
