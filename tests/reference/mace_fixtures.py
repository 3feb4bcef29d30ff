"""Writes fixtures/mace/: small MACE models with random weights, and mace-torch's answers.

    python tests/reference/mace_fixtures.py [--only NAME]

needs the packages of requirements-mace.txt. Models are made in float64, but for one, pickled as
mace pickles them, and converted in a process that cannot import torch.
"""

from __future__ import annotations

import argparse
import tempfile
import unittest.mock
from pathlib import Path
from typing import Any

import torch
from fixture_files import (
    HEAD_STRUCTURES,
    ROOT,
    answers,
    check_derivatives,
    heads_arrays,
    load,
    save_answers,
    save_model,
)
from mace_upstream import (
    CRYSTALS,
    ChebychevBasis,
    CodeGenMixin,
    build,
    convert_file,
    evaluate,
    modules,
    o3,
    save_pickle,
    set_exact_couplings,
)

CHECKPOINT = ROOT / "clients" / "python" / "tests" / "fixtures" / "mace.model"
PACKAGES = ("torch", "mace-torch", "e3nn", "numpy")
MOLECULES = (1, 4, 6, 7, 8)  # elements
KEEPS_HEADS = ("mace/multihead",)  # in its file; those of others are cut down to the last one
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
    "mace/multihead": {
        "heads": ["omat", "mp", "off"], "correlation": 2, "first": "Density",
        "rest": "DensityResidual", "pair_repulsion": True, "distance_transform": "Agnesi",
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


def make(name: str, options: dict[str, Any]) -> None:
    model = build(**options)
    with tempfile.TemporaryDirectory() as folder:
        source = save_pickle(model, Path(folder))
        save_model(name, convert_file(source, Path(folder), model.heads, name in KEEPS_HEADS))
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
    if name in KEEPS_HEADS:
        save_heads(name, exact)
    print(name, flush=True)


def save_heads(name: str, model: torch.nn.Module) -> None:
    """The answers of every head: fixtures/NAME-heads.npz (test_heads.py)."""
    found = {
        head: [evaluate(model, load()[key], i) for key in HEAD_STRUCTURES]
        for i, head in enumerate(model.heads)
    }
    save_answers(f"{name}-heads", heads_arrays(found, HEAD_STRUCTURES, PACKAGES))


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
