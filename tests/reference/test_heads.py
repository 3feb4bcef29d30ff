"""Models that keep their heads, against upstream's answers for each head in float64.

fixtures/mace/multihead is mace-torch's; the tiny SevenNet of three fidelities in the tests of the
Python package is converted here and now. Bounds are those of test_accuracy.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from libirrep import IrrepError, Model
from models import ROOT, model_path
from structures import FIXTURES, load

sys.path.insert(0, str(ROOT / "clients" / "python"))
from irrepd.convert import convert

CHECKPOINTS = ROOT / "clients" / "python" / "tests" / "fixtures"
MODELS = {
    "mace": (FIXTURES / "mace" / "multihead-heads.npz", ("omat", "mp", "off")),
    "sevennet": (FIXTURES / "sevennet-heads.npz", ("first", "second", "third")),
}


@pytest.fixture(scope="module", params=MODELS)
def case(request, tmp_path_factory) -> tuple[Model, dict[str, np.ndarray], tuple[str, ...]]:
    path, heads = MODELS[request.param]
    with np.load(path, allow_pickle=False) as stored:
        answers = dict(stored)
    target = model_path("mace/multihead")
    if request.param == "sevennet":
        target = tmp_path_factory.mktemp("heads") / "modal.safetensors"
        convert(CHECKPOINTS / "modal.pth", target)
    model = Model(target)
    assert tuple(model.heads) == heads
    return model, answers, heads


def test_every_head_is_that_of_upstream(case) -> None:
    """Of structures in one batch, each with each head."""
    model, answers, heads = case
    structures = [load()[str(name)] for name in answers["names"]]
    for head in heads:
        results = model.evaluate(structures, "float64", heads=[head] * len(structures))
        begin = 0
        for structure, result, virial in zip(structures, results, answers[f"{head}/virial"]):
            end = begin + len(structure.numbers)
            energies = answers[f"{head}/energies"][begin:end]
            forces = answers[f"{head}/forces"][begin:end]
            for found, expected, bound in (
                (result.energies, energies, 1e-9),
                (result.forces, forces, 1e-8),
                (result.virial, virial, 1e-8),
            ):
                assert np.abs(found - expected).max() <= bound * (1 + np.abs(expected).max())
            begin = end
        assert begin == len(answers[f"{head}/energies"])


def test_heads_differ(case) -> None:
    model, _, heads = case
    structure = load()["s22-water-dimer"]
    results = [model.evaluate([structure], heads=[head])[0] for head in heads]
    for i in range(len(heads)):
        for k in range(i):
            assert abs(results[i].energy - results[k].energy) > 1e-3
            assert np.abs(results[i].forces - results[k].forces).max() > 1e-6


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_batch_mixes_heads(case, precision: str) -> None:
    """The bits of each structure alone, whatever heads are beside it."""
    model, answers, heads = case
    structures = [load()[str(name)] for name in answers["names"]] * len(heads)
    chosen = [heads[i * 2 % len(heads)] for i in range(len(structures))]
    chosen[1:3] = heads[:2]
    together = model.evaluate(structures, precision, heads=chosen)
    for structure, head, result in zip(structures, chosen, together):
        alone = model.evaluate([structure], precision, heads=[head])[0]
        assert alone.bits() == result.bits()


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("name", ["mace.model", "modal.pth"])
def test_a_head_is_the_model_of_it(name: str, precision: str, tmp_path: Path) -> None:
    """The same bits as of a model that was converted with that head alone."""
    convert(CHECKPOINTS / name, tmp_path / "all.safetensors")
    whole = Model(tmp_path / "all.safetensors")
    structure = load()["s22-water-dimer"]
    assert len(whole.heads) > 1
    for head in whole.heads:
        convert(CHECKPOINTS / name, tmp_path / "one.safetensors", modality=head)
        one = Model(tmp_path / "one.safetensors")
        assert one.heads == []
        expected = one.evaluate_one(structure, precision)
        found = whole.evaluate([structure], precision, heads=[head])[0]
        assert found.bits() == expected.bits()


def test_none_is_taken_for_granted(tmp_path: Path) -> None:
    convert(CHECKPOINTS / "modal.pth", tmp_path / "none.safetensors")
    with pytest.raises(IrrepError, match="no default"):
        Model(tmp_path / "none.safetensors").evaluate_one(load()["s22-water-dimer"])
    target = tmp_path / "second.safetensors"
    convert(CHECKPOINTS / "modal.pth", target, default_head="second")
    model = Model(target)
    structure = load()["s22-water-dimer"]
    named = model.evaluate([structure], heads=["second"])[0]
    assert model.evaluate_one(structure).bits() == named.bits()


def test_finite_differences(case) -> None:
    model, _, heads = case
    structure = load()["s22-water-dimer"]
    direction = np.random.default_rng(1).normal(size=structure.positions.shape)
    weights, step = np.array([1, -8, 8, -1]), 1e-3
    for head in heads:
        moved = [
            structure._replace(positions=structure.positions + h * step * direction)
            for h in (-2, -1, 1, 2)
        ]
        results = [model.evaluate([s], heads=[head], exact_filters=True)[0] for s in moved]
        slope = weights @ [result.energy for result in results] / (12 * step)
        forces = model.evaluate([structure], heads=[head], exact_filters=True)[0].forces
        assert abs(slope + np.sum(forces * direction)) < 1e-7 * (1 + abs(slope))
