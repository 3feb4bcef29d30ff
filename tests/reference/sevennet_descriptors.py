"""Writes fixtures/descriptors-sevennet.npz: what sevenn reads energies from, in float64.

    python tests/reference/sevennet_descriptors.py

needs the packages of requirements.txt. sevenn 0.13 has no call for them: they are what its module
reduce_input_to_hidden, the first of the readout, is given.
"""

from __future__ import annotations

import importlib.metadata
import warnings

import numpy as np
import sevenn._keys as KEY
import torch
from fixture_files import load, save_answers
from sevennet_fixtures import CHECKPOINTS, PACKAGES, Reference

CHOSEN = ("si-sheared", "s22-water-dimer", "batio3", "layer-mos2")


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    reference = Reference(CHECKPOINTS["sevennet-0"], torch.float64)
    seen: list[np.ndarray] = []

    def keep(module, inputs):
        (data,) = inputs
        seen.append(data[KEY.NODE_FEATURE].detach().numpy().copy())

    reference.model._modules["reduce_input_to_hidden"].register_forward_pre_hook(keep)
    structures, arrays = load(), {}
    for key in CHOSEN:
        seen.clear()
        reference.evaluate(structures[key])
        (arrays[f"sevennet-0 {key}"],) = seen
    made_with = [f"{package} {importlib.metadata.version(package)}" for package in PACKAGES]
    save_answers("descriptors-sevennet", {**arrays, "made_with": np.array(made_with)})


if __name__ == "__main__":
    main()
