"""Packaged models of nequip-package: pickled modules, which say of themselves what they are."""

from __future__ import annotations

from math import pi
from typing import Any

import numpy as np

from irrepd.convert.e3nn import L_MAX, Entry, Irrep
from irrepd.convert.e3nn_modules import activation_of, irreps_of
from irrepd.convert.modules import Module, Tensors, is_module
from irrepd.convert.nequip_model import GATE_ACTIVATIONS, Layer, NequipModel
from irrepd.convert.state import described
from irrepd.errors import FormatError
from irrepd.records import Global, Record

_MODULES = {
    "SiLU": "silu", "Mish": "mish", "GELU": "gelu", "ShiftedSoftplus": "ssp", "Tanh": "tanh",
    "Sigmoid": "sigmoid", "Softplus": "softplus", "Identity": "None",
}  # fmt: skip
_PARTS = {
    "type_embed": "NodeTypeEmbed",
    "spharm": "SphericalHarmonicEdgeAttrs",
    "edge_norm": "EdgeLengthNormalizer",
    "bessel_encode": "BesselEdgeLengthEncoding",
    "factor": "ApplyFactor",
    "per_atom_energy_readout": "ScalarMLP",
    "per_type_energy_scale_shift": "PerTypeScaleShift",
    "total_energy_sum": "AtomwiseReduce",
}
_ROOT = "sole_model.model."


def is_package(checkpoint: Any) -> bool:
    """A dictionary of modules, whose one model has the parts of a NequIP network."""
    if not isinstance(checkpoint, Record) or checkpoint.function.name != "ModuleDict":
        return False
    found = checkpoint
    for name in ("sole_model", "model", "func"):
        modules = found.state.get("_modules") if is_module(found) else None
        found = modules.get(name) if isinstance(modules, dict) else None
    modules = found.state.get("_modules") if is_module(found) else None
    return isinstance(modules, dict) and "layer0_convnet" in modules and "factor" in modules


def model_of_package(checkpoint: Record) -> NequipModel:
    root = Module(checkpoint)
    root.only({"sole_model"})
    graph = root.child("sole_model")
    graph.expect("GraphModel", "CompileGraphModel")
    output = graph.child("model")
    output.expect("ForceStressOutput")
    network = output.child("func")
    names = [name for name in _children(network) if name not in _PARTS]
    layers = [name for name in names if name == f"layer{names.index(name)}_convnet"]
    if set(names) - set(layers) - {"pair_potential"}:
        raise FormatError(f"a model with a part '{names[-1]:.60}', which is not supported")
    for name, kind in _PARTS.items():
        network.child(name).expect(kind)
    r_max = network.child("edge_norm").number("r_max")
    _check_constants(network, r_max)
    gates = [network.child(name).child("equivariant_nonlin") for name in layers]
    return NequipModel(
        state=_state(network),
        type_names=_type_names(graph),
        dtype=_dtype(graph),
        r_max=r_max,
        l_max=_l_max(network.child("spharm")),
        p=_cutoff(network.child("bessel_encode")),
        layers=[_layer(network.child(name)) for name in layers],
        scalars=_activations(gates, "act_scalars"),
        gates=_activations(gates, "act_gates"),
        readout=_readout(network.child("per_atom_energy_readout").child("mlp_module")),
        repulsion_p=_repulsion(network),
        categories=_categories(network.child("type_embed")),
    )


def _children(module: Module) -> list[str]:
    return [child.path.rpartition(".")[2] for child in module.children()]


def _check_constants(network: Module, r_max: float) -> None:
    factor = network.child("factor").number("factor")
    if abs(factor * r_max**2 / (2 * pi) - 1) > 1e-6:
        raise FormatError("'factor' is not that of the Bessel functions of r_max")
    total = network.child("total_energy_sum")
    if total.number("constant") != 1 or total.get("reduce") != "sum":
        raise FormatError("the energy is not the plain sum over atoms")


class _State(Tensors):
    """The tensors under their names below the layers' module."""


def _state(network: Module) -> _State:
    everything = network.tensors.everything()
    found = {
        name[len(_ROOT) :].removeprefix("func."): tensor
        for name, tensor in everything.items()
        if name.startswith(_ROOT)
    }
    if len(found) != len(everything):
        raise FormatError("a package of several models")
    # Constants that this converter knows in double precision; a norm is read from its module.
    constants = (".alpha", ".norm_const")
    return _State({name: t for name, t in found.items() if not name.endswith(constants)})


def _type_names(graph: Module) -> list[str]:
    names = graph.get("type_names")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise FormatError("the package does not name its atom types")
    return names


def _dtype(graph: Module) -> str:
    dtype = graph.get("model_dtype")
    if not isinstance(dtype, Global) or dtype.name not in ("float32", "float64"):
        raise FormatError(f"a model in {described(dtype)}; supported: float32, float64")
    return dtype.name


def _l_max(module: Module) -> int:
    harmonics = module.child("sh")
    harmonics.expect("SphericalHarmonics")
    irreps = irreps_of(module.get("irreps_edge_sh"))
    if harmonics.get("normalize") is not True or harmonics.get("normalization") != "component":
        raise FormatError("harmonics that are not of the unit direction, 'component'")
    expected = [Entry(1, Irrep(n, (-1) ** n)) for n in range(len(irreps))]
    if irreps != expected or len(irreps) > L_MAX + 1:
        raise FormatError("harmonics that are not of all degrees up to a highest one, once each")
    return len(irreps) - 1


def _cutoff(module: Module) -> float:
    cutoff = module.child("cutoff")
    cutoff.expect("PolynomialCutoff")
    return cutoff.number("p")


def _layer(module: Module) -> Layer:
    module.expect("ConvNetLayer")
    module.only({"feature_irreps_hidden", "resnet", "irreps_in", "irreps_out", "conv",
                 "equivariant_nonlin"})  # fmt: skip
    if module.flag("resnet", False):
        raise FormatError(f"'{module.path}' is a residual layer, which is not supported")
    convolution = module.child("conv")
    convolution.expect("InteractionBlock")
    convolution.only({"irreps_in", "irreps_out", "use_sc", "is_first_layer", "linear_1", "linear_2",
                      "avg_num_neighbors_norm", "tp_scatter", "edge_mlp", "sc",
                      "ghost_exchange"})  # fmt: skip
    norm = convolution.child("avg_num_neighbors_norm")
    norm.expect("AvgNumNeighborsNorm")
    values = np.asarray(norm.take("norm_const"), dtype=np.float64).ravel()
    return Layer(irreps_of(module.get("feature_irreps_hidden")), values)


def _activations(gates: list[Module], name: str) -> dict[str, str]:
    """By parity; the same in every layer. Parities that occur nowhere get nequip's defaults."""
    found: dict[str, set[str]] = {"e": set(), "o": set()}
    for gate in gates:
        gate.expect("Gate")
        module = gate.child(name)
        module.expect("Activation")
        functions = list(module.child("acts").children())
        irreps = irreps_of(module.get("irreps_in"))
        if len(functions) != len(irreps):
            raise FormatError(f"'{module.path}' has not one activation for each irrep")
        for function, entry in zip(functions, irreps):
            found["e" if entry.ir.p > 0 else "o"].add(activation_of(function)[0])
    result = {}
    for parity, names in found.items():
        names = names or {"silu" if parity == "e" else "tanh"}
        if len(names) != 1 or not names <= GATE_ACTIVATIONS[parity]:
            known = ", ".join(sorted(GATE_ACTIVATIONS[parity]))
            raise FormatError(
                f"activations of '{name}': {', '.join(sorted(names))}; one of {known}"
            )
        result[parity] = names.pop()
    return result


def _readout(module: Module) -> str | None:
    """The nonlinearity of a ScalarMLPFunction."""
    module.expect("ScalarMLPFunction")
    network = module.child("mlp")
    if network.expect("Sequential", "DeepLinearMLP") == "DeepLinearMLP":
        return None
    names = {child.kind for child in network.children()} - {"ScalarLinearLayer"}
    if len(names) > 1 or not names <= set(_MODULES):
        raise FormatError(f"'{module.path}' has layers not supported: {', '.join(sorted(names))}")
    return _MODULES[names.pop()] if names else None


def _repulsion(network: Module) -> float | None:
    if "pair_potential" not in network:
        return None
    module = network.child("pair_potential")
    module.expect("ZBL")
    return _cutoff(module)


def _categories(module: Module) -> dict[str, tuple[int, int]]:
    least = module.get("categorical_graph_field_embed_shifts", {})
    if not isinstance(least, dict):
        raise FormatError("the embedded graph fields are not understood")
    result = {}
    for table in module.child("categorical_graph_field_embed_modules").children():
        table.expect("Embedding")
        name = table.path.rpartition(".")[2]
        low, count = least.get(name), table.get("num_embeddings")
        if not isinstance(low, int) or not isinstance(count, int) or count < 1:
            raise FormatError(f"the embedding of '{name:.60}' is not understood")
        result[name] = low, low + count - 1
    return result
