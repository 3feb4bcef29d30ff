"""Packaged models of nequip-package with a NequIP network: pickled modules."""

from __future__ import annotations

from math import pi, sqrt
from typing import Any

import numpy as np

from irrepd.convert.e3nn_modules import activation_of, irreps_of
from irrepd.convert.modules import Module, Tensors
from irrepd.convert.nequip_model import (
    GATE_ACTIVATIONS,
    Layer,
    NequipModel,
    edge_irreps,
    with_scatter,
)
from irrepd.convert.nequip_packaged import Package, cutoff_p, has_parts, nonlinearity
from irrepd.errors import FormatError
from irrepd.records import Record

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
# Of what is sent: a module since nequip 0.16, a factor since 0.8, the number of neighbours before.
_NORMS = ("avg_num_neighbors_norm", "scatter_norm_factor", "avg_num_neighbors")


def is_package(checkpoint: Any) -> bool:
    """A dictionary of modules, whose one model has the parts of a NequIP network."""
    return has_parts(checkpoint, {"layer0_convnet", "factor"})


def model_of_package(checkpoint: Record) -> NequipModel:
    package = Package(checkpoint)
    network = package.network
    layers = _layers(network)
    package.check_parts(_PARTS, {*layers, "pair_potential"})
    r_max = network.child("edge_norm").number("r_max")
    _check_factor(network, r_max)
    gates = [network.child(name).child("equivariant_nonlin") for name in layers]
    l_max, edge_parity = _edges(network.child("spharm"))
    p = cutoff_p(network.child("bessel_encode"))
    return NequipModel(
        state=Tensors(with_scatter(package.tensors())),
        type_names=package.type_names(),
        dtype=package.dtype(),
        r_max=r_max,
        l_max=l_max,
        edge_parity=edge_parity,
        p=p,
        layers=[_layer(network.child(name), package) for name in layers],
        scalars=_activations(gates, "act_scalars"),
        gates=_activations(gates, "act_gates"),
        readout=nonlinearity(network.child("per_atom_energy_readout").child("mlp_module")),
        repulsion_p=package.repulsion_p(p),
        categories=_categories(network.child("type_embed")),
        training=package.training(),
    )


def _layers(network: Module) -> list[str]:
    names: list[str] = []
    while f"layer{len(names)}_convnet" in network:
        names.append(f"layer{len(names)}_convnet")
    return names


def _check_factor(network: Module, r_max: float) -> None:
    factor = network.child("factor").number("factor")
    if abs(factor * r_max**2 / (2 * pi) - 1) > 1e-6:
        raise FormatError("'factor' is not that of the Bessel functions of r_max")


def _edges(module: Module) -> tuple[int, str]:
    """l_max and parity of the harmonics."""
    harmonics = module.child("sh")
    harmonics.expect("SphericalHarmonics")
    irreps = irreps_of(module.get("irreps_edge_sh"))
    if harmonics.get("normalize") is not True or harmonics.get("normalization") != "component":
        raise FormatError("harmonics that are not of the unit direction, 'component'")
    return edge_irreps(irreps)


def _layer(module: Module, package: Package) -> Layer:
    module.expect("ConvNetLayer")
    module.only({"feature_irreps_hidden", "resnet", "irreps_in", "irreps_out", "conv",
                 "equivariant_nonlin"})  # fmt: skip
    if module.flag("resnet", False):
        raise FormatError(f"'{module.path}' is a residual layer, which is not supported")
    convolution = module.child("conv")
    convolution.expect("InteractionBlock")
    convolution.only({"irreps_in", "irreps_out", "use_sc", "is_first_layer", "linear_1", "linear_2",
                      "tp_scatter", "tp", "edge_mlp", "sc", "ghost_exchange", *_NORMS})  # fmt: skip
    return Layer(irreps_of(module.get("feature_irreps_hidden")), _norm(convolution, package))


def _norm(convolution: Module, package: Package) -> np.ndarray:
    """A module, a factor or a number of neighbours, as the release has it (_NORMS)."""
    found = [name for name in _NORMS if name in convolution]
    if len(found) != 1:
        raise FormatError(f"'{convolution.path}' has not one normalisation")
    if found == ["avg_num_neighbors_norm"]:
        return package.norm(convolution.child("avg_num_neighbors_norm"))
    if convolution.is_none(found[0]):
        return np.ones(1)
    value = convolution.number(found[0])
    if value <= 0:
        raise FormatError(f"'{convolution.where(found[0])}' is {value}, not positive")
    return np.array([value if found == ["scatter_norm_factor"] else 1 / sqrt(value)])


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


def _categories(module: Module) -> dict[str, tuple[int, int]]:
    least = module.get("categorical_graph_field_embed_shifts", {})
    if not isinstance(least, dict):
        raise FormatError("the embedded graph fields are not understood")
    result: dict[str, tuple[int, int]] = {}
    if "categorical_graph_field_embed_modules" not in module:  # before nequip 0.16
        return result
    for table in module.child("categorical_graph_field_embed_modules").children():
        table.expect("Embedding")
        name = table.path.rpartition(".")[2]
        low, count = least.get(name), table.get("num_embeddings")
        if not isinstance(low, int) or not isinstance(count, int) or count < 1:
            raise FormatError(f"the embedding of '{name:.60}' is not understood")
        result[name] = low, low + count - 1
    return result
