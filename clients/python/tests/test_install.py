"""The package as pip installs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1]
CODE = """
from importlib.metadata import distribution
import irrepd, irrepd.convert.__main__
names = {point.name: point.load() for point in distribution("irrepd").entry_points}
assert names["irrepd"].__ase_plugins__ == frozenset()
assert distribution("irrepd").version == irrepd.__version__
print(irrepd.__file__)
"""
BY_NAME = """
import site, sys
site.addsitedir(sys.argv[1])  # as Python does with the folder that pip installs to
started = {"numpy", "ase", "irrepd.client"} & set(sys.modules)
assert not started, started
from ase.calculators.calculator import get_calculator_class
assert get_calculator_class("irrepd").__module__ == "irrepd.calculator"
assert get_calculator_class("irrepd")(model="x").parameters["model"] == "x"
try:
    get_calculator_class("irrepd2")
except ImportError:
    print("found")
"""


def test_installed_package(tmp_path: Path) -> None:
    pytest.importorskip("setuptools", minversion="70.1")  # that has bdist_wheel
    source, target = tmp_path / "source", tmp_path / "target"
    shutil.copytree(PACKAGE, source, ignore=shutil.ignore_patterns("tests", "__pycache__"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--target", str(target)]
    subprocess.run([*pip, *options, str(source)], check=True, capture_output=True)
    assert {path.name for path in (target / "irrepd").glob("*.py*")} == {
        path.name for path in (PACKAGE / "irrepd").glob("*.py*")
    }
    environment = {**os.environ, "PYTHONPATH": str(target), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    assert done.stdout.strip() == str(target / "irrepd" / "__init__.py")
    del environment["PYTHONPATH"]
    done = subprocess.run(
        [sys.executable, "-c", BY_NAME, str(target)],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    assert done.stdout.strip() == "found"
