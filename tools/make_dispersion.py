"""The reference data of DFT-D3 for build/models/, from the wheel of torch-dftd.

The wheel has radii in bohr, rounded to float32; here are the decimals that they were published
with, which give them back to that rounding, or nothing is written. Used by make_models.py.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np

from irrepd import safetensors

PACKAGE = "torch-dftd"
VERSION = "0.5.3"
WHEEL = f"torch_dftd-{VERSION}-py3-none-any.whl"
SHA256 = "ecea8bf79fa1b0d6fa26b8291caddebcf8c5706c3e266647cc50cd47b3052985"
MEMBER = "torch_dftd/nn/params/dftd3_params.npz"

NAME = "dftd3.params"
N = 95  # atomic numbers 1 to 94
N_REFERENCES = 5
BOHR = 0.52917726  # what torch-dftd's radii were divided by, Angstrom
FLOAT32 = 2.4e-7  # of a number, or of the square of one

CARD = {
    "format": 1,
    "parameters": "dftd3",
    "description": "Reference data of DFT-D3 for the elements H to Pu",
    "source": {"package": PACKAGE, "version": VERSION, "path": MEMBER},
    "license": {
        "spdx": "MIT",
        "copyright": "Copyright (c) 2021 Preferred Networks, Inc. and contributors",
        "note": "the license of the torch-dftd wheel, which carries the data",
    },
    "citation": (
        "S. Grimme, J. Antony, S. Ehrlich and H. Krieg, A consistent and accurate ab initio "
        "parametrization of density functional dispersion correction (DFT-D) for the 94 elements "
        "H-Pu, J. Chem. Phys. 132, 154104 (2010), 10.1063/1.3382344"
    ),
}


def published(values: np.ndarray, unit: np.ndarray | float, digits: int, what: str) -> np.ndarray:
    """values * unit, as decimals of so many digits that give the values back."""
    decimals = np.round(values * unit, digits)
    error = np.abs(decimals / unit - values)
    if np.any(error > FLOAT32 * np.abs(values)):
        raise ValueError(f"{MEMBER}: {what} are not numbers of {digits} digits")
    return decimals


def tensors(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors of the file (core/dispersion/reference_data.h) from torch-dftd's arrays."""
    c6ab = arrays["c6ab"]
    if c6ab.shape != (N, N, N_REFERENCES, N_REFERENCES, 3):
        raise ValueError(f"{MEMBER}: c6ab has the shape {c6ab.shape}")
    z = np.maximum(np.arange(N), 1)
    there = c6ab[..., 0] > 0
    own = np.full((N, N_REFERENCES), -1.0)
    own[0] = 0.0
    for number in range(1, N):
        for a in range(N_REFERENCES):
            found = np.unique(c6ab[number, :, a, :, 1][there[number, :, a, :]])
            if len(found) > 1:
                raise ValueError(f"{MEMBER}: reference {a} of element {number} is not one")
            if len(found) == 1:
                own[number, a] = found[0]
    return {
        "covalent_radii": published(arrays["rcov"], BOHR / (4 / 3), 2, "rcov"),
        # The wheel has sqrt(0.5 <r^4> / <r^2> sqrt(Z)).
        "r4_over_r2": published(arrays["r2r4"] ** 2, 2 / np.sqrt(z), 4, "r2r4"),
        "r0": published(arrays["r0ab"], BOHR, 4, "r0ab"),
        "reference_cn": own,
        "c6": np.where(there, c6ab[..., 0], 0.0),
    }


def make(wheel: Path, target: Path) -> None:
    """Writes the file from the wheel."""
    with zipfile.ZipFile(wheel) as files, np.load(io.BytesIO(files.read(MEMBER))) as arrays:
        found = tensors(dict(arrays))
    safetensors.write(target, found, {"irrepd": json.dumps(CARD)})
