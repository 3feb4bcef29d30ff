"""Write fixtures/e3nn.txt: Wigner 3j and D, spherical harmonics and irreps of e3nn 0.6.0.

Run with torch and e3nn 0.6.0 installed: python3 tests/reference/e3nn_fixtures.py

Format: a record starts a line with the word that says what it is; fields are separated by blanks,
texts are quoted, "#" starts a comment line. Reals are float64 as %.17g: they read back exactly.

    wigner_3j l1 l2 l3 n          then n lines "m1 m2 m3 value", m from -l to l; all others are zero
    wigner_3j_entry l1 l2 l3 m1 m2 m3 value    the largest one (the first of them): fixes the sign
    harmonics l_max x y z         then values [(l_max+1)^2] on the next line, index l*l + l + m
    wigner_d l R                  R is [3][3]; then D [2l+1][2l+1] on the next line
    irreps "TEXT" "PARSED" "SORTED" dim    without zero multiplicities; sorted and simplified
    irreps_bad "TEXT"             e3nn refuses it
    product "IR1" "IR2" "IRREPS"  irreps in the product of the two
    rotate "IRREPS" R             R is orthogonal; then features and what they turn into
    tensor_product "A" "B" "OUT"  then features of A, of B, and their product
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import e3nn
import torch
from e3nn import o3

OUTPUT = Path(__file__).parent / "fixtures" / "e3nn.txt"
L_MAX = 6

# Beyond l = 4: each degree in each place, stretched, equal and mixed couplings.
WIGNER_3J_EXTRA = [
    (5, 0, 5), (0, 6, 6), (5, 1, 4), (1, 5, 6), (3, 2, 5), (3, 3, 6), (5, 2, 4), (2, 6, 6),
    (6, 1, 6), (4, 5, 2), (6, 6, 0), (5, 5, 1), (6, 4, 3), (5, 4, 6), (5, 5, 5), (6, 6, 6),
    (6, 5, 6),
]  # fmt: skip

VECTORS = [
    (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (-2.0, 0.0, 0.0), (0.0, -0.5, 0.0),
    (0.0, 0.0, -3.0), (1.0, 1.0, 1.0), (0.3, -1.7, 2.9), (-1.25, 0.75, -0.1), (1e-5, 4.0, -1e-7),
    (3e-9, -4e-9, 5e-9), (-7e11, 2e11, 5e11), (2.5, 0.0, -1.5),
]  # fmt: skip

EULER_ANGLES = [(0.0, 0.0, 0.0), (0.4, 1.1, -2.3), (2.9, 2.2, 0.7), (math.pi / 2, math.pi / 2, 0.0)]

IRREPS = [
    "", "0e", "1o", "128x0e+64x1e+32x2e", "1e+0e+1e", "2o + 1e + 0e + 1e", " 3x1o+2x0e + 5x1o ",
    "0x1e+4x2o", "16x0o+16x0e", "17x3e+1x6o+2x3o+33x3e", "4x0e+4x0e+4x0e",
    "224x0e+384x1e+352x2e+320x3e", "1x5o+1x4e+1x3o+1x2e+1x1o+1x0e",
]  # fmt: skip

IRREPS_BAD = [
    "1", "e", "x", "4x", "x1e", "4x1", "4x1f", "1e+", "+1e", "1e++0e", "1e,0e", "1.5x0e", "-1e",
    "4x-1e", "-4x1e", "4x4x1e", "1E", "0x10x1e", "1e 0e", "five", "4*1e",
]  # fmt: skip


# What is multiplied: entries that occur twice, are not sorted, and have all parities.
FACTORS = [
    ("1o", "1o"), ("2x0e+1o", "3x1o+2e"), ("2x1e+0o+3x2o", "1o+2x0o"), ("3o+1e", "2x3o+3e+1o"),
    ("1o+0e+1o", "2x1e+1o+2x1e"), ("4e", "2o"), ("", "2x1o"),
]  # fmt: skip


def reals(values: Iterable[float]) -> str:
    return " ".join(f"{value:.17g}" for value in values)


def triples(l_max: int) -> list[tuple[int, int, int]]:
    degrees = range(l_max + 1)
    return [
        (a, b, c) for a in degrees for b in degrees for c in degrees if abs(a - b) <= c <= a + b
    ]


def wigner_3j_records() -> Iterator[str]:
    for l1, l2, l3 in triples(4) + WIGNER_3J_EXTRA:
        w3j = o3.wigner_3j(l1, l2, l3, dtype=torch.float64)
        # e3nn leaves residues of rounding where symmetry asks for zero; true entries are larger.
        entries = (w3j.abs() > 1e-14).nonzero().tolist()
        assert w3j[w3j.abs() > 1e-14].abs().min() > 1e-4
        yield f"wigner_3j {l1} {l2} {l3} {len(entries)}"
        for i, j, k in entries:
            yield f"{i - l1} {j - l2} {k - l3} {w3j[i, j, k]:.17g}"
    for l1, l2, l3 in triples(L_MAX):
        w3j = o3.wigner_3j(l1, l2, l3, dtype=torch.float64)
        i, j, k = (w3j.abs() > w3j.abs().max() - 1e-9).nonzero()[0].tolist()
        value = w3j[i, j, k].item()
        yield f"wigner_3j_entry {l1} {l2} {l3} {i - l1} {j - l2} {k - l3} {value:.17g}"


def harmonics_records() -> Iterator[str]:
    for vector in VECTORS:
        v = torch.tensor(vector, dtype=torch.float64)
        y = o3.spherical_harmonics(
            list(range(L_MAX + 1)), v, normalize=True, normalization="component"
        )
        yield f"harmonics {L_MAX} {reals(vector)}"
        yield reals(y.tolist())


def wigner_d_records() -> Iterator[str]:
    for angles in EULER_ANGLES:
        alpha, beta, gamma = (torch.tensor(angle, dtype=torch.float64) for angle in angles)
        rotation = o3.angles_to_matrix(alpha, beta, gamma)
        for degree in range(L_MAX + 1):
            d = o3.wigner_D(degree, alpha, beta, gamma)
            yield f"wigner_d {degree} {reals(rotation.flatten().tolist())}"
            yield reals(d.flatten().tolist())


def irreps_records() -> Iterator[str]:
    for text in IRREPS:
        irreps = o3.Irreps(text).remove_zero_multiplicities()
        yield f'irreps "{text}" "{irreps}" "{irreps.sort().irreps.simplify()}" {irreps.dim}'
    for text in IRREPS_BAD:
        try:
            o3.Irreps(text)
        except ValueError:
            yield f'irreps_bad "{text}"'
        else:
            raise AssertionError(f"e3nn accepts {text!r}")
    few = [o3.Irrep(ir) for ir in ("0e", "0o", "1e", "1o", "2e", "3o")]
    for a in few:
        for b in few:
            yield f'product "{a}" "{b}" "{o3.Irreps(list(a * b))}"'


def rotation_records() -> Iterator[str]:
    torch.manual_seed(7)
    small = [text for text in IRREPS if o3.Irreps(text).dim < 200]
    for i, text in enumerate(small):
        irreps = o3.Irreps(text)
        rotation = o3.rand_matrix() * (-1 if i % 2 else 1)
        features = torch.randn(irreps.dim)
        yield f'rotate "{text}" {reals(rotation.flatten().tolist())}'
        yield reals(features.tolist())
        turned = irreps.D_from_matrix(rotation) @ features if irreps.dim else features
        yield reals(turned.tolist())


def tensor_product_records() -> Iterator[str]:
    torch.manual_seed(8)
    for a, b in FACTORS:
        product = o3.FullTensorProduct(a, b)
        x, y = torch.randn(product.irreps_in1.dim), torch.randn(product.irreps_in2.dim)
        yield f'tensor_product "{a}" "{b}" "{product.irreps_out.simplify()}"'
        for values in (x, y, product(x, y)):
            yield reals(values.tolist())


def main() -> None:
    assert e3nn.__version__ == "0.6.0", e3nn.__version__
    torch.set_default_dtype(torch.float64)
    OUTPUT.parent.mkdir(exist_ok=True)
    with OUTPUT.open("w") as out:
        out.write(f"# Written by tests/reference/e3nn_fixtures.py with e3nn {e3nn.__version__}.\n")
        for records in (
            wigner_3j_records,
            harmonics_records,
            wigner_d_records,
            irreps_records,
            rotation_records,
            tensor_product_records,
        ):
            out.writelines(f"{record}\n" for record in records())


if __name__ == "__main__":
    main()
