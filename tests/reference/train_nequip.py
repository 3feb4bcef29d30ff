"""Trains the examples models/nequip-small.safetensors and models/allegro-small.safetensors.

    python tests/reference/train_nequip.py nequip|allegro

with the packages of requirements-NAME.txt, build/libirrep.so and build/models/ for the labels.
The errors on held-back molecules go into the card.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fixture_files import find_edges
from nequip.utils.global_state import set_global_state
from nequip_upstream import builder_in, save_checkpoint
from training_data import ELEMENTS, Example, load_data, reference_energies, save_example

from irrepd.convert import convert
from irrepd.convert.nequip_model import SYMBOLS

TYPES = [SYMBOLS[z - 1] for z in ELEMENTS]
R_MAX = 4.5  # Angstrom
BATCH = {"nequip": 8, "allegro": 16}
FORCES_WEIGHT = 0.1  # Angstrom^2
RATE = 1e-2
AVERAGE = 0.99  # decay of the weights' average, which is what is kept
EPOCHS = {"nequip": 25, "allegro": 30}
FORMS: dict[str, dict[str, Any]] = {
    # Preset S's, narrower and deeper.
    "nequip": {
        "_target_": "nequip.model.PresetNequIPGNNModel",
        "preset": "S",
        "num_layers": 3,
        "num_features": [32, 16],
        "type_embed_num_features": 16,
        "radial_mlp_width": 64,
    },
    "allegro": {
        "_target_": "allegro.model.AllegroModel",
        "l_max": 1,
        "parity": True,
        "num_layers": 2,
        "num_scalar_features": 32,
        "num_tensor_features": 8,
        "radial_chemical_embed": {"_target_": "allegro.nn.TwoBodyBesselScalarEmbed"},
        "scalar_embed_mlp_hidden_layers_width": 32,
        "allegro_mlp_hidden_layers_width": 32,
        "readout_mlp_hidden_layers_width": 16,
    },
}
PACKAGES = {"nequip": "nequip 0.19.1", "allegro": "nequip-allegro 0.8.3"}
CITATIONS = {
    "nequip": "S. Batzner et al., Nature Communications 13, 2453 (2022), "
    "10.1038/s41467-022-29939-5",
    "allegro": "A. Musaelian et al., Nature Communications 14, 579 (2023), "
    "10.1038/s41467-023-36329-y",
}


def options_of(
    name: str, examples: list[Example], graphs: list[dict[str, np.ndarray]]
) -> dict[str, Any]:
    """A model's form with statistics of the data."""
    energies = reference_energies(examples)
    forces = np.concatenate([example.forces.ravel() for example in examples])
    edges = sum(graph["edge_index"].shape[1] for graph in graphs)
    return {
        **FORMS[name],
        "r_max": R_MAX,
        "type_names": TYPES,
        "avg_num_neighbors": edges / sum(len(graph["pos"]) for graph in graphs),
        "per_type_energy_scales": float(np.sqrt(np.mean(forces**2))),
        "per_type_energy_shifts": {s: energies[z] for s, z in zip(TYPES, ELEMENTS)},
    }


def graph_of(example: Example) -> dict[str, np.ndarray]:
    structure = example.structure
    edges = find_edges(structure.positions, structure.cell, structure.pbc, R_MAX)
    return {
        "pos": structure.positions,
        "atom_types": np.array([ELEMENTS.index(z) for z in structure.numbers]),
        "edge_index": np.array([edges.receivers, edges.senders]),
    }


def collate(graphs: list[dict[str, np.ndarray]]) -> dict[str, torch.Tensor]:
    sizes = np.array([len(graph["pos"]) for graph in graphs])
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    edges = [graph["edge_index"] + start for graph, start in zip(graphs, first)]
    return {
        "pos": torch.as_tensor(np.concatenate([graph["pos"] for graph in graphs])),
        "atom_types": torch.as_tensor(np.concatenate([graph["atom_types"] for graph in graphs])),
        "edge_index": torch.as_tensor(np.concatenate(edges, axis=1)),
        "batch": torch.as_tensor(np.repeat(np.arange(len(graphs)), sizes)),
        "num_atoms": torch.as_tensor(sizes),
    }


def builder_for(name: str) -> Any:
    if name == "nequip":
        from nequip.model import nequip_models as builders
    else:
        from allegro.model import allegro_models as builders
    return builder_in(builders)


def train(
    model: torch.nn.Module,
    examples: list[Example],
    graphs: list[dict[str, np.ndarray]],
    epochs: int,
    size: int,
) -> None:
    """Adam with a rate that falls like a cosine; the model ends with averaged weights."""
    energies = np.array([example.energy for example in examples])
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGE)
    )
    rng = np.random.default_rng(0)
    for epoch in range(epochs):
        order = rng.permutation(len(examples))
        for start in range(0, len(order) - size + 1, size):
            chosen = order[start : start + size]
            batch = collate([graphs[i] for i in chosen])
            sizes = batch["num_atoms"]
            forces = torch.as_tensor(np.concatenate([examples[i].forces for i in chosen]))
            found = model(batch)
            error = found["total_energy"].ravel() - torch.as_tensor(energies[chosen])
            loss = (error / sizes).square().mean()
            loss = loss + FORCES_WEIGHT * (found["forces"] - forces).square().mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            average.update_parameters(model)
        schedule.step()
        if epoch % 5 == 4:
            print(f"epoch {epoch + 1}: last loss {float(loss.detach()):.2e}", flush=True)
    model.load_state_dict(average.module.state_dict())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=FORMS)
    parser.add_argument("--epochs", type=int)
    given = parser.parse_args()
    name, epochs = given.name, given.epochs or EPOCHS[given.name]
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    set_global_state()
    data = load_data()
    graphs = [graph_of(example) for example in data.train]
    options = options_of(name, data.train, graphs)
    model = builder_for(name)(options, None).train()
    train(model, data.train, graphs, epochs, BATCH[name])
    about = {
        "name": f"{name}-small",
        "description": "A small example trained for minutes, to try irrepd with; not for research",
        "source": "tests/reference/train_nequip.py of irrepd",
        "license": "MIT",
        "citation": CITATIONS[name],
    }
    with tempfile.TemporaryDirectory() as folder:
        checkpoint, converted = Path(folder) / "model.ckpt", Path(folder) / "model.safetensors"
        save_checkpoint(checkpoint, options, model.eval())
        convert(checkpoint, converted, about=about)
        training = {"package": PACKAGES[name], "epochs": epochs}
        save_example(f"{name}-small", converted, data, training)


if __name__ == "__main__":
    main()
