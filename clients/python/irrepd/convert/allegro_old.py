"""Allegro as nequip-allegro 0.4 has it, told as later releases tell it (ALLEGRO_SCALAR_EMBED)."""

from __future__ import annotations

from collections.abc import Mapping

from irrepd.convert.releases import ALLEGRO_SCALAR_EMBED, Release
from irrepd.convert.state import Config
from irrepd.errors import FormatError
from irrepd.records import Tensor

OLD_OPTIONS = {"scalar_embed", "scalar_embed_output_dim", "parity_setting", "scatter_features"}

_PARITY = {"o3_full": True, "o3_restricted": False}
_MLP_NAMES = {
    "two_body_mlp_hidden_layers_depth": "scalar_embed_mlp_hidden_layers_depth",
    "two_body_mlp_hidden_layers_width": "scalar_embed_mlp_hidden_layers_width",
    "two_body_mlp_nonlinearity": "scalar_embed_mlp_nonlinearity",
    "two_body_embedding_dim": "radial_chemical_embed_dim",
}
_DEFAULTS = {"num_tensor_features": 64, "readout_mlp_nonlinearity": None}
_SPLINE_DEFAULTS = {"num_splines": 8, "spline_span": 4}
# The first that fits counts.
_RENAMED = (
    ("scalar_embed.twobody_mlp.", "scalar_embed_mlp."),
    ("scalar_embed.", "radial_chemical_embed."),
)


def is_before_0_5(options: Config, release: Release) -> bool:
    """A file that does not tell its release shows it by the name of an option."""
    if release.version is None:
        return "scalar_embed" in options.names()
    return not release.has(ALLEGRO_SCALAR_EMBED)


def options_since_0_5(options: Config) -> Config:
    """The options of AllegroModel or FullAllegroModel, with the defaults of 0.4 written out."""
    if options.flag("scatter_features", False):
        raise FormatError("option 'scatter_features' is on, which is not supported")
    given = {key: options.get(key) for key in options.names() - OLD_OPTIONS}
    if "l_max" in given:
        given["parity"] = _PARITY[options.choice("parity_setting", set(_PARITY), "o3_full")]
    embedding = options.section("scalar_embed")
    own = {key: embedding.get(key) for key in embedding.names()}
    for old, new in _MLP_NAMES.items():
        if old in own:
            given[new] = own.pop(old)
    if embedding.text("_target_").endswith("SplineScalarEmbed"):
        own = {**_SPLINE_DEFAULTS, **own}
    return Config({**_DEFAULTS, **given, "radial_chemical_embed": own})


def names_since_0_5(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {_renamed(name): tensor for name, tensor in tensors.items()}


def _renamed(name: str) -> str:
    for old, new in _RENAMED:
        if name.startswith(old):
            return new + name[len(old) :]
    return name
