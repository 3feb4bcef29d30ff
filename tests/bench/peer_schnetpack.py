"""schnetpack: SchNet, PaiNN and SO3net with random weights."""

from __future__ import annotations

from typing import Any, TypeVar

from peer import SEED, serve

R_MAX = 5.0


def schnetpack() -> Any:
    """The package; torch 2.13 lacks a name that it imports."""
    import torch.utils.data.dataloader

    torch.utils.data.dataloader.T_co = TypeVar("T_co", covariant=True)
    import schnetpack
    import schnetpack.atomistic
    import schnetpack.interfaces
    import schnetpack.model
    import schnetpack.representation

    return schnetpack


class SchNetPack:
    packages = ("torch", "schnetpack", "matscipy")

    def make(self, model: str, path: str) -> None:
        import torch

        spk = schnetpack()
        torch.manual_seed(SEED)
        radial = {
            "radial_basis": spk.nn.GaussianRBF(20, R_MAX),
            "cutoff_fn": spk.nn.CosineCutoff(R_MAX),
        }
        if model == "schnet-128":
            representation = spk.representation.SchNet(128, 3, **radial)
        elif model == "painn-128":
            representation = spk.representation.PaiNN(128, 3, **radial)
        else:
            representation = spk.representation.SO3net(64, 3, lmax=2, **radial)
        potential = spk.model.NeuralNetworkPotential(
            representation,
            input_modules=[spk.atomistic.Strain(), spk.atomistic.PairwiseDistances()],
            output_modules=[
                spk.atomistic.Atomwise(representation.n_atom_basis, output_key="energy"),
                spk.atomistic.Forces(calc_stress=True),
            ],
            postprocessors=[spk.transform.CastTo64()],
        )
        torch.save(potential.eval(), path)

    def load(self, model: str, path: str, precision: str) -> None:
        import torch

        spk = schnetpack()
        dtype = getattr(torch, precision)
        self.network = torch.load(path, weights_only=False).to(dtype).eval()
        self.converter = spk.interfaces.AtomsConverter(
            spk.transform.MatScipyNeighborList(cutoff=R_MAX), dtype=dtype
        )

    def prepare(self, atoms: Any) -> Any:
        return self.converter(atoms)

    def evaluate(self, data: Any) -> float:
        out = self.network(data)
        out["forces"].detach().numpy()
        out["stress"].detach().numpy()
        return out["energy"].item()


if __name__ == "__main__":
    serve(SchNetPack())
