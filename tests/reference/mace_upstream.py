"""Models of mace-torch: built with random weights, saved, converted, and evaluated."""

# ruff: noqa: E402
from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

# e3nn 0.4 loads its constants by pickle when it is imported.
os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"
warnings.simplefilter("ignore")

import numpy as np
import torch
from e3nn import o3
from e3nn.util.codegen import CodeGenMixin
from fixture_files import ROOT, Evaluation, find_edges
from mace import modules
from mace.modules.radial import ChebychevBasis
from structures import Structure

__all__ = ["ChebychevBasis", "CodeGenMixin", "modules", "o3"]  # imported with that set

CRYSTALS = (1, 4, 8, 14)  # elements
CONVERT = (
    "import sys; sys.modules['torch'] = None\n"
    "from irrepd.convert.__main__ import main\n"
    "sys.exit(main(sys.argv[1:]))"
)


def block(kind: str) -> type:
    return modules.interaction_classes[f"RealAgnostic{kind}InteractionBlock"]


def build(
    *,
    kind: str = "ScaleShiftMACE",
    numbers: tuple[int, ...] = CRYSTALS,
    hidden: str = "4x0e+4x1o",
    first: str = "Residual",
    rest: str = "Residual",
    gate: Callable | None = torch.nn.functional.silu,
    heads: list[str] | None = None,
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
    **options: Any,
) -> torch.nn.Module:
    """A model with random weights; options are those of mace.modules.MACE."""
    torch.set_default_dtype(dtype)
    torch.manual_seed(seed)
    n_heads = len(heads or ["Default"])
    energies = np.linspace(-3.0, 2.0, n_heads * len(numbers)).reshape(n_heads, -1)
    if kind == "ScaleShiftMACE":
        scale, shift = 5.0 + np.arange(n_heads), 0.1 - np.arange(n_heads)
        options["atomic_inter_scale"] = scale if heads else scale[0]
        options["atomic_inter_shift"] = shift if heads else shift[0]
    defaults = {
        "r_max": 4.1,
        "num_bessel": 4,
        "num_polynomial_cutoff": 5,
        "max_ell": 2,
        "num_interactions": 2,
        "avg_num_neighbors": 8.0,
        "correlation": 3,
        "radial_MLP": [8, 8],
        "MLP_irreps": o3.Irreps("4x0e"),
    }
    return getattr(modules, kind)(
        interaction_cls=block(rest),
        interaction_cls_first=block(first),
        num_elements=len(numbers),
        hidden_irreps=o3.Irreps(hidden),
        atomic_energies=energies if heads else energies[0],
        atomic_numbers=list(numbers),
        gate=gate,
        heads=heads,
        **{**defaults, **options},
    )


def graph_of(
    model: torch.nn.Module, structure: Structure, head: int = -1
) -> tuple[dict[str, Any], Any]:
    """What a model is given, of a head, by default the last, and the edges in its order."""
    dtype = next(model.parameters()).dtype
    torch.set_default_dtype(dtype)
    edges = find_edges(structure.positions, structure.cell, structure.pbc, float(model.r_max))
    between = structure.positions[edges.receivers] - structure.positions[edges.senders]
    shifts = torch.tensor(-edges.vectors - between, dtype=dtype, requires_grad=True)
    numbers = model.atomic_numbers.tolist()
    species = torch.tensor([numbers.index(z) for z in structure.numbers])
    data = {
        "positions": torch.tensor(structure.positions, dtype=dtype),
        "shifts": shifts,
        "unit_shifts": torch.zeros_like(shifts),
        "cell": torch.zeros(3, 3, dtype=dtype),
        "edge_index": torch.tensor(np.array([edges.senders, edges.receivers])),
        "node_attrs": torch.nn.functional.one_hot(species, len(numbers)).to(dtype),
        "batch": torch.zeros(len(species), dtype=torch.int64),
        "ptr": torch.tensor([0, len(species)]),
        "head": torch.tensor([range(len(model.heads))[head]]),
    }
    return data, edges


def evaluate(model: torch.nn.Module, structure: Structure, head: int = -1) -> Evaluation:
    """Of the last head, or another; forces and strain from the gradient by the edges' vectors."""
    data, edges = graph_of(model, structure, head)
    shifts = data["shifts"]
    out = model(data, compute_force=False)
    gradient = np.zeros((len(edges.senders), 3))
    if len(edges.senders):
        gradient = torch.autograd.grad(out["energy"].sum(), shifts)[0].numpy().astype(float)
    forces = np.zeros(structure.positions.shape)
    np.add.at(forces, edges.receivers, -gradient)
    np.add.at(forces, edges.senders, gradient)
    strain = -edges.vectors.T @ gradient
    energies = out["node_energy"].detach().to(shifts.dtype).numpy().astype(float)
    return Evaluation(energies, forces, (strain + strain.T) / 2)


def set_exact_couplings(model: torch.nn.Module, other: torch.nn.Module) -> None:
    """A model made in float32 carries its coupling tables rounded."""
    tables = dict(other.named_buffers())
    for name, buffer in model.named_buffers():
        if ".U_matrix_" in name:
            assert (buffer - tables[name]).abs().max() < 1e-6
            buffer.copy_(tables[name])


def save_pickle(model: torch.nn.Module, folder: Path) -> Path:
    path = folder / "mace.model"
    torch.save(model, path)
    return path


def convert_file(source: Path, folder: Path, heads: list[str], all_of_them: bool = False) -> Path:
    """Converts a pickled model in a fresh process without torch: its last head, or all."""
    target = folder / "mace.safetensors"
    command = [sys.executable, "-c", CONVERT, source, target]
    if len(heads) > 1:
        command += ["--default-head" if all_of_them else "--head", heads[-1]]
    package = ROOT / "clients" / "python"
    subprocess.run(list(map(str, command)), check=True, cwd=package, stdout=subprocess.DEVNULL)
    return target
