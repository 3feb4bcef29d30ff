"""The page in a browser: what it shows of the server, and what the form does."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import SHOTS, Visitor, predict
from daemon import MODEL, ROOT, Daemon, Factory
from playwright.sync_api import Page, expect

WATER = '{"numbers": [8, 1, 1], "positions": [[0, 0, 0], [0.98, 0.03, 0], [-0.24, 0.93, 0]]}'
XYZ = "1\nfirst\nHe 0 0 0\n2\nlast\nO 0 0 0\nO 0 0 1.3\n"
EXAMPLES = ["Ethanol", "Silicon", "Quartz", "Water"]


def number(text: str) -> float:
    found = re.search(r"[−-]?\d[\d,]*\.?\d*(e[+−-]?\d+)?", text)
    assert found, text
    return float(found[0].replace("−", "-").replace(",", ""))


def fact(page: Page, name: str) -> str:
    return page.locator(".facts > div", has_text=name).locator("b").inner_text()


def picture(page: Page) -> str:
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    return page.evaluate("document.getElementById('view').toDataURL()")


def test_models_and_load(page: Page, daemon: Daemon) -> None:
    cards = daemon.ask("GET", "/v1/models").json()["models"]
    rows = page.locator("#models tbody tr")
    expect(rows).to_have_count(len(cards))
    for card, row in zip(cards, rows.all()):
        expect(row).to_contain_text(card["name"])
        expect(row).to_contain_text("Ready")
        expect(row).to_contain_text(card.get("variant", card["architecture"]))
    expect(page.locator("#uptime")).to_contain_text("version")
    expect(page.locator("#memory")).to_contain_text("Models hold")
    assert page.locator("figure.chart").count() == 4


def test_what_models_say_of_themselves(page: Page, daemon: Daemon) -> None:
    """Above all that one is not for research, beside the table and where it is chosen."""
    cards = daemon.ask("GET", "/v1/models").json()["models"]
    texts = {card["name"]: card["description"] for card in cards if card.get("description")}
    assert "not for research" in texts["mace-small"]
    for name, text in texts.items():
        row = page.locator("#models tbody tr", has=page.get_by_role("rowheader", name=name))
        expect(row).to_contain_text(text)
        (card,) = (card for card in cards if card["name"] == name)
        licence = card["license"]
        spdx = licence if isinstance(licence, str) else licence["spdx"]
        expect(row).to_contain_text(f"Licence: {spdx}")
        expect(row).to_contain_text(f"Cite {card['citation']}")
        page.select_option("#model", name)
        expect(page.locator("#model-about")).to_have_text(text)


def test_charts_follow_the_load(page: Page, daemon: Daemon) -> None:
    body = {"structures": [json.loads(WATER)] * 4}
    expect(page.locator(".chart b").first).not_to_have_text("–", timeout=15000)
    assert daemon.predict(body).status == 200
    names = ["Throughput", "Latency", "Batch"]
    for name in names:
        chart = page.locator(".chart", has_text=name)
        expect(chart.locator("b")).to_have_text(re.compile(r"^(?!0$|–)\d"), timeout=15000)
        expect(chart.locator("path.line")).to_have_attribute("d", re.compile("^M"))
    batch = page.locator(".chart", has_text="Batch").locator("b")
    assert 1 <= number(batch.inner_text()) <= 4
    row = page.locator("#models tr", has_text=MODEL)
    assert number(row.locator("td").nth(5).inner_text()) > 0


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples(page: Page, daemon: Daemon, name: str) -> None:
    page.get_by_role("button", name=name).click()
    expect(page.locator("#parsed")).to_contain_text("atoms")
    page.click("#go")
    expect(page.locator("#answer")).to_be_visible()
    body = page.locator("#curl").inner_text().split("\n")[-3]
    (result,) = daemon.predict(body.encode()).json()["results"]
    assert number(fact(page, "Energy")) == pytest.approx(result["energy"], abs=1e-6)
    rows = page.locator("#answer table").first.locator("tbody tr")
    expect(rows).to_have_count(len(result["forces"]))
    for row, force in zip(rows.all(), result["forces"]):
        cells = [number(text) for text in row.locator("td").all_inner_texts()[1:4]]
        assert cells == pytest.approx(force, abs=5.1e-5)
    if result["stress"] is None:
        assert fact(page, "Stress") == "none"
    else:
        trace = sum(result["stress"][i][i] for i in range(3))
        assert number(fact(page, "Pressure")) == pytest.approx(-trace / 3 * 160.21766208, abs=1e-3)
        cells = page.locator("#answer table").nth(1).locator("tbody td").all_inner_texts()
        assert number(cells[0]) == pytest.approx(result["stress"][0][0], abs=1e-5)


def test_every_other_property_can_be_asked_for(page: Page, daemon: Daemon) -> None:
    page.get_by_role("button", name="Silicon").click()
    page.get_by_text("More properties").click()
    outputs = daemon.ask("GET", f"/v2/models/{MODEL}").json()["outputs"]
    shown = {"energy", "forces", "stress", "status"}
    others = [output["name"] for output in outputs if output["name"] not in shown]
    boxes = page.locator("#properties input")
    expect(boxes).to_have_count(len(others))
    for name in others:
        page.get_by_label(name, exact=True).check()
    page.click("#go")
    expect(page.locator("#answer")).to_be_visible()
    request = json.loads(page.locator("#curl").inner_text().split("\n")[-3])
    assert set(request["properties"]) == {"energy", "forces", "stress", *others}
    answer = daemon.predict(request).json()
    (result,) = answer["results"]
    for name in others:
        table = page.locator("#answer table", has_text=f"{name}, {answer['units'][name]}")
        rows = table.locator("tbody tr")
        expect(rows).to_have_count(len(result[name]))
        cells = rows.first.locator("td.number").all_inner_texts()
        values = np.ravel(result[name][0])
        assert [number(cell) for cell in cells] == pytest.approx(values.tolist(), rel=0.06)
    assert "client.predict" in page.locator("#python").inner_text()


def test_view(page: Page) -> None:
    empty = picture(page)
    expect(page.locator("#view-empty")).to_be_visible()
    page.fill("#text", WATER)
    expect(page.locator("#view-empty")).to_be_hidden()
    before = picture(page)
    assert before != empty
    page.click("#go")
    expect(page.locator("#answer")).to_be_visible()
    with_arrows = picture(page)
    assert with_arrows != before
    box = page.locator("#view").bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 20, steps=4)
    page.mouse.up()
    turned = picture(page)
    assert turned != with_arrows
    page.get_by_role("button", name="Zoom in").click()
    assert picture(page) != turned
    page.get_by_role("button", name="Reset").click()
    assert picture(page) == with_arrows
    page.locator("#answer tbody button").nth(1).click()
    expect(page.locator("#picked")).to_contain_text("Atom 1, H, at 0.980, 0.030, 0.000 Å, force")
    assert picture(page) != with_arrows


def test_picking_in_the_view(page: Page) -> None:
    page.fill("#text", '{"numbers": [6], "positions": [[1, 2, 3]]}')
    expect(page.locator("#view-empty")).to_be_hidden()
    page.locator("#view").click()  # in its middle
    expect(page.locator("#picked")).to_contain_text("Atom 0, C, at 1.000, 2.000, 3.000 Å")


@pytest.mark.parametrize("precision", ["", "float64"])
def test_lines_to_copy(page: Page, precision: str) -> None:
    page.get_by_role("button", name="Quartz").click()
    page.select_option("#precision", precision)
    page.click("#go")
    expect(page.locator("#answer")).to_be_visible()
    energy = number(fact(page, "Energy"))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    copied = {}
    for name in ("curl", "python"):
        page.click(f"[data-copy={name}]")
        expect(page.locator(f"[data-copy={name}]")).to_have_text("Copied")
        copied[name] = page.evaluate("navigator.clipboard.readText()")
    said = subprocess.run(["bash", "-c", copied["curl"]], check=True, capture_output=True).stdout
    assert json.loads(said)["results"][0]["energy"] == pytest.approx(energy, abs=1e-6)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "clients" / "python")}
    script = [sys.executable, "-c", copied["python"]]
    said = subprocess.run(script, check=True, capture_output=True, env=environment).stdout
    assert float(said.split()[0]) == pytest.approx(energy, abs=1e-6)


def test_copying_without_a_clipboard(page: Page) -> None:
    page.fill("#text", WATER)
    page.evaluate("void (navigator.clipboard.writeText = () => Promise.reject(new Error('no')))")
    page.click("[data-copy=curl]")
    expect(page.locator("[data-copy=curl]")).to_have_text("Selected: press Ctrl+C")
    assert page.evaluate("getSelection().toString()").startswith("curl -s ")


def test_files(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "two.xyz"
    path.write_text(XYZ)
    page.set_input_files("#file", path)
    expect(page.locator("#parsed")).to_have_text("extxyz: O2, 2 atoms, not periodic")
    page.fill("#frame", "1")
    page.locator("#frame").press("Enter")
    expect(page.locator("#parsed")).to_have_text("extxyz: He, 1 atom, not periodic")
    path.write_bytes(b"1" * 5_000_001)
    page.set_input_files("#file", path)
    expect(page.locator("#parsed")).to_contain_text("two.xyz is larger than this page takes")
    expect(page.locator("#go")).to_be_disabled()


def test_drop(page: Page) -> None:
    page.evaluate(
        "(text) => { const dataTransfer = new DataTransfer();"
        " dataTransfer.items.add(new File([text], 'x.xyz'));"
        " document.body.dispatchEvent(new DragEvent('drop', {dataTransfer, bubbles: true,"
        " cancelable: true})); }",
        XYZ,
    )
    expect(page.locator("#parsed")).to_have_text("extxyz: O2, 2 atoms, not periodic")
    assert page.input_value("#text") == XYZ


def test_bad_texts(page: Page) -> None:
    page.fill("#text", "1\n\n<img src=x onerror=alert(1)> 0 0 0\n")
    expect(page.locator("#parsed")).to_have_class("error")
    expect(page.locator("#parsed")).to_contain_text("Line 3, element: “<img” is not an element.")
    expect(page.locator("#text")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#go")).to_be_disabled()
    expect(page.locator("#hint")).to_have_text("A structure is needed first.")
    page.fill("#text", "")
    expect(page.locator("#parsed")).to_have_text("Coordinates and cell are in Å.")


def test_frames_with_overlaps_are_not_sent(page: Page) -> None:
    page.fill("#text", "2\nnear\nO 0 0 0\nO 0 0 .05\n2\nlast\nO 0 0 0\nO 0 0 1.3\n")
    expect(page.locator("#parsed")).to_contain_text("O2, 2 atoms")
    page.fill("#frame", "1")
    page.locator("#frame").blur()
    expect(page.locator("#parsed")).to_contain_text("Atoms 0 and 1 are 0.0500 Å apart")
    expect(page.locator("#go")).to_be_disabled()
    page.fill("#frame", "2")
    page.locator("#frame").blur()
    expect(page.locator("#go")).to_be_enabled()


def test_refusals_name_the_field(page: Page) -> None:
    predict(page, '{"numbers": [1, 85], "positions": [[0, 0, 0], [0, 0, 3]]}')
    answer = page.locator("#answer.error")
    expect(answer).to_contain_text("(422)")
    expect(answer).to_contain_text("Field: numbers[1]")
    expect(page.locator("#model option:checked")).to_contain_text("not for At")
    predict(page, '{"numbers": [1, 1], "positions": [[0, 0, 0], [0, 0, 2e6]]}')
    expect(answer).to_contain_text("Field: positions[")
    predict(page, WATER)
    expect(page.locator("#answer:not(.error)")).to_contain_text("Energy")


def test_model_that_fits_is_chosen(page: Page) -> None:
    assert page.input_value("#model") == MODEL
    page.select_option("#model", "mace-small")
    page.fill("#text", WATER)
    expect(page.locator("#model option:checked")).to_contain_text("mace-small")


def test_keys(visit: Visitor, start: Factory, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    made = subprocess.run(
        [sys.executable, ROOT / "tools/make_key.py", "guest", "predict", keys],
        check=True,
        capture_output=True,
        text=True,
    )
    key = made.stdout.split()[-1]
    daemon = start("--keys", str(keys)).wait_ready()
    page = visit(daemon)
    expect(page.locator("#state")).to_have_text("Key needed")
    expect(page.locator("#banner")).to_contain_text("with a key only")
    page.fill("#key", "wrong")
    page.locator("#key").press("Enter")
    expect(page.locator("#key-note")).to_have_text("In use until this tab is closed.")
    expect(page.locator("#state")).to_have_text("Key needed")
    page.fill("#key", key)
    page.get_by_role("button", name="Use").click()
    expect(page.locator("#state")).to_have_text("Ready")
    expect(page.locator("#banner")).to_be_hidden()
    predict(page, WATER)
    expect(page.locator("#answer")).to_contain_text("Energy")
    assert "$IRREPD_KEY" in page.locator("#curl").inner_text()
    assert key not in page.locator("body").inner_text()
    kept = page.evaluate("[JSON.stringify(localStorage), document.cookie, location.href]")
    assert kept == ["{}", "", f"{daemon.url}/"]
    page.reload()
    expect(page.locator("#state")).to_have_text("Ready")
    page.get_by_text("Key", exact=True).click()
    page.fill("#key", "")
    page.locator("#key").press("Enter")
    expect(page.locator("#state")).to_have_text("Key needed")


def test_server_gone_and_back(visit: Visitor, start: Factory) -> None:
    daemon = start().wait_ready()
    page = visit(daemon)
    page.get_by_role("button", name="Silicon").click()
    expect(page.locator("#go")).to_be_enabled()
    daemon.signal(signal.SIGKILL)
    daemon.wait()
    page.click("#go")
    expect(page.locator("#answer.error")).to_contain_text("The server does not answer.")
    expect(page.locator("#state")).to_have_text("Unreachable", timeout=15000)
    expect(page.locator("#banner")).to_contain_text("the page goes on asking")
    page.screenshot(path=SHOTS / "unreachable.png", full_page=True)
    start("--listen", f"127.0.0.1:{daemon.port}").wait_ready()
    start.made.remove(daemon)
    expect(page.locator("#state")).to_have_text("Ready", timeout=15000)
    expect(page.locator("#banner")).to_be_hidden()
    page.click("#go")
    expect(page.locator("#answer:not(.error)")).to_contain_text("Energy")


def test_no_models(visit: Visitor, start: Factory, tmp_path: Path) -> None:
    empty = tmp_path / "models"
    empty.mkdir()
    page = visit(start(models=empty))
    expect(page.locator("#models td")).to_contain_text("There is no model")
    page.fill("#text", WATER)
    expect(page.locator("#hint")).to_have_text("No model can be asked now.")


def test_damaged_model(visit: Visitor, start: Factory, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "broken.safetensors").write_bytes(b"\xff" * 64)
    page = visit(start(models=folder))
    expect(page.locator("#models tbody tr")).to_contain_text("Failed")
    expect(page.locator("#state")).to_have_text("No model")
    assert page.locator("#model option").count() == 0


def test_large_structure(page: Page, tmp_path: Path) -> None:
    """More atoms than rows of the table, bonds of the view and characters of the lines."""
    place = [(x, y, z) for x in range(18) for y in range(18) for z in range(18)]
    atoms = [f"Ar {3.8 * x} {3.8 * y} {3.8 * z + 0.05 * (x % 2)}" for x, y, z in place]
    path = tmp_path / "argon.xyz"
    path.write_text(f"{len(atoms)}\nargon\n" + "\n".join(atoms))
    page.set_input_files("#file", path)
    expect(page.locator("#parsed")).to_contain_text("Ar5832, 5,832 atoms")
    page.click("#go")
    expect(page.locator("#answer table tbody tr")).to_have_count(500, timeout=60000)
    expect(page.locator("#answer")).to_contain_text("the curl line gives the other 5,332.")
    expect(page.locator("#curl")).to_contain_text("… (Copy takes all of it)")
