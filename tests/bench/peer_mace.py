"""mace-torch: the architectures of MACE-MP-0, and a small one, with random weights."""

from __future__ import annotations

from typing import Any

from peer import SEED, serve

# Batatia et al. 2024, arXiv:2401.00096, table of hyperparameters.
MEDIUM = "128x0e + 128x1o"
HIDDEN = {
    "mace-medium": MEDIUM,
    "mace-medium-float64": MEDIUM,
    "mace-small": "128x0e",
    "mace-small-float64": "128x0e",
    "mace-32": "32x0e + 32x1o",
    "mace-32-float64": "32x0e + 32x1o",
}
ELEMENTS = {"mace-32": [1, 6, 7, 8], "mace-32-float64": [1, 6, 7, 8]}
UNIVERSAL = list(range(1, 90))


class Mace:
    packages = ("torch", "mace-torch", "e3nn", "matscipy")

    def make(self, model: str, path: str) -> None:
        import numpy as np
        import torch
        from e3nn import o3
        from mace import modules

        torch.set_default_dtype(torch.float64 if "float64" in model else torch.float32)
        torch.manual_seed(SEED)
        numbers = ELEMENTS.get(model, UNIVERSAL)
        block = modules.interaction_classes["RealAgnosticResidualInteractionBlock"]
        network = modules.ScaleShiftMACE(
            r_max=5.0 if model in ELEMENTS else 6.0,
            num_bessel=10,
            num_polynomial_cutoff=5,
            max_ell=3,
            correlation=3,
            num_interactions=2,
            interaction_cls=block,
            interaction_cls_first=block,
            hidden_irreps=o3.Irreps(HIDDEN[model]),
            MLP_irreps=o3.Irreps("16x0e"),
            radial_MLP=[64, 64, 64],
            gate=torch.nn.functional.silu,
            num_elements=len(numbers),
            atomic_numbers=numbers,
            atomic_energies=np.linspace(-3.0, 2.0, len(numbers)),
            avg_num_neighbors=61.96,
            atomic_inter_scale=0.8,
            atomic_inter_shift=0.16,
        )
        torch.save(network, path)

    def load(self, model: str, path: str, precision: str) -> None:
        from mace.calculators import MACECalculator

        self.calculator = MACECalculator(model_paths=path, device="cpu", default_dtype=precision)
        self.network = self.calculator.models[0]

    def prepare(self, atoms: Any) -> Any:
        return self.calculator._atoms_to_batch(atoms).to_dict()

    def evaluate(self, data: Any) -> float:
        out = self.network(data, compute_stress=True)
        out["forces"].detach().numpy()
        out["stress"].detach().numpy()
        return out["energy"].sum().item()

    def derivative(self, what: str, atoms: Any) -> Any:
        """An array: the Hessian, or the invariant descriptors."""
        if what == "hessian":
            return self.calculator.get_hessian(atoms)
        return self.calculator.get_descriptors(atoms, invariants_only=True)

    def batch(self, atoms: Any, size: int) -> Any:
        """A batch of copies, as mace's own loader makes it."""
        from mace import data
        from mace.tools import torch_geometric

        calculator = self.calculator
        config = data.config_from_atoms(atoms)
        graphs = [
            data.AtomicData.from_config(
                config, z_table=calculator.z_table, cutoff=calculator.r_max, heads=["Default"]
            )
            for _ in range(size)
        ]
        loader = torch_geometric.dataloader.DataLoader(graphs, batch_size=size, shuffle=False)
        return next(iter(loader)).to_dict()


if __name__ == "__main__":
    serve(Mace())
