"""Real Wigner 3j symbols in e3nn's basis and sign."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from math import factorial, sqrt

import numpy as np


def _clebsch_gordan(j1: int, m1: int, j2: int, m2: int, j3: int) -> float:
    """<j1 m1 j2 m2 | j3 m1+m2> by Racah's sum (Varshalovich et al. 1988, 8.2.1)."""
    m3 = m1 + m2
    square = Fraction(
        (2 * j3 + 1) * factorial(j1 + j2 - j3) * factorial(j1 - j2 + j3) * factorial(j2 - j1 + j3),
        factorial(j1 + j2 + j3 + 1),
    )
    for j, m in ((j1, m1), (j2, m2), (j3, m3)):
        square *= factorial(j + m) * factorial(j - m)
    total = Fraction(0)
    for k in range(max(0, j2 - j3 - m1, j1 - j3 + m2), min(j1 + j2 - j3, j1 - m1, j2 + m2) + 1):
        total += Fraction(
            (-1) ** k,
            factorial(k)
            * factorial(j1 + j2 - j3 - k)
            * factorial(j1 - m1 - k)
            * factorial(j2 + m2 - k)
            * factorial(j3 - j2 + m1 + k)
            * factorial(j3 - j1 - m2 + k),
        )
    magnitude = sqrt(square * total * total)
    return magnitude if total > 0 else -magnitude


def _complex_to_real(degree: int) -> np.ndarray:
    """U [complex m][real m], with the factor (-i)^l that makes the couplings real."""
    basis = np.zeros((2 * degree + 1, 2 * degree + 1), complex)
    basis[degree, degree] = 1
    for m in range(1, degree + 1):
        basis[degree - m, degree + m] = sqrt(0.5)
        basis[degree - m, degree - m] = -1j * sqrt(0.5)
        basis[degree + m, degree + m] = (-1) ** m * sqrt(0.5)
        basis[degree + m, degree - m] = 1j * (-1) ** m * sqrt(0.5)
    return (-1j) ** degree * basis


@cache
def wigner_3j(l1: int, l2: int, l3: int) -> np.ndarray:
    """The symbol [2*l1+1][2*l2+1][2*l3+1], sum of squares 1; equals e3nn.o3.wigner_3j."""
    if not abs(l1 - l2) <= l3 <= l1 + l2:
        raise ValueError(f"degrees {l1}, {l2} and {l3} do not couple")
    table = np.zeros((2 * l1 + 1, 2 * l2 + 1, 2 * l3 + 1))
    for m1 in range(-l1, l1 + 1):
        for m2 in range(max(-l2, -l3 - m1), min(l2, l3 - m1) + 1):
            table[l1 + m1, l2 + m2, l3 + m1 + m2] = _clebsch_gordan(l1, m1, l2, m2, l3)
    changes = [_complex_to_real(degree) for degree in (l1, l2, l3)]
    changed = np.einsum("ai,bj,ck,abc->ijk", changes[0], changes[1], changes[2].conj(), table)
    real = np.ascontiguousarray(changed.real)
    real[np.abs(real) < 1e-14] = 0
    real /= np.linalg.norm(real)
    real.setflags(write=False)
    return real
