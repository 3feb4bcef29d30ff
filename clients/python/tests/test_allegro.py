"""Conversion of a tiny Allegro model (make_nequip_fixtures.py): as trained, and as packaged."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from interpreter_allegro import AllegroInterpreter
from nequip_changes import modified, put, stored, without

from irrepd import pickles, safetensors
from irrepd.archives import Archive
from irrepd.convert import allegro, convert, nequip
from irrepd.convert.allegro_model import harmonics, tensor_irreps
from irrepd.convert.e3nn import Irrep
from irrepd.errors import FormatError

ANSWERS = json.loads((Path(__file__).parent / "fixtures" / "allegro.json").read_text())


@pytest.fixture
def package(fixtures: Path, tmp_path: Path) -> Path:
    return stored(fixtures / "allegro.nequip.zip", tmp_path / "model.nequip.zip")


@pytest.fixture
def checkpoint(fixtures: Path) -> Any:
    """The loaded checkpoint, to be changed; its tensors are read where it lies."""
    with Archive(fixtures / "allegro.ckpt") as archive:
        yield pickles.load(archive)


@pytest.fixture
def modules(package: Path) -> Any:
    """The loaded package, likewise."""
    with Archive(package) as archive:
        yield pickles.load(archive)


def energies(source: Path, target: Path) -> np.ndarray:
    convert(source, target)
    isolated = np.zeros(3, dtype=bool)
    positions = np.array(ANSWERS["positions"])
    return AllegroInterpreter(target).energies(ANSWERS["numbers"], positions, None, isolated)


def test_energies_of_the_checkpoint(fixtures: Path, tmp_path: Path) -> None:
    """The averaged weights are those that count."""
    found = energies(fixtures / "allegro.ckpt", tmp_path / "model")
    assert np.allclose(found, ANSWERS["energies"], rtol=1e-12, atol=1e-12)


def test_energies_of_the_package(package: Path, tmp_path: Path) -> None:
    found = energies(package, tmp_path / "model")
    assert np.allclose(found, ANSWERS["energies"], rtol=1e-12, atol=1e-12)


def test_both_are_the_same_model(fixtures: Path, package: Path, tmp_path: Path) -> None:
    targets = [tmp_path / "one", tmp_path / "other"]
    cards = [convert(s, t) for s, t in zip((fixtures / "allegro.ckpt", package), targets)]
    (one, _), (other, _) = map(safetensors.read, targets)
    assert list(one) == list(other)
    assert all(np.allclose(one[key], other[key], rtol=1e-14, atol=0) for key in one)
    training = [card.pop("training") for card in cards]
    assert training == [{"code": "nequip 0.19.1", "epoch": 1}, {"code": "nequip 0.19.1"}]
    for card in cards:
        del card["sha256_source"]
    assert cards[0] == cards[1]
    assert cards[0]["architecture"] == "allegro" and cards[0]["precision"] == "float64"
    assert cards[0]["model"]["layers"] == [
        {"irreps_out": "2x0e+2x1o", "latent": {"hidden": [3], "activation": "silu"}},
        {"irreps_out": "2x0e", "latent": {"hidden": [3], "activation": "silu"}},
    ]
    assert one["two_body.0.weight"].shape == (3, 3, 3, 4)
    assert one["radial.r_max"].tolist() == [[3.0, 3.0, 3.0], [3.5, 3.5, 3.5], [3.5, 3.5, 3.5]]


EMBED = "radial_chemical_embed"
MODULE = "model.sole_model.model.func.allegro."
REFUSED: dict[str, tuple[Callable[[Any], None], str]] = {
    "unknown option": (put("attention", True), "unknown parts: 'attention'"),
    "embedding": (put(f"{EMBED}/_target_", "my.Embed"), "'my.Embed'; supported: allegro"),
    "option of the embedding": (put(f"{EMBED}/span", 3), "unknown parts: 'span'"),
    "splines": (
        put(EMBED, {"_target_": "allegro.nn.TwoBodySplineScalarEmbed"}),
        "averaged weights",
    ),
    "not zero at zero": (put("readout_mlp_nonlinearity", "sigmoid"), "with cutoffs by pair"),
    "nonlinearity": (put("allegro_mlp_nonlinearity", "relu"), "'relu' of 'allegro.latents.0'"),
    "no nonlinearity": (put("allegro_mlp_nonlinearity", None), "not the network"),
    "pair potential": (put("pair_potential/_target_", "x.LennardJones"), "supported: ZBL"),
    "types": (put("type_names", ["H", "C", "N"]), "avg_num_neighbors"),
    "l_max": (put("l_max", 2), "outputs"),
    "more layers": (put("num_layers", 3), None),
    "fewer layers": (put("num_layers", 1), None),
    "more scalars": (put("num_scalar_features", 5), "outputs"),
    "more tensors": (put("num_tensor_features", 3), "outputs"),
    "uncoupled": (put("tp_path_channel_coupling", False), "has shape"),
    "weights": (put("weight_individual_irreps", False), "outputs"),
    "r_max": (put("r_max", 200.0), "r_max"),
    "dtype": (put("model_dtype", "float16"), "supported: float32, float64"),
    "modifier": (modified("enable_OpenEquivariance"), "'enable_OpenEquivariance'"),
    "no weight": (without(f"{MODULE}tps.0.weights"), None),
    "no couplings": (without(f"{MODULE}tps.0.w3j"), "w3j' is missing"),
    "no average": (without("ema.ema_weight_3"), "as many averaged weights"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_name(case: str, checkpoint: Any) -> None:
    change, message = REFUSED[case]
    change(checkpoint)
    with pytest.raises(FormatError, match=message):
        allegro.convert(checkpoint, None)


@pytest.mark.parametrize(
    "change", [modified("enable_TritonContracter"), put("compile_mode", "compile")]
)
def test_what_leaves_the_numbers_alone(change: Callable[[Any], None], checkpoint: Any) -> None:
    expected, _ = allegro.convert(copy.copy(checkpoint), None)
    change(checkpoint)
    assert allegro.is_allegro(checkpoint)
    found, _ = allegro.convert(checkpoint, None)
    assert all(np.array_equal(found[key], expected[key]) for key in expected)


def network_of(modules: Any) -> Any:
    for name in ("sole_model", "model", "func"):
        modules = modules.state["_modules"][name]
    return modules.state["_modules"]


PACKAGED: dict[str, tuple[str, str, Any, str]] = {
    "unit harmonics": ("tensor_embed/sh", "normalize", False, "unit direction"),
    "other normalisation": ("allegro/tps/0", "irrep_normalization", None, "'component'"),
    "mean": ("edge_eng_sum", "reduce", "mean", "not summed"),
    "sizes": ("edge_readout/mlp_module", "dims", "many", "sizes of its layers"),
    "coupling": ("allegro/tps/0", "path_channel_coupling", False, "different options"),
}


@pytest.mark.parametrize("case", PACKAGED)
def test_packages_refused_by_name(case: str, modules: Any) -> None:
    path, attribute, value, message = PACKAGED[case]
    first, *rest = path.split("/")
    module = network_of(modules)[first]
    for name in rest:
        module = module.state["_modules"][name]
    module.state[attribute] = value
    with pytest.raises(FormatError, match=message):
        allegro.convert(modules, None)


def test_unknown_parts_of_a_package_are_refused(modules: Any) -> None:
    network = network_of(modules)
    network["dispersion"] = network["edge_readout"]
    with pytest.raises(FormatError, match="'dispersion'"):
        allegro.convert(modules, None)


def test_each_family_knows_its_own(checkpoint: Any, modules: Any) -> None:
    for file in (checkpoint, modules):
        assert allegro.is_allegro(file) and not nequip.is_nequip(file)
    put("_target_", "nequip.model.NequIPGNNModel")(checkpoint)
    assert not allegro.is_allegro(checkpoint)
    assert not allegro.is_allegro({"state_dict": {}})


def test_modality_is_refused(checkpoint: Any) -> None:
    with pytest.raises(FormatError, match="--modality is for models with several"):
        allegro.convert(checkpoint, "charge=1")


def test_tensor_irreps() -> None:
    """As nequip-allegro 0.8.3 prints its contracters."""

    def named(found: list[list[Irrep]]) -> list[str]:
        return ["+".join(map(str, irreps)) for irreps in found]

    every = [Irrep(degree, p) for degree in range(3) for p in (1, -1)]
    assert named(tensor_irreps(2, every, 1)) == ["0e+1o+2e", "0e"]
    assert named(tensor_irreps(2, every, 2)) == ["0e+1o+2e", "0e+1o+2e", "0e"]
    assert named(tensor_irreps(2, every, 3)) == [
        "0e+1o+2e", "0e+1e+1o+2e+2o", "0e+1o+2e", "0e",
    ]  # fmt: skip
    assert named(tensor_irreps(2, harmonics(2), 3)) == ["0e+1o+2e"] * 3 + ["0e"]
