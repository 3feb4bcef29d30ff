"""POST /v1/models/{m}/md: ensembles, frames, faults, and the same bits whatever else runs."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
from conftest import ROOT, Daemon, Factory, kind, pointer
from trajectories import (
    JSON,
    NDJSON,
    diamond,
    events,
    md,
    move,
    of_structure,
    results,
    water,
)

NPT = {"ensemble": "npt", "pressure": 0.0}
ENSEMBLES: list[dict[str, Any]] = [
    {"ensemble": "nve"},
    {"thermostat": "langevin", "friction": 2.0},
    {"thermostat": "csvr", "temperature": [300, 600]},
    {"thermostat": "nose-hoover"},
    {**NPT, "coupling": "isotropic"},
    {**NPT, "coupling": "triclinic", "thermostat": "csvr"},
    {**NPT, "barostat": "mtk", "coupling": "anisotropic"},
]


@pytest.mark.parametrize("options", ENSEMBLES)
def test_ensembles(daemon: Daemon, options: dict[str, Any]) -> None:
    all_of_it = ["positions", "velocities", "forces", "stress"]
    body = md([diamond(1)], steps=30, every=10, properties=all_of_it, **options)
    (found,) = results(daemon, body)
    assert found["status"] == "ok" and found["steps"] == 30 and found["time"] == 30
    frames = found["frames"]
    assert [frame["step"] for frame in frames] == [0, 10, 20, 30]
    assert frames[0]["positions"] == diamond(1)["positions"]
    last = frames[-1]
    for name in ("positions", "velocities", "energy", "temperature", "pressure"):
        assert last[name] == found[name]
    assert ("cell" in last) == (options.get("ensemble") == "npt")
    assert (found["cell"] != diamond(1)["cell"]) == (options.get("ensemble") == "npt")
    kinetic = sum(0.5 * 12.011 * v * v for row in found["velocities"] for v in row)
    assert found["kinetic_energy"] == pytest.approx(kinetic * 103.6426965, rel=1e-6)
    if options.get("ensemble") == "nve":
        drift = max(frame["conserved"] for frame in frames) - min(
            frame["conserved"] for frame in frames
        )
        assert drift < 0.02 * found["kinetic_energy"]


def test_what_atoms_are_given(daemon: Daemon) -> None:
    given = {
        **water(1),
        "velocities": [[0, 0, 0.01], [0, 0, 0], [0.02, 0, 0]],
        "masses": [16.0, 2.0, 2.0],
        "fixed": [1],
    }
    (found,) = results(daemon, md([given], ensemble="nve", steps=2, every=1, properties=[]))
    kinetic = 0.5 * (16.0 * 0.01**2 + 2.0 * 0.02**2) * 103.6426965
    assert found["frames"][0]["kinetic_energy"] == pytest.approx(kinetic, rel=1e-6)
    assert found["positions"][1] == given["positions"][1]
    assert found["positions"][0] != given["positions"][0]
    assert "positions" not in found["frames"][0]


def test_seeds(daemon: Daemon) -> None:
    same = [results(daemon, md([water(1)], seed=3)) for _ in range(2)]
    assert same[0] == same[1] != results(daemon, md([water(1)], seed=4))
    twins = results(daemon, md([water(1), water(1)], seed=3))
    assert twins[0] == same[0][0] != twins[1]  # each has random numbers of its own


def test_equal_bits(start: Factory) -> None:
    """Among 63 others, streamed, with 1 and 2 workers, in both precisions."""
    structures = [water(i) if i % 3 else diamond(i, n=4 + i % 5) for i in range(64)]
    for precision in ("float64", "float32"):
        one, two = (start("--workers", n).wait_ready() for n in "12")
        body = md(structures, precision, steps=12, every=4)
        among = results(two, body)
        streamed = events(one, body)
        assert results(two, md(structures[:1], precision, steps=12, every=4)) == among[:1]
        for i in range(64):
            *frames, last = of_structure(streamed, i)
            assert last["positions"] == among[i]["positions"]
            assert [x["energy"] for x in frames] == [x["energy"] for x in among[i]["frames"]]


def test_one_that_explodes(daemon: Daemon) -> None:
    """It ends with its step and the reason; the others go on."""
    hot = {**water(2), "velocities": [[0, 0, 0], [0, 0, 0], [0.5, 0, 0]]}
    fine, gone = results(
        daemon, md([water(1), hot], ensemble="nve", steps=50, timestep=0.5, move_max=0.1)
    )
    assert fine["status"] == "ok" and fine["steps"] == 50
    assert gone["status"] == "error" and gone["error"]["type"] == "urn:irrepd:diverged"
    assert 0 <= gone["step"] < 50
    answer = move(daemon, md([hot], ensemble="nve", steps=50, timestep=0.5, move_max=0.1))
    assert answer.status == 422 and kind(answer) == "diverged"


@pytest.mark.parametrize(
    ("options", "status", "where"),
    [
        ({"timestep": 0}, 422, "#/md/timestep"),
        ({"timestep": -1}, 422, "#/md/timestep"),
        ({"steps": 1e12}, 422, "#/md/steps"),
        ({"temperature": -1}, 422, "#/md/temperature"),
        ({"temperature": [1, 2, 3]}, 422, "#/md/temperature"),
        ({"thermostat": "berendsen"}, 422, "#/md/thermostat"),
        ({"ensemble": "npt"}, 422, "#/md/pressure"),
        ({"ensemble": "nph"}, 422, "#/md/ensemble"),
        ({"properties": ["charges"]}, 422, "#/md/properties"),
        ({"every": 1.5}, 422, "#/md/every"),
        ({"tau": 1}, 400, "#/md/tau"),
        ({"friction": 0}, 422, "#/md/friction"),
        (
            {"ensemble": "nvt", "thermostat": "nose-hoover", "chain_length": 0},
            422,
            "#/md/chain_length",
        ),
    ],
)
def test_bad_options(daemon: Daemon, options: dict[str, Any], status: int, where: str) -> None:
    for headers in (JSON, NDJSON, {**JSON, "Prefer": "respond-async"}):
        answer = move(daemon, md([water(1)], **options), headers)
        assert (answer.status, pointer(answer)) == (status, where)


@pytest.mark.parametrize(
    ("member", "where"),
    [
        ({"masses": [1, 1]}, "masses"),
        ({"masses": [1, 0, 1]}, "masses/1"),
        ({"velocities": [[0, 0, 0]]}, "velocities"),
        ({"velocities": [[0, 0, 0], [0, 0, 1e99], [0, 0, 0]]}, "velocities/1/2"),
        ({"fixed": [3]}, "fixed/0"),
        ({"positions": [[0, 0, 0], [0, 0, float("nan")], [1, 0, 0]]}, "positions/1/2"),
        ({"positions": [[0, 0, 0], [0, 0, 1e-3], [1, 0, 0]]}, "positions/1"),
    ],
)
def test_bad_atoms(daemon: Daemon, member: dict[str, Any], where: str) -> None:
    answer = move(daemon, md([{**water(1), **member}]))
    assert (answer.status, pointer(answer)) == (422, f"#/structures/0/{where}")
    fine, bad = results(daemon, md([water(1), {**water(1), **member}]))
    assert fine["status"] == "ok" and bad["status"] == "error"


@pytest.mark.parametrize("barostat", ["c-rescale", "mtk"])
def test_a_cell_that_collapses(daemon: Daemon, barostat: str) -> None:
    """As one that explodes: it ends with its step and what of it is too much."""
    options = {"ensemble": "npt", "barostat": barostat, "barostat_time": 10.0, "timestep": 2.0}
    answer = move(daemon, md([diamond(1)], pressure=9999.0, **options))
    assert (answer.status, kind(answer)) == (422, "diverged")
    assert pointer(answer) == "#/structures/0/cell"
    assert "step 1: the cell" in answer.json()["detail"]


def test_a_timestep_that_is_too_long(daemon: Daemon) -> None:
    answer = move(daemon, md([water(1)], timestep=100.0, ensemble="nve"))
    assert (answer.status, kind(answer)) == (422, "diverged")
    assert "step 1: the atom would move" in answer.json()["detail"]


def test_recipes_run_as_pasted(start: Factory) -> None:
    daemon = start().wait_ready()
    text = (ROOT / "docs" / "trajectories.md").read_text()
    blocks = re.findall(r"```\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        command = block.replace("http://127.0.0.1:8421", daemon.url)
        done = subprocess.run(["bash", "-ec", command], capture_output=True, text=True, check=True)
        assert "urn:irrepd" not in done.stdout and len(done.stdout) > 40
        last = done.stdout.splitlines()[-1]
        assert (
            '"converged":true' in last
            or '"steps":50' in last
            or '"event":"end"' in last
            or ('"jobs":[{"id"' in last)
        )
