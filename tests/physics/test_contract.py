"""What model.h promises of plan and evaluate, on every model: the same bits, and refusals."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from edges import find_edges
from libirrep import OUTPUTS, PRECISIONS, Batch, IrrepError, Plan, Team
from systems import KINDS, System, system

each_precision = pytest.mark.parametrize("precision", PRECISIONS)


def mixed(model) -> list[System]:
    """Structures of all kinds and sizes, among them atoms without any edge."""
    z = model.atomic_numbers[:1]
    lone = System(z, np.zeros((1, 3)), np.zeros((3, 3)), np.zeros(3, dtype=bool))
    tiny = System(z, np.ones((1, 3)), np.diag([2.0, 2.2, 2.5]), np.ones(3, dtype=bool))
    some = [system(model, kind, seed) for seed in (0, 1) for kind in KINDS]
    return [*some, lone, tiny, some[3].repeated((2, 2, 2)), lone]


@each_precision
def test_a_batch_has_the_bits_of_each_alone(model, precision):
    structures = mixed(model)
    alone = [model.evaluate_one(s, precision).bits() for s in structures]
    assert len(set(alone)) == len(alone) - 1  # the lone atom is there twice
    rng = np.random.default_rng(4)
    for order in (np.arange(len(structures)), rng.permutation(len(structures))):
        batch = model.evaluate([structures[i] for i in order], precision)
        assert [result.bits() for result in batch] == [alone[i] for i in order]


@each_precision
def test_bits_do_not_depend_on_what_was_in_the_arena(model, precision):
    structures = mixed(model)
    batches = [Batch(model, structures, precision, fill=fill) for fill in (0x00, 0x3F, 0xFF)]
    bits = [[result.bits() for result in batch.evaluate()] for batch in batches]
    assert bits[0] == bits[1] == bits[2]
    assert [result.bits() for result in batches[0].evaluate()] == bits[0]


@each_precision
def test_graphs_have_the_bits_of_structures(model, precision):
    structures = mixed(model)
    expected = [result.bits() for result in model.evaluate(structures, precision)]
    batch = Batch(model, structures, precision)
    batch.find_graphs()
    assert [result.bits() for result in batch.evaluate()] == expected
    for structure, bits in zip(structures, expected):
        alone = Batch(model, [structure], precision)
        alone.find_graphs()
        assert alone.evaluate()[0].bits() == bits


def test_threads_share_a_model(model):
    structures = mixed(model)
    alone = [r.bits() for r in model.evaluate(structures, "float32")]
    batches = [Batch(model, structures, "float32") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for results in pool.map(Batch.evaluate, batches):
            assert [result.bits() for result in results] == alone


@each_precision
def test_a_team_of_threads_has_the_bits_of_one(model, precision):
    structures = [*mixed(model), system(model, "crystal").repeated((3, 3, 2))]
    alone = [r.bits() for r in model.evaluate(structures, precision)]
    for n_helpers in (1, 3):
        team = Team(model, precision, n_helpers)
        results = Batch(model, structures, precision, team=team).evaluate()
        assert [result.bits() for result in results] == alone
        assert team.n_tasks > 10


@each_precision
def test_bits_do_not_depend_on_what_else_is_wanted(model, precision):
    structures = mixed(model)
    full = model.evaluate(structures, precision)
    for output in OUTPUTS:
        only = Batch(model, structures, precision, wanted=[output.name]).evaluate()
        for with_all, alone in zip(full, only):
            expected, found = with_all.outputs[output.name], alone.outputs[output.name]
            assert (expected is None) == (found is None)
            assert expected is None or expected.tobytes() == found.tobytes(), output.name
            if not output.of_gradient:
                assert alone.forces is None and alone.stress is None and alone.stresses is None


def test_tables_are_near_the_filters_in_float64(model):
    """Whatever the card's precision: the tables of the other one are made by this evaluation, if it
    is the first."""
    structures = mixed(model)
    exact = Batch(model, structures, "float64", exact_filters=True).evaluate()
    for found, wanted, structure in zip(model.evaluate(structures, "float64"), exact, structures):
        assert abs(found.energy - wanted.energy) <= 1e-9 * len(structure.numbers)
        assert np.allclose(found.forces, wanted.forces, rtol=1e-9, atol=1e-8)


def test_plan_counts_every_edge(model):
    for structure in mixed(model):
        edges = find_edges(structure.positions, structure.cell, structure.pbc, model.r_max)
        assert model.plan(structure) == Plan(1, len(structure.numbers), len(edges.receivers))


@each_precision
def test_arena_bytes_grow_with_the_plan(model, precision):
    plan = Plan(3, 100, 5000)
    size = model.arena_bytes(precision, plan)
    for field in Plan._fields:
        larger = plan._replace(**{field: getattr(plan, field) * 2})
        assert model.arena_bytes(precision, larger) >= size > 0
    assert model.arena_bytes(precision, Plan(3, 2**62, 5000)) == 2**64 - 1


def test_float64_takes_more_memory(model):
    plan = Plan(1, 100, 5000)
    single, double = (model.arena_bytes(p, plan) for p in PRECISIONS)
    assert single < double <= 2 * single + 4096


def test_too_small_an_arena_is_refused(model):
    batch = Batch(model, mixed(model), "float32", exact_filters=True)  # what takes most
    batch.arena_bytes //= 2
    with pytest.raises(IrrepError) as caught:
        batch.run()
    assert caught.value.status == "NO_MEMORY"


def test_cancelled_ends_early(model):
    batch = Batch(model, mixed(model), "float32")
    wanted = False
    batch.cancel_when(lambda: not wanted)
    with pytest.raises(IrrepError) as caught:
        batch.run()
    assert caught.value.status == "CANCELLED"
    wanted = True
    batch.run()
    assert set(batch.statuses()) == {"OK"}


def bad_structures(model) -> dict[str, tuple[System, str, str]]:
    """name: a structure, the status it gets, and how the field begins."""
    good = system(model, "crystal")

    def placed(atom: int, axis: int, value: float) -> System:
        positions = good.positions.copy()
        positions[atom, axis] = value
        return good._replace(positions=positions)

    def element(z: int) -> System:
        numbers = good.numbers.copy()
        numbers[2] = z
        return good._replace(numbers=numbers)

    def celled(row: int, vector) -> System:
        cell = good.cell.copy()
        cell[row] = vector
        return good._replace(cell=cell)

    def atop(vector) -> System:
        positions = good.positions.copy()
        positions[3] = positions[1] + vector
        return good._replace(positions=positions)

    empty = System(np.zeros(0), np.zeros((0, 3)), good.cell, good.pbc)
    unknown = next(z for z in (*range(1, 119), 119) if z not in model.atomic_numbers)
    cases = {
        "no-atoms": (empty, "NO_ATOMS", "numbers"),
        "nan": (placed(1, 2, np.nan), "NOT_FINITE", "positions/1/2"),
        "inf": (placed(0, 0, np.inf), "NOT_FINITE", "positions/0/0"),
        "huge": (placed(3, 1, -1e308), "NOT_FINITE", "positions/3/1"),
        "cell-nan": (celled(1, [0, np.nan, 0]), "NOT_FINITE", "cell"),
        "cell-huge": (celled(2, [0, 0, 1e308]), "NOT_FINITE", "cell"),
        "cell-zero": (celled(0, [0, 0, 0]), "SINGULAR_CELL", "cell"),
        "cell-flat": (celled(2, good.cell[0] - 2 * good.cell[1]), "SINGULAR_CELL", "cell"),
        "overlap": (atop([0, 0, 0]), "ATOMS_OVERLAP", "positions/"),
        "overlap-image": (atop(good.cell[0] - 2 * good.cell[2]), "ATOMS_OVERLAP", "positions/"),
        "overlap-near": (atop([0, 0.09, 0]), "ATOMS_OVERLAP", "positions/"),
    }
    for z in (unknown, 0, -1, 119, 2**31 - 1):
        cases[f"element-{z}"] = (element(z), "UNKNOWN_ELEMENT", "numbers/2")
    return cases


def test_bad_structures_are_refused_by_plan(model):
    for name, (structure, status, field) in bad_structures(model).items():
        with pytest.raises(IrrepError) as caught:
            model.plan(structure)
        assert caught.value.status == status, name
        assert caught.value.field.startswith(field), name
        assert caught.value.detail, name


def test_a_bad_structure_leaves_the_others_their_bits(model):
    """Whoever skips plan is told by that structure's status; the others have their numbers."""
    good = system(model, "layer")
    alone = model.evaluate_one(good, "float32").bits()
    plans = [model.plan(good), model.plan(system(model, "crystal")), model.plan(good)]
    for name, (structure, status, _) in bad_structures(model).items():
        batch = Batch(model, [good, structure, good], "float32", plans)
        batch.run()
        assert batch.statuses() == ["OK", status, "OK"], name
        results = batch.results(skip=1)
        assert [result.bits() for result in results] == [alone, alone], name


def test_too_many_edges_are_refused(model):
    structure = system(model, "crystal")
    plan = model.plan(structure)
    assert model.plan(structure, plan.n_edges) == plan
    with pytest.raises(IrrepError) as caught:
        model.plan(structure, plan.n_edges - 1)
    assert caught.value.status == "TOO_LARGE"
