"""SO3Net (Schuett et al. 2023, 10.1063/5.0138367) as matgl saves it, to a model file.

Its layers are SchNetPack's (so3net.py), with Bessel functions, a polynomial cutoff and matgl's
gated readout. matgl 4.1.2, whose class has version 1, loads what version 0 saved, and computes
the same.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from irrepd.convert.matgl_parts import check_extensive, numbers_of
from irrepd.convert.so3net import L_MAX, LAYERS_MAX, filter_degrees, put_layer
from irrepd.convert.state import Config, StateDict, described
from irrepd.errors import FormatError

Converted = tuple["dict[str, np.ndarray]", "dict[str, Any]"]

_VERSIONS = (0, 1)
_READOUTS = {"layers": "value", "gates": "gate"}
_CUTOFF_EXPONENT = 3  # of matgl's polynomial_cutoff
# Those that do not change an extensive energy without states.
_UNUSED = set(
    "dim_state_embedding ntypes_state dim_state_feats readout_type niters_set2set nlayers_set2set "
    "nlayers_readout activation_type correct_charges predict_dipole_magnitude "
    "return_vector_representation use_vector_representation rbf_learnable".split()
)
_OPTIONS = _UNUSED | set(
    "element_types dim_node_embedding units nblocks nmax lmax cutoff target_property task_type "
    "is_intensive include_state ntargets".split()
)


def convert(model: dict[str, Any], state: StateDict) -> Converted:
    """Tensors and card, but for the scale and shift of energies, from a model's options."""
    return _Converter(model, state).run()


class _Converter:
    def __init__(self, model: dict[str, Any], state: StateDict):
        version = model.get("@model_version")
        if version not in _VERSIONS:
            known = " and ".join(map(str, _VERSIONS))
            raise FormatError(f"a SO3Net of version {described(version)}; supported: {known}")
        self.state = state
        self.config = config = Config(model["init_args"])
        unknown = sorted(map(described, config.names() - _OPTIONS))
        if unknown:
            raise FormatError(f"options of a SO3Net that are not known: {', '.join(unknown)}")
        config.choice("target_property", ["atomwise"], "atomwise")
        check_extensive(config)
        self.channels = config.integer("dim_node_embedding", 1, 4096, 64)
        self.r_max = config.number("cutoff", 5.0)
        if not 1e-3 <= self.r_max <= 100:
            raise FormatError(f"option 'cutoff' is {self.r_max}, not within 0.001..100")
        self.tensors: dict[str, np.ndarray] = {}

    def run(self) -> Converted:
        n_layers = self.config.integer("nblocks", 1, LAYERS_MAX, 3)
        l_max = self.config.integer("lmax", 0, L_MAX, 3)
        n_basis = self.config.integer("nmax", 1, 512, 5)
        units = self.config.integer("units", 1, 4096, 64)
        numbers = numbers_of(self.config)
        embedding = self.state.take("model.embedding.weight", (len(numbers), self.channels))
        self.tensors["embedding.weight"] = embedding.astype(np.float64)
        self.tensors["radial.frequencies"] = (
            self.take("radial_basis.frequencies", (n_basis,)) / self.r_max
        )
        for t in range(n_layers):
            self.layer(t, n_basis, l_max, 0 if t == n_layers - 1 else l_max)
        self.readout([self.channels, self.channels, units, units, 1])
        basis = {"name": "bessel", "num_basis": n_basis, "prefactor": sqrt(2 / self.r_max)}
        cutoff = {"name": "polynomial", "p": float(_CUTOFF_EXPONENT)}
        return self.tensors, {
            "format": 1,
            "architecture": "so3net",
            "atomic_numbers": numbers,
            "r_max": self.r_max,
            "precision": str(embedding.dtype),
            "units": {"length": "Angstrom", "energy": "eV"},
            "radial": {"basis": basis, "cutoff": cutoff, "envelope": "filter"},
            "model": {
                "irreps_embedding": f"{self.channels}x0e",
                "l_max": l_max,
                "layers": [{"filter": {"hidden": [], "activation": "identity"}}] * n_layers,
                "gated_readout": {
                    "hidden": [self.channels, units, units],
                    "activation": "silu",
                },
            },
        }

    def take(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        return self.state.take(f"model.{name}", shape).astype(np.float64)

    def dense(self, module: str, n_in: int, n_out: int) -> tuple[np.ndarray, np.ndarray]:
        return self.take(f"{module}.weight", (n_out, n_in)).T, self.take(f"{module}.bias", (n_out,))

    def layer(self, t: int, n_basis: int, l_max: int, l_out: int) -> None:
        columns = self.channels * (l_max + 1)
        degrees = self.state.take_any(f"model.so3convs.{t}.Widx")
        if not np.array_equal(degrees, filter_degrees(l_max)):
            raise FormatError(f"tensor 'model.so3convs.{t}.Widx' is not of {l_max} degrees")
        mixings = [self.take(f"mixings{i}.{t}.weight", (self.channels,) * 2).T for i in (1, 2, 3)]
        put_layer(
            f"layers.{t}",
            self.dense(f"so3convs.{t}.filternet.layers.0", n_basis, columns),
            mixings,
            self.dense(f"gatings.{t}.scaling", self.channels, columns),
            (l_max, l_out),
            self.tensors,
        )

    def readout(self, sizes: list[int]) -> None:
        for source, name in _READOUTS.items():
            for i, (n_in, n_out) in enumerate(zip(sizes, sizes[1:])):
                weight, bias = self.dense(f"final_layer.gated.{source}.{2 * i}", n_in, n_out)
                self.tensors[f"readout.{name}.{i}.0e.weight"] = weight
                self.tensors[f"readout.{name}.{i}.bias"] = bias
