"""Relaxations of SevenNet-0 by ASE's optimizers with sevenn's calculator, and by torch-sim."""

from __future__ import annotations

import time
from typing import Any

from peer import serve


class Trajectories:
    packages = ("torch", "sevenn", "torch-sim-atomistic", "ase", "e3nn")

    def make(self, model: str, path: str) -> None:
        raise ValueError("SevenNet-0 is in sevenn's wheel")

    def load(self, model: str, path: str, precision: str) -> None:
        from sevenn.calculator import SevenNetCalculator

        self.precision = precision
        self.calculator = SevenNetCalculator("7net-0", device="cpu")
        self.model = None

    def prepare(self, atoms: Any) -> Any:
        """An evaluation, as the calculator does it."""
        atoms.calc = self.calculator
        return atoms

    def evaluate(self, data: Any) -> float:
        data.get_forces()
        return data.get_potential_energy()

    def relax(
        self,
        structures: list[dict[str, Any]],
        how: str,
        optimizer: str,
        fmax: float,
        max_steps: int,
    ) -> dict[str, Any]:
        """Relaxes positions; gives "seconds", "cpu", and of each structure "energy" and "n_steps",
        where that is known."""
        from ase import Atoms

        systems = [Atoms(**structure) for structure in structures]
        relaxed = self._by_ase if how == "ase" else self._by_torch_sim
        cpu, start = time.process_time(), time.perf_counter()
        found = relaxed(systems, optimizer, fmax, max_steps)
        return {
            "seconds": time.perf_counter() - start,
            "cpu": time.process_time() - cpu,
            **found,
        }

    def _by_ase(
        self, systems: list[Any], optimizer: str, fmax: float, max_steps: int
    ) -> dict[str, Any]:
        from ase.optimize import FIRE, LBFGS

        energies, n_steps, n_converged = [], [], 0
        for atoms in systems:
            atoms.calc = self.calculator
            run = {"fire": FIRE, "lbfgs": LBFGS}[optimizer](atoms, logfile=None)
            n_converged += bool(run.run(fmax=fmax, steps=max_steps))
            energies.append(atoms.get_potential_energy())
            n_steps.append(run.nsteps)
        return {"energies": energies, "n_steps": n_steps, "converged": n_converged}

    def _by_torch_sim(
        self, systems: list[Any], optimizer: str, fmax: float, max_steps: int
    ) -> dict[str, Any]:
        """With its own batches over all structures; those that have converged leave them."""
        import torch
        import torch_sim as ts
        from torch_sim import optimizers

        state = ts.optimize(
            system=systems,
            model=self._torch_sim_model(),
            optimizer=getattr(optimizers, optimizer),
            convergence_fn=ts.generate_force_convergence_fn(
                force_tol=fmax, include_cell_forces=False
            ),
            max_steps=max_steps,
            steps_between_swaps=5,
            autobatcher=self._autobatcher(),
        )
        forces = state.forces.norm(dim=1)
        longest = torch.zeros(state.n_systems, dtype=forces.dtype)
        longest.scatter_reduce_(0, state.system_idx, forces, "amax")
        return {
            "energies": state.energy.tolist(),
            "converged": int((longest <= fmax).sum()),
        }

    def _torch_sim_model(self) -> Any:
        import torch

        if self.model is None:
            from sevenn.util import load_checkpoint
            from torch_sim.models.sevennet import SevenNetModel

            network = load_checkpoint("7net-0").build_model()
            self.model = SevenNetModel(network, device="cpu", dtype=torch.float32)
        return self.model

    def _autobatcher(self) -> Any:
        """Batches of a number of atoms that suits a processor's caches, as it has no memory to
        measure by."""
        import torch_sim as ts

        return ts.InFlightAutoBatcher(
            model=self._torch_sim_model(), memory_scales_with="n_atoms", max_memory_scaler=512
        )


if __name__ == "__main__":
    serve(Trajectories())
