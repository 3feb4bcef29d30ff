"""matgl: a TensorNet of the published size, with random weights."""

from __future__ import annotations

from typing import Any

from peer import SEED, serve

R_MAX = 5.0


class Matgl:
    packages = ("torch", "matgl", "torch-geometric")

    def make(self, model: str, path: str) -> None:
        import torch
        from matgl.apps.pes import Potential
        from matgl.models import TensorNet

        torch.manual_seed(SEED)
        network = TensorNet(
            units=128,
            nblocks=2,
            rbf_type="SphericalBessel",
            use_smooth=True,
            max_n=3,
            cutoff=R_MAX,
            is_intensive=False,
        )
        Potential(network).save(path)

    def load(self, model: str, path: str, precision: str) -> None:
        import matgl
        import torch
        from matgl.ext.ase import Atoms2Graph

        self.network = matgl.load_model(path).to(getattr(torch, precision)).eval()
        elements = self.network.model.element_types
        self.converter = Atoms2Graph(element_types=elements, cutoff=R_MAX)

    def prepare(self, atoms: Any) -> Any:
        graph, lattice, _ = self.converter.get_graph(atoms)
        return graph, lattice

    def evaluate(self, data: Any) -> float:
        energy, forces, stresses, _ = self.network(*data)
        forces.detach().numpy()
        stresses.detach().numpy()
        return energy.item()


if __name__ == "__main__":
    serve(Matgl())
