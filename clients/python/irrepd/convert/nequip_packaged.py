"""Packaged models of nequip-package: pickled modules, which say of themselves what they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from irrepd.archives import Archive
from irrepd.convert.modules import Module, is_module
from irrepd.convert.releases import NEWEST, Release, releases_of
from irrepd.convert.state import described
from irrepd.convert.yaml_scalars import number_of, scalars_of
from irrepd.errors import FormatError
from irrepd.records import Global, Record, Tensor

_NONLINEARITIES = {
    "SiLU": "silu", "Mish": "mish", "GELU": "gelu", "ShiftedSoftplus": "ssp", "Tanh": "tanh",
    "Sigmoid": "sigmoid", "Softplus": "softplus", "Identity": "None",
}  # fmt: skip
_ROOT = "sole_model.model."
CONFIGURATION_MAX = 1 << 20  # bytes


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
        archive = self.network.tensors.archive()
        self._configuration = archive.text("model/config.yaml", CONFIGURATION_MAX)
        self.releases = _releases(archive)
        for release in self.releases.values():
            release.warn_of_newer()

    def training(self) -> dict[str, Any]:
        release = self.releases["nequip"]
        return {"code": str(release)} if release.version is not None else {}

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

    def tensors(self) -> dict[str, Tensor]:
        """By their names below the layers' module."""
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
        return {name: t for name, t in found.items() if not name.endswith(constants)}

    def norm(self, module: Module) -> np.ndarray:
        """1 / sqrt of the average number of neighbours: of an AvgNumNeighborsNorm.

        The module holds it in the model's dtype, the package's configuration what it was made
        from, which is taken where rounding it gives the same.
        """
        module.expect("AvgNumNeighborsNorm")
        stored = np.asarray(module.take("norm_const")).ravel()
        if stored.dtype != np.float32:
            return stored.astype(np.float64)
        for average in averages_of(self._configuration, self.type_names()):
            exact = 1 / np.sqrt(average)
            if np.array_equal(exact.astype(np.float32), stored):
                return exact
        return stored.astype(np.float64)

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

    def repulsion_p(self, network_p: float) -> float | None:
        """The polynomial of ZBL's cutoff: its own, or the network's (NEQUIP_ZBL_CUTOFF)."""
        if "pair_potential" not in self.network:
            return None
        module = self.network.child("pair_potential")
        module.expect("ZBL")
        return cutoff_p(module) if "cutoff" in module else network_p


def _releases(archive: Archive) -> dict[str, Release]:
    """Of the codes that packaged the model; nequip 0.7 has them in a file of their own."""
    for name, path in (("package_metadata.txt", ("versions",)), ("versions.txt", ())):
        text = archive.text(f"model/{name}", CONFIGURATION_MAX)
        if text:
            found = scalars_of(text)
            return releases_of({code: found.get((*path, code)) for code in NEWEST})
    return releases_of(None)


def averages_of(configuration: str, types: list[str]) -> Iterator[np.ndarray]:
    """All that a configuration gives for 'avg_num_neighbors': one number, or one for each type."""
    found = scalars_of(configuration)
    for path in found:
        if path[-1] == "avg_num_neighbors":
            values: list[str | None] = [found[path]]
        elif path[-2:] == ("avg_num_neighbors", types[0]):
            values = [found.get((*path[:-1], name)) for name in types]
        else:
            continue
        numbers = np.array([number_of(value) or np.nan for value in values])
        if (numbers > 0).all():
            yield numbers


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
