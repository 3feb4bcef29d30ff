"""Allegro models (Musaelian et al. 2023, 10.1038/s41467-023-36329-y) to model files.

Follows nequip-allegro 0.8.3, from Lightning checkpoints (allegro_checkpoint.py) and packaged models
(allegro_package.py).
"""

from __future__ import annotations

import re
from math import pi, sqrt
from typing import Any

import numpy as np

from irrepd.convert.allegro_checkpoint import is_checkpoint, model_of_checkpoint
from irrepd.convert.allegro_model import AllegroModel, harmonics
from irrepd.convert.allegro_package import is_package, model_of_package
from irrepd.convert.e3nn import CHANNELS_MAX, EVEN_SCALAR, Irrep
from irrepd.convert.nequip_model import MLP_ACTIVATIONS, atomic_numbers
from irrepd.convert.nequip_parts import (
    LAYERS_MAX,
    network_of,
    pair_cutoffs,
    repulsion_of,
    scale_and_shift_of,
)
from irrepd.convert.wigner import wigner_3j
from irrepd.errors import FormatError

Converted = tuple[dict[str, np.ndarray], dict[str, Any]]

_BASIS_MAX = 512
_NOT_ZERO_AT_ZERO = {"sigmoid", "softplus"}


def is_allegro(checkpoint: Any) -> bool:
    return is_checkpoint(checkpoint) or is_package(checkpoint)


def convert(checkpoint: Any, modality: str | None) -> Converted:
    """Effective tensors and the card of a model (model_format.h)."""
    if modality is not None:
        raise FormatError("--modality is for models with several; this is none")
    if is_package(checkpoint):
        return _Converter(model_of_package(checkpoint)).run()
    return _Converter(model_of_checkpoint(checkpoint)).run()


class _Converter:
    def __init__(self, model: AllegroModel):
        self.model, self.state = model, model.state
        self.numbers = atomic_numbers(model.type_names)
        self.n_degrees = model.l_max + 1
        self.tensors: dict[str, np.ndarray] = {}
        if not 1e-3 <= model.r_max <= 100:
            raise FormatError(f"r_max is {model.r_max}, not within 0.001..100 Angstrom")
        if not 0 < len(model.irreps) - 1 < LAYERS_MAX:
            raise FormatError(f"a model of {len(model.irreps) - 1} layers")
        if not 0 < model.n_scalars <= 4096 or not 0 < model.n_tensors <= 4096:
            raise FormatError("more than 4096 channels")

    def run(self) -> Converted:
        model = self.model
        radial, first = self.radial()
        hyperparameters: dict[str, Any] = {
            "l_max": model.l_max,
            "num_scalars": model.n_scalars,
            "num_tensors": model.n_tensors,
            "two_body": self.two_body(first),
            "layers": [self.layer(t) for t in range(len(model.irreps) - 1)],
        }
        n_features = len(model.irreps) * model.n_scalars
        readout = self.network(
            "edge_readout.mlp_module", n_features, 1, model.readout, model.forward
        )
        hyperparameters["readout"] = self.put("readout", *readout)
        self.scale_and_shift()
        if model.repulsion_p is not None:
            tensors, card = repulsion_of(
                self.state, model.repulsion_p, self.numbers, self.cutoffs()
            )
            self.tensors.update(tensors)
            hyperparameters["pair_repulsion"] = card
        self.state.take_empty("_empty")
        for name in ("tensor_embed._edge_weighter", "allegro._env_weighter"):
            self.state.take_mask(f"{name}._rtoi")
        self.state.finish()
        card = {
            "format": 1,
            "architecture": "allegro",
            "atomic_numbers": self.numbers,
            "r_max": model.r_max,
            "precision": model.dtype,
            "units": {"length": "Angstrom", "energy": "eV"},
            "radial": radial,
            "model": hyperparameters,
        }
        if model.training:
            card["training"] = model.training
        return self.tensors, card

    def take(self, name: str, shape: tuple[int, ...] | None = None) -> np.ndarray:
        return self.state.take(name, shape).astype(np.float64)

    def cutoffs(self) -> np.ndarray:
        shape = (len(self.numbers),) * 2
        return self.tensors.get("radial.r_max", np.full(shape, self.model.r_max))

    def radial(self) -> tuple[dict[str, Any], np.ndarray]:
        """The radial basis and, for each pair of types, its map to the two-body embedding."""
        cutoffs = pair_cutoffs(self.state, self.model.r_max, len(self.numbers))
        if cutoffs is not None:
            self.tensors["radial.r_max"] = cutoffs
        return self.splines() if self.model.basis.num_splines else self.bessels()

    def bessels(self) -> tuple[dict[str, Any], np.ndarray]:
        """sin(pi w x) / (pi x) of x = r / r_max, mapped to channels and multiplied by type."""
        module, n, r_max = "radial_chemical_embed", len(self.numbers), self.model.r_max
        roots = self.take(f"{module}.bessel_encode.bessel_weights").ravel()
        if not 0 < roots.size <= _BASIS_MAX:
            raise FormatError(f"{roots.size} Bessel functions; supported: up to {_BASIS_MAX}")
        self.tensors["radial.frequencies"] = roots * (pi / r_max)
        center = self.take(f"{module}.type_embed.center_embed.weight")
        if center.ndim != 2 or center.shape[0] != n or not 0 < center.shape[1] <= CHANNELS_MAX:
            raise FormatError("the type embedding has not one row for each atom type")
        half = center.shape[1]
        neighbor = self.take(f"{module}.type_embed.neighbor_embed.weight", center.shape)
        (basis,), _ = self.network(
            f"{module}.type_embed.basis_linear", roots.size, 2 * half, "silu", self.model.forward
        )
        first = np.empty((n, n, *basis.shape))
        first[..., :half] = basis[:, :half] * center[:, None, None]
        first[..., half:] = basis[:, half:] * neighbor[None, :, None]
        card = {
            "basis": {"name": "bessel", "num_basis": int(roots.size), "prefactor": r_max / pi},
            "cutoff": {"name": "polynomial", "p": self.model.basis.p},
        }
        return card, first

    def splines(self) -> tuple[dict[str, Any], np.ndarray]:
        module, n = "radial_chemical_embed.spline", len(self.numbers)
        count, span = self.model.basis.num_splines, self.model.basis.span
        if not 0 < count <= _BASIS_MAX or not 0 <= span <= count:
            raise FormatError(f"{count} splines of span {span}; supported: up to {_BASIS_MAX}")
        lower = np.arange(-span, count - span) / count
        for name, expected in (("lower", lower), ("upper", lower + (span + 1) / count)):
            if not np.allclose(self.take(f"{module}.{name}", (count,)), expected, atol=1e-6):
                raise FormatError(f"'{module}.{name}' is not that of {count} splines")
        weight = self.take(f"{module}.class_embed.weight")
        if weight.ndim != 2 or weight.shape[0] != n * n or weight.shape[1] % count:
            raise FormatError("the splines have not one row for each pair of atom types")
        card = {
            "basis": {"name": "spline", "num_basis": count, "span": span},
            "cutoff": {"name": "none"},
        }
        return card, weight.reshape(n, n, -1, count).swapaxes(2, 3)

    def two_body(self, first: np.ndarray) -> dict[str, Any]:
        """Linear maps that follow one another are multiplied out."""
        model = self.model
        weights, activation = self.scalar_embedding(first.shape[-1])
        n_weights = self.n_degrees * model.n_tensors
        (tensors,), _ = self.network(
            "tensor_embed.env_embed_linear", model.n_scalars, n_weights, "silu", model.forward
        )
        n_environment = n_weights if model.by_degree else model.n_tensors
        (projection,), _ = self.network(
            "allegro.first_layer_env_embed_projection", model.n_scalars,
            model.n_scalars + n_environment, "silu", True,
        )  # fmt: skip
        scalars, environment = np.split(self.columns(projection), [model.n_scalars], axis=1)
        columns = np.concatenate([scalars, self.degree_first(tensors), environment], axis=1)
        weights[-1] = weights[-1] @ columns
        weights[0] = first @ weights[0]
        return self.put("two_body", weights, activation)

    def scalar_embedding(self, n_in: int) -> tuple[list[np.ndarray], str]:
        """Splines of nequip-allegro 0.4 give the scalars themselves."""
        model, module = self.model, "scalar_embed_mlp.mlp_module"
        if model.basis.num_splines and not self.state.matching(re.escape(module) + r"\..*"):
            if n_in != model.n_scalars:
                raise FormatError(f"{n_in} two-body scalars, not {model.n_scalars}")
            return [np.eye(n_in)], "identity"
        return self.network(module, n_in, model.n_scalars, model.two_body, model.forward)

    def degree_first(self, weight: np.ndarray) -> np.ndarray:
        """Columns by degree and channel, from columns by channel and degree."""
        split = weight.reshape(len(weight), self.model.n_tensors, self.n_degrees)
        return split.swapaxes(1, 2).reshape(len(weight), -1)

    def columns(self, weight: np.ndarray) -> np.ndarray:
        """Scalars, and weights of an environment behind them in their order in the model file."""
        scalars, environment = np.split(weight, [self.model.n_scalars], axis=1)
        if self.model.by_degree:
            environment = self.degree_first(environment)
        else:
            environment = np.tile(environment, (1, self.n_degrees))
        return np.concatenate([scalars, environment], axis=1)

    def layer(self, t: int) -> dict[str, Any]:
        model, last = self.model, t + 2 == len(self.model.irreps)
        self.product(t, model.irreps[t], model.irreps[t + 1])
        n_in = (t + 1) * model.n_scalars + model.n_tensors
        n_degrees = self.n_degrees if model.by_degree else 1
        n_out = model.n_scalars + (0 if last else n_degrees * model.n_tensors)
        weights, activation = self.network(
            f"allegro.latents.{t}", n_in, n_out, model.latent, model.forward
        )
        if not last:
            weights[-1] = self.columns(weights[-1])
        irreps = "+".join(f"{model.n_tensors}x{ir}" for ir in model.irreps[t + 1])
        latent = self.put(f"layers.{t}.latent", weights, activation)
        return {"irreps_out": irreps, "latent": latent}

    def product(self, t: int, source: list[Irrep], target: list[Irrep]) -> None:
        """Weights of paths, with the signs of the file's own couplings against e3nn's."""
        model, module = self.model, f"allegro.tps.{t}"
        edges = harmonics(model.l_max)
        if not target or target[0] != EVEN_SCALAR or len(set(target)) != len(target):
            raise FormatError(f"'{module}' does not give even scalars first, or an irrep twice")
        paths = [
            (one, edge, out)
            for out in target
            for one in source
            for edge in edges
            if out in one.product(edge)
        ]
        if model.coupled:
            shape = (model.n_tensors, len(paths))[: 1 if len(paths) == 1 else 2]
            weights = self.take(f"{module}.weights", shape).reshape(model.n_tensors, -1).T
        else:
            shape = () if len(paths) == 1 else (len(paths),)
            weights = self.take(f"{module}.weights", shape).reshape(-1, 1)
            weights = np.repeat(weights, model.n_tensors, axis=1)
        signs = self.signs(f"{module}.w3j", paths, source, target)
        self.tensors[f"layers.{t}.product.weight"] = weights * signs[:, None]

    def signs(
        self, name: str, paths: list[tuple[Irrep, Irrep, Irrep]], source: list[Irrep],
        target: list[Irrep],
    ) -> np.ndarray:  # fmt: skip
        """The file has one table [path, in, (harmonic,) out]; without harmonics where in is it."""
        places = [_starts(source), _starts(harmonics(self.model.l_max)), _starts(target)]
        table = self.take(name)
        if len(paths) == 1:
            table = table[None]
        sizes = [sum(2 * ir.l + 1 for ir in part) for part in (source, target)]
        sizes.insert(1, self.n_degrees**2)
        if table.shape == (len(paths), sizes[0], sizes[2]):
            full = np.zeros((len(paths), *sizes))
            if sizes[0] == sizes[1]:
                i = np.arange(sizes[0])
                full[:, i, i] = table
            table = full
        if table.shape != (len(paths), *sizes):
            raise FormatError(f"tensor '{name}' has shape {table.shape}")
        signs = []
        for stored, path in zip(table, paths):
            expected = np.zeros(sizes)
            slices = [slice(place[ir], place[ir] + 2 * ir.l + 1) for place, ir in zip(places, path)]
            degrees = [ir.l for ir in path]
            expected[tuple(slices)] = wigner_3j(*degrees) * sqrt(2 * degrees[2] + 1)
            sign = 1.0 if np.sum(stored * expected) > 0 else -1.0
            if not np.allclose(stored, sign * expected, rtol=1e-5, atol=1e-6):
                raise FormatError(f"tensor '{name}' holds other couplings than e3nn's")
            signs.append(sign)
        return np.array(signs)

    def network(
        self, module: str, n_in: int, n_out: int, nonlinearity: str | None, forward: bool
    ) -> tuple[list[np.ndarray], str]:
        weights, activation = network_of(self.state, module, n_in, n_out, nonlinearity, forward)
        if nonlinearity in _NOT_ZERO_AT_ZERO and "radial.r_max" in self.tensors:
            raise FormatError(
                f"nonlinearity '{nonlinearity}' of '{module}' with cutoffs by pair; supported: "
                + ", ".join(sorted(set(MLP_ACTIVATIONS) - _NOT_ZERO_AT_ZERO))
            )
        return weights, activation

    def put(self, name: str, weights: list[np.ndarray], activation: str) -> dict[str, Any]:
        if activation == "identity":
            while len(weights) > 1:
                weights[-2:] = [weights[-2] @ weights[-1]]
        for i, weight in enumerate(weights):
            self.tensors[f"{name}.{i}.weight"] = weight
        return {"hidden": [weight.shape[-1] for weight in weights[:-1]], "activation": activation}

    def scale_and_shift(self) -> None:
        """Edges' energies are summed, normalised like environments, and over the root of two."""
        count, norm = len(self.numbers), self.model.norm
        if norm.shape not in ((1,), (count,)) or not np.isfinite(norm).all():
            raise FormatError("the average number of neighbours is not one number for each type")
        self.tensors["environment_scale"] = np.broadcast_to(norm, count).copy()
        scale, shift = scale_and_shift_of(self.state, count)
        self.tensors["scale"] = scale * norm / sqrt(2)
        self.tensors["shift"] = shift


def _starts(irreps: list[Irrep]) -> dict[Irrep, int]:
    starts, position = {}, 0
    for ir in irreps:
        starts[ir] = position
        position += 2 * ir.l + 1
    return starts
