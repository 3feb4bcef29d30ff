"""The rules by release of the upstream codes, and what a package says of itself in text.

Whole files of old and new releases are in tests/reference/test_releases.py.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nequip_changes import put, stored

from irrepd import pickles
from irrepd.archives import Archive
from irrepd.convert import nequip
from irrepd.convert.nequip_packaged import averages_of
from irrepd.convert.releases import (
    NEQUIP_HIDDEN_ORDER,
    SEVENN_SORTED_FILTERS,
    ReleaseWarning,
    release_of,
)
from irrepd.convert.yaml_scalars import number_of, scalars_of
from irrepd.errors import FormatError


@pytest.fixture
def checkpoint(fixtures: Path) -> Any:
    with Archive(fixtures / "nequip.ckpt") as archive:
        yield pickles.load(archive)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("0.7.0", (0, 7, 0)),
        ("0.15", (0, 15, 0)),
        ("v0.16.0", (0, 16, 0)),
        ("0.16.1.dev3+g0123abc", (0, 16, 1)),
        ("0.9.3.post1", (0, 9, 3)),
        ("2.1.1", (2, 1, 1)),
    ],
)
def test_versions(text: str, version: tuple[int, ...]) -> None:
    assert release_of("nequip", text).version == version


@pytest.mark.parametrize("text", ["", "soon", "1", "0.1.2.3.4.5", 7, "0.16.0" + "0" * 200, []])
def test_versions_that_are_none(text: Any) -> None:
    with pytest.raises(FormatError, match=r"version .* of nequip is not understood"):
        release_of("nequip", text)


def test_what_a_release_has() -> None:
    has = {text: release_of("nequip", text).has(NEQUIP_HIDDEN_ORDER) for text in (
        "0.7.0", "0.15.99", "0.16.0", "0.16.0.post1", "0.16.1.dev0", "0.19.1",
    )}  # fmt: skip
    assert has == {"0.7.0": False, "0.15.99": False, "0.16.0": True, "0.16.0.post1": True,
                   "0.16.1.dev0": True, "0.19.1": True}  # fmt: skip
    sevenn = [release_of("sevenn", f"0.11.0{end}").has(SEVENN_SORTED_FILTERS) for end in
              (".dev0", ".dev1", "")]  # fmt: skip
    assert sevenn == [False, True, True]


def test_a_release_between_two_is_refused() -> None:
    with pytest.raises(FormatError, match="may have its change or not: hidden irreps are ordered"):
        release_of("nequip", "0.16.0.dev2").has(NEQUIP_HIDDEN_ORDER)


def put_version(text: Any) -> Callable[[Any], None]:
    def change(checkpoint: Any) -> None:
        versions = checkpoint["hyper_parameters"]["info_dict"]["versions"]
        versions["nequip"] = text
        if text is None:
            del versions["nequip"]

    return change


def test_newer_releases_are_refused_or_warned_of(checkpoint: Any) -> None:
    put_version("0.20.0")(checkpoint)
    with pytest.raises(
        FormatError, match=r"nequip 0\.20\.0 is newer than .* 0\.19; nequip-package"
    ):
        nequip.convert(checkpoint, None)
    with pytest.warns(ReleaseWarning, match=r"allegro 0\.9\.0 is newer"):
        release_of("allegro", "0.9.0").warn_of_newer()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        release_of("allegro", "0.8.9").warn_of_newer()
        release_of("allegro", None).warn_of_newer()


def test_a_missing_version_counts_only_where_releases_differ(checkpoint: Any) -> None:
    put_version(None)(checkpoint)
    with pytest.raises(FormatError, match=r"does not tell the version of nequip.* since 0\.16\.0"):
        nequip.convert(checkpoint, None)
    put("pair_potential/polynomial_cutoff_p", 5)(checkpoint)
    put("l_max", 0)(checkpoint)
    with pytest.raises(FormatError) as refusal:  # other weights; the version is not missed
        nequip.convert(checkpoint, None)
    assert "version" not in str(refusal.value)


def test_the_cutoff_of_zbl_is_that_of_the_release(checkpoint: Any) -> None:
    def found(version: str) -> float:
        put_version(version)(checkpoint)
        repulsion = nequip.convert(checkpoint, None)[1]["model"]["pair_repulsion"]
        return float(repulsion["p"])

    put("polynomial_cutoff_p", 4)(checkpoint)
    put("parity", True)(checkpoint)
    assert [found("0.16.3"), found("0.17.0")] == [4, 6]
    put("pair_potential/polynomial_cutoff_p", 5)(checkpoint)
    assert found("0.17.0") == 5


def test_scalars_of_yaml() -> None:
    text = (
        "a:\n  b: 1.5\n  'N': x\n  c:\n    d: 'yes'\ne: 2\n# note: 3\nlist:\n- f: 1\n  g: 2\n"
        "h: [1, 2]\ne: 3\nlong: >\n  text: 1\nlast: 7\n"
    )
    found = scalars_of(text)
    assert found["a", "b"] == "1.5" and found["a", "N"] == "x" and found["a", "c", "d"] == "yes"
    assert found["last",] == "7" and ("e",) not in found
    assert scalars_of("x: 1\n" * 100_000 + "y: 1\n").get(("y",)) is None
    assert scalars_of("\n".join(" " * i + f"k{i}:" for i in range(2000))) == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [("2.5", 2.5), ("1e3", 1000.0), (".5", 0.5), ("7", 7.0), ("-1.", -1.0)],
)
def test_numbers(text: str, value: float) -> None:
    assert number_of(text) == value


@pytest.mark.parametrize("text", ["", "nan", "inf", "1_000", "0x1", "1e9999", "٣", None, "null"])
def test_no_numbers(text: str | None) -> None:
    assert number_of(text) is None


def test_averages_of_a_configuration() -> None:
    text = (
        "training_module:\n  model:\n    avg_num_neighbors: 2.5\n"
        "other:\n  avg_num_neighbors:\n    H: 1.0\n    C: 2\n"
        "third:\n  avg_num_neighbors: null\nfourth:\n  avg_num_neighbors: -1.0\n"
        "fifth:\n  avg_num_neighbors:\n    H: 1.0\n"
    )
    found = [values.tolist() for values in averages_of(text, ["H", "C"])]
    assert found == [[2.5], [1.0, 2.0]]


def test_a_norm_that_the_configuration_contradicts_is_the_stored_one(
    fixtures: Path, tmp_path: Path
) -> None:
    """The package's module counts; its configuration only gives the digits that rounding took."""
    source = fixtures.parents[3] / "tests" / "reference" / "fixtures" / "releases"
    package = stored(source / "nequip-0.19.1-single.nequip.zip", tmp_path / "package.zip")
    exact = _linear_up(package)
    assert package.read_bytes().count(b"H: 2.3\n") == 1
    changed = tmp_path / "changed.zip"
    _rewrite(package, changed, b"H: 2.3\n", b"H: 2.4\n")
    rounded = _linear_up(changed)
    assert np.allclose(rounded, exact, rtol=1e-6, atol=0) and not np.array_equal(rounded, exact)


def _linear_up(package: Path) -> np.ndarray:
    with Archive(package) as archive:
        tensors, _ = nequip.convert(pickles.load(archive), None)
    return tensors["layers.0.linear_up.0e.weight"]


def _rewrite(source: Path, target: Path, old: bytes, new: bytes) -> None:
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(target, "w") as after:
        for name in before.namelist():
            after.writestr(name, before.read(name).replace(old, new))
