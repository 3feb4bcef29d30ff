"""Writes fixtures/: structures, sevenn's float64 answers, and how far its own float32 is off.

    python tests/reference/sevennet_fixtures.py [--only NAME]

needs the packages of requirements.txt. The model is built with float64 as torch's default and given
the checkpoint's weights, so that couplings and constants are exact; that it is so is checked by
finite differences. The edges come from the tests' own brute-force list (sevenn's own list loses
edges where the rows it invents for non-periodic axes depend on the periodic ones); where all or no
axes are periodic, the two lists are compared.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
import unittest.mock
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import sevenn
import sevenn._keys as KEY
import torch
from ase import Atoms
from e3nn.o3 import wigner_3j
from sevenn.atom_graph_data import AtomGraphData
from sevenn.checkpoint import SevenNetCheckpoint
from sevenn.nn.node_embedding import OnehotEmbedding
from sevenn.train.dataload import unlabeled_atoms_to_graph

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from edges import find_edges
from fixture_files import HEAD_STRUCTURES, ROOT, heads_arrays, save_answers
from structures import FIXTURES, SUBSET, Structure, build, pack

MEASURED = "sevenn_float32_errors"
PACKAGES = ("torch", "sevenn", "e3nn", "ase", "numpy")
VOIGT = ([0, 1, 2, 0, 1, 2], [0, 1, 2, 1, 2, 0])  # xx yy zz xy yz zx, sevenn's order


class Checkpoint(NamedTuple):
    path: str
    modality: str | None = None
    every_structure: bool = False
    has_tables: bool = True  # of Wigner 3j, which old checkpoints hold rounded


# A tiny checkpoint of three fidelities, whose one-hot enters everywhere: its answers for each.
MODAL = ROOT / "clients" / "python" / "tests" / "fixtures" / "modal.pth"

CHECKPOINTS = {
    "sevennet-0": Checkpoint("SevenNet_0__11Jul2024/checkpoint_sevennet_0.pth", None, True),
    "sevennet-0-22may2024": Checkpoint("SevenNet_0__22May2024/checkpoint_sevennet_0.pth"),
    "sevennet-l3i5": Checkpoint("SevenNet_l3i5/checkpoint_l3i5.pth"),
    "sevennet-mf-0-pbe": Checkpoint("SevenNet_MF_0/checkpoint_sevennet_mf_0.pth", "PBE"),
    "sevennet-mf-0-r2scan": Checkpoint("SevenNet_MF_0/checkpoint_sevennet_mf_0.pth", "R2SCAN"),
}


class Evaluation(NamedTuple):
    energy: float  # eV
    energies: np.ndarray  # [n_atoms] eV
    forces: np.ndarray  # [n_atoms, 3] eV/Angstrom
    strain_derivative: np.ndarray  # [3, 3] eV, dE/dstrain


class Reference:
    """One checkpoint in one dtype, evaluated on one structure at a time."""

    def __init__(self, checkpoint: Checkpoint, dtype: torch.dtype) -> None:
        self.dtype, self.modality = dtype, checkpoint.modality
        root = Path(sevenn.__file__).parent / "pretrained_potentials"
        loaded = SevenNetCheckpoint(str(root / checkpoint.path))
        self.r_max = float(loaded.config[KEY.CUTOFF])
        torch.set_default_dtype(dtype)
        try:
            with unittest.mock.patch.object(torch, "allclose", _allclose_across_dtypes):
                self.model = loaded.build_model()
        finally:
            torch.set_default_dtype(torch.float32)
        self.model.to(dtype).eval()
        self.model.set_is_batch_data(False)
        if checkpoint.has_tables:
            _set_exact_couplings(self.model, dtype)
        for module in self.model.modules():
            if isinstance(module, OnehotEmbedding):
                module.register_forward_hook(self._cast_one_hot)

    def _cast_one_hot(self, module, inputs, data):
        for key in filter(None, (module.key_output, module.key_additional_output)):
            data[key] = data[key].to(self.dtype)

    def edges(self, structure: Structure):
        return find_edges(structure.positions, structure.cell, structure.pbc, self.r_max)

    def graph(self, structure: Structure) -> AtomGraphData:
        edges = self.edges(structure)
        numbers = torch.as_tensor(structure.numbers.astype(np.int64))
        data = AtomGraphData(
            x=numbers,
            pos=torch.as_tensor(structure.positions, dtype=self.dtype),
            edge_index=torch.as_tensor(np.array([edges.receivers, edges.senders])),
        )
        data[KEY.ATOMIC_NUMBERS] = numbers
        data[KEY.EDGE_VEC] = torch.as_tensor(edges.vectors, dtype=self.dtype)
        data[KEY.CELL_VOLUME] = torch.tensor(1.0, dtype=self.dtype)
        data[KEY.NUM_ATOMS] = torch.tensor(len(numbers))
        data[KEY.INFO] = {}
        if self.modality:
            data[KEY.DATA_MODALITY] = self.modality
        return data

    def evaluate(self, structure: Structure) -> Evaluation:
        data = self.graph(structure)
        out = {key: value.detach().numpy() for key, value in self._outputs(data).items()}
        assert all(value.dtype == np.dtype(str(self.dtype)[6:]) for value in out.values())
        derivative = np.zeros((3, 3))
        derivative[VOIGT] = -out[KEY.PRED_STRESS].astype(float)
        derivative[VOIGT[::-1]] = derivative[VOIGT]
        energies = out[KEY.ATOMIC_ENERGY].astype(float).ravel()
        forces = out[KEY.PRED_FORCE].astype(float)
        return Evaluation(float(out[KEY.PRED_TOTAL_ENERGY]), energies, forces, derivative)

    def _outputs(self, data: AtomGraphData) -> dict[str, torch.Tensor]:
        data = self.model(data)
        wanted = (KEY.PRED_TOTAL_ENERGY, KEY.ATOMIC_ENERGY, KEY.PRED_FORCE, KEY.PRED_STRESS)
        return {key: data[key] for key in wanted}


def _allclose_across_dtypes(a, b, _allclose=torch.allclose, **tolerances):
    return _allclose(a.double(), b.double(), **tolerances)


def _set_exact_couplings(model: torch.nn.Module, dtype: torch.dtype) -> None:
    """Old checkpoints carry the Wigner 3j in float32: puts the exact ones back."""
    replaced = 0
    for name, buffer in model.named_buffers():
        tail = name.rsplit(".", 1)[-1]
        if tail.startswith("_w3j_"):
            exact = wigner_3j(*map(int, tail.split("_")[2:]), dtype=dtype)
            assert (buffer - exact).abs().max() < 1e-6, name
            buffer.copy_(exact)
            replaced += 1
    assert replaced > 0


def check_float64(reference: Reference, structure: Structure) -> None:
    """Forces and strain derivative against differences of the energy along one direction."""
    rng = np.random.default_rng(3)
    exact = reference.evaluate(structure)
    step = 1e-5  # small: the second derivative of the XPLOR switch jumps at its onset
    direction = rng.normal(size=structure.positions.shape)
    strain = rng.normal(size=(3, 3))
    strain += strain.T
    moved, strained = [], []
    for h in (-2 * step, -step, step, 2 * step):
        shifted = structure._replace(positions=structure.positions + h * direction)
        moved.append(reference.evaluate(shifted).energy)
        deformation = np.eye(3) + h * strain
        deformed = structure._replace(
            positions=structure.positions @ deformation, cell=structure.cell @ deformation
        )
        strained.append(reference.evaluate(deformed).energy)
    weights = np.array([1, -8, 8, -1]) / (12 * step)
    for difference, derivative in (
        (weights @ moved, -np.sum(exact.forces * direction)),
        (weights @ strained, np.sum(exact.strain_derivative * strain)),
    ):
        error = abs(difference - derivative) / (1 + abs(derivative))
        print(f"  finite difference {difference:+.10f} derivative {derivative:+.10f} {error:.1e}")
        assert error < 1e-8


def check_edges(reference: Reference, structure: Structure) -> None:
    """Where sevenn's own list is well defined, it finds as many edges of the same lengths."""
    if structure.pbc.any() and not structure.pbc.all():
        return
    edges = reference.edges(structure)
    atoms = Atoms(structure.numbers, structure.positions, cell=structure.cell, pbc=structure.pbc)
    graph = unlabeled_atoms_to_graph(atoms, reference.r_max)
    theirs = np.sort(np.linalg.norm(np.reshape(graph[KEY.EDGE_VEC], (-1, 3)), axis=1))
    ours = np.sort(np.linalg.norm(edges.vectors, axis=1))
    assert theirs.shape == ours.shape and np.allclose(theirs, ours, atol=1e-10)


def make(name: str, checkpoint: Checkpoint, structures: dict[str, Structure]) -> dict:
    """The arrays of one checkpoint's fixture file."""
    reference = Reference(checkpoint, torch.float64)
    single = Reference(checkpoint, torch.float32)
    for key in ("s22-water-dimer", "batio3", "layer-mos2"):
        check_float64(reference, structures[key])
    names = list(structures) if checkpoint.every_structure else list(SUBSET)
    rows = {key: [] for key in ("energies", "forces", "virial", "stress", "n_edges", "float32")}
    for key in names:
        structure = structures[key]
        check_edges(reference, structure)
        exact, rough = reference.evaluate(structure), single.evaluate(structure)
        volume = abs(np.linalg.det(structure.cell)) if structure.pbc.all() else np.nan
        rows["energies"].append(exact.energies)
        rows["forces"].append(exact.forces)
        rows["virial"].append(-exact.strain_derivative)
        rows["stress"].append(exact.strain_derivative / volume)
        rows["n_edges"].append(len(reference.edges(structure).receivers))
        errors = (
            abs(rough.energy - exact.energy) / len(structure.numbers),
            np.abs(rough.forces - exact.forces).max(),
            np.abs((rough.strain_derivative - exact.strain_derivative) / volume).max(),
        )
        rows["float32"].append(errors)
        print(f"  {key:24s} " + " ".join(f"{e:.1e}" for e in errors), flush=True)
    return {
        "names": np.array(names),
        "energies": np.concatenate(rows["energies"]),
        "forces": np.concatenate(rows["forces"]),
        "virial": np.array(rows["virial"]),
        "stress": np.array(rows["stress"]),
        "n_edges": np.array(rows["n_edges"]),
        MEASURED: np.array(rows["float32"]),
        "made_with": np.array([f"{p} {importlib.metadata.version(p)}" for p in PACKAGES]),
    }


def make_heads(structures: dict[str, Structure]) -> dict[str, np.ndarray]:
    """The answers of every fidelity of MODAL: fixtures/sevennet-heads.npz (test_heads.py)."""
    found = {}
    for name in ("first", "second", "third"):
        reference = Reference(Checkpoint(str(MODAL), name, has_tables=False), torch.float64)
        check_float64(reference, structures["s22-water-dimer"])
        found[name] = [reference.evaluate(structures[key]) for key in HEAD_STRUCTURES]
    return heads_arrays(found, HEAD_STRUCTURES, PACKAGES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=CHECKPOINTS, help="one checkpoint")
    only = parser.parse_args().only
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    FIXTURES.mkdir(exist_ok=True)
    structures = build()
    save_answers("structures", pack(structures))
    if only is None:
        save_answers("sevennet-heads", make_heads(structures))
    for name, checkpoint in CHECKPOINTS.items():
        if only in (None, name):
            print(name, flush=True)
            save_answers(name, make(name, checkpoint, structures))


if __name__ == "__main__":
    main()
