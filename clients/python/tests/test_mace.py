"""Conversion of a tiny MACE model (made by tests/reference/mace_fixtures.py), and refusals."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from irrepd import pickles, safetensors
from irrepd.archives import Archive
from irrepd.convert import convert, mace
from irrepd.convert.__main__ import main
from irrepd.convert.detect import converter_for
from irrepd.convert.e3nn import Irrep, parse_irreps
from irrepd.convert.mace_couplings import exact
from irrepd.convert.mace_product import _terms
from irrepd.errors import FormatError
from irrepd.records import Global, Record, Tensor


@pytest.fixture
def model(fixtures: Path) -> Iterator[Record]:
    with Archive(fixtures / "mace.model") as archive:
        yield pickles.load(archive)


def child(record: Record, path: str) -> Record:
    for name in path.split("."):
        record = record.state["_modules"][name]
    return record


def of_kind(record: Record, name: str) -> None:
    record.function = Global(record.function.module, name)


def test_card_and_tensors(fixtures: Path, tmp_path: Path) -> None:
    target = tmp_path / "model.safetensors"
    card = convert(fixtures / "mace.model", target, modality="r2scan", about={"name": "tiny"})
    tensors, metadata = safetensors.read(target)
    assert json.loads(metadata["irrepd"]) == card
    assert (card["architecture"], card["modality"], card["name"]) == ("mace", "r2scan", "tiny")
    assert card["atomic_numbers"] == [1, 8] and card["precision"] == "float64"
    assert card["radial"]["transform"] == {"name": "agnesi", "a": 1.0805, "q": 0.9183, "p": 4.5791}
    assert card["radial"]["basis"]["num_basis"] == 3
    model = card["model"]
    assert (model["l_max"], model["edge_parity"]) == (1, "natural")
    assert model["pair_repulsion"] == {"num_terms": 4, "p": 5.0}
    first, last = model["layers"]
    assert first["self_connection"] == "none" and first["selector"] == "species"
    assert last["self_connection"] == "species" and last["selector"] == "none"
    assert first["irreps_up"] == "2x0e" and last["irreps_up"] == "2x0e+2x1o"
    assert first["irreps_message"] == "2x0e+2x1o" and last["irreps_out"] == "2x0e"
    assert first["density"]["offset"] == 1.0 and "density" not in last
    assert last["readout"] == {"hidden": [2], "activation": "silu"}
    assert tensors["layers.0.density.0.weight"].shape == (3, 1)
    assert tensors["layers.1.self_connection.0e.weight"].shape == (2, 2, 2)
    assert tensors["layers.0.product.1o.2.weight"].shape[0] == 2
    assert np.array_equal(tensors["radial.r0"], tensors["radial.r0"].T)
    mid = {str(ir): mul for mul, ir in parse_irreps(last["irreps_mid"])}
    for ir, mul in mid.items():
        assert tensors[f"layers.1.linear_down.{ir}.weight"].shape == (mul, 2)


def test_heads_differ_in_readout_and_shift_only(fixtures: Path, tmp_path: Path) -> None:
    found = []
    for head in ("pbe", "r2scan"):
        target = tmp_path / f"{head}.safetensors"
        assert main(["--head", head, str(fixtures / "mace.model"), str(target)]) == 0
        found.append(safetensors.read(target)[0])
    changed = {key for key in found[0] if not np.array_equal(found[0][key], found[1][key])}
    names = {key.split(".readout")[0] + ".readout" for key in changed if ".readout." in key}
    assert names == {"layers.0.readout", "layers.1.readout"}
    rest = {key for key in changed if ".readout." not in key}
    assert rest == {"scale", "shift", "pair_repulsion.factor"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--head", "mp"], "--head (pbe, r2scan); 'mp' is none"),
        (["--head", "r2-scan"], "did you mean 'r2scan'?"),
        (["--default-head", "mp"], "one of pbe, r2scan; 'mp' is none"),
        (["--head", "pbe", "--default-head", "pbe"], "keeps several heads"),
    ],
)
def test_other_heads_are_refused(
    fixtures: Path, tmp_path: Path, capsys: Any, arguments: list[str], message: str
) -> None:
    target = tmp_path / "model.safetensors"
    assert main([*arguments, str(fixtures / "mace.model"), str(target)]) == 2
    assert message in capsys.readouterr().err and not target.exists()


def test_all_heads_are_kept(fixtures: Path, tmp_path: Path, capsys: Any) -> None:
    """What is by head has the numbers of each in a row; the rest is that of either."""
    names = ("pbe", "r2scan")
    files = [tmp_path / f"{name}.safetensors" for name in (*names, "all")]
    for head, file in zip(names, files):
        convert(fixtures / "mace.model", file, modality=head)
    assert main([str(fixtures / "mace.model"), str(files[2]), "--default-head", "pbe"]) == 0
    assert "heads pbe, r2scan" in capsys.readouterr().out
    tensors, metadata = safetensors.read(files[2])
    card = json.loads(metadata["irrepd"])
    assert card["heads"] == ["pbe", "r2scan"] and card["default_head"] == "pbe"
    assert "modality" not in card
    each = [safetensors.read(file)[0] for file in files[:2]]
    assert tensors.keys() == each[0].keys()
    for name, tensor in tensors.items():
        is_by_head = ".readout." in name or name in ("scale", "shift", "pair_repulsion.factor")
        expected = np.stack([e[name] for e in each]) if is_by_head else each[0][name]
        assert np.array_equal(tensor, expected), name


def test_names_that_no_file_can_hold(model: Record) -> None:
    for names, message in (
        (["a", "a"], "two heads of one name"),
        (["a", "b" * 64], "1 to 63 printable bytes"),
        (["a", ""], "1 to 63 printable bytes"),
        (["a", "b\n"], "1 to 63 printable bytes"),
    ):
        model.state["heads"] = names
        with pytest.raises(FormatError, match=message):
            mace.convert(model, None)


def test_old_files_keep_some_buffers_as_attributes(model: Record) -> None:
    new = mace.convert(model, "pbe")
    buffers = model.state["_buffers"]
    model.state["r_max"] = buffers.pop("r_max").array().item()
    model.state["atomic_numbers"] = buffers.pop("atomic_numbers").array().tolist()
    for name in ("apply_cutoff", "use_so3", "edge_irreps", "num_interactions"):
        model.state.pop(name, None)
        buffers.pop(name, None)
    old = mace.convert(model, "pbe")
    assert old[1] == new[1] and old[0].keys() == new[0].keys()
    assert all(np.array_equal(old[0][key], new[0][key]) for key in new[0])


def set_state(path: str, **values: Any) -> Callable[[Record], None]:
    def change(model: Record) -> None:
        (child(model, path) if path else model).state.update(values)

    return change


def set_kind(path: str, name: str) -> Callable[[Record], None]:
    return lambda model: of_kind(child(model, path) if path else model, name)


def set_buffer(path: str, name: str, target: str) -> Callable[[Record], None]:
    """Puts another tensor of the model in place of one."""

    def change(model: Record) -> None:
        owner, _, tensor = target.rpartition(".")
        state = (child(model, owner) if owner else model).state
        other = {**state["_parameters"], **state["_buffers"]}[tensor]
        part = child(model, path).state
        (part["_buffers"] if name in part["_buffers"] else part["_parameters"])[name] = other

    return change


def set_fraction(model: Record) -> None:
    """A power that mace 0.3.3 took as it is, and 0.3.16 cuts to a whole number."""
    state = child(model, "radial_embedding.cutoff_fn").state
    del state["_buffers"]["p"]
    state["p"] = 5.5


def add_tensor(model: Record) -> None:
    buffers = child(model, "node_embedding").state.setdefault("_buffers", {})
    buffers["bias"] = model.state["_buffers"]["r_max"]


REFUSED = {
    "AtomicDipolesMACE; supported: MACE, ScaleShiftMACE": set_kind("", "AtomicDipolesMACE"),
    "the model is a .*AtomicDipolesMACE": set_kind("", "AtomicDipolesMACE"),
    "AtomicDielectricMACE": set_kind("", "AtomicDielectricMACE"),
    "PolarMACE": set_kind("", "PolarMACE"),
    "GeneralNonLinearBiasReadoutBlock": set_kind("readouts.1", "GeneralNonLinearBiasReadoutBlock"),
    "embedding_specs, joint_embedding; supported: apply_cutoff": set_state(
        "", embedding_specs={"charge": {}}, joint_embedding=True
    ),
    "LAMMPS": set_state("", lammps_mliap=True),
    "AttResidual": set_kind("interactions.1", "RealAgnosticAttResidualInteractionBlock"),
    "conv_fusion": set_state("interactions.0", conv_fusion=True),
    "cueq_config": set_state("interactions.0", cueq_config=Record(Global("mace", "C"), (), {})),
    "oeq_config": set_state(
        "interactions.1", oeq_config=Record(Global("mace", "C"), (), {"enabled": True})
    ),
    "'radial_embedding.cutoff_fn.p' is 5.5.* whole number": set_fraction,
    "NewBasis": set_kind("radial_embedding.bessel_fn", "NewBasis"),
    "NewCutoff": set_kind("radial_embedding.cutoff_fn", "NewCutoff"),
    "NewTransform": set_kind("radial_embedding.distance_transform", "NewTransform"),
    "smoothness": set_state("radial_embedding", smoothness=2),
    "MorseBasis": set_kind("pair_repulsion_fn", "MorseBasis"),
    "LinearDipoleReadoutBlock": set_kind("readouts.0", "LinearDipoleReadoutBlock"),
    "gelu": set_state("readouts.1.non_linearity.acts.0", f=Global("torch.nn.functional", "gelu")),
    "correlation 5": set_state("products.0.symmetric_contractions.contractions.0", correlation=5),
    "leaves out the self-connection": set_state("products.1", use_sc=False),
    "component": set_state("spherical_harmonics", normalization="norm"),
    "node_embedding.bias": add_tensor,
    "instructions": set_state("interactions.0.linear", instructions=[]),
    "weight": set_buffer("interactions.0.linear", "weight", "interactions.0.linear_up.weight"),
    "weights.2' is missing": set_state(
        "products.0.symmetric_contractions.contractions.0", correlation=4
    ),
    "avg_num_neighbors": set_state("interactions.1", avg_num_neighbors="many"),
    "normalize2mom": set_kind("readouts.1.non_linearity.acts.0", "other"),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused_by_name(model: Record, message: str) -> None:
    REFUSED[message](model)
    with pytest.raises(FormatError, match=message):
        mace.convert(model, "pbe")


def test_detection(model: Record) -> None:
    assert converter_for(model) is mace.convert
    with pytest.raises(FormatError, match=r"mace\.tools\.X"):
        converter_for(Record(Global("mace.tools", "X"), ()))


def test_couplings_of_float32_are_put_right(model: Record) -> None:
    contractions = child(model, "products.0.symmetric_contractions.contractions")
    irreps = (Irrep(0, 1), Irrep(1, -1))
    for index, out in enumerate(irreps):
        for order in (1, 2):
            contraction = child(contractions, str(index))
            stored = contraction.state["_buffers"][f"U_matrix_{order}"].array()
            table = stored.reshape(2 * out.l + 1, *(4,) * order, -1)
            found = exact(table.astype(np.float32), irreps, out, order)
            assert found.dtype == np.float64 and np.abs(found - table).max() < 1e-15
            other = table.astype(np.float32) + np.float32(0.01)
            assert exact(other, irreps, out, order) is other
            assert exact(table, irreps, out, order) is table


def test_tables_become_monomials() -> None:
    """Both orders of two variables are one monomial; what cancels is none."""
    table = np.zeros((2, 3, 3, 2))
    table[0, 0, 1, 0] = table[0, 1, 0, 0] = 0.5
    table[1, 2, 0, 1], table[1, 0, 2, 1] = 0.25, -0.25
    table[1, 2, 2, 1] = -2.0
    assert _terms(table).tolist() == [[0, 0, 1, 0, 1.0], [1, 2, 2, 1, -2.0]]
    single = table.astype(np.float32)
    single[1, 0, 2, 1] *= 1 + 1e-7
    assert len(_terms(single)) == 2
    assert _terms(np.zeros((1, 2, 1))).shape == (0, 4)


def test_tensors_of_the_checkpoint_are_all_floats_or_flags(model: Record) -> None:
    """What the converter passes over without reading is no weight."""
    tensors = mace.Module(model).tensors
    kinds = {name: tensor.array().dtype.kind for name, tensor in tensors._tensors.items()}
    assert {name.rsplit(".", 1)[-1] for name, kind in kinds.items() if kind != "f"} <= {
        "atomic_numbers", "num_interactions", "p", "weights_0_zeroed", "weights_max_zeroed",
    }  # fmt: skip
    assert all(isinstance(tensor, Tensor) for tensor in tensors._tensors.values())
