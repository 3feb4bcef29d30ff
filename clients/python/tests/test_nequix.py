"""Conversion of a tiny Nequix (make_nequix_fixtures.py), as jax and as torch save it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from interpreter import Interpreter

from irrepd import safetensors
from irrepd.convert import convert
from irrepd.convert.__main__ import main
from irrepd.errors import FormatError

ANSWERS = json.loads((Path(__file__).parent / "fixtures" / "nequix.json").read_text())
FILES = "nequix.nqx", "nequix.pt"


def parts(path: Path) -> tuple[dict[str, Any], bytes]:
    """The configuration, and the weights behind it."""
    line, _, weights = path.read_bytes().partition(b"\n")
    return json.loads(line), weights


def written(path: Path, config: Any, weights: bytes) -> Path:
    path.write_bytes(json.dumps(config).encode() + b"\n" + weights)
    return path


@pytest.mark.parametrize("name", [*FILES, "nequix-species.nqx", "nequix-plain.nqx"])
def test_energies(name: str, fixtures: Path, tmp_path: Path) -> None:
    target = tmp_path / "model"
    convert(fixtures / name, target)
    positions, isolated = np.array(ANSWERS["positions"]), np.zeros(3, dtype=bool)
    found = Interpreter(target).energies(ANSWERS["numbers"], positions, None, isolated)
    expected = ANSWERS["energies"][Path(name).stem]
    assert np.allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_both_are_the_same_model(fixtures: Path, tmp_path: Path) -> None:
    targets = [tmp_path / name for name in FILES]
    cards = [convert(fixtures / name, target) for name, target in zip(FILES, targets)]
    (one, _), (other, _) = map(safetensors.read, targets)
    assert list(one) == list(other)
    assert all(np.array_equal(one[key], other[key]) for key in one)
    for card in cards:
        card.pop("sha256_source")
    assert cards[0] == cards[1]
    card = cards[0]
    assert (card["architecture"], card["variant"], card["r_max"]) == ("nequip", "nequix", 3.5)
    assert card["atomic_numbers"] == [1, 6, 8] and card["precision"] == "float32"
    assert [layer["norm"] for layer in card["model"]["layers"]] == [{"epsilon": 1e-12}] * 2
    assert one["layers.0.norm.0e.gain"].shape == (5,)


def test_elements_in_any_order(fixtures: Path, tmp_path: Path) -> None:
    """nequix numbers species by ascending atomic number, whatever the list's order."""
    config, weights = parts(fixtures / "nequix.nqx")
    config["atomic_numbers"] = [8, 1, 6]
    card = convert(written(tmp_path / "x.nqx", config, weights), tmp_path / "model")
    assert card["atomic_numbers"] == [1, 6, 8]


def leaves(config: Any) -> bytes:
    """The numbers of a configuration as equinox saves them: nequix-oam-1 ends so."""
    file = io.BytesIO()

    def save(tree: Any) -> None:
        if isinstance(tree, dict):
            for key in sorted(tree):
                save(tree[key])
        elif isinstance(tree, list):
            for value in tree:
                save(value)
        elif not isinstance(tree, str):
            np.save(file, tree)

    save(config)
    return file.getvalue()


def test_the_configuration_once_more(fixtures: Path, tmp_path: Path) -> None:
    config, weights = parts(fixtures / "nequix.nqx")
    twice = written(tmp_path / "twice.nqx", config, weights + leaves(config))
    convert(twice, tmp_path / "model")
    other = leaves({**config, "scale": 2.0})
    with pytest.raises(FormatError, match=r"2\.0, where the configuration has 1\.25"):
        convert(written(tmp_path / "x.nqx", config, weights + other), tmp_path / "other")
    with pytest.raises(FormatError, match="bytes behind the last"):
        longer = weights + leaves(config) + b"more"
        convert(written(tmp_path / "y.nqx", config, longer), tmp_path / "other")
    with pytest.raises(FormatError, match="does not begin as numpy"):
        convert(written(tmp_path / "z.nqx", config, weights + b"more!!"), tmp_path / "other")
    assert not (tmp_path / "other").exists()


Change = Callable[[dict[str, Any]], Any]


def option(key: str, value: Any) -> Change:
    return lambda config: config.update({key: value})


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda config: config.pop("hidden_irreps"), "lacks hidden_irreps"),
        (lambda config: config.pop("cutoff"), "'cutoff' is None"),
        (option("cutoff", "6"), "'cutoff'"),
        (option("cutoff", 1e9), "'cutoff'"),
        (option("lmax", 9), "'lmax'"),
        (option("lmax", 0), "'lmax' is below"),
        (option("n_layers", 17), "'n_layers'"),
        (option("n_layers", 3), "shape|missing"),
        (option("n_layers", 1), "shape|missing"),
        (option("hidden_irreps", "3x0e+2x1e"), "hidden_irreps"),
        (option("hidden_irreps", "2x1o+3x0e"), "hidden_irreps"),
        (option("hidden_irreps", "3x0e+2x1o+1x1o"), "hidden_irreps"),
        (option("hidden_irreps", "3x0e+99999999x1o"), "irreps"),
        (option("hidden_irreps", ["3x0e"]), "irreps"),
        (option("hidden_irreps", "4x0e+2x1o"), "shape"),
        (option("radial_polynomial_p", 1.0), "radial_polynomial_p"),
        (option("radial_mlp_size", 5), "shape"),
        (option("radial_basis_size", 0), "radial_basis_size"),
        (option("avg_n_neighbors", 0), "avg_n_neighbors"),
        (option("index_weights", None), "index_weights"),
        (option("index_weights", True), "shape"),
        (option("layer_norm", False), "shape|not understood"),
        (option("scale", None), "'scale'"),
        (option("atomic_numbers", [1, 6, 6]), "twice"),
        (option("atomic_numbers", [1, 6, 119]), "atomic_numbers"),
        (option("atomic_numbers", [1, 6]), "shape"),
        (option("atom_energies", {"1": -1.5, "6": 0.5, "8": 3.0}), "atom 8 is 3.0"),
        (option("attention_heads", 4), "nequix 0.4.5 has not: attention_heads"),
    ],
)
def test_refuses_options(
    name: str, change: Change, message: str, fixtures: Path, tmp_path: Path
) -> None:
    config, weights = parts(fixtures / name)
    change(config)
    source, target = written(tmp_path / "changed", config, weights), tmp_path / "model"
    with pytest.raises(FormatError, match=message):
        convert(source, target)
    assert not target.exists()


@pytest.mark.parametrize(
    "line", [b'{"cutoff": 1e999}', b'{"a": NaN}', b'{"a": ' + b"9" * 5000 + b"}", b'{"a"', b"{}",
             b'{"a":' + b"[" * 100000, b'{"cutoff": ' + b"9" * 400 + b"}"]
)  # fmt: skip
def test_refuses_lines(line: bytes, tmp_path: Path) -> None:
    source = tmp_path / "x.nqx"
    for ending in (b"", b"\n", b"\nmore"):
        source.write_bytes(line + ending)
        with pytest.raises(FormatError, match="line"):
            convert(source, tmp_path / "model")


@pytest.mark.parametrize("name", FILES)
def test_cut_anywhere(name: str, fixtures: Path, tmp_path: Path) -> None:
    """A file that ends early is refused, wherever that is."""
    data = (fixtures / name).read_bytes()
    source, target = tmp_path / "cut", tmp_path / "model"
    for size in range(1, len(data), 397):
        source.write_bytes(data[:size])
        with pytest.raises(FormatError):
            convert(source, target)
    assert not target.exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"'<f4'", b"'|O8'", "plain numbers"),
        (b"'<f4'", b"'<i4'", "finite"),
        (b"'<f4'", b"'>f4'", "plain numbers"),
        (b"(3,)", b"(9,)", "shape"),
        (b"\x93NUMPY\x01\x00v\x00", b"\x93NUMPY\x09\x00v\x00", "version 9"),
        (b"\x93NUMPY\x01\x00v\x00", b"\x93NUMPY\x01\x00\xff\xff", "header"),
        (b"False", b"os.x.", "plain numbers"),
    ],
)
def test_refuses_arrays(
    old: bytes, new: bytes, message: str, fixtures: Path, tmp_path: Path
) -> None:
    config, weights = parts(fixtures / "nequix.nqx")
    assert old in weights and len(old) == len(new)
    with pytest.raises(FormatError, match=message):
        convert(written(tmp_path / "x", config, weights.replace(old, new, 1)), tmp_path / "model")


def test_weights_that_are_not_finite(fixtures: Path, tmp_path: Path) -> None:
    config, weights = parts(fixtures / "nequix.nqx")
    bad = weights[:128] + np.float32("nan").tobytes() + weights[132:]
    with pytest.raises(FormatError, match="atom_energies"):
        convert(written(tmp_path / "x", config, bad), tmp_path / "model")


def test_command(fixtures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "model.safetensors"
    assert main([str(fixtures / "nequix.nqx"), str(target), "--modality", "x"]) == 2
    assert "a Nequix has one" in capsys.readouterr().err and not target.exists()
    assert main([str(fixtures / "nequix.nqx"), str(target), "--license", "CC-BY-4.0"]) == 0
    assert "3 elements, r_max 3.5 A" in capsys.readouterr().out
