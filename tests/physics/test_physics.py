"""What holds for every interatomic potential: derivatives, symmetry, extensivity.

Float64 is held to rounding, float32 to its own; TOLERANCE is relative to 1 + the largest value.
"""

from __future__ import annotations

import numpy as np
import pytest
from libirrep import OUTPUTS, Output, rotated
from systems import KINDS, System, system

TOLERANCE = {"float64": 1e-10, "float32": 5e-5}
STEP = 2e-5  # of central differences of fourth order: Angstrom, or strain
STENCIL = ((-2, 1 / 12), (-1, -8 / 12), (1, 8 / 12), (2, -1 / 12))
DERIVATIVE_TOLERANCE = 1e-7  # what truncation and rounding of such differences leave

each_kind = pytest.mark.parametrize("kind", KINDS)
each_precision = pytest.mark.parametrize("precision", TOLERANCE)


def assert_near(value, expected, tolerance: float, what: str) -> None:
    value, expected = np.asarray(value), np.asarray(expected)
    assert value.shape == expected.shape, what
    size = 1 + np.abs(expected).max()
    worst = np.abs(value - expected).max() / size
    assert worst <= tolerance, f"{what}: off by {worst:.1e} of {size:.3g}"


def differences(model, start: System, displaced) -> np.ndarray:
    """dE/dx for each x, by one batch; displaced(start, index, step) for index 0, 1, ..."""
    count = displaced.count(start)
    batch = [displaced(start, i, n * STEP) for i in range(count) for n, _ in STENCIL]
    energies = np.array([result.energy for result in model.evaluate(batch, "float64")])
    return energies.reshape(count, len(STENCIL)) @ [w / STEP for _, w in STENCIL]


def displace(start: System, index: int, step: float) -> System:
    displacement = np.zeros(start.positions.size)
    displacement[index] = step
    return start.moved(displacement.reshape(-1, 3))


def strain(start: System, index: int, step: float) -> System:
    row, column = (axis[index] for axis in np.triu_indices(3))
    deformation = np.eye(3)
    deformation[row, column] += step / 2
    deformation[column, row] += step / 2
    return start.deformed(deformation)


displace.count = lambda start: start.positions.size
strain.count = lambda start: 6


@each_kind
def test_forces_are_minus_the_gradient(model, kind):
    start = system(model, kind)
    forces = model.evaluate_one(start).forces
    assert np.abs(forces).max() > 1e-3
    gradient = differences(model, start, displace).reshape(-1, 3)
    assert_near(forces, -gradient, DERIVATIVE_TOLERANCE, "forces")


@each_kind
def test_virial_and_stress_are_strain_derivatives(model, kind):
    start = system(model, kind)
    result = model.evaluate_one(start)
    derivative = np.zeros((3, 3))
    rows, columns = np.triu_indices(3)
    derivative[rows, columns] = derivative[columns, rows] = differences(model, start, strain)
    assert np.abs(derivative).max() > 1e-3
    assert_near(result.virial, -derivative, DERIVATIVE_TOLERANCE, "virial")
    if start.pbc.all():
        volume = abs(np.linalg.det(start.cell))
        assert_near(result.stress, derivative / volume, DERIVATIVE_TOLERANCE, "stress")
    else:
        assert result.stress is None


def orthogonal(determinant: int, seed: int) -> np.ndarray:
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return q * np.sign(np.linalg.det(q)) * determinant


@each_precision
@each_kind
def test_rotations(model, kind, precision):
    start = system(model, kind)
    for seed in range(2):
        assert_covariant(model, start, orthogonal(1, seed), precision)


@each_kind
def test_reflections(model, kind):
    """Models without parity on their edges, as SevenNet's, tell a molecule from its image."""
    start = system(model, kind)
    if model.metadata["model"].get("edge_parity") == "even":
        before, after = model.evaluate([start, start.deformed(orthogonal(-1, 5))])
        assert 1e-9 < np.abs(after.energies - before.energies).max() < 1
    else:
        for precision in TOLERANCE:
            assert_covariant(model, start, orthogonal(-1, 5), precision)


def turned(model, output: Output, values: np.ndarray, q: np.ndarray) -> np.ndarray:
    """What becomes of an output when positions and cell are multiplied by q from the right."""
    if not output.irreps:
        return rotated("+".join(model.descriptor_irreps), q.T, values)
    if output.irreps == "0e":
        return values
    if output.irreps == "1o":
        return values @ q
    assert output.irreps == "0e+2e"
    return q.T @ values @ q


def assert_covariant(model, start: System, q: np.ndarray, precision: str) -> None:
    """Turning the structure turns the answer."""
    before, after = model.evaluate([start, start.deformed(q)], precision)
    for output in OUTPUTS:
        expected, found = before.outputs[output.name], after.outputs[output.name]
        assert (expected is None) == (found is None)
        if expected is not None:
            assert_near(
                found, turned(model, output, expected, q), TOLERANCE[precision], output.name
            )


@each_precision
@each_kind
def test_translation(model, kind, precision):
    start = system(model, kind)
    before = model.evaluate_one(start, precision)
    for shift in ([0.123, -4.56, 7.89], [-301.5, 88.25, 1203.75]):
        after = model.evaluate_one(start.moved(shift), precision)
        assert_same(after, before, precision)


@each_precision
@each_kind
def test_permutation(model, kind, precision):
    start = system(model, kind)
    before = model.evaluate_one(start, precision)
    order = np.random.default_rng(2).permutation(len(start.numbers))
    after = model.evaluate_one(start.permuted(order), precision)
    assert_same(after, before, precision, order)


@pytest.mark.usefixtures("extensive")
@each_precision
@each_kind
def test_supercells(model, kind, precision):
    start = system(model, kind)
    repeats = tuple(n if periodic else 1 for n, periodic in zip((2, 3, 2), start.pbc))
    before = model.evaluate_one(start, precision)
    after = model.evaluate_one(start.repeated(repeats), precision)
    cells = np.prod(repeats)
    tolerance = TOLERANCE[precision]
    assert_near(after.energy / cells, before.energy, tolerance, "energy per cell")
    assert_near(after.energies, np.tile(before.energies, cells), tolerance, "energies")
    assert_near(after.forces, np.tile(before.forces, (cells, 1)), tolerance, "forces")
    assert_near(after.virial / cells, before.virial, tolerance, "virial")
    parts = after.stresses * (cells if start.pbc.all() else 1)
    assert_near(parts, np.tile(before.stresses, (cells, 1, 1)), tolerance, "stresses")
    if start.pbc.all():
        assert_near(after.stress, before.stress, tolerance, "stress")


@each_precision
def test_other_cells_of_the_same_lattice(model, precision):
    """Left-handed, skewed, and with atoms outside of the cell: nothing changes."""
    start = system(model, "crystal")
    before = model.evaluate_one(start, precision)
    for change in (
        [[0, 1, 0], [1, 0, 0], [0, 0, 1]],
        [[1, 0, 0], [2, 1, 0], [0, -3, 1]],
        [[-1, 0, 0], [0, -1, 0], [0, 0, -1]],
    ):
        other = start._replace(cell=np.array(change, dtype=float) @ start.cell)
        assert_same(model.evaluate_one(other, precision), before, precision)
    shifts = np.random.default_rng(3).integers(-4, 5, (len(start.numbers), 3)) @ start.cell
    assert_same(model.evaluate_one(start.moved(shifts), precision), before, precision)


def test_rows_of_other_axes_are_ignored(model):
    for kind in ("molecule", "wire", "layer"):
        start = system(model, kind)
        before = model.evaluate_one(start)
        for row in (0.0, np.nan, 1e300):
            cell = np.where(start.pbc[:, None], start.cell, row)
            assert model.evaluate_one(start._replace(cell=cell)).bits() == before.bits()


@each_precision
@each_kind
def test_energies_of_atoms_sum_to_the_energy(model, kind, precision):
    result = model.evaluate_one(system(model, kind), precision)
    assert_near(result.energies.sum(), result.energy, 1e-13, "sum")
    assert_near(result.forces.sum(axis=0), np.zeros(3), TOLERANCE[precision], "net force")
    assert np.array_equal(result.virial, result.virial.T)


@each_precision
@each_kind
def test_stresses_of_atoms_sum_to_the_whole(model, kind, precision):
    """To stress where there is a volume, otherwise to the virial."""
    result = model.evaluate_one(system(model, kind), precision)
    whole = result.virial if result.stress is None else result.stress
    size = np.abs(result.stresses).sum(axis=0).max()
    assert np.abs(result.stresses.sum(axis=0) - whole).max() <= 1e-13 * size
    assert np.array_equal(result.stresses, result.stresses.swapaxes(1, 2))


@each_kind
def test_the_sum_of_stresses_is_a_strain_derivative(model, kind):
    start = system(model, kind)
    found = model.evaluate_one(start).stresses.sum(axis=0)
    scale = 1 / abs(np.linalg.det(start.cell)) if start.pbc.all() else -1
    derivative = scale * differences(model, start, strain)
    assert_near(found[np.triu_indices(3)], derivative, DERIVATIVE_TOLERANCE, "sum of stresses")


@pytest.mark.usefixtures("extensive")
@each_precision
def test_two_far_copies_have_twice_the_energy(model, precision):
    start = system(model, "molecule")
    once = model.evaluate_one(start, precision)
    pair = System(
        np.tile(start.numbers, 2),
        np.concatenate([start.positions, start.moved([100.0, -7.0, 13.0]).positions]),
        start.cell,
        start.pbc,
    )
    twice = model.evaluate_one(pair, precision)
    tolerance = TOLERANCE[precision]
    assert_near(twice.energy, 2 * once.energy, tolerance, "energy")
    assert_near(twice.forces, np.tile(once.forces, (2, 1)), tolerance, "forces")
    assert_near(twice.virial, 2 * once.virial, tolerance, "virial")
    assert twice.n_edges == 2 * once.n_edges


@each_precision
def test_a_molecule_in_a_large_box_is_a_molecule(model, precision):
    start = system(model, "molecule")
    free = model.evaluate_one(start, precision)
    boxed = start._replace(cell=np.diag([40.0, 50.0, 60.0]), pbc=np.array([True] * 3))
    result = model.evaluate_one(boxed, precision)
    assert_near(result.energies, free.energies, TOLERANCE[precision], "energies")
    assert_near(result.forces, free.forces, TOLERANCE[precision], "forces")
    assert_near(result.stress * 40 * 50 * 60, -free.virial, TOLERANCE[precision], "stress")


def test_energy_is_continuous_at_the_cutoff(model):
    numbers = model.atomic_numbers[[0, -1]]
    bond = np.array([[0, 0, 0], [1, 2, 2]]) / 3
    pair = [
        System(numbers, r * bond, np.zeros((3, 3)), np.zeros(3, dtype=bool))
        for r in (model.r_max * (1 - 1e-5), model.r_max * (1 + 1e-5))
    ]
    inside, outside = model.evaluate(pair)
    assert (inside.n_edges, outside.n_edges) == (2, 0)
    assert not outside.forces.any()
    assert_near(inside.energy, outside.energy, 1e-7, "energy")
    assert np.abs(inside.forces).max() < 1e-2


def assert_same(after, before, precision: str, order=slice(None)) -> None:
    """The same numbers up to rounding, atoms in the given order."""
    assert after.n_edges == before.n_edges
    for output in OUTPUTS:
        expected, found = before.outputs[output.name], after.outputs[output.name]
        assert (expected is None) == (found is None)
        if expected is not None:
            expected = expected[order] if output.by_atom else expected
            assert_near(found, expected, TOLERANCE[precision], output.name)
