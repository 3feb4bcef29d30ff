from __future__ import annotations

import numpy as np
import pytest

from irrepd.convert.wigner import wigner_3j

TRIPLES = [
    (a, b, c) for a in range(5) for b in range(5) for c in range(abs(a - b), min(a + b, 4) + 1)
]


@pytest.mark.parametrize("degrees", TRIPLES)
def test_contraction_is_a_projector(degrees: tuple[int, int, int]) -> None:
    """Contracted over two indices, an invariant of norm 1 is 1/(2l+1) times the identity."""
    table = wigner_3j(*degrees)
    size = 2 * degrees[2] + 1
    assert np.allclose(np.einsum("ijk,ijl->kl", table, table), np.eye(size) / size, atol=1e-14)


def test_known_values() -> None:
    """(1, 1, 1) is the cross product over sqrt(6), and (l, 0, l) the identity: e3nn's signs."""
    cross = np.zeros((3, 3, 3))
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        cross[i, j, k], cross[j, i, k] = 1, -1
    assert np.allclose(wigner_3j(1, 1, 1), cross / np.sqrt(6), atol=1e-15)
    assert np.allclose(wigner_3j(1, 1, 0)[:, :, 0], np.eye(3) / np.sqrt(3), atol=1e-15)
    for degree in range(5):
        size = 2 * degree + 1
        expected = np.eye(size) / np.sqrt(size)
        assert np.allclose(wigner_3j(degree, 0, degree)[:, 0, :], expected, atol=1e-15)
    quadrupole = wigner_3j(1, 1, 2)  # xz, xy, 2yy-xx-zz, yz, zz-xx of the unit vectors
    assert quadrupole[0, 2, 0] == pytest.approx(np.sqrt(0.1))
    assert quadrupole[1, 1, 2] == pytest.approx(np.sqrt(2 / 15))
    assert quadrupole[0, 0, 4] == pytest.approx(-np.sqrt(0.1))


def test_degrees_that_do_not_couple() -> None:
    with pytest.raises(ValueError, match="couple"):
        wigner_3j(1, 1, 3)
