"""Lightning checkpoints of nequip-train with an Allegro network: its options and state dict."""

from __future__ import annotations

from typing import Any

from irrepd.convert.allegro_model import AllegroModel, Basis, tensor_irreps
from irrepd.convert.allegro_old import (
    OLD_OPTIONS,
    is_before_0_5,
    names_since_0_5,
    options_since_0_5,
)
from irrepd.convert.e3nn import L_MAX, Irrep, Irreps, format_irreps, parse_irreps
from irrepd.convert.nequip_lightning import (
    PACKAGE_ADVICE,
    Checkpoint,
    builder_of,
    nonlinearity_of,
)
from irrepd.convert.nequip_model import edge_degree
from irrepd.convert.nequip_parts import LAYERS_MAX
from irrepd.convert.state import Config, StateDict
from irrepd.errors import FormatError

_FULL_OPTIONS = {
    "seed", "model_dtype", "compile_mode", "r_max", "type_names", "radial_chemical_embed",
    "radial_chemical_embed_dim", "per_edge_type_cutoff", "scalar_embed_mlp_hidden_layers_depth",
    "scalar_embed_mlp_hidden_layers_width", "scalar_embed_mlp_nonlinearity", "num_layers",
    "num_scalar_features", "num_tensor_features", "allegro_mlp_hidden_layers_depth",
    "allegro_mlp_hidden_layers_width", "allegro_mlp_nonlinearity", "tp_path_channel_coupling",
    "readout_mlp_hidden_layers_depth", "readout_mlp_hidden_layers_width",
    "readout_mlp_nonlinearity", "avg_num_neighbors", "weight_individual_irreps",
    "per_type_energy_scales", "per_type_energy_shifts", "per_type_energy_scales_trainable",
    "per_type_energy_shifts_trainable", "pair_potential", "do_derivatives", "forward_normalize",
    *OLD_OPTIONS,
}  # fmt: skip
_BUILDERS = {
    "AllegroModel": _FULL_OPTIONS | {"l_max", "parity", "parity_setting"},
    "FullAllegroModel": _FULL_OPTIONS | {"irreps_edge_sh", "tensor_track_allowed_irreps"},
}
_BUILDERS |= {  # of energies alone, before nequip-allegro 0.8
    "AllegroEnergyModel": _BUILDERS["AllegroModel"],
    "FullAllegroEnergyModel": _BUILDERS["FullAllegroModel"],
}
_BESSEL = "allegro.nn.TwoBodyBesselScalarEmbed"
_SPLINE = "allegro.nn.TwoBodySplineScalarEmbed"

# Modifiers that leave the model's numbers and their names as they are, or are seen in the state.
_MODIFIERS = {
    "enable_TritonContracter", "enable_CuEquivarianceContracter", "modify_PerTypeScaleShift",
}  # fmt: skip


def is_checkpoint(checkpoint: Any) -> bool:
    return builder_of(checkpoint).startswith("allegro.model.")


def model_of_checkpoint(checkpoint: dict[str, Any]) -> AllegroModel:
    file = Checkpoint(checkpoint, _BUILDERS, _MODIFIERS)
    options, release = file.options, file.releases["allegro"]
    release.refuse_newer(PACKAGE_ADVICE)
    is_old = is_before_0_5(options, release)
    if is_old:
        options = options_since_0_5(options)
    elif OLD_OPTIONS & options.names():
        raise FormatError(f"options of nequip-allegro 0.4 in a file of {release}")
    basis, trainable = _basis(options)
    l_max, allowed = _irreps(options)
    tensors = file.tensors(trainable)
    return AllegroModel(
        state=StateDict(names_since_0_5(tensors) if is_old else tensors),
        type_names=file.type_names(),
        dtype=options.choice("model_dtype", {"float32", "float64"}),
        r_max=options.number("r_max"),
        l_max=l_max,
        basis=basis,
        irreps=tensor_irreps(l_max, allowed, options.integer("num_layers", 1, LAYERS_MAX - 1, 2)),
        n_scalars=options.integer("num_scalar_features", 1, 4096, 64),
        n_tensors=options.integer("num_tensor_features", 1, 4096, 16),
        norm=file.norm(),
        coupled=options.flag("tp_path_channel_coupling", True),
        by_degree=options.flag("weight_individual_irreps", True),
        two_body=nonlinearity_of(options, "scalar_embed_mlp_nonlinearity"),
        latent=nonlinearity_of(options, "allegro_mlp_nonlinearity"),
        readout=nonlinearity_of(options, "readout_mlp_nonlinearity"),
        forward=options.flag("forward_normalize", True),
        repulsion_p=file.repulsion_p(6.0 if basis.num_splines else basis.p),
        training=file.training(),
    )


def _basis(options: Config) -> tuple[Basis, bool]:
    """The basis, and whether its frequencies are trained."""
    section = options.section("radial_chemical_embed")
    target = section.text("_target_")
    if target == _BESSEL:
        section.only(target, {"_target_", "num_bessels", "bessel_trainable", "polynomial_cutoff_p"})
        trained = section.flag("bessel_trainable", False)
        return Basis(p=section.number("polynomial_cutoff_p", 6)), trained
    if target == _SPLINE:
        section.only(target, {"_target_", "num_splines", "spline_span"})
        count = section.integer("num_splines", 1, 512, 16)
        return Basis(num_splines=count, span=section.integer("spline_span", 0, count, 12)), False
    raise FormatError(f"two-body embedding '{target:.80}'; supported: {_BESSEL}, {_SPLINE}")


def _irreps(options: Config) -> tuple[int, list[Irrep]]:
    """l_max of the harmonics, and the irreps that tensor features may have."""
    if "irreps_edge_sh" in options.names():
        allowed = parse_irreps(options.get("tensor_track_allowed_irreps"))
        _check_single(allowed)
        edges = parse_irreps(options.get("irreps_edge_sh"))
        return edge_degree(edges), [entry.ir for entry in allowed]
    l_max = options.integer("l_max", 0, L_MAX)
    parities = (1, -1) if options.flag("parity", True) else (0,)
    return l_max, [
        Irrep(degree, parity or (-1) ** degree)
        for degree in range(l_max + 1)
        for parity in parities
    ]


def _check_single(irreps: Irreps) -> None:
    if any(entry.mul != 1 for entry in irreps):
        raise FormatError(f"tensor features '{format_irreps(irreps)}' with multiplicities")
