"""Writes fixtures/releases/ of the installed schnetpack (release_fixtures.py): random weights."""

# ruff: noqa: E402 - names must be there before schnetpack is imported

from __future__ import annotations

import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytorch_lightning.accelerators as accelerators
import torch
from release_answers import R_MAX, Evaluate, Structure, save

# Names that schnetpack 2.0.0 imports, and newer torch and Lightning have under others.
accelerators.GPUAccelerator = accelerators.CUDAAccelerator
from schnetpack_fixtures import Upstream, bessel, gaussian, snn  # isort: skip
from schnetpack.atomistic import Atomwise, Forces, PairwiseDistances, Strain
from schnetpack.model import NeuralNetworkPotential
from schnetpack.representation import PaiNN, SchNet, SO3net
from schnetpack.transform import AddOffsets, CastTo64

SCHNETPACK = version("schnetpack")
MODELS = {
    "schnet": lambda: SchNet(6, 2, **gaussian(6, R_MAX)),
    "so3net": lambda: SO3net(5, 2, lmax=2, **bessel(5, R_MAX)),
    "painn": lambda: PaiNN(6, 2, **gaussian(6, R_MAX)),
}


def build(representation: torch.nn.Module) -> torch.nn.Module:
    readout = Atomwise(
        representation.n_atom_basis, output_key="energy", per_atom_output_key="energies"
    )
    offsets = AddOffsets("energy", zmax=10, add_mean=True, add_atomrefs=True)
    model = NeuralNetworkPotential(
        representation,
        input_modules=[Strain(), PairwiseDistances()],
        output_modules=[readout, Forces(calc_stress=True)],
        postprocessors=[CastTo64(), offsets],
        do_postprocessing=True,  # as schnetpack's own training saves models
    )
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1 and not parameter.any():
                parameter.normal_(0.0, 0.2)
        for module in model.modules():
            if isinstance(module, snn.SO3Convolution):
                module.filternet.weight.mul_(4.0)
        offsets.mean.normal_(-4.0, 1.0)
        offsets.atomref.normal_(-20.0, 10.0)
    return model.eval()


def give_energies(atomwise: torch.nn.Module) -> None:
    """Atomwise of 2.0.0 keeps the energies of atoms to itself."""
    plain = atomwise.forward

    def forward(inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        energies = atomwise.outnet(inputs["scalar_representation"])
        return {"energies": energies.squeeze(-1), **plain(inputs)}

    atomwise.forward = forward


def evaluator(path: Path) -> Evaluate:
    upstream = Upstream(path, torch.float64)
    give_energies(upstream.model.output_modules[0])

    def evaluate(structure: Structure) -> tuple[np.ndarray, np.ndarray]:
        numbers = np.array(structure.numbers)
        found = upstream.evaluate(structure._replace(numbers=numbers))
        return found.energies, found.forces

    return evaluate


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        for seed, (name, representation) in enumerate(MODELS.items()):
            torch.manual_seed(seed)
            path = Path(scratch) / f"{name}.pt"
            torch.save(build(representation()), path)
            code = [f"schnetpack {SCHNETPACK}"]
            save(f"schnetpack-{SCHNETPACK}-{name}.pt", path, evaluator(path), made_with=code)


if __name__ == "__main__":
    main()
