"""Trains the examples models/schnet-small.safetensors and models/so3net-small.safetensors.

    python tests/reference/train_schnetpack.py schnet|so3net

with the packages of requirements-schnetpack.txt, build/libirrep.so and build/models/ for the
labels. The errors on held-back molecules go into the card.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import schnetpack_fixtures  # noqa: F401 - first: it makes schnetpack importable
import torch
from fixture_files import find_edges
from schnetpack import properties
from schnetpack.atomistic import Atomwise, Forces, PairwiseDistances
from schnetpack.model import NeuralNetworkPotential
from schnetpack.nn import CosineCutoff, GaussianRBF
from schnetpack.representation import SchNet, SO3net
from schnetpack.transform import AddOffsets, CastTo64
from training_data import ELEMENTS, Example, load_data, reference_energies, save_example

from irrepd.convert import convert

R_MAX = 5.0  # Angstrom
BATCH = 24
FORCES_WEIGHT = 0.1  # Angstrom^2
RATE = 2e-3
EPOCHS = {"schnet": 120, "so3net": 100}
REPRESENTATIONS = {
    "schnet": lambda **common: SchNet(64, 3, **common),
    "so3net": lambda **common: SO3net(32, 2, lmax=1, **common),
}
CITATIONS = {
    "schnet": "K. T. Schuett et al., J. Chem. Phys. 148, 241722 (2018), 10.1063/1.5019779",
    "so3net": "K. T. Schuett et al., J. Chem. Phys. 158, 144801 (2023), 10.1063/5.0138367",
}


def build(name: str, references: dict[int, float]) -> NeuralNetworkPotential:
    torch.manual_seed(0)
    representation = REPRESENTATIONS[name](
        radial_basis=GaussianRBF(20, R_MAX), cutoff_fn=CosineCutoff(R_MAX), max_z=max(ELEMENTS) + 1
    )
    readout = Atomwise(representation.n_atom_basis, output_key="energy")
    offsets = AddOffsets("energy", add_atomrefs=True, zmax=max(ELEMENTS) + 1)
    for number, energy in references.items():
        offsets.atomref[number] = energy
    return NeuralNetworkPotential(
        representation,
        input_modules=[PairwiseDistances()],
        output_modules=[readout, Forces()],
        postprocessors=[CastTo64(), offsets],
    )


def graph_of(example: Example) -> dict[str, np.ndarray]:
    structure = example.structure
    edges = find_edges(structure.positions, structure.cell, structure.pbc, R_MAX)
    return {
        properties.Z: structure.numbers.astype(np.int64),
        properties.R: structure.positions.astype(np.float32),
        properties.idx_i: edges.receivers,
        properties.idx_j: edges.senders,
    }


def collate(graphs: list[dict[str, np.ndarray]]) -> dict[str, torch.Tensor]:
    sizes = np.array([len(graph[properties.Z]) for graph in graphs])
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    batch = {
        key: np.concatenate([graph[key] for graph in graphs])
        for key in (properties.Z, properties.R)
    }
    for key in (properties.idx_i, properties.idx_j):
        batch[key] = np.concatenate([graph[key] + start for graph, start in zip(graphs, first)])
    batch[properties.idx_m] = np.repeat(np.arange(len(graphs)), sizes)
    batch[properties.n_atoms] = sizes
    batch[properties.offsets] = np.zeros((len(batch[properties.idx_i]), 3), dtype=np.float32)
    return {key: torch.as_tensor(value) for key, value in batch.items()}


def train(model: NeuralNetworkPotential, examples: list[Example], epochs: int) -> None:
    """Adam with a rate that falls like a cosine."""
    graphs = [graph_of(example) for example in examples]
    energies = np.array([example.energy for example in examples])
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    rng = np.random.default_rng(0)
    for epoch in range(epochs):
        order = rng.permutation(len(examples))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            batch = collate([graphs[i] for i in chosen])
            sizes = batch[properties.n_atoms]
            forces = torch.as_tensor(np.concatenate([examples[i].forces for i in chosen]))
            found = model(batch)
            per_atom = (found["energy"] - torch.as_tensor(energies[chosen])) / sizes
            loss = per_atom.square().mean()
            loss = loss + FORCES_WEIGHT * (found["forces"] - forces).square().mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        schedule.step()
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1}: last loss {float(loss.detach()):.2e}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=REPRESENTATIONS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = load_data()
    model = build(options.name, reference_energies(data.train))
    model.train()
    train(model, data.train, EPOCHS[options.name])
    model.eval()
    about = {
        "name": f"{options.name}-small",
        "description": "A small example trained for minutes, to try irrepd with; not for research",
        "source": "tests/reference/train_schnetpack.py of irrepd",
        "license": "MIT",
        "citation": CITATIONS[options.name],
    }
    with tempfile.TemporaryDirectory() as folder:
        checkpoint, converted = Path(folder) / "model.pt", Path(folder) / "model.safetensors"
        torch.save(model, checkpoint)
        convert(checkpoint, converted, elements=ELEMENTS, about=about)
        training = {"package": "schnetpack 2.0.4", "epochs": EPOCHS[options.name]}
        save_example(f"{options.name}-small", converted, data, training)


if __name__ == "__main__":
    main()
