"""Potentials that matgl saves: a folder of model.json, model.pt (how it was built) and state.pt.

Follows matgl 2.0 to 4.1.2, PyTorch Geometric's backend. What can be refused by what the folder says
of itself, its classes and their versions, is refused here; the model's own options by its converter
(tensornet.py, so3net_matgl.py).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from irrepd import pickles
from irrepd.archives import Archive
from irrepd.convert import so3net_matgl, tensornet
from irrepd.convert.state import Config, StateDict, described
from irrepd.errors import FormatError

Converted = tuple["dict[str, np.ndarray]", "dict[str, Any]"]

FILES = ("model.json", "model.pt", "state.pt")
JSON_MAX = 1 << 20  # bytes
VERSION = 3  # of matgl's Potential
CONVERTERS = {"TensorNet": tensornet.convert, "SO3Net": so3net_matgl.convert}
# What a Potential computes beside the energy, and how, does not change that.
_POTENTIAL_OPTIONS = set(
    "model data_mean data_std element_refs calc_forces calc_stresses calc_hessian calc_magmom "
    "calc_charge calc_repuls zbl_trainable debug_mode compile_model compile_mode".split()
)
_REFUSED = {
    "calc_repuls": "pair repulsion of matgl's own form",
    "calc_magmom": "magnetic moments",
    "calc_charge": "charges",
}


def is_matgl(source: str | os.PathLike[str]) -> bool:
    """Whether it is a folder that matgl saved, or one of its files beside the others."""
    path = Path(source)
    if path.is_dir():
        return True
    return path.name in FILES and all((path.parent / name).is_file() for name in FILES)


def weights_of(source: str | os.PathLike[str]) -> Path:
    """The file of such a folder that holds the weights."""
    return _folder(source) / "state.pt"


def _folder(source: str | os.PathLike[str]) -> Path:
    path = Path(source)
    return path if path.is_dir() else path.parent


def convert(source: str | os.PathLike[str], modality: str | None) -> Converted:
    """Effective tensors and the card of a folder (model_format.h)."""
    if modality is not None:
        raise FormatError("--modality is for checkpoints that have several; matgl's have none")
    folder = _folder(source)
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise FormatError(
            f"a folder that is none of matgl's: it lacks {', '.join(missing)} of {', '.join(FILES)}"
        )
    _check_potential(folder / "model.json")
    with Archive(folder / "model.pt") as built, Archive(folder / "state.pt") as weights:
        options = Config(pickles.load(built))
        model = _model_of(options)
        state = StateDict(pickles.load(weights))
        scale, shift = _scale_and_shift(state, _count(model))
        tensors, card = CONVERTERS[model["@class"]](model, state)
        state.finish()
    tensors["scale"] = np.full(len(shift), scale)
    tensors["shift"] = shift
    return tensors, {**card, "training": {"code": "matgl"}}


def _check_potential(path: Path) -> None:
    with open(path, "rb") as file:
        text = file.read(JSON_MAX + 1)
    try:
        if len(text) > JSON_MAX:
            raise ValueError
        about = json.loads(text)
    except (ValueError, RecursionError):
        raise FormatError("model.json is no JSON") from None
    if not isinstance(about, dict) or about.get("@class") != "Potential":
        kind = about.get("@class") if isinstance(about, dict) else about
        raise FormatError(
            f"model.json names a {described(kind)}; a Potential, which has energies, is supported"
        )
    if about.get("@model_version") != VERSION:
        raise FormatError(
            f"a Potential of version {described(about.get('@model_version'))}; supported: {VERSION}"
        )


def _model_of(options: Config) -> dict[str, Any]:
    """How the model was built: its class and arguments."""
    unknown = sorted(map(described, options.names() - _POTENTIAL_OPTIONS))
    if unknown:
        raise FormatError(f"options of a Potential that are not known: {', '.join(unknown[:5])}")
    for name, what in _REFUSED.items():
        if options.flag(name, False):
            raise FormatError(f"option '{name}': {what} cannot be converted")
    model = options.get("model")
    if not isinstance(model, dict) or not isinstance(model.get("init_args"), dict):
        raise FormatError("model.pt does not say how the model was built")
    kind, module = model.get("@class"), model.get("@module")
    if kind not in CONVERTERS:
        known = ", ".join(CONVERTERS)
        raise FormatError(f"a model of class {described(kind)}; supported of matgl's: {known}")
    if not isinstance(module, str) or not module.startswith("matgl.models."):
        raise FormatError(f"a {kind} of the module {described(module)}, which is not matgl's")
    if module.endswith("_dgl"):
        raise FormatError(
            f"a {kind} of matgl's DGL backend ('{module:.60}'); supported: of PyTorch Geometric's"
        )
    return model


def _count(model: dict[str, Any]) -> int:
    elements = model["init_args"].get("element_types")
    if not isinstance(elements, (list, tuple)) or not 0 < len(elements) <= 118:
        raise FormatError("option 'element_types' is no list of elements")
    return len(elements)


def _scale_and_shift(state: StateDict, count: int) -> tuple[float, np.ndarray]:
    """energy = data_std * model + data_mean + the sum of the elements' references."""
    mean, scale = (float(state.take(f"data_{name}", ()).item()) for name in ("mean", "std"))
    if mean != 0:
        raise FormatError(
            f"'data_mean' is {mean}: an energy that does not grow with the structure is not "
            "supported"
        )
    name = "element_refs.property_offset"
    shift = state.take(name, (count,)) if name in state else np.zeros(count)
    if "element_refs.onehot" in state:  # of matgl before 4
        if not np.array_equal(state.take("element_refs.onehot", (count, count)), np.eye(count)):
            raise FormatError("tensor 'element_refs.onehot' is no identity")
    return scale, shift.astype(np.float64)
