"""Conversion of SchNetPack potentials (tests/reference/schnetpack_fixtures.py), without torch.

That the converted models give the numbers of SchNetPack is tested in tests/reference/.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from irrepd import pickles, safetensors
from irrepd.archives import Archive
from irrepd.convert import convert, schnetpack
from irrepd.convert.__main__ import main
from irrepd.convert.adapt import ENERGY_UNITS
from irrepd.convert.detect import converter_for
from irrepd.convert.releases import ReleaseWarning
from irrepd.convert.so3net import couplings
from irrepd.errors import FormatError
from irrepd.records import Global, Record

MODELS = Path(__file__).resolve().parents[3] / "tests" / "reference" / "fixtures"
CASES = {
    "schnet-gaussian": "schnet/gaussian",
    "painn-gaussian": "painn/gaussian",
    "so3net-l1": "so3net/l1",
}


@pytest.mark.parametrize("case", CASES)
def test_same_model_as_the_committed_one(case: str, fixtures: Path, tmp_path: Path) -> None:
    target = tmp_path / "model.safetensors"
    card = convert(fixtures / f"{case}.pt", target)
    tensors, _ = safetensors.read(target)
    expected, metadata = safetensors.read(MODELS / f"{CASES[case]}.safetensors")
    assert list(tensors) == list(expected)
    for name, tensor in tensors.items():
        assert np.allclose(tensor, expected[name], rtol=1e-14, atol=0), name
    assert len(card.pop("sha256_source")) == 64
    assert card == json.loads(metadata["irrepd"])


def test_no_torch_is_needed(fixtures: Path, tmp_path: Path) -> None:
    code = "import sys; sys.modules['torch'] = sys.modules['schnetpack'] = None; "
    code += "from irrepd.convert.__main__ import main; sys.exit(main())"
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(
        [*command, fixtures / "so3net-l1.pt", tmp_path / "model.safetensors"],
        cwd=Path(__file__).resolve().parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and done.stderr == ""
    assert "so3net, 19 elements, r_max 5.0 A" in done.stdout


def test_elements_and_unit_of_energy(fixtures: Path, tmp_path: Path) -> None:
    source, files = str(fixtures / "schnet-gaussian.pt"), [tmp_path / "a", tmp_path / "b"]
    assert main([source, str(files[0])]) == 0
    options = ["--elements", "8,1", "--energy-unit", "kcal/mol"]
    assert main([source, str(files[1]), *options]) == 0
    (all_tensors, _), (tensors, metadata) = map(safetensors.read, files)
    assert json.loads(metadata["irrepd"])["atomic_numbers"] == [1, 8]
    rows = [0, 7]
    assert np.array_equal(tensors["embedding.weight"], all_tensors["embedding.weight"][rows])
    factor = 0.0433641042
    assert np.allclose(tensors["shift"], factor * all_tensors["shift"][rows], rtol=1e-9)
    assert np.allclose(tensors["scale"], factor, rtol=1e-9)
    with pytest.raises(FormatError, match="elements \\[92\\]"):
        convert(fixtures / "schnet-gaussian.pt", tmp_path / "c", elements=[92])
    with pytest.raises(FormatError, match="kcal/mol"):
        convert(fixtures / "schnet-gaussian.pt", tmp_path / "c", energy_unit="cal")
    with pytest.raises(FormatError, match="SchNetPack"):
        convert(fixtures / "parity.pth", tmp_path / "c", elements=[1])
    assert ENERGY_UNITS["eV"] == 1.0 and not (tmp_path / "c").exists()


def loaded(fixtures: Path, change: Callable[[Record], None]) -> dict[str, np.ndarray]:
    with Archive(fixtures / "schnet-gaussian.pt") as archive:
        model = pickles.load(archive)
        change(model)
        return schnetpack.convert(model, None)[0]


def test_postprocessing_that_is_unset_is_none(fixtures: Path) -> None:
    """The default of schnetpack 2.0.0: upstream adds no offsets then."""

    def setting(value: object) -> dict[str, np.ndarray]:
        return loaded(fixtures, lambda model: model.state.update(do_postprocessing=value))

    assert setting(True)["shift"].any()
    assert not setting(None)["shift"].any() and not setting(False)["shift"].any()


def test_newer_releases_are_warned_of(fixtures: Path) -> None:
    with pytest.warns(ReleaseWarning, match=r"schnetpack 2\.9\.1 is newer .* knows 2\.2"):
        loaded(fixtures, lambda model: model.state.update(spk_version="2.9.1"))


def test_embeddings_of_charge_and_spin_are_refused(fixtures: Path) -> None:
    def change(model: Record) -> None:
        modules = part(model.state, "representation").state["_modules"]
        modules["electronic_embeddings"] = modules["interactions"]

    with pytest.raises(FormatError, match="charge or spin"):
        loaded(fixtures, change)


def test_modality_is_refused(fixtures: Path, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="--modality"):
        convert(fixtures / "schnet-gaussian.pt", tmp_path / "model", modality="any")


def test_couplings_of_harmonics_agree_with_their_products() -> None:
    """Y_1 Y_1 has the degree-2 part that the couplings say, up to a factor."""
    table = couplings(2)
    rng = np.random.default_rng(1)
    for direction in rng.normal(size=(5, 3)):
        x, y, z = direction / np.linalg.norm(direction)
        first = np.array([x, y, z])
        second = np.array([3**0.5 * x * z, 3**0.5 * x * y, y * y - (x * x + z * z) / 2])
        product = np.einsum("i,j,ijk->k", first, first, table[1:4, 1:4, 4:9])
        assert np.allclose(product[:3] / product[2], second / second[2], atol=1e-12)


def part(state: dict, *names: str) -> Record:
    record = state["_modules"][names[0]]
    return part(record.state, *names[1:]) if names[1:] else record


def rename(record: Record, name: str) -> None:
    record.function = Global(record.function.module, name)


REFUSED: dict[str, tuple[str, Callable[[dict], None], str]] = {
    "representation": (
        "schnet-gaussian",
        lambda s: rename(part(s, "representation"), "FieldSchNet"),
        "FieldSchNet; supported: SchNet, PaiNN, SO3net",
    ),
    "a part of PaiNN": (
        "painn-gaussian",
        lambda s: part(s, "representation", "mixing", "1").state.update(extra=1),
        "'representation.mixing.1' has parts not understood: extra",
    ),
    "an interaction of PaiNN": (
        "painn-gaussian",
        lambda s: rename(part(s, "representation", "interactions", "0"), "SchNetInteraction"),
        "SchNetInteraction; supported: PaiNNInteraction",
    ),
    "epsilon of PaiNN": (
        "painn-gaussian",
        lambda s: part(s, "representation", "mixing", "0").state.update(epsilon=0.0),
        "'representation.mixing.0.epsilon' is 0.0, not within",
    ),
    "epsilon of another type": (
        "painn-gaussian",
        lambda s: part(s, "representation", "mixing", "0").state.update(epsilon="small"),
        "'small', not a number",
    ),
    "two activations of PaiNN": (
        "painn-gaussian",
        lambda s: part(
            s, "representation", "mixing", "2", "intraatomic_context_net", "0"
        ).state.update(activation=Global("torch", "tanh")),
        "has the activation 'tanh', and the interaction before it 'silu'",
    ),
    "shared filters of PaiNN": (
        "painn-gaussian",
        lambda s: part(s, "representation").state.update(share_filters=True),
        "'representation.filter_net' has not the shape or bias of its place",
    ),
    "mixings of PaiNN": (
        "painn-gaussian",
        lambda s: part(s, "representation", "mixing").state["_modules"].popitem(),
        "3 interactions and 2 mixings",
    ),
    "a network of PaiNN": (
        "painn-gaussian",
        lambda s: (
            part(s, "representation", "interactions", "0", "interatomic_context_net")
            .state["_modules"]
            .popitem()
        ),
        "is no MLP with one activation",
    ),
    "cutoff": (
        "schnet-gaussian",
        lambda s: rename(part(s, "representation", "cutoff_fn"), "SwitchFunction"),
        "SwitchFunction; supported: CosineCutoff, MollifierCutoff",
    ),
    "basis": (
        "so3net-l1",
        lambda s: rename(part(s, "representation", "radial_basis"), "OtherRBF"),
        "OtherRBF; supported: GaussianRBF",
    ),
    "input module": (
        "schnet-gaussian",
        lambda s: rename(part(s, "input_modules", "1"), "FilterShortRange"),
        "FilterShortRange; supported: PairwiseDistances, Strain",
    ),
    "output module": (
        "schnet-gaussian",
        lambda s: rename(part(s, "output_modules", "1"), "DipoleMoment"),
        "DipoleMoment; supported: Atomwise, Forces",
    ),
    "postprocessor": (
        "schnet-gaussian",
        lambda s: rename(part(s, "postprocessors", "1"), "ScaleProperty"),
        "ScaleProperty; supported: AddOffsets",
    ),
    "offset of another property": (
        "schnet-gaussian",
        lambda s: part(s, "postprocessors", "1").state.update(_property="dipole"),
        "not the energy",
    ),
    "offset of another kind": (
        "so3net-l1",
        lambda s: part(s, "postprocessors", "1").state.update(is_extensive=False),
        "not both of one kind",
    ),
    "aggregation": (
        "schnet-gaussian",
        lambda s: part(s, "output_modules", "0").state.update(aggregation_mode="max"),
        "aggregation 'max'",
    ),
    "outputs": (
        "schnet-gaussian",
        lambda s: part(s, "output_modules", "0").state.update(n_out=2),
        "more than one output",
    ),
    "other forces": (
        "schnet-gaussian",
        lambda s: part(s, "output_modules", "1").state.update(energy_key="other"),
        "not those of the Atomwise",
    ),
    "activation": (
        "schnet-gaussian",
        lambda s: part(s, "output_modules", "0", "outnet", "0").state.update(
            activation=Global("torch.nn.functional", "elu")
        ),
        "'elu'; supported",
    ),
    "an attribute that is not known": (
        "so3net-l1",
        lambda s: part(s, "representation").state.update(extra=1),
        "parts not understood: extra",
    ),
    "a module that is not known": (
        "schnet-gaussian",
        lambda s: (
            part(s, "representation")
            .state["_modules"]
            .update(charges=part(s, "representation", "embedding"))
        ),
        "parts not understood: charges",
    ),
    "couplings": (
        "so3net-l1",
        lambda s: (
            part(s, "representation", "so3product")
            .state["_buffers"]
            .update(
                clebsch_gordan=part(s, "representation", "so3convs", "0").state["_buffers"]["Widx"]
            )
        ),
        "couples degrees in a way",
    ),
    "missing interactions": (
        "so3net-l1",
        lambda s: part(s, "representation", "mixings2").state["_modules"].popitem(),
        "1 to 16 are supported",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_supported_is_refused_by_name(case: str, fixtures: Path) -> None:
    name, change, message = REFUSED[case]
    with Archive(fixtures / f"{name}.pt") as archive:
        record = pickles.load(archive)
        assert converter_for(record) is schnetpack.convert
        change(record.state)
        with pytest.raises(FormatError) as caught:
            schnetpack.convert(record, None)
    assert message in str(caught.value)


def test_a_model_class_that_is_not_known(fixtures: Path) -> None:
    with Archive(fixtures / "so3net-l1.pt") as archive:
        record = pickles.load(archive)
        rename(record, "AtomisticModel")
        with pytest.raises(FormatError, match="supported: NeuralNetworkPotential"):
            schnetpack.convert(record, None)


def test_offsets_are_left_out_where_postprocessing_is_off(fixtures: Path) -> None:
    with Archive(fixtures / "schnet-gaussian.pt") as archive:
        record = pickles.load(archive)
        with_offsets, _ = schnetpack.convert(record, None)
        record.state["do_postprocessing"] = False
        without, card = schnetpack.convert(record, None)
    assert with_offsets["shift"].all() and not without["shift"].any()
    assert card["atomic_numbers"] == list(range(1, 20))
