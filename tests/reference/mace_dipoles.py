"""Writes fixtures/mace/dipoles*: EnergyDipolesMACE with random weights, and mace-torch's answers.

    python tests/reference/mace_dipoles.py

needs the packages of requirements-mace.txt. Energies and forces are among the fixtures of every
model (accuracy.py); dipoles go to fixtures/dipoles-mace.npz, in debye, as mace-torch gives them.
"""

from __future__ import annotations

import importlib.metadata
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fixture_files import answers, check_derivatives, load, save_answers, save_model
from mace_fixtures import MOLECULES, NAMES, PACKAGES
from mace_upstream import (
    block,
    convert_file,
    evaluate,
    graph_of,
    modules,
    o3,
    save_pickle,
    set_exact_couplings,
)
from structures import Structure

MODELS: dict[str, dict[str, Any]] = {
    "mace/dipoles": {"hidden": "4x0e+4x1o", "layers": 2, "hidden_of_readout": "4x0e+3x1o"},
    "mace/dipoles-l2": {"hidden": "3x0e+3x1o+3x2e", "layers": 3, "hidden_of_readout": "2x0e+2x1o"},
}


def build(options: dict[str, Any], dtype: torch.dtype) -> torch.nn.Module:
    torch.set_default_dtype(dtype)
    torch.manual_seed(0)
    model = modules.EnergyDipolesMACE(
        r_max=4.1,
        num_bessel=4,
        num_polynomial_cutoff=5,
        max_ell=2,
        interaction_cls=block("Residual"),
        interaction_cls_first=block("Residual"),
        num_interactions=options["layers"],
        num_elements=len(MOLECULES),
        hidden_irreps=o3.Irreps(options["hidden"]),
        MLP_irreps=o3.Irreps(options["hidden_of_readout"]),
        avg_num_neighbors=8.0,
        atomic_numbers=list(MOLECULES),
        correlation=2,
        gate=torch.nn.functional.silu,
        atomic_energies=np.linspace(-3.0, 2.0, len(MOLECULES)),
        radial_MLP=[8, 8],
    )
    model.heads = ["Default"]  # for graph_of; it has one
    return model


def dipole(model: torch.nn.Module, structure: Structure) -> np.ndarray:
    data, _ = graph_of(model, structure)
    return model(data, compute_force=False)["dipole"].detach().numpy()[0]


def with_charges(model: torch.nn.Module) -> torch.nn.Module:
    """Its forward takes charges, whose dipole it adds; here there are none.

    What it calls energies of atoms are those of isolated ones: the readouts' are added.
    """
    forward, read = model.forward, []
    for readout in model.readouts:
        readout.register_forward_hook(lambda _module, _given, out: read.append(out[:, 0]))

    def call(data: dict[str, Any], **more: Any) -> Any:
        read.clear()
        data["charges"] = torch.zeros(len(data["positions"]), dtype=data["positions"].dtype)
        out = forward(data, **more)
        energies = out["node_energy"] + sum(read)
        assert torch.allclose(energies.sum(), out["energy"].sum(), rtol=1e-5)
        return {**out, "node_energy": energies}

    model.forward = call
    return model


def main() -> None:
    torch.set_num_threads(1)
    structures, found = load(), {}
    for name, options in MODELS.items():
        model = build(options, torch.float64)
        del model.heads
        with tempfile.TemporaryDirectory() as folder:
            source = save_pickle(model, Path(folder))
            save_model(name, convert_file(source, Path(folder), ["Default"]))
        exact = with_charges(build(options, torch.float64))
        single = with_charges(build(options, torch.float64).float())
        set_exact_couplings(exact, build(options, torch.float64))
        for key in ("s22-water-dimer", "atom-tiny-cell"):
            check_derivatives(lambda s, m=exact: evaluate(m, s), structures[key])
        arrays = answers(
            lambda s, m=exact: evaluate(m, s),
            lambda s, m=single: evaluate(m, s),
            float(exact.r_max),
            NAMES[MOLECULES],
            PACKAGES,
        )
        save_answers(name, arrays)
        torch.set_default_dtype(torch.float64)
        for key in NAMES[MOLECULES]:
            found[f"{name} {key}"] = dipole(exact, structures[key])
    made_with = [f"{package} {importlib.metadata.version(package)}" for package in PACKAGES]
    save_answers("dipoles-mace", {**found, "made_with": np.array(made_with)})


if __name__ == "__main__":
    main()
