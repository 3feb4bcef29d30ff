"""Writes fixtures/nequip/nequix-*: small random Nequix models, converted, and nequix's answers.

    python tests/reference/nequix_fixtures.py [--only NAME]

needs the packages of requirements-nequix.txt. Models are built by jax and saved as both of nequix's
backends save them; the converter must find the same numbers in either file, where neither jax nor
torch can be imported. The answers in float64 are those of nequix's torch model with these weights;
what that lacks, weights by species and layers without norms, is compared with jax by
clients/python/tests/test_nequix.py. Also writes the answers of
the published weights that are there (tests/support/published.py), to fixtures/published/.
"""

# ruff: noqa: E402
from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "clients" / "python")]
from edges import find_edges
from fixture_files import (
    Evaluation,
    answers,
    check_derivatives,
    decorated,
    save_answers,
    save_model,
)
from nequix.model import Nequix, load_model
from nequix.model import save_model as save_nqx
from nequix.torch_impl.model import save_model as save_torch
from nequix.torch_impl.utils import convert_model_jax_to_torch
from published import PUBLISHED, weights_of
from structures import Structure, load

from irrepd import safetensors

PACKAGES = ("torch", "jax", "nequix", "e3nn", "e3nn-jax", "numpy")
STRUCTURES = (
    "atom-isolated", "atom-tiny-cell", "atom-left-handed", "dimer-n2", "dimer-stretched",
    "s22-water-dimer", "s22-adenine-thymine", "g2-ethanol", "slab-pt-co", "wire-nanotube",
    "layer-mos2", "si-sheared", "quartz", "quartz-mirrored", "batio3", "crystal-water",
)  # fmt: skip
PUBLISHED_STRUCTURES = (
    "atom-isolated", "atom-tiny-cell", "dimer-n2", "s22-water-dimer", "s22-adenine-thymine",
    "g2-ethanol", "si-sheared", "quartz", "batio3",
)  # fmt: skip
CONVERT = (
    "import sys; sys.modules['torch'] = sys.modules['jax'] = sys.modules['equinox'] = None\n"
    "from irrepd.convert.__main__ import main\n"
    "sys.exit(main(sys.argv[1:]))"
)
COMMON = {
    "n_layers": 3, "radial_basis_size": 6, "radial_mlp_size": 8, "radial_mlp_layers": 2,
    "radial_polynomial_p": 6.0, "mlp_init_scale": 4.0, "index_weights": False, "layer_norm": True,
    "scale": 0.75, "shift": -1.25, "avg_n_neighbors": 13.5,
}  # fmt: skip
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "nequix-l3": {
        **COMMON, "atomic_numbers": [8, 1, 6], "cutoff": 4.4, "lmax": 3,
        "hidden_irreps": "8x0e+4x1o+3x2e+2x3o", "atom_energies": {"1": -1.5, "6": 0.5, "8": 2.0},
    },
}  # fmt: skip


def build(config: dict[str, Any]) -> Nequix:
    """With gains of norms that are not all one."""
    numbers = sorted(config["atomic_numbers"])
    options = {key: config[key] for key in COMMON}
    options |= {key: config[key] for key in ("lmax", "cutoff", "hidden_irreps")}
    energies = [config["atom_energies"][str(number)] for number in numbers]
    model = Nequix(jax.random.key(7), n_species=len(numbers), atom_energies=energies, **options)
    rng = np.random.default_rng(5)
    found = [layer.layer_norm.affine_weight for layer in model.layers if layer.layer_norm]
    changed = jax.tree.map(
        lambda gain: gain * (1 + 0.3 * rng.uniform(-1, 1, gain.shape)).astype(np.float32), found
    )
    return (
        eqx.tree_at(
            lambda m: [layer.layer_norm.affine_weight for layer in m.layers if layer.layer_norm],
            model,
            changed,
        )
        if found
        else model
    )


def _evaluation(edges: Any, n: int, energies: np.ndarray, gradient: np.ndarray) -> Evaluation:
    """From the derivative of the energy by each vector, from receiver to sender."""
    forces = np.zeros((n, 3))
    np.add.at(forces, edges.receivers, gradient)
    np.add.at(forces, edges.senders, -gradient)
    strain = edges.vectors.T @ gradient
    return Evaluation(energies.astype(float).ravel(), forces, (strain + strain.T) / 2)


class Torch:
    """nequix's torch model, on one structure at a time."""

    def __init__(self, model: Nequix, config: dict[str, Any], dtype: torch.dtype):
        torch.set_default_dtype(dtype)
        self.dtype, self.r_max = dtype, config["cutoff"]
        self.numbers = sorted(config["atomic_numbers"])
        self.model, _ = convert_model_jax_to_torch(model, config, False)
        # In the order of species, as jax has it; with unsorted elements the other is not.
        self.model.atom_energies = torch.from_numpy(np.array(model.atom_energies))
        self.model = self.model.to(dtype).eval()

    def __call__(self, structure: Structure) -> Evaluation:
        torch.set_default_dtype(self.dtype)
        edges = find_edges(structure.positions, structure.cell, structure.pbc, self.r_max)
        species = torch.tensor([self.numbers.index(z) for z in structure.numbers])
        vectors = torch.tensor(edges.vectors, dtype=self.dtype, requires_grad=True)
        senders, receivers = (torch.tensor(x) for x in (edges.senders, edges.receivers))
        energies = self.model.node_energies(vectors, species, senders, receivers)
        [gradient] = torch.autograd.grad(energies.sum(), vectors)
        found = gradient.numpy().astype(float)
        return _evaluation(edges, len(species), energies.detach().numpy(), found)


def upstreams(model: Nequix, config: dict[str, Any]) -> list[Torch]:
    return [Torch(model, config, torch.float64), Torch(model, config, torch.float32)]


def convert(source: Path, target: Path) -> Path:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "clients" / "python")}
    command = [sys.executable, "-c", CONVERT, str(source), str(target), "--name", source.stem]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return target


def make(name: str, config: dict[str, Any], folder: Path) -> None:
    model = build(config)
    source = folder / f"{name}.nqx"
    save_nqx(source, model, config)
    converted = convert(source, folder / "jax")
    torch.set_default_dtype(torch.float32)
    twin, _ = convert_model_jax_to_torch(model, config, False)
    twin.atom_energies = torch.from_numpy(np.array(model.atom_energies))
    save_torch(folder / f"{name}.pt", twin, config)
    (one, _), (other, _) = (
        safetensors.read(path)
        for path in (converted, convert(folder / f"{name}.pt", folder / "torch"))
    )
    assert list(one) == list(other)
    assert all(np.array_equal(tensor, other[key]) for key, tensor in one.items())
    exact, rough = upstreams(model, config)
    numbers = sorted(config["atomic_numbers"])
    chosen = {key: decorated(load()[key], numbers) for key in STRUCTURES}
    check_derivatives(exact, chosen["batio3"])
    save_model(f"nequip/{name}", converted)
    save_answers(f"nequip/{name}", answers(exact, rough, config["cutoff"], chosen, PACKAGES))


def make_published(name: str) -> None:
    model, config = load_model(str(weights_of(name)))
    exact, rough = upstreams(model, config)
    found = answers(exact, rough, config["cutoff"], PUBLISHED_STRUCTURES, PACKAGES)
    save_answers(f"published/{name}", found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=(*CONFIGURATIONS, *PUBLISHED), help="one model")
    only = parser.parse_args().only
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        for name, config in CONFIGURATIONS.items():
            if only in (None, name):
                print(name, flush=True)
                make(name, config, Path(scratch))
    for name in PUBLISHED:
        if only in (None, name) and weights_of(name) is not None:
            print(name, flush=True)
            make_published(name)


if __name__ == "__main__":
    main()
