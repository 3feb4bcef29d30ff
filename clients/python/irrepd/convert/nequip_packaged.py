"""Packaged models of nequip-package: pickled modules, which say of themselves what they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from irrepd.convert.modules import Module, Tensors, is_module
from irrepd.convert.state import described
from irrepd.errors import FormatError
from irrepd.records import Global, Record

_NONLINEARITIES = {
    "SiLU": "silu", "Mish": "mish", "GELU": "gelu", "ShiftedSoftplus": "ssp", "Tanh": "tanh",
    "Sigmoid": "sigmoid", "Softplus": "softplus", "Identity": "None",
}  # fmt: skip
_ROOT = "sole_model.model."


def has_parts(checkpoint: Any, parts: set[str]) -> bool:
    """Whether it is a dictionary of modules, whose one model has these parts."""
    if not isinstance(checkpoint, Record) or checkpoint.function.name != "ModuleDict":
        return False
    found: Any = checkpoint
    for name in ("sole_model", "model", "func"):
        modules = found.state.get("_modules") if is_module(found) else None
        found = modules.get(name) if isinstance(modules, dict) else None
    modules = found.state.get("_modules") if is_module(found) else None
    return isinstance(modules, dict) and parts <= set(modules)


class Package:
    """`network` is the module that holds the layers."""

    def __init__(self, checkpoint: Record):
        root = Module(checkpoint)
        root.only({"sole_model"})
        self._graph = root.child("sole_model")
        self._graph.expect("GraphModel", "CompileGraphModel")
        output = self._graph.child("model")
        output.expect("ForceStressOutput")
        self.network = output.child("func")

    def check_parts(self, parts: Mapping[str, str], others: set[str]) -> None:
        """That it has these parts, of these kinds, and none but the others besides."""
        names = [child.path.rpartition(".")[2] for child in self.network.children()]
        for name in names:
            if name not in parts and name not in others:
                raise FormatError(f"a model with a part '{name:.60}', which is not supported")
        for name, kind in parts.items():
            self.network.child(name).expect(kind)
        total = self.network.child("total_energy_sum")
        if total.number("constant") != 1 or total.get("reduce") != "sum":
            raise FormatError("the energy is not the plain sum over atoms")

    def state(self) -> Tensors:
        """The tensors under their names below the layers' module."""
        everything = self.network.tensors.everything()
        found = {
            name[len(_ROOT) :].removeprefix("func."): tensor
            for name, tensor in everything.items()
            if name.startswith(_ROOT)
        }
        if len(found) != len(everything):
            raise FormatError("a package of several models")
        # Constants that converters know in double precision; a norm is read from its module.
        constants = (".alpha", ".norm_const")
        return Tensors({name: t for name, t in found.items() if not name.endswith(constants)})

    def type_names(self) -> list[str]:
        names = self._graph.get("type_names")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise FormatError("the package does not name its atom types")
        return names

    def dtype(self) -> str:
        dtype = self._graph.get("model_dtype")
        if not isinstance(dtype, Global) or dtype.name not in ("float32", "float64"):
            raise FormatError(f"a model in {described(dtype)}; supported: float32, float64")
        return dtype.name

    def repulsion_p(self) -> float | None:
        if "pair_potential" not in self.network:
            return None
        module = self.network.child("pair_potential")
        module.expect("ZBL")
        return cutoff_p(module)


def cutoff_p(module: Module) -> float:
    cutoff = module.child("cutoff")
    cutoff.expect("PolynomialCutoff")
    return cutoff.number("p")


def nonlinearity(module: Module) -> str | None:
    """That of a ScalarMLPFunction."""
    module.expect("ScalarMLPFunction")
    network = module.child("mlp")
    if network.expect("Sequential", "DeepLinearMLP") == "DeepLinearMLP":
        return None
    names = {child.kind for child in network.children()} - {"ScalarLinearLayer"}
    if len(names) > 1 or not names <= set(_NONLINEARITIES):
        raise FormatError(f"'{module.path}' has layers not supported: {', '.join(sorted(names))}")
    return _NONLINEARITIES[names.pop()] if names else None
