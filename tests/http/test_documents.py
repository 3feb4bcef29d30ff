"""What README.md, docs/ and docker/ name is there, and what there is they name."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from conftest import DAEMON, ROOT, Daemon

from irrepd.__main__ import COMMANDS

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
PAGES += sorted((ROOT / "docs").glob("*.md"))
README = "\n".join(page.read_text() for page in PAGES)
BLOCKS = re.findall(r"```\w*\n(.*?)```", README, re.DOTALL)
SPANS = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", README, flags=re.DOTALL))
FOLDERS = "clients core docker docs include mk models server tests tools".split()
OPENAPI = json.loads((ROOT / "server" / "page" / "openapi.json").read_text())


def output(*command: object) -> str:
    done = subprocess.run([str(x) for x in command], capture_output=True, text=True, check=True)
    return done.stdout


def test_flags() -> None:
    """Those of the daemon, or of `python3 -m irrepd` and the examples, where README names them."""
    known = set(re.findall(r"^  (--[a-z-]+)", output(DAEMON, "--help"), re.M))
    clients = [ROOT / "clients/python/irrepd/__main__.py", *(ROOT / "clients").glob("*/*.py")]
    of_clients = {x for file in clients for x in re.findall(r'"(--[a-z-]+)"', file.read_text())}
    for command in (*(("irrepd", name) for name in COMMANDS), ("irrepd.convert",)):
        usage = output(sys.executable, "-m", *command, "--help")
        of_clients |= set(re.findall(r"--[a-z-]+", usage))
    spans = {flag for span in SPANS for flag in re.findall(r"^--[a-z-]+", span)}
    spans |= {x for s in SPANS if s.startswith("irrepd ") for x in re.findall(r" (--[a-z-]+)", s)}
    assert len(spans & known) > 20
    assert spans <= known | of_clients
    joined = "\n".join(BLOCKS).replace("\\\n", " ")
    for line in re.findall(r"^\S*irrepd (.*)", joined, re.M):
        assert set(re.findall(r"(--[a-z-]+)", line)) <= known, line
    for line in re.findall(r"^python3 (?:-m irrepd|clients/\S+) (.*)", joined, re.M):
        assert set(re.findall(r"(--[a-z-]+)", line)) <= of_clients, line


def test_variables_are_flags() -> None:
    flags = re.findall(r"^  --([a-z-]+)", output(DAEMON, "--help"), re.M)
    known = {"IRREPD_" + flag.upper().replace("-", "_") for flag in flags}
    package = (ROOT / "clients" / "python" / "irrepd").glob("*.py")
    known |= {x for file in package for x in re.findall(r'"(IRREPD_\w+)"', file.read_text())}
    texts = [README, *(file.read_text() for file in (ROOT / "docs" / "man").iterdir())]
    named = {x for text in texts for x in re.findall(r"\bIRREPD_[A-Z_]+", text)}
    assert named - {"IRREPD_FLAG_NAME"} <= known | {"IRREPD_MODELS"}  # also one of compose.yaml


def test_metrics(daemon: Daemon) -> None:
    text = daemon.ask("GET", "/metrics").body.decode()
    known = set(re.findall(r"^# TYPE (irrepd_\w+) ", text, re.M))
    histograms = re.findall(r"^# TYPE (irrepd_\w+) histogram", text, re.M)
    known |= {f"{x}_{end}" for x in histograms for end in ("bucket", "sum", "count")}
    docker = [x for end in ("yml", "yaml", "json") for x in (ROOT / "docker").rglob(f"*.{end}")]
    form = r"\birrepd_[a-z_]+(?=[{\[)])"
    named = {x for file in docker for x in re.findall(form, file.read_text())}
    assert len(named) > 10 and named <= known
    source = re.sub(r"\\\n\s*", "", (ROOT / "server" / "base" / "metrics.c").read_text())
    rows = re.findall(r'X\(\w+, \w+, "(\w+)",\s*"[^"]*"((?:,\s*"\w+")*)\)', source)
    labels = {f"irrepd_{name}": re.findall(r"\w+", rest) for name, rest in rows}
    table = "\n".join(re.findall(r"^\|.*", README, re.M))
    named_rows = re.findall(r"`(irrepd_[a-z_]+)(?:\{(\w+)\})?`", table)
    assert len(named_rows) > 8
    for name, label in named_rows:
        assert name in known and (not label or label in labels[name]), name


def routes() -> set[tuple[str, str]]:
    """Of the table in server/routes/routes.c."""
    text = (ROOT / "server" / "routes" / "routes.c").read_text()
    text = re.sub(r'" MODEL_SEGMENT(?: ")?', "{m}", text).replace("{m},", '{m}",')
    return set(re.findall(r'^    \{"(/[^"]*)",\s+"([A-Z]+)"', text, re.M))


def test_routes() -> None:
    described = {
        (path.replace("{model}", "{m}"), method.upper())
        for path, item in OPENAPI["paths"].items()
        for method in item.keys() & {"get", "post", "put", "delete"}
    }
    assert len(routes()) > 15 and routes() == described
    form = r"(?<![\w.])(/(?:v[12]/|metrics|openapi)[\w/{}.-]*)"
    named = {path for span in SPANS for path in re.findall(form, span)}
    paths = [re.sub(r"\{\w+\}", "[^/]+", path) for path, _ in routes()]
    assert len(named) > 5
    for path in named:
        assert any(re.fullmatch(known, path) for known in paths), path


def test_files() -> None:
    words = {word for span in SPANS for word in span.split()}
    words |= {word for block in BLOCKS for word in block.split() if "/" in word}
    tops = "|".join(FOLDERS)
    named = {word for word in words if re.fullmatch(rf"({tops})/[\w./-]+", word)}
    named = {word for word in named if "NAME" not in word}
    made = ("docker/secrets", "docker/.env")  # by whoever follows README
    absent = {path for path in named if not path.startswith(made) and not (ROOT / path).exists()}
    assert len(named) > 20 and not absent


def test_folders_are_described() -> None:
    tree = (ROOT / "docs" / "internals.md").read_text().split("## The tree")[1].split("```")[1]
    assert set(FOLDERS) <= set(re.findall(r"(\w+)/", tree))


def test_targets_of_make() -> None:
    makefile = (ROOT / "Makefile").read_text()
    known = set(re.findall(r"^([a-z-]+):.* ## ", makefile, re.M)) - {"all"}
    calls = re.findall(r"^make ((?:[a-z-]+ ?)+)", "\n".join([*SPANS, *BLOCKS]), re.M)
    assert {target for call in calls for target in call.split()} == known


def test_the_card_in_the_manual() -> None:
    header = (ROOT / "include" / "irrep" / "model_format.h").read_text()
    card = header.split(" * THE CARD")[1].split(" * HEADS")[0]
    fields = set(re.findall(r'^ \*   "(\w+)"', card, re.M))
    fields |= set(re.findall(r'"(\w+)"', card.split("For people")[1]))
    page = (ROOT / "docs" / "man" / "irrepd-models.5").read_text()
    rows = " ".join(re.findall(r"^\.It Cm (.*)", page, re.M))
    assert set(re.findall(r"\w+", rows)) - {"Cm"} == fields


def anchors(page: Path) -> set[str]:
    """As GitHub and MkDocs make them of headings."""
    headings = re.findall(r"^#+ (.*)", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", x.lower()).strip().replace(" ", "-") for x in headings}


def test_links() -> None:
    n_links = 0
    for page in PAGES:
        text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(), flags=re.S)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            n_links += 1
            name, _, anchor = target.partition("#")
            linked = (page.parent / name) if name else page
            assert linked.is_file(), f"{page.name}: {target}"
            assert not anchor or anchor in anchors(linked), f"{page.name}: {target}"
    assert n_links > 10


def test_every_page_is_reached() -> None:
    readme = (ROOT / "README.md").read_text()
    site = (ROOT / "mkdocs.yml").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert f"(docs/{page.name})" in readme and f": {page.name}\n" in site


def test_the_request_of_formats(daemon: Daemon) -> None:
    """It is taken as it stands, and its answer has the fields that the page shows."""
    blocks = re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "formats.md").read_text(), re.S)
    answer = daemon.predict(json.loads(blocks[0]))
    shown = json.loads(blocks[1])
    assert answer.status == 200, answer.body
    assert answer.json().keys() == shown.keys()
    assert answer.json()["results"][0].keys() == shown["results"][0].keys()
    assert answer.json()["units"] == shown["units"]


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
