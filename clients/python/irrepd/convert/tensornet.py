"""TensorNet (Simeon and de Fabritiis 2023, arXiv:2306.06482) as matgl saves it, to a model file.

Follows matgl 2.0 to 4.1.2: version 1 of the class, up to matgl 2.1, sums the first features of an
edge at the other of its atoms than version 2, so that the two halves of the pair embedding change
places. Matrices are told by their components in the irreps 0e, 1o and 2e (model_format.h).
"""

from __future__ import annotations

from math import pi, sqrt
from typing import Any

import numpy as np

from irrepd.convert.matgl_parts import check_extensive, numbers_of
from irrepd.convert.state import Config, StateDict, described
from irrepd.errors import FormatError
from irrepd.records import Global

Converted = tuple["dict[str, np.ndarray]", "dict[str, Any]"]

ACTIVATIONS = {
    "swish": "silu",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "softplus": "softplus",
    "softplus2": "ssp",
}
LAYERS_MAX = 16
_VERSIONS = (1, 2)
_IRREPS = ("0e", "1o", "2e")
# The identity, the cross product with a unit vector and its traceless square, in harmonics.
_HARMONIC_FACTORS = (sqrt(3), sqrt(2 / 3), sqrt(2 / 15))
_READOUTS = {"layers": "value", "gates": "gate"}
_READOUT_DEPTH = 3  # matgl's WeightedReadOut: hidden layers of `units`
# Those that do not change an extensive energy without states.
_UNUSED = set(
    "ntypes_state dim_state_embedding dim_state_feats readout_type niters_set2set "
    "nlayers_set2set field use_warp".split()
)
_OPTIONS = _UNUSED | set(
    "element_types units include_state nblocks num_rbf max_n max_l rbf_type use_smooth "
    "activation_type cutoff equivariance_invariance_group dtype width task_type is_intensive "
    "ntargets".split()
)


def convert(model: dict[str, Any], state: StateDict) -> Converted:
    """Tensors and card, but for the scale and shift of energies, from a model's options."""
    return _Converter(model, state).run()


class _Converter:
    def __init__(self, model: dict[str, Any], state: StateDict):
        self.version = model.get("@model_version")
        if self.version not in _VERSIONS:
            known = " and ".join(map(str, _VERSIONS))
            raise FormatError(
                f"a TensorNet of version {described(self.version)}, which may sum otherwise; "
                f"supported: {known}"
            )
        self.state = state
        self.config = config = Config(model["init_args"])
        unknown = sorted(map(described, config.names() - _OPTIONS))
        if unknown:
            raise FormatError(f"options of a TensorNet that are not known: {', '.join(unknown)}")
        self.check_kind()
        self.units = config.integer("units", 1, 4096)
        self.activation = ACTIVATIONS[config.choice("activation_type", ACTIVATIONS, "swish")]
        self.r_max = config.number("cutoff", 5.0)
        if not 1e-3 <= self.r_max <= 100:
            raise FormatError(f"option 'cutoff' is {self.r_max}, not within 0.001..100")
        self.tensors: dict[str, np.ndarray] = {}

    def check_kind(self) -> None:
        config = self.config
        config.choice("equivariance_invariance_group", ["O(3)"], "O(3)")
        check_extensive(config)

    def run(self) -> Converted:
        n_layers = self.config.integer("nblocks", 0, LAYERS_MAX, 2)
        radial, basis = self.radial()
        self.embedding(basis)
        for t in range(n_layers):
            self.layer(t, basis)
        self.last()
        plain = {"activation": self.activation}
        layer = {"filter": {"hidden": [self.units, 2 * self.units], **plain}}
        return self.tensors, {
            "format": 1,
            "architecture": "tensornet",
            "atomic_numbers": numbers_of(self.config),
            "r_max": self.r_max,
            "precision": self.precision(),
            "units": {"length": "Angstrom", "energy": "eV"},
            "radial": radial,
            "model": {
                "channels": self.units,
                "embedding": {
                    "filter": {"hidden": [], "activation": "identity"},
                    "scalars": {"hidden": [2 * self.units], **plain},
                },
                "layers": [layer] * n_layers,
                "readout": {"hidden": [self.units] * _READOUT_DEPTH, "activation": "silu"},
            },
        }

    def precision(self) -> str:
        dtype = self.config.get("dtype", Global("torch", "float32"))
        name = dtype.name if isinstance(dtype, Global) and dtype.module == "torch" else None
        if name not in ("float32", "float64"):
            raise FormatError(f"option 'dtype' is {described(dtype)}; supported: float32, float64")
        return name

    def take(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        return self.state.take(f"model.{name}", shape).astype(np.float64)

    def radial(self) -> tuple[dict[str, Any], np.ndarray]:
        """The card's radial basis, and upstream's basis in it: [n_basis][upstream's]."""
        kind = self.config.choice("rbf_type", ("Gaussian", "SphericalBessel"), "Gaussian")
        cutoff = {"cutoff": {"name": "cosine"}, "envelope": "filter"}
        if kind == "Gaussian":
            count = self.config.integer("num_rbf", 1, 512, 32)
            width = self.config.number("width", 0.5)
            self.tensors["radial.centers"] = self.take("bond_expansion.rbf.centers", (count,))
            self.tensors["radial.coefficients"] = np.full(count, -width)
            return {"basis": {"name": "gaussian", "num_basis": count}, **cutoff}, np.eye(count)
        if not self.config.flag("use_smooth", False):
            raise FormatError(
                "option 'use_smooth': spherical Bessel functions that are not smooth at the cutoff "
                "are not supported"
            )
        count = self.config.integer("max_n", 1, 64, 3)
        stored = self.take("bond_expansion.rbf.cutoff", ())
        if not np.isclose(stored, self.r_max, rtol=1e-6, atol=0):
            raise FormatError(f"the cutoff of the radial basis is {stored}, not {self.r_max}")
        self.tensors["radial.frequencies"] = np.arange(1, count + 2) * (pi / self.r_max)
        basis = {"name": "bessel", "num_basis": count + 1, "prefactor": 1.0}
        return {"basis": basis, **cutoff}, smooth_bessel(count, self.r_max)

    def embedding(self, basis: np.ndarray) -> None:
        module, n, count = "tensor_embedding", self.units, basis.shape[1]
        rows = self.take(f"{module}.emb.weight", (len(numbers_of(self.config)), n))
        pair = self.take(f"{module}.emb2.weight", (n, 2 * n))
        first, second = rows @ pair[:, :n].T, rows @ pair[:, n:].T
        receiver, sender = (first, second) if self.version == 2 else (second, first)
        self.tensors["embedding.receiver"] = receiver
        self.tensors["embedding.sender"] = sender + self.take(f"{module}.emb2.bias", (n,))
        weights, biases = [], []
        for i, factor in enumerate(_HARMONIC_FACTORS, start=1):
            projection = f"{module}.distance_proj{i}"
            weights.append(factor * (basis @ self.take(f"{projection}.weight", (n, count)).T))
            biases.append(factor * self.take(f"{projection}.bias", (n,)))
        self.tensors["embedding.filter.0.weight"] = np.concatenate(weights, axis=1)
        self.tensors["embedding.filter.0.bias"] = np.concatenate(biases)
        self.norm("embedding.norm", f"{module}.init_norm", n)
        self.linear_tensors("embedding.linear", module, 0)
        self.dense("embedding.scalars.0", f"{module}.linears_scalar.0", n, 2 * n)
        self.dense("embedding.scalars.1", f"{module}.linears_scalar.1", 2 * n, 3 * n, by_part=True)

    def layer(self, t: int, basis: np.ndarray) -> None:
        module, n = f"layers.{t}", self.units
        sizes = [basis.shape[1], n, 2 * n, 3 * n]
        for i in range(3):
            name, source = f"{module}.filter.{i}", f"{module}.linears_scalar.{i}"
            weight = self.take(f"{source}.weight", (sizes[i + 1], sizes[i])).T
            bias = self.take(f"{source}.bias", (sizes[i + 1],))
            if i == 0:
                weight = basis @ weight
            if i == 2:
                weight, bias = self.by_part(weight), self.by_part(bias)
            self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"] = weight, bias
        self.linear_tensors(f"{module}.linear_in", module, 0)
        self.linear_tensors(f"{module}.linear_out", module, 3)

    def last(self) -> None:
        n = self.units
        self.norm("norm", "out_norm", 3 * n)
        self.dense("linear", "linear", 3 * n, n)
        for source, name in _READOUTS.items():
            for i in range(_READOUT_DEPTH + 1):
                size = n if i < _READOUT_DEPTH else 1
                module = f"final_layer.gated.{source}.{2 * i}"
                self.dense(f"readout.{name}.{i}", module, n, size)

    def by_part(self, array: np.ndarray) -> np.ndarray:
        """Columns part by part, which upstream has channel by channel."""
        parts = array.reshape(*array.shape[:-1], self.units, 3)
        return np.swapaxes(parts, -1, -2).reshape(array.shape)

    def norm(self, name: str, module: str, size: int) -> None:
        gains, offsets = (self.take(f"{module}.{part}", (size,)) for part in ("weight", "bias"))
        self.tensors[name] = np.stack([gains, offsets])

    def dense(self, name: str, module: str, n_in: int, n_out: int, by_part: bool = False) -> None:
        weight = self.take(f"{module}.weight", (n_out, n_in)).T
        bias = self.take(f"{module}.bias", (n_out,))
        if by_part:
            weight, bias = self.by_part(weight), self.by_part(bias)
        self.tensors[f"{name}.0e.weight"], self.tensors[f"{name}.bias"] = weight, bias

    def linear_tensors(self, name: str, module: str, first: int) -> None:
        for i, ir in enumerate(_IRREPS):
            source = f"{module}.linears_tensor.{first + i}.weight"
            self.tensors[f"{name}.{ir}.weight"] = self.take(source, (self.units,) * 2).T


def smooth_bessel(count: int, r_max: float) -> np.ndarray:
    """The smooth basis of Kocer, Mason and Erturk (AIP Advances 10, 015021, 2020, eq. 11 to 14) in
    sin(k pi r / r_max) / r, k = 1.., [count + 1][count]."""
    basis = np.zeros((count + 1, count))
    before = 1.0  # d of the function before
    for i in range(count):
        factor = (-1) ** i * sqrt(2) * pi / r_max**1.5 * (i + 1) * (i + 2)
        factor /= sqrt((i + 1) ** 2 + (i + 2) ** 2)
        for k in (i + 1, i + 2):
            basis[k - 1, i] += factor * r_max / (k * pi)
        if i > 0:
            e = i**2 * (i + 2) ** 2 / (4 * (i + 1) ** 4 + 1)
            d = 1 - e / before
            basis[:, i] = (basis[:, i] + sqrt(e / before) * basis[:, i - 1]) / sqrt(d)
            before = d
    return basis
