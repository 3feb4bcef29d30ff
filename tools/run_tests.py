#!/usr/bin/env python3
"""Builds and runs every test of the project, to the end whatever fails on the way.

    tools/run_tests.py [--lint] [--deploy] [--jobs N] [-- MAKE_VARIABLES...]

The steps: build, models, C unit tests, pytest folder by folder, then under AddressSanitizer and
UBSan the C unit tests, the seeds of the fuzz targets and some of the tests over HTTP; with --deploy
also what `make test-deploy` runs. Reports go to build/reports/. The last line is `N passed, N
failed`, a sum over the test cases of cmocka and pytest; a step that fails without naming a test
case (a broken build, a crash, a timeout, a run of no test at all) counts as one failure. The exit
status is 1 when anything failed. Needs only the standard library.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "build/reports"
# What runs of tests/deploy without --deploy, and what `make test-deploy` runs; by environment.
FILES = {
    "tests/deploy/test_install.py": "build/venv",
    "tests/deploy/test_systemd.py": "build/venv",
    "tests/deploy/test_files.py": "build/venv-deploy",
}
DEPLOY = {
    "tests/page": "build/venv-page",
    "tests/clusters": "build/venv-clusters",
    "tests/deploy": "build/venv-deploy",
}
# They run LANES at a time, the long ones first: much of their time is waiting for daemons.
PYTEST_FOLDERS = (
    "tests/physics",
    "tests/dynamics",
    "tests/interop",
    "tests/http",
    "clients/python/tests",
    "tests/reference",
    "tests/lammps",
    "tests/library",
    "tests/faults",
    "tests/soak",
    "tests/bench",
)
LANES = 2
SANITIZED = "SANITIZER=address,undefined"
SANITIZED_FOLDER = "build/asan"
SANITIZED_PYTEST = ("tests/interop", "tests/http/test_inference.py", "tests/http/test_framing.py")
SANITIZER_ENVIRONMENT = {
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}
UNIT_TIMEOUT = 300.0
SILENCE = 20.0  # seconds after which a step that goes on says how far it is
PYTEST_TIMEOUT = 1800.0


@dataclass
class Outcome:
    """What one step gave: counts of test cases, and the text to show for what failed."""

    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    text: str = ""
    seconds: float = 0.0


def environment(**more: str) -> dict[str, str]:
    """The caller's environment without the flags of the make that called."""
    dropped = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"}
    return {**{k: v for k, v in os.environ.items() if k not in dropped}, **more}


def tail(path: Path, lines: int = 60) -> str:
    """The end of a log, without make's lines about files that compiled."""
    text = path.read_text(errors="replace").splitlines() if path.exists() else []
    return "\n".join([line for line in text if not re.match(r"  (cc|ld|ar)  ", line)][-lines:])


def follow(log: Path, ended: threading.Event) -> None:
    """Shows the last line of a log from time to time, as long as it changes."""
    shown = ""
    while not ended.wait(SILENCE):
        with contextlib.suppress(OSError):
            text = log.read_text(errors="replace").rstrip()
            last = text.rpartition("\n")[2].strip()[:100]
            if last and last != shown:
                print(f"      {last}", flush=True)
            shown = last


def run(command: list[str], log: Path, timeout: float | None, env: dict[str, str]) -> int:
    """Runs a command with its output in a log; the exit status, negative when it was killed."""
    log.parent.mkdir(parents=True, exist_ok=True)
    ended = threading.Event()
    follower = threading.Thread(target=follow, args=(log, ended), daemon=True)
    with log.open("wb") as out:
        follower.start()
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired:
            out.write(f"\nstopped after {timeout:.0f} s\n".encode())
            return -1
        except OSError as error:
            out.write(f"\n{error}\n".encode())
            return -1
        finally:
            ended.set()
            follower.join()
    return done.returncode


def read_junit(path: Path) -> Outcome:
    """Counts the test cases of a JUnit report and collects the messages of those that failed."""
    outcome = Outcome(path.stem)
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        bad = [child for child in case if child.tag in ("failure", "error")]
        if bad:
            outcome.failed += 1
            message = (bad[0].text or bad[0].get("message") or "").strip()
            outcome.text += f"{case.get('classname', '')} {case.get('name')}: {message}\n"
        elif case.find("skipped") is not None:
            outcome.skipped += 1
        else:
            outcome.passed += 1
    return outcome


def judged(name: str, reports: list[Path], status: int, log: Path, started: float) -> Outcome:
    """Sums the reports of a run; an exit status that they do not explain is one more failure."""
    total = Outcome(name, seconds=time.monotonic() - started)
    for report in reports:
        try:
            one = read_junit(report)
        except (OSError, ElementTree.ParseError) as error:
            one = Outcome(name, failed=1, text=f"{report.name}: {error}\n")
        total.passed += one.passed
        total.failed += one.failed
        total.skipped += one.skipped
        total.text += one.text
    if total.failed == 0 and (status != 0 or total.passed + total.skipped == 0):
        total.failed = 1
        total.text = f"exit status {status}, {total.passed} test cases passed\n{tail(log)}\n"
    return total


def run_make(name: str, arguments: list[str], jobs: int) -> Outcome:
    """A make that counts only when it fails."""
    started = time.monotonic()
    log = REPORTS / f"{name.replace(' ', '-')}.log"
    status = run(
        ["make", "-k", f"-j{jobs}", "--no-print-directory", *arguments], log, None, environment()
    )
    outcome = Outcome(name, seconds=time.monotonic() - started)
    if status != 0:
        outcome.failed = 1
        outcome.text = tail(log)
    return outcome


def run_unit_test(folder: str, source: Path) -> Outcome:
    """One cmocka program. Its report is written when it ends, so a crash leaves none."""
    started = time.monotonic()
    name = source.stem
    reports = REPORTS / folder.replace("/", "-") / name
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir(parents=True)
    env = environment(
        CMOCKA_MESSAGE_OUTPUT="xml",
        CMOCKA_XML_FILE=str(reports / "%g.xml"),
        **SANITIZER_ENVIRONMENT,
    )
    log = reports / "log"
    status = run([f"{folder}/tests/{name}"], log, UNIT_TIMEOUT, env)
    return judged(f"{folder}/tests/{name}", sorted(reports.glob("*.xml")), status, log, started)


def run_unit_tests(folder: str, jobs: int) -> list[Outcome]:
    sources = sorted((ROOT / "tests/unit").glob("test_*.c"))
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(lambda source: run_unit_test(folder, source), sources))


def fuzz_seeds(name: str) -> list[str]:
    """The files of tests/fuzz/corpus/NAME/ and those that tests/fuzz/make_NAME_corpus.py writes."""
    folders = [ROOT / "tests/fuzz/corpus" / name]
    maker = ROOT / f"tests/fuzz/make_{name}_corpus.py"
    if maker.exists():
        folders.append(REPORTS / f"seeds-{name}")
        run(
            [sys.executable, str(maker), str(folders[-1])],
            REPORTS / f"seeds-{name}.log",
            60,
            environment(),
        )
    return sorted(str(path) for folder in folders for path in folder.glob("*") if path.is_file())


def run_replay(folder: str, source: Path) -> Outcome:
    """A fuzz target over its seeds, as one test."""
    started = time.monotonic()
    name = source.stem.removeprefix("fuzz_")
    log = REPORTS / f"{folder.replace('/', '-')}-replay-{name}.log"
    command = [f"{folder}/tests/replay_{name}", *fuzz_seeds(name)]
    status = run(command, log, UNIT_TIMEOUT, environment(**SANITIZER_ENVIRONMENT))
    outcome = Outcome(command[0], passed=int(status == 0), seconds=time.monotonic() - started)
    if status != 0:
        outcome.failed = 1
        outcome.text = tail(log)
    return outcome


def run_pytest(folder: str, name: str, venv: str = "build/venv", **env: str) -> Outcome:
    started = time.monotonic()
    stem = re.sub(r"\W+", "-", name)
    report, log = REPORTS / f"{stem}.xml", REPORTS / f"{stem}.log"
    report.unlink(missing_ok=True)
    command = [
        str(ROOT / venv / "bin/python"),
        "-m",
        "pytest",
        "-q",
        "--tb=short",
        "--durations=8",
        "-p",
        "no:cacheprovider",
        f"--junitxml={report}",
        folder,
    ]
    status = run(
        command,
        log,
        PYTEST_TIMEOUT,
        environment(PYTHONDONTWRITEBYTECODE="1", **SANITIZER_ENVIRONMENT, **env),
    )
    return judged(name, [report], status, log, started)


def shortened(text: str, lines: int = 120) -> str:
    found = text.rstrip().split("\n")
    more = f"... and {len(found) - lines} lines more, see build/reports/"
    return "\n      ".join(found if len(found) <= lines else [*found[:lines], more])


def show(outcome: Outcome) -> Outcome:
    state = "FAIL" if outcome.failed else "ok"
    skipped = f", {outcome.skipped} skipped" if outcome.skipped else ""
    print(
        f"{state:4}  {outcome.name}: {outcome.passed} passed, {outcome.failed} failed{skipped}"
        f"  ({outcome.seconds:.1f} s)",
        flush=True,
    )
    if outcome.failed:
        print("      " + shortened(outcome.text), flush=True)
    return outcome


def run_all(jobs: int, variables: list[str], lint: bool, deploy: bool) -> list[Outcome]:
    outcomes: list[Outcome] = []

    def step(*results: Outcome) -> None:
        outcomes.extend(show(result) for result in results)

    if lint:
        step(run_make("lint", ["lint", *variables], jobs))
    step(
        run_make(
            "build",
            [
                "all",
                "unit-tests",
                "build/bench/budget",
                "build/faults/failing_malloc.so",
                *variables,
            ],
            jobs,
        )
    )
    step(run_make("environment", ["build/venv/.tests-ready", *variables], jobs))
    step(run_make("models", ["models", "models-all", *variables], 1))
    step(*run_unit_tests("build", jobs))
    with ThreadPoolExecutor(min(jobs, LANES)) as lanes:
        for outcome in lanes.map(lambda folder: run_pytest(folder, folder), PYTEST_FOLDERS):
            step(outcome)
    needs = "deploy-needs" if deploy else "build/venv-deploy/.ready"
    step(run_make("deploy environment", [needs, *variables], 1))
    for folder, venv in (DEPLOY if deploy else FILES).items():
        step(run_pytest(folder, folder, venv))
    sanitized = [SANITIZED, "unit-tests", "fuzz-replays", f"{SANITIZED_FOLDER}/irrepd"]
    step(run_make("build sanitized", [*sanitized, *variables], jobs))
    step(*run_unit_tests(SANITIZED_FOLDER, jobs))
    for source in sorted((ROOT / "tests/fuzz").glob("fuzz_*.c")):
        step(run_replay(SANITIZED_FOLDER, source))
    daemon = str(ROOT / SANITIZED_FOLDER / "irrepd")
    with ThreadPoolExecutor(min(jobs, LANES)) as lanes:
        for outcome in lanes.map(
            lambda folder: run_pytest(folder, f"{folder} sanitized", IRREPD_TEST_DAEMON=daemon),
            SANITIZED_PYTEST,
        ):
            step(outcome)
    return outcomes


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--lint", action="store_true", help="run `make lint` too, as one test")
    parser.add_argument("--deploy", action="store_true", help="also what `make test-deploy` runs")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("variables", nargs="*", help="variables for make, such as CC=gcc")
    arguments = parser.parse_args()

    started = time.monotonic()
    shutil.rmtree(REPORTS, ignore_errors=True)
    REPORTS.mkdir(parents=True)
    outcomes = run_all(arguments.jobs, arguments.variables, arguments.lint, arguments.deploy)
    passed = sum(outcome.passed for outcome in outcomes)
    failed = sum(outcome.failed for outcome in outcomes)
    skipped = sum(outcome.skipped for outcome in outcomes)
    print(f"{time.monotonic() - started:.0f} s; reports in {REPORTS.relative_to(ROOT)}/")
    summary = f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else "")
    (REPORTS / "summary").write_text(summary + "\n")
    print(summary, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
