"""Writes fixtures/tensornet/: small TensorNets of matgl with random weights, and matgl's answers.

    python tests/reference/matgl_fixtures.py [--only NAME]

needs the packages of requirements-matgl.txt or of requirements-matgl2.txt. Version 1 of matgl's
TensorNet sums the first features at the other atom of an edge than version 2, so that a case is
made with the matgl that has its version; the other cases are left alone. Models are built in
float32, or in float64, saved as matgl saves them, and converted where torch cannot be imported.
Also writes the answers of the published weights that are there and of this version
(tests/support/published.py), to fixtures/published/.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("MATGL_BACKEND", "PYG")
warnings.simplefilter("ignore")

import matgl  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from fixture_files import (  # noqa: E402
    ROOT,
    Evaluation,
    answers,
    check_derivatives,
    decorated,
    find_edges,
    load,
    save_answers,
    save_model,
)
from matgl.models import TensorNet  # noqa: E402
from published import PUBLISHED, weights_of  # noqa: E402

try:
    from matgl.apps.pes import Potential
except ImportError:
    from matgl.apps._pes_pyg import Potential

PACKAGES = ("torch", "matgl", "numpy")
VERSION = TensorNet.__version__
CHECKPOINTS = ROOT / "clients" / "python" / "tests" / "fixtures"
ELEMENTS = ("O", "H", "Si", "C", "N")  # in an order of their own
NUMBERS = (1, 6, 7, 8, 14)
STRUCTURES = (
    "atom-isolated", "atom-tiny-cell", "atom-left-handed", "dimer-n2", "dimer-stretched",
    "s22-water-dimer", "s22-adenine-thymine", "g2-ethanol", "slab-pt-co", "wire-nanotube",
    "layer-mos2", "si-sheared", "quartz", "quartz-mirrored", "batio3", "crystal-water",
)  # fmt: skip
PUBLISHED_STRUCTURES = (
    "atom-isolated", "atom-tiny-cell", "dimer-n2", "s22-water-dimer", "s22-adenine-thymine",
    "g2-ethanol", "si-sheared", "quartz", "batio3",
)  # fmt: skip
CONVERT = (
    "import sys; sys.modules['torch'] = sys.modules['matgl'] = None\n"
    "from irrepd.convert.__main__ import main\n"
    "sys.exit(main(sys.argv[1:]))"
)


@dataclass
class Case:
    options: dict[str, Any]
    version: int = 2
    gain: float = 4.0  # of first features and readouts, so that forces are of a few eV/Angstrom
    dtype: torch.dtype = torch.float32
    committed: bool = False  # the folder is committed, for the converter's tests
    refs: bool = True
    elements: tuple[str, ...] = field(default=ELEMENTS)


SMOOTH = {"rbf_type": "SphericalBessel", "use_smooth": True}
CASES: dict[str, Case] = {
    "tensornet/bessel": Case({"units": 8, "cutoff": 4.6, "max_n": 3, **SMOOTH}, gain=5.0),
    "tensornet/gaussian": Case({"units": 17, "nblocks": 1, "num_rbf": 10, "cutoff": 5.0}),
    "tensornet/tanh": Case(
        {"units": 6, "nblocks": 3, "activation_type": "tanh", "max_n": 5, **SMOOTH}, refs=False
    ),
    "tensornet/softplus2": Case(
        {"units": 5, "nblocks": 2, "activation_type": "softplus2", "num_rbf": 7, "width": 0.9,
         "cutoff": 4.0}
    ),
    "tensornet/float64": Case(
        {"units": 7, "nblocks": 2, "max_n": 4, "cutoff": 4.3, **SMOOTH}, dtype=torch.float64
    ),
    "tensornet/no-layers": Case(
        {"units": 9, "nblocks": 0, "max_n": 3, "cutoff": 5.2, **SMOOTH}
    ),
    "tensornet/version-1": Case(
        {"units": 8, "cutoff": 4.6, "max_n": 3, **SMOOTH}, version=1, gain=5.0
    ),
    "tensornet": Case(
        {"units": 3, "nblocks": 1, "max_n": 2, "cutoff": 3.5, **SMOOTH},
        committed=True, elements=("O", "H", "C"),
    ),
    "tensornet-version-1": Case(
        {"units": 3, "nblocks": 1, "max_n": 2, "cutoff": 3.5, **SMOOTH},
        version=1, committed=True, elements=("O", "H", "C"),
    ),
}  # fmt: skip


def build(case: Case, seed: int) -> Potential:
    """With random biases, norms and references, sized so that forces are of order 1."""
    torch.manual_seed(seed)
    torch.set_default_dtype(case.dtype)
    matgl.float_th = case.dtype
    model = TensorNet(
        element_types=case.elements, is_intensive=False, dtype=case.dtype, **case.options
    )
    if VERSION == 2:
        model._init_args.pop("use_warp", None)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1 and "rbf" not in name:
                parameter.add_(0.3 * torch.randn_like(parameter))
        for name, parameter in model.named_parameters():
            if "distance_proj" in name or (name.startswith("final_layer") and parameter.ndim == 2):
                parameter.mul_(case.gain)
    refs = -5 * torch.rand(len(case.elements), dtype=torch.float64) if case.refs else None
    return Potential(model, data_std=torch.tensor(2.5, dtype=case.dtype), element_refs=refs)


class Upstream:
    """A saved potential in one dtype, on one structure at a time."""

    def __init__(self, folder: Path, dtype: torch.dtype):
        torch.set_default_dtype(dtype)
        matgl.float_th = dtype
        self.dtype = dtype
        options = torch.load(folder / "model.pt", map_location="cpu", weights_only=False)
        arguments = {**options["model"]["init_args"], "dtype": dtype}
        self.model = TensorNet(**arguments).to(dtype).eval()
        self.elements, self.r_max = arguments["element_types"], arguments["cutoff"]
        state = torch.load(folder / "state.pt", map_location="cpu", weights_only=True)
        self.scale = float(state["data_std"])
        refs = state.get("element_refs.property_offset", torch.zeros(len(self.elements)))
        self.refs = refs.double().numpy()
        prefix = "model."
        own = {k[len(prefix) :]: v.to(dtype) for k, v in state.items() if k.startswith(prefix)}
        self.model.load_state_dict(own)
        self.model.final_layer.register_forward_hook(self._keep)

    def _keep(self, module: Any, given: Any, energies: torch.Tensor) -> None:
        (self.scalars,) = given
        self.energies = energies

    def __call__(self, structure: Any) -> Evaluation:
        torch.set_default_dtype(self.dtype)
        matgl.float_th = self.dtype
        edges = find_edges(structure.positions, structure.cell, structure.pbc, self.r_max)
        between = structure.positions[edges.senders] - structure.positions[edges.receivers]
        numbers = [matgl_number(symbol) for symbol in self.elements]
        species = np.array([numbers.index(z) for z in structure.numbers])
        positions = torch.tensor(structure.positions, dtype=self.dtype, requires_grad=True)
        shifts = torch.tensor(edges.vectors - between, dtype=self.dtype, requires_grad=True)
        graph = SimpleNamespace(
            node_type=torch.tensor(species),
            pos=positions,
            edge_index=torch.tensor(np.stack([edges.receivers, edges.senders])),
            pbc_offshift=shifts,
            batch=None,
        )
        self.model(graph)
        energies = self.energies.reshape(-1)
        by_position, by_vector = torch.autograd.grad(
            energies.sum(), (positions, shifts), allow_unused=True
        )
        zero = np.zeros
        gradient = zero((len(species), 3)) if by_position is None else by_position.double().numpy()
        slopes = zero(edges.vectors.shape) if by_vector is None else by_vector.double().numpy()
        strain = self.scale * (edges.vectors.T @ slopes)
        atoms = self.scale * energies.detach().double().numpy() + self.refs[species]
        return Evaluation(atoms, -self.scale * gradient, (strain + strain.T) / 2)


def matgl_number(symbol: str) -> int:
    from pymatgen.core import Element

    return Element(symbol).Z


def convert(source: Path, target: Path) -> Path:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "clients" / "python")}
    command = [sys.executable, "-c", CONVERT, str(source), str(target)]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return target


def make(name: str, case: Case, seed: int, scratch: Path) -> None:
    folder = scratch / name.replace("/", "-")
    build(case, seed).save(folder)
    exact, rough = (Upstream(folder, dtype) for dtype in (torch.float64, torch.float32))
    if case.committed:
        commit(folder, name, exact)
        return
    chosen = {key: decorated(load()[key], NUMBERS) for key in STRUCTURES}
    for key in ("s22-water-dimer", "quartz"):  # where no atom crosses the cutoff
        check_derivatives(exact, chosen[key])
    forces = np.abs(exact(chosen["batio3"]).forces).max()
    print(f"{name}: forces up to {forces:.2f} eV/A in batio3", flush=True)
    save_model(name, convert(folder, scratch / "converted"))
    save_answers(name, answers(exact, rough, exact.r_max, chosen, PACKAGES))
    if name == "tensornet/gaussian":
        save_descriptors(name, exact, chosen)


def save_descriptors(name: str, exact: Upstream, chosen: dict[str, Any]) -> None:
    """What the readout is given."""
    arrays = {}
    for key in ("s22-water-dimer", "quartz", "atom-isolated"):
        exact(chosen[key])
        arrays[f"{name} {key}"] = exact.scalars.detach().numpy()
        arrays[f"{name} {key} numbers"] = chosen[key].numbers
    made_with = [f"{package} {importlib.metadata.version(package)}" for package in PACKAGES]
    save_answers("descriptors-tensornet", {**arrays, "made_with": np.array(made_with)})


def commit(folder: Path, name: str, exact: Upstream) -> None:
    """The folder and its energies of a molecule, for clients/python/tests/test_matgl.py."""
    target = CHECKPOINTS / f"matgl-{name}"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder, target)
    numbers = [1, 6, 8, 1]
    positions = [[0.0, 0.1, 0.0], [1.1, 0.3, -0.2], [1.6, 1.4, 0.3], [1.5, -0.6, 0.7]]
    alone = SimpleNamespace(
        numbers=np.array(numbers), positions=np.array(positions), cell=np.zeros((3, 3)),
        pbc=np.zeros(3, dtype=bool),
    )  # fmt: skip
    found = {"numbers": numbers, "positions": positions, "energies": exact(alone).energies.tolist()}
    (target / "answers.json").write_text(json.dumps(found, indent=1) + "\n")
    print(f"{target.name}: {sum(f.stat().st_size for f in target.iterdir())} bytes")


def make_published(name: str) -> None:
    folder = weights_of(name)
    exact, rough = (Upstream(folder, dtype) for dtype in (torch.float64, torch.float32))
    found = answers(exact, rough, exact.r_max, PUBLISHED_STRUCTURES, PACKAGES)
    save_answers(f"published/{name}", found)


def is_mine(name: str) -> bool:
    """Published weights that are there, of matgl and of this version."""
    folder = weights_of(name)
    if folder is None or not folder.is_dir():
        return False
    model = json.loads((folder / "model.json").read_text())["kwargs"]["model"]
    return model["@class"] == "TensorNet" and model["@model_version"] == VERSION


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=(*CASES, *PUBLISHED), help="one model")
    only = parser.parse_args().only
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        for seed, (name, case) in enumerate(CASES.items()):
            if only in (None, name) and case.version == VERSION:
                make(name, case, seed, Path(scratch))
    for name in PUBLISHED:
        if only in (None, name) and is_mine(name):
            print(name, flush=True)
            make_published(name)


if __name__ == "__main__":
    main()
