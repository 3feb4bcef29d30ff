"""Conversion of tiny SevenNet checkpoints (make_fixtures.py), evaluated by the interpreter."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from interpreter import Interpreter

from irrepd import pickles, safetensors
from irrepd.archives import Archive
from irrepd.convert import convert
from irrepd.convert.__main__ import main
from irrepd.convert.detect import converter_for
from irrepd.errors import FormatError
from irrepd.records import Tensor

ANSWERS = json.loads((Path(__file__).parent / "fixtures" / "energies.json").read_text())
CASES = list(ANSWERS["energies"])


@pytest.mark.parametrize("case", CASES)
def test_energies_are_those_of_sevenn(case: str, fixtures: Path, tmp_path: Path) -> None:
    name, _, modality = case.partition(" ")
    target = tmp_path / "model.safetensors"
    convert(fixtures / f"{name}.pth", target, modality=modality or None)
    positions = np.array(ANSWERS["positions"])
    isolated = np.zeros(3, dtype=bool)
    energies = Interpreter(target).energies(ANSWERS["numbers"], positions, None, isolated)
    assert np.allclose(energies, ANSWERS["energies"][case], rtol=1e-13, atol=1e-13)


def test_a_card_s_own_functional(fixtures: Path, tmp_path: Path) -> None:
    for given, method, functional in (
        ("r2scan", "d3bj", "r2scan"),
        ("d3zero:pbe", "d3zero", "pbe"),
        ("d3bj:b3-lyp", "d3bj", "b3-lyp"),
    ):
        card = convert(fixtures / "solid.pth", tmp_path / "model", dispersion=given)
        assert card["dispersion"] == {"method": method, "functional": functional}
    for bad in ("", "d4:pbe", "d3bj:", ":pbe", "x" * 64):
        with pytest.raises(FormatError, match="--dispersion takes FUNCTIONAL"):
            convert(fixtures / "solid.pth", tmp_path / "model", dispersion=bad)


def test_all_modalities_are_kept(fixtures: Path, tmp_path: Path) -> None:
    """The same numbers as of each alone, by the interpreter of the format."""
    target = tmp_path / "model.safetensors"
    card = convert(fixtures / "modal.pth", target, default_head="third")
    assert card["heads"] == ["first", "second", "third"] and card["default_head"] == "third"
    assert "modality" not in card
    tensors, _ = safetensors.read(target)
    assert tensors["layers.0.linear_up.head_bias"].shape == (3, 3)
    assert tensors["readout.0.bias"].shape == (3, 1) and tensors["shift"].shape == (3, 3)
    positions, isolated = np.array(ANSWERS["positions"]), np.zeros(3, dtype=bool)
    for head in card["heads"]:
        model = Interpreter(target, head)
        energies = model.energies(ANSWERS["numbers"], positions, None, isolated)
        expected = ANSWERS["energies"][f"modal {head}"]
        assert np.allclose(energies, expected, rtol=1e-13, atol=1e-13)


def test_card_and_tensors(fixtures: Path, tmp_path: Path) -> None:
    target = tmp_path / "model.safetensors"
    about = {"name": "tiny", "license": "MIT", "training": {"dataset": "none"}}
    card = convert(fixtures / "parity.pth", target, about=about)
    tensors, metadata = safetensors.read(target)
    assert json.loads(metadata["irrepd"]) == card
    assert {tensor.dtype for tensor in tensors.values()} == {np.dtype("f8")}
    assert (card["format"], card["architecture"], card["variant"]) == (1, "nequip", "sevennet")
    assert card["atomic_numbers"] == [14, 8, 1]
    assert card["radial"] == {
        "basis": {"name": "bessel", "num_basis": 4, "prefactor": 2 / 3.5},
        "cutoff": {"name": "xplor", "r_on": 2.0},
    }
    assert card["model"]["edge_parity"] == "natural" and "edge_harmonics" not in card["model"]
    assert card["model"]["layers"][1]["irreps_mid"] == "9x0e+12x1o+6x1e+6x2o+12x2e"
    assert set(card["model"]["layers"][1]["gate"]["scalars"]) == {"0e"}
    assert card["model"]["readout"] == {"hidden": [4, 3], "activation": "sigmoid"}
    assert (card["name"], card["license"], card["training"]["dataset"]) == ("tiny", "MIT", "none")
    assert card["training"]["epoch"] == 3 and len(card["sha256_source"]) == 64
    assert tensors["layers.1.self_connection.1o.weight"].shape == (3, 3, 3)


def test_same_bytes_every_time(fixtures: Path, tmp_path: Path) -> None:
    files = [tmp_path / "first", tmp_path / "second"]
    for file in files:
        convert(fixtures / "solid.pth", file)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_command(fixtures: Path, tmp_path: Path) -> None:
    target = tmp_path / "model.safetensors"
    command = [sys.executable, "-W", "error", "-m", "irrepd.convert"]
    package = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [*command, fixtures / "modal.pth", target, "--modality", "second", "--name", "m"],
        cwd=package,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and done.stderr == ""
    assert "3 elements" in done.stdout
    card = Interpreter(target).card
    assert (card["name"], card["modality"]) == ("m", "second")


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("modal", ["--modality", "fourth"], "--modality (first, second, third); 'fourth' is none"),
        ("modal", ["--default-head", "fourth"], "one of first, second, third; 'fourth' is none"),
        ("solid", ["--default-head", "first"], "keeps several heads"),
        ("solid", ["--modality", "first"], "this is none"),
        ("absent", [], "absent.pth"),
    ],
)
def test_command_refuses(
    name: str,
    arguments: list[str],
    message: str,
    fixtures: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    target = tmp_path / "model.safetensors"
    assert main([str(fixtures / f"{name}.pth"), str(target), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("irrepd.convert: ") and message in error and error.count("\n") == 1
    assert not target.exists()


Change = Callable[[dict[str, Any]], None]


def option(key: str, value: Any) -> Change:
    return lambda checkpoint: checkpoint["config"].update({key: value})


def without(key: str) -> Change:
    return lambda checkpoint: checkpoint["config"].pop(key)


def dropped(name: str) -> Change:
    return lambda checkpoint: checkpoint["model_state_dict"].pop(name)


def added(name: str) -> Change:
    def change(checkpoint: dict[str, Any]) -> None:
        state = checkpoint["model_state_dict"]
        state[name] = next(iter(state.values()))

    return change


def swapped(name: str, other: str) -> Change:
    def change(checkpoint: dict[str, Any]) -> None:
        state = checkpoint["model_state_dict"]
        state[name] = state[other]

    return change


SHARED: list[Any] = []
for _ in range(100):
    SHARED = [SHARED, SHARED]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (option("_model_type", "other"), "unknown kind"),
        (option("version", "0.14.0"), "newer"),
        (option("version", "soon"), "not understood"),
        (without("version"), "version"),
        (option("interaction_type", "mace"), "interaction_type"),
        (option("act_radial", "relu"), "relu"),
        (option("act_scalar", {"e": "tanh"}), "tanh"),
        (option("act_gate", {}), "'e'"),
        (option("readout_fcn_activation", "elu"), "elu"),
        (option("self_connection_type", "none"), "self_connection_type"),
        (option("self_connection_type", ["nequip"]), "self_connection_type"),
        (option("radial_basis", {"radial_basis_name": "gauss"}), "gauss"),
        (option("radial_basis", {"radial_basis_name": "bessel", "more": 1}), "'more'"),
        (option("cutoff_function", {"cutoff_function_name": "cosine"}), "cosine"),
        (option("cutoff", -1.0), "cutoff"),
        (option("cutoff", float("nan")), "cutoff"),
        (option("cutoff", "5"), "cutoff"),
        (option("lmax", 7), "lmax"),
        (option("lmax", True), "lmax"),
        (option("channel", 1 << 40), "channel"),
        (option("channel", 4), "weights"),
        (option("num_convolution_layer", 17), "num_convolution_layer"),
        (option("num_convolution_layer", 2), "has shape"),
        (option("num_convolution_layer", 4), "has shape"),
        (option("is_parity", None), "is_parity"),
        (option("irreps_manual", ["3x0e"]), "irreps_manual"),
        (option("irreps_manual", ["3x0e", "3x9e", "3x0e", "3x0e"]), "beyond degree"),
        (option("irreps_manual", ["3x0e", "3x1o+3x0e", "3x0e", "3x0e"]), "scalars first"),
        (option("irreps_manual", ["3x0e", "3x0e+3x0e", "3x0e", "3x0e"]), "each irrep once"),
        (option("irreps_manual", ["3x1o", "3x0e", "3x0e", "3x0e"]), "even scalars alone"),
        (option("_type_map", {1: 0, 8: 1, 119: 2}), "_type_map"),
        (option("_type_map", {1: 0, 8: 1, 14: 5}), "_type_map"),
        (option("weight_nn_hidden_neurons", []), "weight_nn_hidden_neurons"),
        (option("weight_nn_hidden_neurons", [6, 5]), "has shape"),
        (option("use_flash_tp", True), "use_flash_tp"),
        (option("cuequivariance_config", {"use": True}), "cuEquivariance"),
        (option("use_modality", True), "_modal_map"),
        (option("use_bias_in_linear", False), "bias"),
        (option("lmax", SHARED), "a list"),
        (option("act_radial", SHARED), "a list"),
        (dropped("0_convolution.denominator"), "missing"),
        (dropped("1_convolution.convolution._compiled_main_left_right._w3j_1_1_1"), "missing"),
        (dropped("rescale_atomic_energy.shift"), "missing"),
        (added("9_extra.weight"), "not understood: 9_extra.weight"),
        (added("1_convolution.extra"), "not understood"),
        (
            swapped(
                "1_convolution.convolution._compiled_main_left_right._w3j_1_1_1",
                "2_convolution.denominator",
            ),
            "has shape",
        ),
        (lambda c: c.update(model_state_dict={}), "no state dict"),
        (lambda c: c.update(model_state_dict={"a": 1}), "no named tensor"),
        (lambda c: c.update(config=[]), "unknown kind"),
    ],
)
def test_unsupported_checkpoints_are_refused_by_name(
    change: Change, message: str, fixtures: Path
) -> None:
    with Archive(fixtures / "parity.pth") as archive:
        checkpoint = pickles.load(archive)
        change(checkpoint)
        with pytest.raises(FormatError, match=message):
            converter_for(checkpoint)(checkpoint, None)


def rewritten(source: Path, target: Path, name: str, value: float) -> None:
    """A copy of an archive in which the first number of a tensor is another."""
    with Archive(source) as archive:
        tensor = pickles.load(archive)["model_state_dict"][name]
        assert isinstance(tensor, Tensor) and tensor.offset == 0
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.namelist():
            data = old.read(entry)
            if entry.endswith(f"/data/{tensor.storage.key}"):
                data = np.float32(value).tobytes() + data[4:]
            new.writestr(entry, data)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("0_convolution.denominator", 0.0, "zero"),
        ("onehot_to_feature_x.linear.weight", float("nan"), "finite"),
        ("rescale_atomic_energy.scale", float("inf"), "finite"),
        ("0_self_interaction_1.linear.output_mask", 0.5, "mask"),
        ("1_convolution.convolution._compiled_main_left_right._w3j_1_1_1", 0.25, "Wigner"),
    ],
)
def test_bad_numbers_are_refused(
    name: str, value: float, message: str, fixtures: Path, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.pth"
    rewritten(fixtures / "parity.pth", damaged, name, value)
    with pytest.raises(FormatError, match=message):
        convert(damaged, tmp_path / "model.safetensors")
    assert list(tmp_path.iterdir()) == [damaged]
