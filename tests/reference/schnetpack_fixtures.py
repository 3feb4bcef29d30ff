"""Writes fixtures/schnet/, painn/ and so3net/: small SchNetPack potentials with random weights.

    python tests/reference/schnetpack_fixtures.py [--only NAME]

needs torch 2.13.0 and schnetpack 2.0.4. Each model is built in float32, or taken to
float64, saved, and converted without torch in a process of its own. In float64, its
coupling coefficients and the coefficients of its harmonics, which SchNetPack keeps in float32, are
replaced by exact ones; that all is float64 is checked by finite differences.
"""

# ruff: noqa: E402 - torch must have a name before schnetpack is imported

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, TypeVar

import numpy as np
import torch
import torch.utils.data.dataloader

torch.utils.data.dataloader.T_co = TypeVar("T_co", covariant=True)  # schnetpack imports it
warnings.simplefilter("ignore")

import schnetpack.nn as snn
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
from schnetpack import properties
from schnetpack.atomistic import Atomwise, Forces, PairwiseDistances, Strain
from schnetpack.model import NeuralNetworkPotential
from schnetpack.nn.ops import so3
from schnetpack.representation import PaiNN, SchNet, SO3net
from schnetpack.transform import AddOffsets, CastTo64

PACKAGES = ("torch", "schnetpack", "numpy")
CHECKPOINTS = ROOT / "clients" / "python" / "tests" / "fixtures"
MAX_Z = 20  # elements up to potassium
NAMES = (
    "atom-no-edges", "atom-tiny-cell", "dimer-n2", "dimer-stretched", "trimer-linear",
    "s22-water-dimer", "s22-adenine-thymine", "g2-ethanol", "wire-nanotube", "layer-bn-axes-0-2",
    "mgo", "si-sheared", "si-unwrapped", "quartz", "nacl-left-handed", "crystal-co2",
)  # fmt: skip


@dataclass
class Case:
    """How a model is built; representation gets max_z."""

    representation: Callable[..., torch.nn.Module]
    readout: dict[str, Any] = field(default_factory=dict)
    offsets: dict[str, Any] = field(default_factory=dict)  # of AddOffsets; empty: there is none
    gain: float = 1.0  # of SO3net's filters, so that forces are of a few eV/Angstrom
    dtype: torch.dtype = torch.float32
    committed: bool = False  # the checkpoint is committed, for the converter's tests


def gaussian(n: int, cutoff: float = 5.0) -> dict[str, Any]:
    return {"radial_basis": snn.GaussianRBF(n, cutoff), "cutoff_fn": snn.CosineCutoff(cutoff)}


def centered(n: int, cutoff: float) -> dict[str, Any]:
    basis = snn.GaussianRBFCentered(n, cutoff, start=0.7, trainable=True)
    return {"radial_basis": basis, "cutoff_fn": snn.MollifierCutoff(cutoff)}


def bessel(n: int, cutoff: float, mollifier: bool = False) -> dict[str, Any]:
    kind = snn.MollifierCutoff if mollifier else snn.CosineCutoff
    return {"radial_basis": snn.BesselRBF(n, cutoff), "cutoff_fn": kind(cutoff)}


CASES: dict[str, Case] = {
    "schnet/gaussian": Case(
        lambda **z: SchNet(8, 2, **gaussian(10), **z),
        offsets={"add_mean": True, "add_atomrefs": True},
        committed=True,
    ),
    "schnet/bessel-shared": Case(
        lambda **z: SchNet(16, 3, **bessel(6, 4.5), n_filters=24, shared_interactions=True, **z),
        offsets={"add_mean": True},
    ),
    "schnet/centered-mollifier": Case(
        lambda **z: SchNet(17, 1, **centered(7, 6.0), **z), readout={"n_layers": 3}
    ),
    "schnet/silu": Case(
        lambda **z: SchNet(12, 4, **gaussian(20, 3.7), activation=torch.nn.SiLU(), **z),
        readout={"n_hidden": [9, 5], "n_layers": 3, "activation": torch.nn.Tanh()},
        offsets={"add_atomrefs": True},
    ),
    "schnet/many-gaussians": Case(
        lambda **z: SchNet(8, 1, **gaussian(100, 6.0), n_filters=8, **z), readout={"n_layers": 1}
    ),
    "schnet/float64": Case(
        lambda **z: SchNet(8, 2, **bessel(8, 5.0, mollifier=True), **z),
        offsets={"add_mean": True},
        dtype=torch.float64,
    ),
    "so3net/l1": Case(
        lambda **z: SO3net(8, 2, lmax=1, **gaussian(8), **z),
        offsets={"add_mean": True, "add_atomrefs": True},
        committed=True,
        gain=2.5,
    ),
    "so3net/l2": Case(
        lambda **z: SO3net(12, 3, lmax=2, **bessel(6, 4.5), **z), readout={"n_layers": 3}, gain=5.0
    ),
    "so3net/l2-shared": Case(
        lambda **z: SO3net(6, 3, lmax=2, **gaussian(10, 4.0), shared_interactions=True, **z),
        offsets={"add_mean": True},
        gain=5.0,
    ),
    "so3net/l3": Case(
        lambda **z: SO3net(5, 2, lmax=3, **bessel(6, 5.0, mollifier=True), **z), gain=3.0
    ),
    "so3net/l4": Case(
        lambda **z: SO3net(4, 2, lmax=4, **centered(6, 5.0), **z),
        offsets={"add_atomrefs": True},
        gain=1.8,
    ),
    "so3net/one-layer": Case(lambda **z: SO3net(17, 1, lmax=2, **gaussian(9, 5.0), **z), gain=5.0),
    "so3net/float64": Case(
        lambda **z: SO3net(6, 2, lmax=2, **gaussian(8, 4.5), **z), dtype=torch.float64, gain=5.0
    ),
    "painn/gaussian": Case(
        lambda **z: PaiNN(8, 3, **gaussian(10), **z),
        offsets={"add_mean": True, "add_atomrefs": True},
        committed=True,
    ),
    "painn/bessel-shared": Case(
        lambda **z: PaiNN(
            16, 3, **bessel(6, 4.5), shared_interactions=True, shared_filters=True, **z
        ),
        readout={"n_layers": 3},
    ),
    "painn/shared-filters": Case(
        lambda **z: PaiNN(17, 2, **centered(7, 6.0), shared_filters=True, epsilon=1e-4, **z),
        offsets={"add_mean": True},
    ),
    "painn/one-layer": Case(lambda **z: PaiNN(24, 1, **gaussian(9, 5.0), **z)),
    "painn/tanh": Case(
        lambda **z: PaiNN(33, 3, **bessel(8, 4.0, mollifier=True), activation=torch.tanh, **z),
        offsets={"add_atomrefs": True},
    ),
    "painn/float64": Case(
        lambda **z: PaiNN(6, 3, **gaussian(8, 4.5), shared_interactions=True, **z),
        dtype=torch.float64,
    ),
    "schnet/mean": Case(
        lambda **z: SchNet(9, 2, **gaussian(8, 5.5), **z),
        readout={"aggregation_mode": "avg"},
        offsets={"add_mean": True, "add_atomrefs": True, "is_extensive": False},
    ),
}


def build(case: Case, seed: int) -> NeuralNetworkPotential:
    """The model with random weights and offsets, sized so that forces are of order 1."""
    torch.manual_seed(seed)
    representation = case.representation(max_z=MAX_Z)
    readout = Atomwise(
        representation.n_atom_basis,
        output_key="energy",
        per_atom_output_key="energies",
        **case.readout,
    )
    forces = Forces(calc_stress=True)
    offsets = [AddOffsets("energy", zmax=MAX_Z, **case.offsets)] if case.offsets else []
    model = NeuralNetworkPotential(
        representation,
        input_modules=[Strain(), PairwiseDistances()],
        output_modules=[readout, forces],
        postprocessors=[CastTo64(), *offsets],
    )
    model.to(case.dtype)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1 and not parameter.any():
                parameter.normal_(0.0, 0.2)
            if case.dtype == torch.float64:  # beyond the digits of float32
                parameter.add_(1e-4 * torch.randn_like(parameter))
        for module in model.modules():
            if isinstance(module, snn.SO3Convolution):
                module.filternet.weight.mul_(case.gain)
        for module in offsets:
            module.mean.normal_(-4.0, 1.0)
            module.atomref.normal_(-20.0, 10.0)
    return model.eval()


def exact_couplings(l_max: int) -> torch.Tensor:
    """schnetpack's generate_clebsch_gordan_rsh without its detour by complex64."""
    for function in (so3.generate_clebsch_gordan, so3.generate_sh_to_rsh):
        function.cache_clear()
    table = so3.generate_clebsch_gordan(l_max).to(torch.complex128)
    real = so3.generate_sh_to_rsh(l_max).to(torch.complex128)
    table = torch.einsum("ijk,mi,nj,ok->mno", table, real, real, real.conj()).real
    parity = (-1.0) ** so3.sh_indices(l_max)[0]
    return table * (parity[:, None, None] * parity[None, :, None] == parity[None, None, :])


def set_exact_constants(model: torch.nn.Module) -> None:
    """In float64, with torch's default dtype set to it."""
    tables: dict[int, torch.Tensor] = {}
    for module in model.modules():
        if isinstance(module, (snn.SO3Convolution, snn.SO3TensorProduct)):
            table = tables.get(module.lmax)
            if table is None:
                table = tables[module.lmax] = exact_couplings(module.lmax)
            exact = table[module.idx_in_1, module.idx_in_2, module.idx_out]
            assert (exact - module.clebsch_gordan).abs().max() < 1e-6
            module.clebsch_gordan = exact
        if isinstance(module, snn.RealSphericalHarmonics):
            names = ("powers", "zpow", "cAm", "cBm", "cPi")
            for name, exact in zip(names, module._generate_Ylm_coefficients(module.lmax)):
                assert exact.numel() == 0 or (exact - getattr(module, name)).abs().max() < 1e-5
                setattr(module, name, exact)


class Upstream:
    """A saved potential in one dtype, evaluated on one structure at a time."""

    def __init__(self, path: Path, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.model = torch.load(path, weights_only=False).to(dtype).eval()
        self.r_max = float(self.model.representation.cutoff_fn.cutoff[0])
        if dtype == torch.float64:
            torch.set_default_dtype(torch.float64)
            set_exact_constants(self.model)
            torch.set_default_dtype(torch.float32)
        self.model.model_outputs = ["energy", "energies", "forces", "stress"]

    def evaluate(self, structure) -> Evaluation:
        edges = find_edges(structure.positions, structure.cell, structure.pbc, self.r_max)
        receivers, senders = edges.receivers, edges.senders
        between = structure.positions[senders] - structure.positions[receivers]
        n_atoms = len(structure.numbers)
        inputs = {
            properties.Z: torch.as_tensor(structure.numbers.astype(np.int64)),
            properties.R: torch.as_tensor(structure.positions, dtype=self.dtype),
            properties.cell: torch.eye(3, dtype=self.dtype)[None],  # so that stress is dE/dstrain
            properties.offsets: torch.as_tensor(edges.vectors - between, dtype=self.dtype),
            properties.idx_i: torch.as_tensor(receivers),
            properties.idx_j: torch.as_tensor(senders),
            properties.idx_m: torch.zeros(n_atoms, dtype=torch.int64),
            properties.n_atoms: torch.tensor([n_atoms]),
        }
        torch.set_default_dtype(self.dtype)
        try:
            out = {key: value.detach().numpy() for key, value in self.model(inputs).items()}
        finally:
            torch.set_default_dtype(torch.float32)
        energies = out["energies"].astype(float).ravel()
        for module in self.model.postprocessors:
            if isinstance(module, AddOffsets):
                energies = energies + module.add_mean * module.mean.double().numpy()
                atomref = module.atomref.double().numpy()
                energies = energies + module.add_atomrefs * atomref[structure.numbers]
        if self.model.output_modules[0].aggregation_mode == "avg":
            energies = energies / n_atoms
        tolerance = 1e-11 if self.dtype == torch.float64 else 1e-4
        assert abs(energies.sum() - out["energy"][0]) < tolerance * (1 + abs(energies).sum())
        forces = out["forces"].astype(float)
        derivative = out["stress"].astype(float).reshape(3, 3)
        return Evaluation(energies, forces, (derivative + derivative.T) / 2)


def convert(checkpoint: Path, target: Path) -> None:
    """In a fresh process in which torch cannot be imported."""
    command = (
        "import sys; sys.modules['torch'] = sys.modules['schnetpack'] = None; "
        "from irrepd.convert.__main__ import main; sys.exit(main())"
    )
    package = ROOT / "clients" / "python"
    arguments = [sys.executable, "-c", command, str(checkpoint), str(target)]
    subprocess.run(arguments, check=True, cwd=package, stdout=subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=CASES, help="one model")
    only = parser.parse_args().only
    torch.set_num_threads(1)
    structures = load()
    with tempfile.TemporaryDirectory() as folder:
        for seed, (name, case) in enumerate(CASES.items()):
            if only not in (None, name):
                continue
            stem = name.replace("/", "-")
            checkpoint = Path(folder) / f"{stem}.pt"
            target = Path(folder) / f"{stem}.safetensors"
            torch.save(build(case, seed), checkpoint)
            exact, rough = (Upstream(checkpoint, dtype) for dtype in (torch.float64, torch.float32))
            for key in ("s22-water-dimer", "quartz"):
                check_derivatives(exact.evaluate, structures[key])
            save_answers(
                name, answers(exact.evaluate, rough.evaluate, exact.r_max, NAMES, PACKAGES)
            )
            convert(checkpoint, target)
            if save_model(name, target) and case.committed:
                shutil.copy(checkpoint, CHECKPOINTS)
            print(f"{name}: checkpoint of {checkpoint.stat().st_size} bytes", flush=True)


if __name__ == "__main__":
    main()
