"""Packaged models of nequip-package with an Allegro network: pickled modules."""

from __future__ import annotations

from math import prod, sqrt
from typing import Any

import numpy as np

from irrepd.convert.allegro_model import AllegroModel, Basis, harmonics
from irrepd.convert.allegro_old import names_since_0_5
from irrepd.convert.e3nn import Irrep
from irrepd.convert.e3nn_modules import irreps_of
from irrepd.convert.modules import Module, Tensors
from irrepd.convert.nequip_model import edge_degree
from irrepd.convert.nequip_packaged import Package, cutoff_p, has_parts, nonlinearity
from irrepd.convert.state import described
from irrepd.errors import FormatError
from irrepd.records import Record

_PARTS = {
    "edge_norm": "EdgeLengthNormalizer",
    "tensor_embed": "TwoBodySphericalHarmonicTensorEmbed",
    "allegro": "Allegro_Module",
    "edge_readout": "ScalarMLP",
    "edge_eng_sum": "EdgewiseReduce",
    "per_type_energy_scale_shift": "PerTypeScaleShift",
    "total_energy_sum": "AtomwiseReduce",
}
_OPTIONAL = {
    "radial_chemical_embed", "scalar_embed_mlp", "scalar_embed", "pair_potential", "cutoff",
}  # fmt: skip
_CONTRACTERS = ("Contracter", "TritonContracter", "CuEquivarianceContracter")


def is_package(checkpoint: Any) -> bool:
    """A dictionary of modules, whose one model has the parts of an Allegro network."""
    return has_parts(checkpoint, {"allegro", "tensor_embed"})


def model_of_package(checkpoint: Record) -> AllegroModel:
    package = Package(checkpoint)
    network = package.network
    is_old = "scalar_embed" in network
    package.check_parts(_PARTS, _OPTIONAL)
    allegro, embed = network.child("allegro"), network.child("tensor_embed")
    _check_harmonics(embed.child("sh"))
    if allegro.get("scatter_features", False) is not False:
        raise FormatError("'scatter_features' is on, which is not supported")
    l_max = edge_degree(irreps_of(embed.child("sh").get("irreps_out")))
    contracters = list(allegro.child("tps").children())
    latents = list(allegro.child("latents").children())
    if not contracters or len(latents) != len(contracters):
        raise FormatError("an Allegro network without layers")
    basis, two_body = _two_body(network)
    tensors = package.tensors()
    return AllegroModel(
        state=Tensors(names_since_0_5(tensors) if is_old else tensors),
        type_names=package.type_names(),
        dtype=package.dtype(),
        r_max=network.child("edge_norm").number("r_max"),
        l_max=l_max,
        basis=basis,
        irreps=_irreps(l_max, contracters),
        n_scalars=_integer(allegro, "num_scalar_features"),
        n_tensors=_integer(allegro, "num_tensor_features"),
        norm=_norm(package, contracters),
        coupled=_common([c.flag("path_channel_coupling", True) for c in contracters]),
        by_degree=allegro.child("_env_weighter").flag("weight_individual_irreps", True),
        two_body=two_body,
        latent=_common([nonlinearity(latent) for latent in latents]),
        readout=nonlinearity(network.child("edge_readout").child("mlp_module")),
        forward=_is_forward(network),
        repulsion_p=package.repulsion_p(_network_p(network, basis)),
        training=package.training(),
    )


def _check_harmonics(module: Module) -> None:
    module.expect("SphericalHarmonics")
    if module.get("normalize") is not True or module.get("normalization") != "component":
        raise FormatError("harmonics that are not of the unit direction, 'component'")


def _integer(module: Module, name: str) -> int:
    value = module.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise FormatError(f"'{module.where(name)}' is {described(value)}, not an integer")
    return value


def _common(values: list[Any]) -> Any:
    if any(value != values[0] for value in values):
        raise FormatError("layers with different options")
    return values[0]


def _norm(package: Package, contracters: list[Module]) -> np.ndarray:
    """Of sums over edges: in modules since nequip-allegro 0.8, before as factors."""
    network = package.network
    energies = network.child("edge_eng_sum")
    energies.expect("EdgewiseReduce")
    if energies.get("reduce") != "sum":
        raise FormatError("edges' energies are not summed")
    if "norm_module" in energies:
        norm = package.norm(network.child("allegro").child("avg_num_neighbors_norm"))
        same = np.array_equal(norm, package.norm(energies.child("norm_module")))
    else:
        norm = np.array([_common([c.number("scatter_factor") for c in contracters])])
        same = abs(energies.number("_factor") * sqrt(2) / norm[0] - 1) < 1e-12
    if not same:
        raise FormatError("'edge_eng_sum' is normalised by another number of neighbours")
    return norm


def _two_body(network: Module) -> tuple[Basis, str | None]:
    """The radial basis, and the nonlinearity of the MLP behind it."""
    if "scalar_embed" not in network:
        mlp = network.child("scalar_embed_mlp").child("mlp_module")
        return _basis(network.child("radial_chemical_embed")), nonlinearity(mlp)
    embedding = network.child("scalar_embed")
    basis = _basis(embedding)
    if basis.num_splines:
        return basis, None
    return basis, nonlinearity(embedding.child("twobody_mlp").child("mlp_module"))


def _network_p(network: Module, basis: Basis) -> float:
    """The polynomial of the cutoff: of the Bessel functions, or added for a pair potential."""
    return cutoff_p(network.child("cutoff")) if "cutoff" in network else basis.p


def _basis(module: Module) -> Basis:
    kind = module.expect("SequentialGraphNetwork", "TwoBodySplineScalarEmbed")
    if kind == "TwoBodySplineScalarEmbed":
        spline = module.child("spline")
        spline.expect("PerClassSpline")
        return Basis(
            num_splines=_integer(spline, "num_splines"), span=_integer(spline, "spline_span")
        )
    names = {child.path.rpartition(".")[2]: child.kind for child in module.children()}
    known = {"bessel_encode": "BesselEdgeLengthEncoding", "type_embed": "ProductTypeEmbedding"}
    if names not in (known, {**known, "twobody_mlp": "ScalarMLP"}):
        raise FormatError(f"a two-body embedding of {', '.join(names.values())}")
    return Basis(p=cutoff_p(module.child("bessel_encode")))


def _irreps(l_max: int, contracters: list[Module]) -> list[list[Irrep]]:
    """Tensor features before the first layer and after each; what a layer reads was written."""
    found = [harmonics(l_max)]
    for module in contracters:
        module.expect(*_CONTRACTERS)
        # Up to nequip-allegro 0.5 the only one that there was, and not an attribute.
        if module.get("irrep_normalization", "component") != "component":
            raise FormatError(f"'{module.path}' is not normalised by 'component'")
        source, edges, target = (
            [entry.ir for entry in irreps_of(module.get(name))]
            for name in ("irreps_in1", "irreps_in2", "irreps_out")
        )
        if source != found[-1] or edges != harmonics(l_max):
            raise FormatError(f"'{module.path}' does not read the features before it")
        found.append(target)
    return found


def _is_forward(network: Module) -> bool:
    """Whether weights are normalised by their inputs, not their outputs."""
    module = network.child("edge_readout").child("mlp_module")
    sizes = module.get("dims")
    if not isinstance(sizes, list) or not all(isinstance(n, int) and n > 0 for n in sizes):
        raise FormatError(f"'{module.path}' does not tell the sizes of its layers")
    network = module.child("mlp")
    layers = [network] if network.kind == "DeepLinearMLP" else list(network.children())
    alpha = prod(layer.number("alpha") for layer in layers if "alpha" in layer)
    gain = 1.0 if nonlinearity(module) is None else sqrt(2) ** (len(sizes) - 2)
    for forward, part in ((True, sizes[:-1]), (False, sizes[1:])):
        if abs(alpha * sqrt(prod(part)) / gain - 1) < 1e-5:
            return forward
    raise FormatError(f"the weights of '{module.path}' have no known normalisation")
