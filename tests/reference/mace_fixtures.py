"""Writes fixtures/mace/: small MACE models with random weights, and mace-torch's answers.

    python tests/reference/mace_fixtures.py [--only NAME]

needs the packages of requirements-mace.txt. Models are made in float64, but for one, pickled as
mace pickles them, and converted in a process that cannot import torch.
"""

# ruff: noqa: E402
from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import unittest.mock
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
from fixture_files import (
    ROOT,
    Evaluation,
    answers,
    check_derivatives,
    find_edges,
    load,
    save_answers,
    save_model,
)
from mace import modules
from mace.modules.radial import ChebychevBasis
from structures import Structure

CHECKPOINT = ROOT / "clients" / "python" / "tests" / "fixtures" / "mace.model"
PACKAGES = ("torch", "mace-torch", "e3nn", "numpy")
MOLECULES = (1, 4, 6, 7, 8)  # elements
CRYSTALS = (1, 4, 8, 14)
NAMES = {
    MOLECULES: (
        "atom-tiny-cell", "dimer-n2", "dimers-of-all-lengths", "trimer-linear", "s22-water-dimer",
        "s22-adenine-thymine", "g2-ethanol", "wire-nanotube", "crystal-water", "crystal-co2",
    ),
    CRYSTALS: (
        "atom-tiny-cell", "dimer-h2", "dimers-of-all-lengths", "s22-water-dimer", "si-diamond",
        "si-sheared", "si-unwrapped", "quartz", "quartz-mirrored", "crystal-water",
    ),
}  # fmt: skip
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
    seed: int = 1,
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


MODELS: dict[str, dict[str, Any]] = {
    "mace/residual": {"first": "", "numbers": MOLECULES},
    "mace/plain": {
        "kind": "MACE", "first": "", "rest": "", "hidden": "4x0e", "max_ell": 3, "correlation": 2,
        "num_interactions": 3, "gate": torch.tanh, "avg_num_neighbors": 1.0,
    },
    "mace/density": {
        "first": "Density", "rest": "DensityResidual", "distance_transform": "Agnesi",
        "pair_repulsion": True,
    },
    "mace/l2": {
        "hidden": "4x0e+4x1o+4x2e", "correlation": [2, 3], "r_max": 4.9,
        "num_polynomial_cutoff": 6, "distance_transform": "Soft",
    },
    "mace/heads": {
        "heads": ["pbe", "r2scan"], "correlation": [3, 2], "radial_type": "gaussian",
        "num_bessel": 8, "numbers": MOLECULES,
    },
    "mace/correlation-4": {"correlation": 4, "num_interactions": 1, "pair_repulsion": True},
    "mace/parity": {
        "hidden": "4x0e+4x0o+4x1o+4x1e", "correlation": 2, "num_interactions": 3, "first": "",
    },
    "mace/envelope": {
        "apply_cutoff": False, "use_agnostic_product": True, "use_last_readout_only": True,
        "edge_irreps": o3.Irreps("3x0e+3x1o"), "keep_last_layer_irreps": True, "first": "Density",
        "rest": "DensityResidual", "readout_cls": modules.NonLinearBiasReadoutBlock,
    },
    "mace/chebyshev": {"radial_type": "chebyshev", "distance_transform": "Agnesi"},
    "mace/so3": {"use_so3": True, "hidden": "3x0e+3x1e"},
    "mace/nonlinear": {
        "first": "ResidualNonLinear", "rest": "ResidualNonLinear", "apply_cutoff": False,
        "hidden": "3x0e+3x1o", "correlation": [2, 3],
        "use_agnostic_product": True, "readout_cls": modules.NonLinearBiasReadoutBlock,
        "avg_num_neighbors": 1.0,
    },
    "mace/float32": {"dtype": torch.float32, "numbers": MOLECULES},
}  # fmt: skip


def chebyshev(self: ChebychevBasis, x: torch.Tensor) -> torch.Tensor:
    """torch's own polynomials have no derivative, so that mace's forces lack a part."""
    terms = [torch.ones_like(x), x]
    while len(terms) <= self.num_basis:
        terms.append(2 * x * terms[-1] - terms[-2])
    found = torch.cat(terms[1:], dim=-1)
    expected = torch.special.chebyshev_polynomial_t(x.detach(), self.n)
    assert torch.allclose(found, expected, rtol=0, atol=100 * torch.finfo(x.dtype).eps)
    return found


def evaluate(model: torch.nn.Module, structure: Structure) -> Evaluation:
    """Of the last head; forces and strain derivative from the gradient by the edges' vectors."""
    dtype = next(model.parameters()).dtype
    torch.set_default_dtype(dtype)
    edges = find_edges(structure.positions, structure.cell, structure.pbc, float(model.r_max))
    between = structure.positions[edges.receivers] - structure.positions[edges.senders]
    positions = torch.tensor(structure.positions, dtype=dtype)
    shifts = torch.tensor(-edges.vectors - between, dtype=dtype, requires_grad=True)
    numbers = model.atomic_numbers.tolist()
    species = torch.tensor([numbers.index(z) for z in structure.numbers])
    data = {
        "positions": positions,
        "shifts": shifts,
        "unit_shifts": torch.zeros_like(shifts),
        "cell": torch.zeros(3, 3, dtype=dtype),
        "edge_index": torch.tensor(np.array([edges.senders, edges.receivers])),
        "node_attrs": torch.nn.functional.one_hot(species, len(numbers)).to(dtype),
        "batch": torch.zeros(len(species), dtype=torch.int64),
        "ptr": torch.tensor([0, len(species)]),
        "head": torch.tensor([len(model.heads) - 1]),
    }
    out = model(data, compute_force=False)
    gradient = np.zeros((len(edges.senders), 3))
    if len(edges.senders):
        gradient = torch.autograd.grad(out["energy"].sum(), shifts)[0].numpy().astype(float)
    forces = np.zeros(structure.positions.shape)
    np.add.at(forces, edges.receivers, -gradient)
    np.add.at(forces, edges.senders, gradient)
    strain = -edges.vectors.T @ gradient
    energies = out["node_energy"].detach().to(dtype).numpy().astype(float)
    return Evaluation(energies, forces, (strain + strain.T) / 2)


def save_checkpoint() -> None:
    """A tiny model for the converter's tests, without the code that e3nn and torch generate."""
    model = build(
        numbers=(1, 8),
        hidden="2x0e+2x1o",
        first="Density",
        max_ell=1,
        num_bessel=3,
        radial_MLP=[4],
        correlation=2,
        heads=["pbe", "r2scan"],
        distance_transform="Agnesi",
        pair_repulsion=True,
        MLP_irreps=o3.Irreps("2x0e"),
    )
    for module in model.modules():
        for name in [n for n, m in module.named_children() if isinstance(m, torch.fx.GraphModule)]:
            delattr(module, name)

    def without_code(self: CodeGenMixin) -> dict[str, Any]:
        modules = {
            name: module
            for name, module in self._modules.items()
            if not isinstance(module, torch.jit.ScriptModule)
        }
        return {**self.__dict__, "_modules": modules, "__codegen__": {}}

    with unittest.mock.patch.object(CodeGenMixin, "__getstate__", without_code):
        torch.save(model, CHECKPOINT)


def set_exact_couplings(model: torch.nn.Module, other: torch.nn.Module) -> None:
    """A model made in float32 carries its coupling tables rounded."""
    tables = dict(other.named_buffers())
    for name, buffer in model.named_buffers():
        if ".U_matrix_" in name:
            assert (buffer - tables[name]).abs().max() < 1e-6
            buffer.copy_(tables[name])


def convert(name: str, model: torch.nn.Module) -> None:
    """Pickles the model and converts it in a fresh process without torch."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "mace.model", Path(folder) / "mace.safetensors"
        torch.save(model, source)
        command = [sys.executable, "-c", CONVERT, source, target]
        if len(model.heads) > 1:
            command += ["--head", model.heads[-1]]
        package = ROOT / "clients" / "python"
        subprocess.run(list(map(str, command)), check=True, cwd=package, stdout=subprocess.DEVNULL)
        save_model(name, target)


def make(name: str, options: dict[str, Any]) -> None:
    model = build(**options)
    convert(name, model)
    names = NAMES[options.get("numbers", CRYSTALS)]
    exact, single = model.double(), build(**options).float()
    set_exact_couplings(exact, build(**{**options, "dtype": torch.float64}))
    structures = load()
    for key in ("s22-water-dimer", "atom-tiny-cell"):
        check_derivatives(lambda s: evaluate(exact, s), structures[key])
    arrays = answers(
        lambda s: evaluate(exact, s),
        lambda s: evaluate(single, s),
        float(exact.r_max),
        names,
        PACKAGES,
    )
    save_answers(name, arrays)
    print(name, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=MODELS, help="one model")
    only = parser.parse_args().only
    torch.set_num_threads(1)
    ChebychevBasis.forward = chebyshev
    if not CHECKPOINT.exists():
        save_checkpoint()
    for name, options in MODELS.items():
        if only in (None, name):
            make(name, options)


if __name__ == "__main__":
    main()
