"""relax and md in application/x-safetensors: the numbers of JSON, to the bit, and its faults."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from conftest import Daemon, kind, pointer
from trajectories import JSON, NDJSON, diamond, events, follow, md, move, relax, results, water

from irrepd import binary, safetensors

TYPE = {"Content-Type": binary.MEDIA_TYPE}
SMALL = "mace-small"


def body_of(request: dict[str, Any], **more: np.ndarray) -> bytes:
    """A request of JSON as arrays."""
    name = "md" if "md" in request else "relax"
    encoded = binary.encode(request["structures"], None, request.get("precision"))
    tensors, metadata = safetensors.loads(encoded)
    options = {**metadata, name: json.dumps(request[name])}
    if "deadline_ms" in request:
        options["deadline_ms"] = str(request["deadline_ms"])
    return safetensors.dumps({**tensors, **more}, options)


def send(
    daemon: Daemon, request: dict[str, Any], headers: dict[str, str] | None = None, **more: Any
) -> Any:
    name = "md" if "md" in request else "relax"
    path = f"/v1/models/{SMALL}/{name}"
    return daemon.ask("POST", path, body_of(request, **more), {**TYPE, **(headers or {})})


def arrays_of(answer: Any) -> dict[str, np.ndarray]:
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == binary.MEDIA_TYPE
    tensors, metadata = safetensors.loads(answer.body)
    assert metadata["model"] == SMALL and metadata["request_id"] == answer.headers["x-request-id"]
    return dict(tensors)


def same(array: np.ndarray, told: list[Any]) -> None:
    """Whether numbers are those of JSON, in which null is NaN."""
    wanted = [np.full(array.shape[1:], np.nan) if x is None else np.asarray(x, float) for x in told]
    np.testing.assert_array_equal(np.asarray(array, float), np.asarray(wanted).reshape(array.shape))


def test_relax(daemon: Daemon) -> None:
    structures = [diamond(1), water(2), diamond(3)]
    request = relax(structures, fmax=0.05, cell="fixed", trajectory=3, max_steps=40)
    told, got = results(daemon, request), arrays_of(send(daemon, request))
    assert set(got) == {
        *("converged", "n_steps", "fmax", "energy", "positions", "cell", "forces", "stress"),
        *("status", "n_frames", "frame_step", "frame_energy", "frame_fmax"),
        *("frame_positions", "frame_forces"),
    }
    assert got["status"].tolist() == [0, 0, 0] and got["converged"].tolist() == [1, 1, 1]
    for name in ("n_steps", "fmax", "energy", "cell", "stress"):
        same(got[name], [x[name] for x in told])
    for name in ("positions", "forces"):
        same(got[name], [row for x in told for row in x[name]])
    frames = [frame for x in told for frame in x["frames"]]
    assert got["n_frames"].tolist() == [len(x["frames"]) for x in told]
    for name in ("step", "energy", "fmax"):
        same(got[f"frame_{name}"], [frame[name] for frame in frames])
    for name in ("positions", "forces"):
        same(got[f"frame_{name}"], [row for frame in frames for row in frame[name]])


def test_md(daemon: Daemon) -> None:
    structures = [water(1), diamond(2)]
    options = {"every": 5, "steps": 20, "properties": ["velocities", "stress"]}
    request = md(structures, **options)
    velocities = np.linspace(-0.01, 0.01, 33).reshape(11, 3)
    masses, fixed = np.linspace(1, 12, 11), np.arange(11, dtype="u1") % 4 == 0
    more = {"velocities": velocities, "masses": masses, "fixed": fixed.astype("u1")}
    at = 0
    moved = []
    for given in structures:
        n = len(given["numbers"])
        part = slice(at, at + n)
        moved.append(
            {
                **given,
                "velocities": velocities[part].tolist(),
                "masses": masses[part].tolist(),
                "fixed": np.flatnonzero(fixed[part]).tolist(),
            }
        )
        at += n
    told = results(daemon, {**request, "structures": moved})
    got = arrays_of(send(daemon, request, **more))
    numbers = ("time", "energy", "kinetic_energy", "conserved", "temperature")
    for name in ("steps", "cell", "stress", *numbers):
        same(got[name], [x[name] for x in told])
    same(got["pressure"], [x.get("pressure") for x in told])
    for name in ("positions", "velocities", "forces"):
        same(got[name], [row for x in told for row in x[name]])
    frames = [frame for x in told for frame in x["frames"]]
    assert got["n_frames"].tolist() == [5, 5]
    for name in ("step", "stress", *numbers):
        same(got[f"frame_{name}"], [frame[name] for frame in frames])
    same(got["frame_velocities"], [row for frame in frames for row in frame["velocities"]])
    assert "frame_positions" not in got


def test_one_fault_among_several(daemon: Daemon) -> None:
    unknown = {"numbers": [118], "positions": [[0.0, 0.0, 0.0]]}
    request = relax([water(1), unknown, water(2)], fmax=0.05, trajectory=1)
    got = arrays_of(send(daemon, request))
    (first, second) = results(daemon, {**request, "structures": [water(1), water(2)]})
    assert got["status"].tolist() == [0, 422, 0] and got["n_frames"][1] == 0
    same(got["energy"], [first["energy"], None, second["energy"]])
    assert np.isnan(got["positions"][3]).all() and got["converged"].tolist() == [1, 0, 1]
    same(got["positions"][4:], second["positions"])
    answer = send(daemon, {**request, "structures": [unknown]})  # of one it is the HTTP status
    assert answer.status == 422 and kind(answer) == "unknown-element"
    late = {**md([water(1), water(2)], steps=10_000_000, ensemble="nve"), "deadline_ms": 50}
    assert arrays_of(send(daemon, late))["status"].tolist() == [504, 504]


@pytest.mark.parametrize(
    ("options", "status", "where"),
    [
        ({"fmax": 0}, 422, "#/__metadata__/relax/fmax"),
        ({"fmx": 1}, 400, "#/__metadata__/relax/fmx"),
        ({"max_steps": 1e9}, 422, "#/__metadata__/relax/max_steps"),
    ],
)
def test_bad_options(daemon: Daemon, options: dict[str, Any], status: int, where: str) -> None:
    answer = send(daemon, relax([water(1)], **options))
    assert (answer.status, pointer(answer)) == (status, where)


def test_bad_arrays(daemon: Daemon) -> None:
    answer = send(daemon, relax([water(1)]), masses=np.array([16.0, 1.0]))
    assert (answer.status, pointer(answer)) == (422, "#/masses")
    answer = send(daemon, relax([water(1)]), masses=np.array([16.0, 0.0, 1.0]))
    assert (answer.status, pointer(answer)) == (422, "#/structures/0/masses/1")
    answer = send(daemon, relax([water(1)]), fixed=np.array([0, 3, 0], dtype="u1"))
    assert (answer.status, pointer(answer)) == (422, "#/structures/0/fixed/1")
    path = f"/v1/models/{SMALL}/predict"  # predict knows no velocities
    tensors, metadata = safetensors.loads(binary.encode([water(1)], None, None))
    body = safetensors.dumps({**tensors, "velocities": np.zeros((3, 3))}, metadata)
    assert daemon.ask("POST", path, body, TYPE).status == 400
    assert daemon.ask("POST", f"/v1/models/{SMALL}/relax", b"\x00", TYPE).status == 400


def test_media_types(daemon: Daemon) -> None:
    """As for predict: arrays to a binary body, unless JSON alone is accepted; a stream to who names
    its type; and JSON to a body of JSON."""
    request = relax([water(1)], fmax=0.05)
    wanted = results(daemon, request)
    as_json = send(daemon, request, {"Accept": "application/json"})
    assert as_json.headers["content-type"] == "application/json"
    assert as_json.json()["results"] == wanted
    arrays_of(send(daemon, request, {"Accept": binary.MEDIA_TYPE}))
    stream = send(daemon, request, {"Accept": NDJSON["Accept"]})
    assert [json.loads(line) for line in stream.body.splitlines()] == events(daemon, request)
    answer = move(daemon, request, {**JSON, "Accept": binary.MEDIA_TYPE})
    assert answer.status == 406
    assert send(daemon, request, {"Accept": "text/html"}).status == 406


def test_a_job(daemon: Daemon) -> None:
    request = relax([water(1), diamond(2)], fmax=0.05, trajectory=2)
    answer = send(daemon, request, {"Prefer": "respond-async"})
    assert answer.status == 202
    connection = daemon.connection()
    connection.request("GET", f"{answer.headers['location']}/frames")
    told = [*follow(connection.getresponse())]
    connection.close()
    key = lambda event: (event.get("structure", 9), event.get("step", 1 << 30))  # noqa: E731
    assert sorted(told, key=key) == sorted(events(daemon, request), key=key)
