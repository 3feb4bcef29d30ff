"""Relaxation and dynamics on the page, as they come; and dispersion."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from conftest import SHOTS, Visitor
from daemon import MODEL, MODELS, ROOT, Daemon, Factory
from playwright.sync_api import Page, expect
from test_access import PHONE
from test_page import WATER, fact, number, picture

LONG = 60_000  # milliseconds


def choose(page: Page, task: str, **values: object) -> None:
    """A task, and its fields by the end of their ids."""
    page.get_by_label(task, exact=True).check()
    kind = {"Relax": "relax", "Dynamics": "md", "Vibrations": "hessian"}[task]
    for name, value in values.items():
        field = page.locator(f"#{kind}-{name}")
        if field.evaluate("(e) => e.tagName") == "SELECT":
            field.select_option(str(value))
        else:
            field.fill(str(value))


def run(page: Page, state: str) -> None:
    page.click("#go")
    expect(page.locator("#run-facts")).to_contain_text(state, timeout=LONG)
    expect(page.locator("#stop")).to_be_hidden()


def asked(page: Page) -> Any:
    return json.loads(page.locator("#curl").inner_text().split("\n")[-3])


def downloaded(page: Page) -> list[Any]:
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download the frames").click()
    path = waiting.value.path()
    return ase.io.read(StringIO(Path(path).read_text()), ":", format="extxyz")


def plot(page: Page, title: str) -> float:
    return number(page.locator(".plot", has_text=title).locator("b").inner_text())


def test_relaxing_a_cell(page: Page, daemon: Daemon) -> None:
    page.get_by_role("button", name="Silicon").click()
    before = picture(page)
    choose(page, "Relax", optimizer="lbfgs", fmax=0.01, cell="full", pressure=5)
    run(page, "Converged")
    expect(page.locator("#hint")).to_contain_text("Converged after")
    assert picture(page) != before
    request = asked(page)
    assert request["relax"] == {
        "optimizer": "lbfgs",
        "fmax": 0.01,
        "max_steps": 500,
        "cell": "full",
        "pressure": 5,
        "symmetry": False,
        "trajectory": 1,
    }
    headers = {"Content-Type": "application/json"}
    answer = daemon.ask("POST", f"/v1/models/{MODEL}/relax", json.dumps(request).encode(), headers)
    (result,) = answer.json()["results"]
    frames = downloaded(page)
    assert len(frames) == len(result["frames"]) == result["n_steps"] + 1
    for ours, theirs in zip(frames, result["frames"]):
        assert ours.positions.tolist() == theirs["positions"]
        assert ours.cell.array.tolist() == theirs["cell"] and ours.pbc.all()
        assert ours.get_potential_energy() == theirs["energy"]
        assert ours.get_forces().tolist() == theirs["forces"]
    assert number(fact(page, "Energy")) == pytest.approx(result["energy"], abs=1e-6)
    assert plot(page, "Volume") == pytest.approx(frames[-1].get_volume(), abs=0.01)
    assert plot(page, "Largest gradient") == pytest.approx(result["frames"][-1]["fmax"], abs=1e-4)
    trace = sum(result["stress"][i][i] for i in range(3))
    assert number(fact(page, "Pressure")) == pytest.approx(-trace / 3 * 160.21766208, abs=1e-3)


def test_looking_at_frames_and_going_on(page: Page) -> None:
    page.get_by_role("button", name="Ethanol").click()
    page.select_option("#model", "mace-small")
    choose(page, "Relax", fmax=0.05)
    run(page, "Converged")
    last = picture(page)
    expect(page.locator(".plot")).to_have_count(2)  # there is no volume
    seek = page.locator("#seek")
    n = int(seek.get_attribute("max") or 0)
    assert n > 2 and seek.input_value() == str(n)
    seek.focus()
    page.keyboard.press("Home")
    expect(page.locator("#seen")).to_have_text("Step 0")
    assert picture(page) != last
    page.keyboard.press("ArrowRight")
    expect(page.locator("#seen")).to_have_text("Step 1")
    page.locator("#view").click()
    page.keyboard.press("End")
    seek.focus()
    page.keyboard.press("End")
    energy = plot(page, "Energy")
    page.get_by_role("button", name="Go on from this frame").click()
    expect(page.locator("#parsed")).to_contain_text("extxyz: C2H6O, 9 atoms")
    expect(page.locator("#run")).to_be_hidden()
    page.get_by_label("Energy and forces", exact=True).check()
    page.click("#go")
    expect(page.locator("#answer")).to_contain_text("Energy")
    assert number(fact(page, "Energy")) == pytest.approx(energy, abs=1e-4)


def test_dynamics(page: Page, daemon: Daemon) -> None:
    page.fill("#text", WATER)
    page.select_option("#model", "mace-small")
    choose(page, "Dynamics", temperature=400, timestep=0.5, steps=200, every=10, seed=4)
    run(page, "Done")
    request = asked(page)
    assert request["md"] == {
        "ensemble": "nvt",
        "temperature": 400,
        "timestep": 0.5,
        "steps": 200,
        "every": 10,
        "thermostat": "langevin",
        "seed": 4,
        "properties": ["positions", "forces"],
    }
    headers = {"Content-Type": "application/json"}
    path = "/v1/models/mace-small/md"
    (result,) = daemon.ask("POST", path, json.dumps(request).encode(), headers).json()["results"]
    frames = downloaded(page)
    assert [frame.info["step"] for frame in frames] == list(range(0, 201, 10))
    for ours, theirs in zip(frames, result["frames"]):
        assert ours.positions.tolist() == theirs["positions"]
        assert ours.info["time"] == theirs["time"]
    assert plot(page, "Temperature") == pytest.approx(frames[-1].info["temperature"], abs=0.06)
    expect(page.locator("#hint")).to_have_text("Done after 200 steps.")


def test_volume_of_npt(page: Page) -> None:
    page.get_by_role("button", name="Silicon").click()
    choose(page, "Dynamics", ensemble="npt", pressure=2, steps=20, every=2, thermostat="csvr")
    run(page, "Done")
    volumes = [frame.get_volume() for frame in downloaded(page)]
    assert len(set(volumes)) == 11
    assert plot(page, "Volume") == pytest.approx(volumes[-1], abs=0.01)
    assert asked(page)["md"]["pressure"] == 2


def test_strains_that_may_change(page: Page) -> None:
    page.get_by_role("button", name="Silicon").click()
    choose(page, "Relax", cell="volume")
    expect(page.locator("#relax-mask")).to_be_hidden()
    choose(page, "Relax", cell="full", mask="xx yy", fmax=0.05, pressure=3, steps=8)
    mask = [[True, False, False], [False, True, False], [False, False, False]]
    assert asked(page)["relax"]["mask"] == mask
    assert "mask=[[True,False,False],[False,True,False],[False,False,False]]" in page.locator(
        "#python"
    ).inner_text().replace(" ", "")
    page.click("#go")
    expect(page.locator("#run-facts")).to_contain_text("onverged", timeout=LONG)
    first, *_, last = downloaded(page)
    strain = np.linalg.solve(first.cell.array, last.cell.array) - np.eye(3)
    assert abs(strain[2]).max() < 1e-9 < abs(strain[0, 0])


def test_barostats(page: Page) -> None:
    page.get_by_role("button", name="Silicon").click()
    choose(page, "Dynamics", ensemble="nvt")
    expect(page.locator("#md-barostat")).to_be_hidden()
    assert "barostat" not in asked(page)["md"]
    choose(
        page, "Dynamics", ensemble="npt", barostat="mtk", coupling="triclinic", steps=10, every=5
    )
    md = asked(page)["md"]
    assert (md["barostat"], md["coupling"], md["thermostat"]) == ("mtk", "triclinic", "nose-hoover")
    run(page, "Done")


def test_atoms_that_stay(page: Page) -> None:
    page.fill("#text", WATER)
    page.select_option("#model", "mace-small")
    expect(page.locator("#fixed")).to_be_hidden()
    choose(page, "Relax", fmax=0.05)
    fixed = page.locator("#fixed")
    for text, words in (
        ("0-3", "there is no atom 3"),
        ("a", "is no index"),
        ("2-1", "is no index"),
    ):
        fixed.fill(text)
        fixed.blur()
        expect(page.locator("#hint")).to_contain_text(words)
        expect(page.locator("#code")).to_be_hidden()
    fixed.fill("2, 0-1, 1")
    fixed.blur()
    assert asked(page)["structures"][0]["fixed"] == [0, 1, 2]
    fixed.fill("0")
    fixed.blur()
    assert "FixAtoms([0])" in page.locator("#python").inner_text()
    run(page, "onverged")
    first, *_, last = downloaded(page)
    assert (first.positions[0] == last.positions[0]).all()
    assert (first.positions[1] != last.positions[1]).any()
    page.get_by_label("Energy and forces", exact=True).check()
    assert "fixed" not in asked(page)["structures"][0]


def test_jobs(page: Page, daemon: Daemon) -> None:
    """They are listed as long as there are any, and may be paused, ended and forgotten."""
    expect(page.locator("#jobs-part")).to_be_hidden()
    md = {"ensemble": "nve", "temperature": 300, "timestep": 0.5, "steps": 10_000_000}
    structure = {"numbers": [8, 1, 1], "positions": [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]}
    body = json.dumps({"structures": [structure], "md": md}).encode()
    headers = {"Content-Type": "application/json", "Prefer": "respond-async"}
    id = daemon.ask("POST", "/v1/models/mace-small/md", body, headers).json()["id"]
    row = page.locator("#jobs tbody tr")
    expect(row).to_have_count(1, timeout=LONG)
    expect(row).to_contain_text(id[:8])
    expect(row).to_contain_text("Dynamics")
    for button, state in (("Pause", "paused"), ("Resume", "running"), ("Cancel", "cancelled")):
        row.get_by_role("button", name=button).click()
        expect(row.locator(".pill")).to_have_text(state, timeout=LONG)
        assert daemon.ask("GET", f"/v1/jobs/{id}").json()["state"] == state
    row.get_by_role("button", name="Forget").click()
    expect(page.locator("#jobs-part")).to_be_hidden(timeout=LONG)
    assert daemon.ask("GET", f"/v1/jobs/{id}").status == 404


def test_stopping(page: Page, daemon: Daemon) -> None:
    page.fill("#text", WATER)
    page.select_option("#model", "mace-small")
    choose(page, "Dynamics", steps=10_000_000, every=1000)
    page.click("#go")
    expect(page.locator("#seen")).to_have_text(re.compile("Step [1-9]"), timeout=LONG)
    expect(page.locator("#run-facts")).to_contain_text("Running")
    one, seen = picture(page), page.locator("#seen").inner_text()
    expect(page.locator("#seen")).not_to_have_text(seen, timeout=LONG)
    assert picture(page) != one  # it moves
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#run-facts")).to_contain_text("Stopped")
    expect(page.locator("#hint")).to_contain_text("Stopped after")
    daemon.wait_for(lambda: daemon.metric("queue_structures") == 0, "the daemon to stop, too")
    assert len(downloaded(page)) >= 3
    page.fill("#text", WATER.replace("0.98", "0.97"))
    expect(page.locator("#run")).to_be_hidden()


def test_another_structure_ends_it(page: Page, daemon: Daemon) -> None:
    page.fill("#text", WATER)
    page.select_option("#model", "mace-small")
    choose(page, "Dynamics", steps=10_000_000, every=1000)
    page.click("#go")
    expect(page.locator("#seen")).to_contain_text("Step", timeout=LONG)
    page.get_by_role("button", name="Ethanol").click()
    expect(page.locator("#run")).to_be_hidden()
    expect(page.locator("#stop")).to_be_hidden()
    daemon.wait_for(lambda: daemon.metric("queue_structures") == 0, "the daemon to stop")
    choose(page, "Relax", fmax=0.05)
    run(page, "Converged")


def test_faults(page: Page) -> None:
    page.fill("#text", '{"numbers": [8, 14], "positions": [[0, 0, 0], [0, 0, 1.6]]}')
    page.select_option("#model", "mace-small")
    choose(page, "Relax")
    page.click("#go")
    expect(page.locator("#answer.error")).to_contain_text("(422)")
    expect(page.locator("#answer.error")).to_contain_text("Field: numbers[1]")
    expect(page.locator("#run")).to_be_hidden()
    expect(page.locator("#hint")).to_have_text("Not calculated: see below.")
    page.fill("#text", WATER)
    choose(page, "Dynamics", temperature=1000000, timestep=1000, steps=1000)
    page.click("#go")  # it explodes, with the step
    expect(page.locator("#run-fault, #answer.error").filter(visible=True)).to_contain_text(
        "step", timeout=LONG
    )
    page.fill("#md-timestep", "0")
    page.click("#go")  # the browser says what is wrong, and nothing is asked
    expect(page.locator("#md-timestep")).to_be_focused()


def test_only_what_matters_is_offered(page: Page) -> None:
    page.fill("#text", WATER)
    page.get_by_label("Relax", exact=True).check()
    expect(page.locator("#more")).to_be_hidden()
    expect(page.locator("#relax-pressure")).to_be_hidden()
    expect(page.locator("#relax-cell option:not([disabled])")).to_have_count(1)
    page.get_by_role("button", name="Silicon").click()
    expect(page.locator("#relax-cell option:not([disabled])")).to_have_count(4)
    page.select_option("#relax-cell", "volume")
    expect(page.locator("#relax-pressure")).to_be_visible()
    page.fill("#text", WATER)  # no cell, which it had to go back from
    expect(page.locator("#relax-pressure")).to_be_hidden()
    assert page.input_value("#relax-cell") == "fixed"
    page.get_by_label("Dynamics", exact=True).check()
    page.select_option("#md-ensemble", "nve")
    expect(page.locator("#md-thermostat")).to_be_hidden()


def test_dispersion(page: Page, daemon: Daemon) -> None:
    page.fill("#text", WATER)
    page.click("#go")
    expect(page.locator("#answer")).to_contain_text("Energy")
    bare = number(fact(page, "Energy"))
    page.select_option("#dispersion", "d3zero")
    expect(page.locator("#answer")).to_be_hidden()
    page.fill("#functional", "scan")
    page.click("#go")
    expect(page.locator("#answer")).to_contain_text("Dispersion")
    request = asked(page)
    assert request["dispersion"] == {"method": "d3zero", "functional": "scan"}
    (result,) = daemon.predict(request).json()["results"]
    part = number(fact(page, "Dispersion"))
    assert part == pytest.approx(result["dispersion_energy"], abs=1e-6) and part < 0
    assert number(fact(page, "Energy")) == pytest.approx(bare + part, abs=2e-6)
    page.fill("#functional", "nothing")
    page.locator("#functional").blur()
    page.click("#go")
    expect(page.locator("#answer.error")).to_contain_text("dispersion")


def test_heads(visit: Visitor, start: Factory, tmp_path: Path) -> None:
    """Of a model with several one is chosen, for predictions and runs."""
    folder = tmp_path / "models"
    folder.mkdir()
    source = ROOT / "clients" / "python" / "tests" / "fixtures" / "modal.pth"
    words = [
        "-m",
        "irrepd.convert",
        source,
        folder / "three.safetensors",
        "--default-head",
        "second",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "clients" / "python")}
    subprocess.run([sys.executable, *map(str, words)], check=True, env=environment)
    shutil.copy(MODELS / "mace-small.safetensors", folder)
    daemon = start(models=folder).wait_ready()
    page = visit(daemon)
    page.wait_for_selector("#model option", state="attached")
    page.fill("#text", WATER)
    page.select_option("#model", "mace-small")
    expect(page.locator("#head-box")).to_be_hidden()
    page.select_option("#model", "three")
    assert page.locator("#head option").all_inner_texts() == ["first", "second", "third"]
    assert page.input_value("#head") == "second"
    energies = set()
    for head in ("first", "third"):
        page.select_option("#head", head)
        page.click("#go")
        expect(page.locator("#answer")).to_contain_text("Energy")
        assert asked(page)["head"] == head
        headers = {"Content-Type": "application/json"}
        body = json.dumps(asked(page)).encode()
        answer = daemon.ask("POST", "/v1/models/three/predict", body, headers).json()
        energies.add(answer["results"][0]["energy"])
        shown = number(fact(page, "Energy"))
        assert shown == pytest.approx(answer["results"][0]["energy"], abs=1e-6)
    assert len(energies) == 2
    choose(page, "Dynamics", steps=3, every=1)
    run(page, "Done")
    assert asked(page)["head"] == "third"
    assert 'head="third"' in page.locator("#python").inner_text()


@pytest.mark.parametrize("task", ["Energy and forces", "Relax", "Dynamics"])
def test_lines_to_copy_run_as_pasted(page: Page, task: str) -> None:
    page.fill("#text", WATER)
    page.select_option("#model", "mace-small")
    page.select_option("#dispersion", "d3bj")
    energy = 0.0
    if task == "Energy and forces":
        page.click("#go")
        expect(page.locator("#answer")).to_contain_text("Energy")
    else:
        choose(page, task, **({"fmax": 0.01} if task == "Relax" else {"steps": 30, "seed": 2}))
        run(page, "Converged" if task == "Relax" else "Done")
    energy = number(fact(page, "Energy"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "clients" / "python")}
    lines = page.locator("#python").inner_text()
    folder = SHOTS.parent
    script = [sys.executable, "-c", lines.replace("relaxed.extxyz", f"{folder}/relaxed.extxyz")]
    said = subprocess.run(
        script, check=True, capture_output=True, env=environment, text=True
    ).stdout
    found = [float(word) for word in said.split() if word.replace(".", "").lstrip("-").isdigit()]
    assert any(value == pytest.approx(energy, abs=1e-6) for value in found), said
    curl = page.locator("#curl").inner_text()
    said = subprocess.run(["bash", "-c", curl], check=True, capture_output=True, text=True).stdout
    if task == "Energy and forces":
        assert json.loads(said)["results"][0]["energy"] == pytest.approx(energy, abs=1e-6)
        return
    *_, end, last = (json.loads(line) for line in said.splitlines() if line)
    assert end["energy"] == pytest.approx(energy, abs=1e-6) and last["event"] == "end"


def test_more_frames_than_the_page_holds(page: Page) -> None:
    kept = page.evaluate(
        """async () => {
          const { Frames } = await import("./page/frames.js");
          const numbers = Array(20000).fill(18), positions = numbers.map((_, i) => [i, 0, 0]);
          const frames = new Frames({ numbers, positions, cell: null, pbc: [false, false, false] });
          for (let step = 0; step < 1000; step++) frames.add({ step, energy: step, positions });
          return [frames.list.map(({ step }) => step), frames.every, frames.most];
        }"""
    )
    steps, every, most = kept
    assert len(steps) <= most == 50 and every == 32
    assert steps[0] == 0 and steps[-1] == 999
    assert set(np.diff(steps[:-1])) == {every}


def test_server_gone_on_the_way(visit: Visitor, start: Factory) -> None:
    daemon = start("--workers", "1").wait_ready()
    page = visit(daemon)
    page.fill("#text", WATER)
    page.wait_for_selector("#model option", state="attached")
    page.select_option("#model", "mace-small")
    choose(page, "Dynamics", steps=10_000_000, every=1000)
    page.click("#go")
    expect(page.locator("#seen")).to_contain_text("Step", timeout=LONG)
    daemon.signal(signal.SIGKILL)
    daemon.wait()
    start.made.remove(daemon)
    expect(page.locator("#run-fault")).to_contain_text("broken its answer off", timeout=LONG)
    expect(page.locator("#run-facts")).to_contain_text("Failed")
    assert downloaded(page)  # what has come is there


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("light", {"color_scheme": "light"}),
        ("dark", {"color_scheme": "dark"}),
        ("phone", {**PHONE, "color_scheme": "light"}),
        ("phone-dark", {**PHONE, "color_scheme": "dark"}),
    ],
)
def test_pictures(visit: Visitor, daemon: Daemon, name: str, options: dict[str, object]) -> None:
    """Writes pictures to build/page/ for people; nothing sticks out on a phone."""
    page = visit(daemon, **options)
    page.wait_for_selector("#model option", state="attached")
    page.get_by_role("button", name="Silicon").click()
    choose(page, "Relax", fmax=0.01, cell="full")
    run(page, "Converged")
    page.screenshot(path=SHOTS / f"{name}-relax.png", full_page=True)
    choose(page, "Dynamics", ensemble="npt", steps=300, every=3, temperature=600)
    run(page, "Done")
    page.screenshot(path=SHOTS / f"{name}-md.png", full_page=True)
    width = page.viewport_size["width"] if page.viewport_size else 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for control in page.locator("button:visible, select:visible, input:visible:not(.hidden)").all():
        box = control.bounding_box()
        assert box, control.evaluate("e => e.outerHTML")
        if name.startswith("phone") and control.get_attribute("type") not in ("radio", "checkbox"):
            assert min(box["height"], box["width"]) >= 30, control.evaluate("e => e.outerHTML")


def test_vibrations(page: Page, tmp_path: Path) -> None:
    """Frequencies and modes, and the lines of Python give the same."""
    page.fill("#text", WATER)
    choose(page, "Vibrations")
    expect(page.locator("#precision-box")).to_be_hidden()
    expect(page.locator("#code")).to_be_visible()  # the text has been read
    assert set(asked(page)) == {"structures"}
    code = page.locator("#python").inner_text()
    before = picture(page)
    page.click("#go")
    expect(page.locator("#hint")).to_have_text("Done.", timeout=LONG)
    assert fact(page, "Vibrations") == "3" and fact(page, "Derivatives") == "analytic"
    assert number(fact(page, "Zero-point energy")) > 0.3
    rows = page.locator("#answer tbody tr")
    expect(rows).to_have_count(3)
    rows.last.get_by_role("button").click()
    assert picture(page) != before
    script = tmp_path / "vibrations.py"
    script.write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "clients" / "python")}
    printed = subprocess.run(
        [sys.executable, str(script)],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    ).stdout
    assert rows.last.locator("td").inner_text()[:7].replace(",", "") in printed.replace(",", "")
    page.screenshot(path=SHOTS / "vibrations.png")
