"""python3 -m irrepd mcp: asked by the mcp package's own client over stdio, and a real daemon."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from daemon import ROOT, Daemon

import irrepd
from irrepd import agent_schemas
from irrepd.agent_answers import ANSWER_MAX

MODEL = "mace-small"
WATER = {"numbers": [8, 1, 1], "positions": [[0, 0, 0], [0.98, 0.03, 0], [-0.24, 0.93, 0]]}
ENDLESS = {"ensemble": "nve", "timestep": 0.5, "steps": 10_000_000, "temperature": 300}


class Agent:
    """A client of the protocol, and what it asks."""

    def __init__(self, client: Any, portal: Any):
        self.client, self.portal = client, portal

    def call(self, tool: str, arguments: dict[str, Any]) -> tuple[str, bool]:
        """The text of an answer, and whether it is an error."""
        found = self.portal.call(self.client.call_tool, tool, arguments)
        (content,) = found.content
        assert len(content.text) <= ANSWER_MAX
        return content.text, bool(found.is_error)

    def text(self, tool: str, **arguments: Any) -> str:
        text, is_error = self.call(tool, arguments)
        assert not is_error, text
        return text

    def ask(self, tool: str, **arguments: Any) -> Any:
        return json.loads(self.text(tool, **arguments))

    def fault(self, tool: str, **arguments: Any) -> str:
        """The words of an error."""
        text, is_error = self.call(tool, arguments)
        assert is_error, text
        return text


@contextmanager
def talking(url: str, *flags: object, mode: str = "auto") -> Iterator[Agent]:
    """Starts the command as an agent's host does."""
    pytest.importorskip("mcp_types")  # which mcp 2 brings
    import mcp
    from anyio.from_thread import start_blocking_portal

    words = ["-m", "irrepd", "mcp", "--url", url, "--model", MODEL, *map(str, flags)]
    path = {"PYTHONPATH": str(Path(irrepd.__file__).parents[1])}
    server = mcp.StdioServerParameters(command=sys.executable, args=words, env=path)
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(mcp.Client(server, mode=mode)) as client,
    ):
        yield Agent(client, portal)


@pytest.fixture(scope="module")
def agent(daemon: Daemon) -> Iterator[Agent]:
    with talking(daemon.url) as found:
        yield found


def test_what_there_is(agent: Agent) -> None:
    listed = agent.portal.call(agent.client.list_tools).tools
    assert {tool.name for tool in listed} == set(agent_schemas.schemas(MODEL))
    for tool in listed:
        assert tool.description and tool.input_schema["additionalProperties"] is False
    found = agent.ask("list_models")
    assert found["default"] == MODEL
    (card,) = [card for card in found["models"] if card["name"] == MODEL]
    assert card["elements"] == "H C O" and card["r_max"] > 0


def texts() -> list[dict[str, Any]]:
    """The same crystal in each format."""
    atoms = bulk("C", cubic=True)
    atoms.rattle(0.03, seed=1)
    found = []
    for name in ("extxyz", "vasp"):
        file = StringIO()
        ase.io.write(file, atoms, format=name)
        found.append({"text": file.getvalue()})
    a, positions = atoms.cell[0, 0], atoms.get_scaled_positions()
    loop = "".join(f"C {x!r} {y!r} {z!r}\n" for x, y, z in positions.tolist())
    angles = "".join(f"_cell_angle_{name} 90\n" for name in ("alpha", "beta", "gamma"))
    lengths = "".join(f"_cell_length_{name} {a}\n" for name in "abc")
    columns = "".join(f"_atom_site_fract_{name}\n" for name in "xyz")
    cif = f"data_x\n{lengths}{angles}loop_\n_atom_site_type_symbol\n{columns}{loop}"
    return [*found, {"text": cif}, {"text": cif, "format": "cif"}]


def test_predict(agent: Agent, daemon: Daemon) -> None:
    given = [WATER, *texts(), {**WATER, "numbers": [8, 1, 14]}]
    found = agent.ask("predict", structures=given, precision="float64")
    water, *crystals, bad = found["results"]
    expected = irrepd.Client(daemon.url).predict(MODEL, [WATER], precision="float64")[0]
    assert water["energy"] == expected["energy"] and water["formula"] == "H2O"
    assert np.abs(np.array(water["forces"]) - expected["forces"]).max() < 1e-6
    energies = [crystal["energy"] for crystal in crystals]
    assert energies == pytest.approx([energies[0]] * 4, abs=1e-6)
    assert crystals[0]["formula"] == "C8" and len(crystals[0]["stress"]) == 3
    assert bad["status"] == "error" and "14" in bad["reason"]
    saved = {"saved": water["saved"]}
    again = agent.ask("predict", structures=[saved], precision="float64")
    assert again["results"][0]["energy"] == water["energy"]
    dispersed = agent.ask("predict", structures=[saved], dispersion={})
    assert dispersed["results"][0]["dispersion_energy"] < 0
    shown = agent.text("show", saved=crystals[0]["saved"], format="poscar")
    assert len(ase.io.read(StringIO(shown), format="vasp")) == 8
    shown = agent.text("show", **saved)
    assert ase.io.read(StringIO(shown), format="extxyz").get_chemical_formula() == "H2O"
    assert "no three periodic axes" in agent.fault("show", **saved, format="cif")


def test_relax_and_md(agent: Agent, daemon: Daemon) -> None:
    found = agent.ask("relax", structures=[WATER, WATER], fmax=0.01, wait=120)
    assert found["job"]["state"] == "done"
    relaxed = found["results"][0]
    assert relaxed["converged"] and relaxed["max_force"] < 0.01
    assert relaxed["energy"] == found["results"][1]["energy"]
    (expected,) = irrepd.relax([WATER], MODEL, daemon.url, fmax=0.01)
    assert relaxed["energy"] == expected["energy"]
    again = agent.ask("follow", job=found["job"]["id"])
    assert again == found  # although the daemon has forgotten it
    assert daemon.ask("GET", "/v1/jobs").json()["jobs"] == []

    options = {"ensemble": "nvt", "timestep": 0.5, "steps": 40, "temperature": 300, "seed": 3}
    given = [{"saved": relaxed["saved"]}]
    found = agent.ask("md", structures=given, every=10, wait=120, **options)
    (moved,) = found["results"]
    assert [row["step"] for row in moved["some_frames"]] == [0, 10, 20, 30, 40]
    assert moved["steps"] == 40 and moved["n_frames"] == 5
    temperatures = [row["temperature"] for row in moved["some_frames"]]
    mean = moved["means_of_frames"]["temperature"]
    assert mean == pytest.approx(np.mean(temperatures), abs=1e-5)
    found = agent.ask("md", structures=[{"saved": moved["saved"]}], wait=120, **options)
    first = found["results"][0]["some_frames"][0]
    assert first["temperature"] == pytest.approx(moved["temperature"])  # with its velocities


def test_committee(agent: Agent, daemon: Daemon) -> None:
    others = [card["name"] for card in agent.ask("list_models")["models"] if card["name"] != MODEL]
    other = next(name for name in others if name == "sevennet-0")
    found = agent.ask("predict", structures=[WATER], committee=[other])["results"][0]
    expected = irrepd.Client(daemon.url).predict(MODEL, [WATER], committee=[other])[0]
    assert found["energy"] == expected["energy"] and found["energy_std"] == expected["energy_std"]
    assert np.abs(np.array(found["forces_std"]) - expected["forces_std"]).max() < 1e-6
    bounds = {"committee": [other], "max_forces_std": 1e-6, "wait": 120}
    (stopped,) = agent.ask("relax", structures=[WATER], **bounds)["results"]
    assert stopped["stopped"] == "max_forces_std" and stopped["max_forces_std"] > 1e-6
    options = {"ensemble": "nve", "timestep": 0.5, "steps": 5, "temperature": 300}
    (moved,) = agent.ask("md", structures=[WATER], **options, **bounds)["results"]
    assert moved["stopped"] == "max_forces_std" and moved["steps"] == 0
    assert "no-such" in agent.fault("predict", structures=[WATER], committee=["no-such"])
    assert "committee" in agent.fault("relax", structures=[WATER], max_forces_std=0.1)


def test_hessian(agent: Agent, daemon: Daemon) -> None:
    relaxed = agent.ask("relax", structures=[WATER], fmax=0.001, wait=120)["results"][0]
    saved = {"saved": relaxed["saved"]}
    heavy = {**WATER, "masses": [16.0, 2.0, 2.0]}
    found = agent.ask("hessian", structures=[saved, heavy, {**WATER, "numbers": [8, 1, 14]}])
    modes, deuterated, bad = found["results"]
    entry = json.loads(agent.text("show", **saved, format="json"))
    expected = irrepd.hessian(entry, MODEL, daemon.url)
    assert modes["frequencies"] == pytest.approx(expected["frequencies"], abs=1e-5)
    assert modes["zero_point_energy"] == expected["zero_point_energy"]
    assert modes["n_imaginary"] == 0 and modes["atoms"] == 3
    assert deuterated["frequencies"][-1] < 0.9 * modes["frequencies"][-1]
    assert bad["status"] == "error" and "14" in bad["reason"]
    assert "hessian takes no fixed" in agent.fault("hessian", structures=[{**WATER, "fixed": [0]}])


def test_progress(agent: Agent) -> None:
    """Who asks for it hears of steps while a job is waited for, more each time."""
    told: list[tuple[float, float, str]] = []

    async def tell(steps: float, wanted: float, words: str) -> None:
        told.append((steps, wanted, words))

    async def follow() -> Any:
        options = {"structures": [WATER], "wait": 2, "every": 1000, **ENDLESS}
        return await agent.client.call_tool("md", options, progress_callback=tell)

    job = json.loads(agent.portal.call(follow).content[0].text)["job"]["id"]
    agent.ask("cancel", job=job)
    steps = [row[0] for row in told]
    assert 2 <= len(steps) <= 5 and steps == sorted(set(steps)) and steps[0] > 0
    assert {row[1] for row in told} == {ENDLESS["steps"]}
    assert all("0 of 1 structures have ended, energy" in row[2] for row in told)


def test_jobs(agent: Agent, daemon: Daemon) -> None:
    found = agent.ask("md", structures=[WATER], wait=0, every=5, **ENDLESS)
    job = found["job"]["id"]
    assert found["job"]["state"] in ("queued", "running")
    assert "follow waits for it" in found["notes"][0]
    assert job in [card["id"] for card in agent.ask("list_jobs")["jobs"]]
    going = agent.ask("follow", job=job, wait=0.5)
    assert going["job"]["state"] == "running" and going["results"] == []
    ended = agent.ask("cancel", job=job)
    assert ended["job"]["state"] == "cancelled"
    (result,) = ended["results"]
    assert result["status"] == "not ended" and result["n_frames"] > 0
    assert len(result["some_frames"]) <= 18
    assert agent.ask("cancel", job=job) == ended
    assert job not in [card["id"] for card in agent.ask("list_jobs")["jobs"]]
    other = irrepd.Job.relax([WATER], MODEL, daemon.url)
    other.wait()
    found = agent.ask("follow", job=other.id)
    assert "begun elsewhere" in found["notes"][0] and found["results"][0]["converged"]
    other.forget()  # which it has not done


def test_strictness(agent: Agent) -> None:
    one = {"ensemble": "nvt", "timestep": 1, "steps": 1}

    def of(**item: Any) -> dict[str, Any]:
        return {"structures": [item]}

    for words, tool, arguments in (
        ("'structures' is a required property", "predict", {}),
        ("structures: [] should be non-empty", "predict", {"structures": []}),
        (
            "structures/0: 'positions' is a required",
            "predict",
            of(numbers=[1]),
        ),
        ("structures/0: Additional properties", "predict", of(**WATER, x=1)),
        (
            "structures/0/numbers/0: 119",
            "predict",
            of(**{**WATER, "numbers": [119]}),
        ),
        ("structures/0", "predict", {"structures": ["water"]}),
        ("('temperature' was unexpected)", "relax", {"structures": [WATER], "temperature": 3}),
        ("fmax: 0 is less than or equal", "relax", {"structures": [WATER], "fmax": 0}),
        ("job: 'x' does not match", "follow", {"job": "x"}),
        ("There is no such job", "follow", {"job": "0" * 32}),
        ("There is no such job", "cancel", {"job": "0" * 32}),
        ("nothing is saved as 'r99'", "relax", of(saved="r99")),
        ("there is no tool dance", "dance", {}),
        ("predict takes no fixed", "predict", of(**WATER, fixed=[0])),
        (
            "structure 0: ASE does not know its format",
            "predict",
            of(text="hello"),
        ),
        ("it looks like lammps-dump-text", "predict", of(text="ITEM: TIMESTEP\n0\n")),
        ("nowhere", "predict", {"structures": [WATER], "model": "nowhere"}),
        (
            "temperature",
            "md",
            {"structures": [WATER], **one},
        ),
    ):
        said = agent.fault(tool, **arguments)
        assert words in said and len(said) < 3000, (words, said)
    assert agent.ask("predict", structures=[WATER])  # it lives


def test_long_answers(daemon: Daemon, tmp_path: Path) -> None:
    out = tmp_path / "all.extxyz"
    large = bulk("C", cubic=True) * (3, 3, 3)
    large.rattle(0.02, seed=1)
    file = StringIO()
    ase.io.write(file, large, format="extxyz")

    with talking(daemon.url, "--output", out) as agent:
        found = agent.ask("predict", structures=[{"text": file.getvalue()}])
        (result,) = found["results"]
        assert result["forces"]["shape"] == [216, 3] and len(result["forces"]["first"]) == 3
        assert f"All numbers are in {out}" in found["notes"][0]
        found = agent.ask("predict", structures=[WATER] * 100)
        assert len(found["results"]) < 100 and "of 100 are shown" in found["notes"][-1]
        options = {"ensemble": "nve", "timestep": 0.5, "steps": 4, "every": 2, "temperature": 300}
        agent.ask("md", structures=[WATER], wait=120, **options)

    frames = ase.io.read(out, ":")
    assert len(frames) == 1 + 100 + 3 + 1
    assert frames[0].info["irrepd_saved"] == "r1" and frames[0].info["irrepd_model"] == MODEL
    assert frames[0].get_forces().shape == (216, 3)
    assert [frame.info.get("step") for frame in frames[-4:]] == [0, 2, 4, None]
    assert frames[-1].get_velocities().any()


def test_what_is_ignored_is_told(agent: Agent) -> None:
    atoms = molecule("H2O")
    atoms.info["charge"] = 1
    file = StringIO()
    ase.io.write(file, atoms, format="extxyz")

    found = agent.ask("predict", structures=[{"text": file.getvalue()}])
    assert "structure 0: the charge 1 in atoms.info is ignored" in found["notes"][0]


def test_an_older_client_and_no_daemon(tmp_path: Path) -> None:
    with talking(f"unix:{tmp_path}/none", mode="legacy") as agent:
        assert len(agent.portal.call(agent.client.list_tools).tools) == len(
            agent_schemas.schemas(MODEL)
        )
        assert f"unix:{tmp_path}/none" in agent.fault("list_models")


def test_without_the_package(tmp_path: Path) -> None:
    (tmp_path / "mcp.py").write_text("raise ImportError('no mcp here')\n")
    path = os.pathsep.join([str(tmp_path), str(Path(irrepd.__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, "-m", "irrepd", "mcp"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        timeout=60,
        check=False,
    )
    assert done.returncode == 2 and "pip install 'irrepd[mcp]'" in done.stderr


def test_schemas_are_the_interfaces() -> None:
    """Names, choices and limits of openapi.json, which the daemon's tests hold it to."""
    document = json.loads((ROOT / "server" / "page" / "openapi.json").read_text())
    schemas = document["components"]["schemas"]
    for ours, theirs in (
        (agent_schemas.RELAX, "RelaxOptions"),
        (agent_schemas.MD, "MdOptions"),
        (agent_schemas.ARRAYS["properties"], "MovingStructure"),
        (
            agent_schemas.schemas(MODEL)["predict"]["properties"]["dispersion"]["properties"],
            "Dispersion",
        ),
    ):
        known = schemas[theirs]["properties"]
        assert set(ours) <= set(known)
        for name, schema in ours.items():
            for key in ("enum", "exclusiveMinimum", "default"):
                if key in schema:
                    assert schema[key] == known[name][key], (theirs, name)
    jsonschema = pytest.importorskip("jsonschema")
    for schema in agent_schemas.schemas(MODEL).values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_the_shelf_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from irrepd.agent_structures import Shelf, Unknown

    monkeypatch.setattr("irrepd.agent_structures.SAVED_MAX", 3)
    monkeypatch.setattr("irrepd.agent_structures.SAVED_ATOMS_MAX", 7)
    shelf = Shelf()
    names = [shelf.put(WATER) for _ in range(3)]
    assert names == ["r1", "r2", "r3"]
    with pytest.raises(Unknown, match="r1"):
        shelf.get("r1")
    assert shelf.get("r3") is WATER and shelf.get("r2") is WATER
    shelf.put({"numbers": [1] * 9, "positions": []})
    assert len(shelf.get("r4")["numbers"]) == 9
    with pytest.raises(Unknown):
        shelf.get("r3")


def test_courses_are_bounded() -> None:
    from irrepd.agent_answers import Course
    from irrepd.trajectories import Moved

    course = Course()
    for step in range(5000):
        course.add(Moved(step=step, energy=float(step), conserved=2.0 * step))
    told = course.told()
    assert told["n_frames"] == 5000 and told["means_of_frames"]["energy"] == 2499.5
    steps = [row["step"] for row in told["some_frames"]]
    assert steps[0] == 0 and steps[-1] == 4999 and len(steps) <= 18 and steps == sorted(steps)
    assert told["conserved_energy_change"] == 2.0 * 4999


def test_a_structure_without_cell_goes_round() -> None:
    from irrepd.agent_structures import atoms_of, text_of

    assert json.loads(text_of(WATER, "json")) == WATER
    assert isinstance(atoms_of(WATER), Atoms)
