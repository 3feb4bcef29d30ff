"""sevenn: SevenNet-0 (11Jul2024), the checkpoint in its wheel."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from peer import serve

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "reference"))


class Sevenn:
    packages = ("torch", "sevenn", "e3nn", "matscipy")

    def make(self, model: str, path: str) -> None:
        raise ValueError("SevenNet-0 is in sevenn's wheel")

    def load(self, model: str, path: str, precision: str) -> None:
        import torch
        from sevennet_fixtures import CHECKPOINTS, Reference

        self.dtype = getattr(torch, precision)
        self.reference = Reference(CHECKPOINTS[model], self.dtype)

    def prepare(self, atoms: Any) -> Any:
        """What sevenn's ASE calculator does, in the given precision."""
        import sevenn._keys as KEY
        from sevenn.atom_graph_data import AtomGraphData
        from sevenn.train.dataload import unlabeled_atoms_to_graph
        from sevenn.util import dtype_correct

        graph = unlabeled_atoms_to_graph(atoms, self.reference.r_max)
        info = graph.pop(KEY.INFO)
        data = {key: dtype_correct(value, float_dtype=self.dtype) for key, value in graph.items()}
        return AtomGraphData(**data, **{KEY.INFO: info})

    def evaluate(self, data: Any) -> float:
        import sevenn._keys as KEY

        output = self.reference.model(data)
        output[KEY.PRED_FORCE].numpy()
        output[KEY.PRED_STRESS].detach().numpy()
        return output[KEY.PRED_TOTAL_ENERGY].item()


if __name__ == "__main__":
    serve(Sevenn())
