"""Models of the nequip package, NequIP and Allegro: built, saved, converted, and evaluated."""

# ruff: noqa: E402
from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.package
from ase import Atoms
from nequip.data.transforms import ChemicalSpeciesToAtomTypeMapper, NeighborListTransform
from nequip.integrations.ase import NequIPCalculator
from nequip.scripts._package_utils import _EXTERNAL_MODULES, _INTERNAL_MODULES, _MOCK_MODULES
from nequip.utils.global_state import set_global_state

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "clients" / "python")]
from edges import find_edges
from fixture_files import (
    Evaluation,
    answers,
    check_derivatives,
    decorated,
    save_answers,
    save_model,
)
from structures import Structure, load

from irrepd import safetensors
from irrepd.convert.nequip_model import SYMBOLS

PACKAGES = ("torch", "nequip", "e3nn", "numpy")
STRUCTURES = (
    "atom-isolated", "atom-tiny-cell", "atom-left-handed", "dimer-n2", "dimer-stretched",
    "s22-water-dimer", "s22-adenine-thymine", "g2-ethanol", "slab-pt-co", "wire-nanotube",
    "layer-mos2", "si-sheared", "quartz", "quartz-mirrored", "batio3", "crystal-water",
)  # fmt: skip
CONVERT = (
    "import sys; sys.modules['torch'] = None\n"
    "from irrepd.convert.__main__ import main\n"
    "sys.exit(main(sys.argv[1:]))"
)
DEFAULTS = {"seed": 11, "model_dtype": "float32"}

# A model with random weights, of some options: in its own dtype, or in another one.
Build = Callable[[dict[str, Any], "str | None"], torch.nn.Module]


def builder_in(module: Any) -> Build:
    """Of the builders of a module, that which the options name."""

    def build(options: dict[str, Any], dtype: str | None) -> torch.nn.Module:
        given = {key: value for key, value in options.items() if key != "_target_"}
        if dtype is not None:
            given["model_dtype"] = dtype
        builder = getattr(module, options["_target_"].rpartition(".")[2])
        return builder(**{**DEFAULTS, **given}).eval()

    return build


def is_coupling(name: str) -> bool:
    """Whether a tensor holds Wigner 3j symbols."""
    return "._w3j_" in name or name.endswith(".w3j")


class Upstream:
    """A model evaluated on one structure at a time."""

    def __init__(
        self,
        build: Build,
        options: dict[str, Any],
        weights: dict[str, torch.Tensor],
        dtype: str,
        charge: int | None = None,
    ) -> None:
        self.model = build(options, dtype)
        # Its own Wigner 3j are exact; those of a float32 model are not.
        exact = {key: value for key, value in weights.items() if not is_coupling(key)}
        result = self.model.load_state_dict(exact, strict=False)
        assert all(map(is_coupling, result.missing_keys)) and not result.unexpected_keys
        self.types = [SYMBOLS.index(symbol) + 1 for symbol in options["type_names"]]
        self.r_max = options["r_max"]
        self.charge = charge

    def __call__(self, structure: Structure) -> Evaluation:
        edges = find_edges(structure.positions, structure.cell, structure.pbc, self.r_max)
        types = [self.types.index(z) for z in structure.numbers]
        data = {
            "pos": torch.as_tensor(structure.positions),
            "edge_index": torch.as_tensor(np.array([edges.receivers, edges.senders])),
            "edge_vectors": torch.as_tensor(edges.vectors),
            "atom_types": torch.tensor(types),
        }
        if self.charge is not None:
            data["charge"] = torch.tensor([self.charge])
        out = {key: value.detach().numpy() for key, value in self.model(data).items()}
        gradient = out["edge_forces"].astype(float)  # dE/dvector, from receiver to sender
        forces = np.zeros(structure.positions.shape)
        np.add.at(forces, edges.receivers, gradient)
        np.add.at(forces, edges.senders, -gradient)
        strain = edges.vectors.T @ gradient
        return Evaluation(out["atomic_energy"].ravel(), forces, (strain + strain.T) / 2)


def save_checkpoint(path: Path, options: dict[str, Any], model: torch.nn.Module) -> None:
    """What nequip-train's checkpoint holds of a model."""
    options = {**DEFAULTS, **options}
    state = {f"model.sole_model.{key}": value for key, value in model.state_dict().items()}
    info = {
        "versions": {"nequip": "0.19.1"},
        "training_module": {"_target_": "nequip.train.NequIPLightningModule", "model": options},
    }
    checkpoint = {
        "epoch": 0,
        "state_dict": {"run_stage": torch.zeros(1, dtype=torch.long), **state},
        "hyper_parameters": {"model": options, "info_dict": info},
    }
    torch.save(checkpoint, path)


def save_package(path: Path, model: torch.nn.Module) -> None:
    """As nequip.scripts.package does it."""
    with torch.package.PackageExporter(str(path)) as exporter:
        exporter.mock([f"{name}.**" for name in _MOCK_MODULES])
        exporter.extern([f"{name}.**" for name in _EXTERNAL_MODULES])
        exporter.intern([f"{name}.**" for name in _INTERNAL_MODULES])
        models = torch.nn.ModuleDict({"sole_model": model})
        exporter.save_pickle("model", "eager_model.pkl", models)


def convert(source: Path, target: Path, name: str, charge: int | None = None) -> Path:
    """Runs the converter where torch cannot be imported."""
    arguments = [str(source), str(target), "--name", name]
    if charge is not None:
        arguments += ["--modality", f"charge={charge}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "clients" / "python")}
    command = [sys.executable, "-c", CONVERT, *arguments]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return target


def check_same(checkpoint: Path, package: Path) -> None:
    """Both files give the same model, up to constants that a package holds in its own dtype."""
    (one, _), (other, _) = safetensors.read(checkpoint), safetensors.read(package)
    assert list(one) == list(other)
    for key, tensor in one.items():
        assert np.allclose(tensor, other[key], rtol=2e-7, atol=1e-9), key


def check_calculator(upstream: Upstream, structure: Structure, options: dict[str, Any]) -> None:
    """nequip's calculator, with its own edges and pruned pairs, agrees."""
    if upstream.charge is not None:
        return
    transforms = [
        ChemicalSpeciesToAtomTypeMapper(model_type_names=options["type_names"]),
        NeighborListTransform(
            r_max=options["r_max"],
            per_edge_type_cutoff=options.get("per_edge_type_cutoff"),
            type_names=options["type_names"],
        ),
    ]
    atoms = Atoms(structure.numbers, structure.positions, cell=structure.cell, pbc=structure.pbc)
    atoms.calc = NequIPCalculator(upstream.model, "cpu", transforms=transforms)
    found = upstream(structure)
    assert np.allclose(atoms.get_potential_energies(), found.energies, rtol=0, atol=1e-11)
    assert np.allclose(atoms.get_forces(), found.forces, rtol=0, atol=1e-10)
    stress = found.strain_derivative / atoms.get_volume()
    assert np.allclose(atoms.get_stress(voigt=False), stress, rtol=0, atol=1e-10)


def make(
    name: str, build: Build, options: dict[str, Any], folder: Path, charge: int | None = None
) -> None:
    """Writes fixtures/ARCHITECTURE/NAME of a name ARCHITECTURE/NAME."""
    stem = name.rpartition("/")[2]
    model = build(options, None)
    weights = model.state_dict()
    checkpoint, package = folder / f"{stem}.ckpt", folder / f"{stem}.nequip.zip"
    save_checkpoint(checkpoint, options, model)
    save_package(package, model)
    converted = convert(checkpoint, folder / "checkpoint", stem, charge)
    check_same(converted, convert(package, folder / "package", stem, charge))
    exact, rough = (
        Upstream(build, options, weights, dtype, charge) for dtype in ("float64", "float32")
    )
    chosen = {key: decorated(load()[key], exact.types) for key in STRUCTURES}
    check_derivatives(exact, chosen["batio3"])
    check_calculator(exact, chosen["quartz"], options)
    save_model(name, converted)
    save_answers(name, answers(exact, rough, exact.r_max, chosen, PACKAGES))


def main(
    description: str,
    architecture: str,
    build: Build,
    configurations: Mapping[str, dict[str, Any]],
    charges: Mapping[str, int],
) -> None:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--only", choices=configurations, help="one model")
    only = parser.parse_args().only
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    set_global_state()
    with tempfile.TemporaryDirectory() as scratch:
        for name, options in configurations.items():
            if only in (None, name):
                print(name, flush=True)
                path = f"{architecture}/{name}"
                make(path, build, options, Path(scratch), charges.get(name))
