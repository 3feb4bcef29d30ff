"""Trains the example models/mace-small.safetensors.

    python tests/reference/train_mace.py

with the packages of requirements-mace.txt, build/libirrep.so and build/models/ for the labels. The
errors on held-back molecules go into the card.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import mace_fixtures  # first: it makes e3nn importable
import numpy as np
import torch
from e3nn import o3
from fixture_files import find_edges
from training_data import ELEMENTS, Example, load_data, reference_energies, save_example

from irrepd.convert import convert

R_MAX = 4.5  # Angstrom
BATCH = 10
FORCES_WEIGHT = 0.1  # Angstrom^2
RATE = 1e-2
AVERAGE_OVER = 0.99  # of the weights' moving average
CITATION = (
    "I. Batatia et al., Advances in Neural Information Processing Systems 35, 11423 (2022); "
    "arXiv:2206.07697"
)


def build(references: dict[int, float], scale: float) -> torch.nn.Module:
    model = mace_fixtures.build(
        numbers=ELEMENTS,
        hidden="32x0e+32x1o",
        first="",
        dtype=torch.float32,
        seed=0,
        r_max=R_MAX,
        num_bessel=8,
        max_ell=2,
        correlation=3,
        radial_MLP=[32, 32],
        MLP_irreps=o3.Irreps("16x0e"),
        avg_num_neighbors=9.0,
    )
    model.atomic_energies_fn.atomic_energies[:] = torch.tensor([references[z] for z in ELEMENTS])
    model.scale_shift.scale.fill_(scale)
    model.scale_shift.shift.zero_()
    return model


def graph_of(example: Example) -> dict[str, np.ndarray]:
    structure = example.structure
    edges = find_edges(structure.positions, structure.cell, structure.pbc, R_MAX)
    species = np.searchsorted(ELEMENTS, structure.numbers)
    return {
        "positions": structure.positions.astype(np.float32),
        "node_attrs": np.eye(len(ELEMENTS), dtype=np.float32)[species],
        "edge_index": np.array([edges.senders, edges.receivers]),
    }


def collate(graphs: list[dict[str, np.ndarray]]) -> dict[str, torch.Tensor]:
    sizes = np.array([len(graph["positions"]) for graph in graphs])
    ends = np.concatenate([[0], np.cumsum(sizes)])
    pairs = [graph["edge_index"] + start for graph, start in zip(graphs, ends)]
    batch = {
        "positions": np.concatenate([graph["positions"] for graph in graphs]),
        "node_attrs": np.concatenate([graph["node_attrs"] for graph in graphs]),
        "edge_index": np.concatenate(pairs, axis=1),
        "batch": np.repeat(np.arange(len(graphs)), sizes),
        "ptr": ends,
        "head": np.zeros(len(graphs), dtype=np.int64),
        "cell": np.zeros((3 * len(graphs), 3), dtype=np.float32),
    }
    batch["shifts"] = np.zeros((batch["edge_index"].shape[1], 3), dtype=np.float32)
    batch["unit_shifts"] = batch["shifts"]
    return {key: torch.as_tensor(value) for key, value in batch.items()}


def train(model: torch.nn.Module, examples: list[Example], epochs: int) -> None:
    """Adam with a rate that falls like a cosine; the model ends with averaged weights."""
    graphs = [graph_of(example) for example in examples]
    energies = np.array([example.energy for example in examples])
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, amsgrad=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    averages = [parameter.detach().clone() for parameter in model.parameters()]
    rng = np.random.default_rng(0)
    for epoch in range(epochs):
        order = rng.permutation(len(examples))
        losses = []
        for start in range(0, len(order) - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            batch = collate([graphs[i] for i in chosen])
            sizes = batch["ptr"][1:] - batch["ptr"][:-1]
            forces = np.concatenate([examples[i].forces for i in chosen]).astype(np.float32)
            expected = torch.as_tensor(energies[chosen].astype(np.float32))
            found = model(batch, training=True, compute_force=True)
            per_atom = (found["energy"] - expected) / sizes
            apart = (found["forces"] - torch.as_tensor(forces)).square().mean()
            loss = per_atom.square().mean() + FORCES_WEIGHT * apart
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            for average, parameter in zip(averages, model.parameters()):
                average.lerp_(parameter.detach(), 1 - AVERAGE_OVER)
            losses.append(loss.item())
        schedule.step()
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.2e}", flush=True)
    with torch.no_grad():
        for average, parameter in zip(averages, model.parameters()):
            parameter.copy_(average)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=8)
    epochs = parser.parse_args().epochs
    torch.set_num_threads(1)
    data = load_data()
    scale = float(np.sqrt(np.mean([np.mean(e.forces**2) for e in data.train])))
    model = build(reference_energies(data.train), scale)
    train(model, data.train, epochs)
    about = {
        "name": "mace-small",
        "description": "A small example trained for minutes, to try irrepd with; not for research",
        "source": "tests/reference/train_mace.py of irrepd",
        "license": "MIT",
        "citation": CITATION,
    }
    with tempfile.TemporaryDirectory() as folder:
        checkpoint, converted = Path(folder) / "mace.model", Path(folder) / "mace.safetensors"
        torch.save(model, checkpoint)
        convert(checkpoint, converted, about=about)
        training = {"package": "mace-torch 0.3.16", "epochs": epochs}
        save_example("mace-small", converted, data, training)


if __name__ == "__main__":
    main()
