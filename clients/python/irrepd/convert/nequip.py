"""NequIP models (Batzner et al. 2022, 10.1038/s41467-022-29939-5) to nequip model files.

Follows nequip 0.19.1, from Lightning checkpoints (nequip_checkpoint.py) and packaged models
(nequip_package.py).
"""

from __future__ import annotations

import re
from math import pi, sqrt
from typing import Any

import numpy as np

from irrepd.convert.e3nn import (
    EVEN_SCALAR,
    L_MAX,
    SECOND_MOMENT,
    Entry,
    Irrep,
    Irreps,
    Linear,
    Path,
    convolution_paths,
    format_irreps,
    linear_paths,
    linear_weights,
    merged,
)
from irrepd.convert.nequip_checkpoint import is_checkpoint, model_of_checkpoint
from irrepd.convert.nequip_model import (
    Layer,
    NequipModel,
    atomic_numbers,
    chosen_categories,
)
from irrepd.convert.nequip_package import is_package, model_of_package
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


def is_nequip(checkpoint: Any) -> bool:
    return is_checkpoint(checkpoint) or is_package(checkpoint)


def convert(checkpoint: Any, modality: str | None) -> Converted:
    """Effective tensors and the card of a model (model_format.h)."""
    if is_package(checkpoint):
        return _Converter(model_of_package(checkpoint), modality).run()
    return _Converter(model_of_checkpoint(checkpoint), modality).run()


class _Converter:
    def __init__(self, model: NequipModel, modality: str | None):
        self.model, self.state = model, model.state
        self.numbers = atomic_numbers(model.type_names)
        self.modality = modality
        self.rows = chosen_categories(model.categories, modality)
        self.tensors: dict[str, np.ndarray] = {}
        if not 1e-3 <= model.r_max <= 100:
            raise FormatError(f"r_max is {model.r_max}, not within 0.001..100 Angstrom")
        if not 0 < len(model.layers) <= LAYERS_MAX:
            raise FormatError(f"a model of {len(model.layers)} layers")

    def run(self) -> Converted:
        model = self.model
        self.attributes = self.embedding()
        radial = self.radial()
        features: Irreps = [Entry(self.attributes.shape[1], EVEN_SCALAR)]
        first, cards = features, []
        for t, layer in enumerate(model.layers):
            card, features = self.layer(t, layer, features)
            cards.append(card)
        hyperparameters: dict[str, Any] = {
            "l_max": model.l_max,
            "edge_parity": model.edge_parity,
            "irreps_embedding": format_irreps(first),
            "layers": cards,
            "readout": self.readout(features),
        }
        self.scale_and_shift()
        if model.repulsion_p is not None:
            hyperparameters["pair_repulsion"] = self.repulsion(model.repulsion_p)
        self.state.take_empty("_empty")
        self.state.finish()
        card = {
            "format": 1,
            "architecture": "nequip",
            "atomic_numbers": self.numbers,
            "r_max": model.r_max,
            "precision": model.dtype,
            "units": {"length": "Angstrom", "energy": "eV"},
            "radial": radial,
            "model": hyperparameters,
        }
        if model.training:
            card["training"] = model.training
        if self.rows and self.modality:
            card["modality"] = self.modality
        return self.tensors, card

    def take(self, name: str, shape: tuple[int, ...] | None = None) -> np.ndarray:
        return self.state.take(name, shape).astype(np.float64)

    def embedding(self) -> np.ndarray:
        """Of each species, with that of the chosen categories behind it."""
        weight = self.take("type_embed.embed_module.weight")
        if weight.ndim != 2 or weight.shape[0] != len(self.numbers):
            raise FormatError("the type embedding has not one row for each atom type")
        parts = [weight]
        for name, row in self.rows:
            table = self.take(f"type_embed.categorical_graph_field_embed_modules.{name}.weight")
            low, high = self.model.categories[name]
            if table.ndim != 2 or table.shape[0] != high - low + 1:
                raise FormatError(f"the embedding of '{name}' has not one row for each value")
            parts.append(np.repeat(table[row : row + 1], len(weight), axis=0))
        self.tensors["embedding.weight"] = np.concatenate(parts, axis=1)
        return self.tensors["embedding.weight"]

    def radial(self) -> dict[str, Any]:
        model, n = self.model, len(self.numbers)
        roots = self.take("bessel_encode.bessel_weights").ravel()
        if not 0 < roots.size <= _BASIS_MAX:
            raise FormatError(f"{roots.size} Bessel functions; supported: up to {_BASIS_MAX}")
        self.tensors["radial.frequencies"] = roots * (pi / model.r_max)
        cutoffs = pair_cutoffs(self.state, model.r_max, n)
        if cutoffs is not None:
            self.tensors["radial.r_max"] = cutoffs
        return {
            "basis": {
                "name": "bessel",
                "num_basis": int(roots.size),
                "prefactor": 2 / model.r_max,
            },
            "cutoff": {"name": "polynomial", "p": model.p},
        }

    def layer(self, t: int, layer: Layer, features: Irreps) -> tuple[dict[str, Any], Irreps]:
        name, module = f"layers.{t}", f"layer{t}_convnet"
        odd = -1 if self.model.edge_parity == "natural" else 1
        edges = [Irrep(degree, odd**degree) for degree in range(self.model.l_max + 1)]
        reached = {ir for entry in features for edge in edges for ir in entry.ir.product(edge)}
        out = _output(layer.hidden, reached)
        gated = [entry for entry in out if entry.ir.l > 0]
        gate_input = merged([*out, *(Entry(entry.mul, EVEN_SCALAR) for entry in gated)])
        paths = convolution_paths(features, edges, {entry.ir for entry in gate_input})
        mid = merged([Entry(path.source.mul, path.out) for path in paths])

        by_species = self.linear_up(name, f"{module}.conv.linear_1", features, layer.norm)
        self.put(f"{name}.linear_down", self.linear(f"{module}.conv.linear_2", mid, gate_input))
        connection = self.self_connection(name, f"{module}.conv.sc", features, gate_input)
        columns = sum(path.source.mul for path in paths)
        basis = self.tensors["radial.frequencies"].size
        weights, _ = self.network(f"{module}.conv.edge_mlp", basis, columns, "silu")
        weights[-1] = weights[-1] * self.coupling_signs(f"{module}.conv.tp_scatter.tp", paths)
        for i, weight in enumerate(weights):
            self.tensors[f"{name}.filter.{i}.weight"] = weight
        for part in ("conv.tp_scatter.tp", "equivariant_nonlin.mul"):
            self.state.take_empty(f"{module}.{part}.weight")
            self.state.take_mask(f"{module}.{part}.output_mask")
        card = {
            "irreps_out": format_irreps(out),
            "irreps_mid": format_irreps(mid),
            "self_connection": connection,
            "filter": {"hidden": [w.shape[1] for w in weights[:-1]], "activation": "silu"},
            "gate": self.gate(out),
        }
        if by_species:
            card["linear_up"] = "species"
        return card, out

    def linear(self, module: str, irreps_in: Irreps, irreps_out: Irreps) -> Linear:
        blocks = linear_weights(irreps_in, irreps_out, self.state.take(f"{module}.weight"))
        paths = linear_paths(irreps_in, irreps_out)
        self.state.take_empty(f"{module}.bias")
        self.state.take_mask(f"{module}.output_mask")
        return Linear({irreps_out[o].ir: block for (_, o), block in zip(paths, blocks)})

    def put(self, name: str, linear: Linear) -> None:
        for ir, weights in linear.weights.items():
            self.tensors[f"{name}.{ir}.weight"] = weights

    def linear_up(self, name: str, module: str, features: Irreps, norm: np.ndarray) -> bool:
        """With the norm of what is sent; whether that depends on the sender's type."""
        if norm.shape not in ((1,), (len(self.numbers),)) or not np.isfinite(norm).all():
            raise FormatError("the average number of neighbours is not one number for each type")
        linear = self.linear(module, features, features)
        by_species = norm.size > 1
        for ir, weights in linear.weights.items():
            scaled = norm[:, None, None] * weights
            linear.weights[ir] = scaled if by_species else scaled[0]
        self.put(f"{name}.linear_up", linear)
        return by_species

    def self_connection(self, name: str, module: str, features: Irreps, gate_input: Irreps) -> str:
        """FullyConnectedTensorProduct with the embeddings of types, multiplied out for each type.

        sqrt(2l+1) of the 'component' normalisation and 1/sqrt(2l+1) of the 3j (l, 0, l) cancel;
        what is left is the root of the number of inputs, attributes times channels.
        """
        if f"{module}.weight" not in self.state:
            return "none"
        n_attributes = self.attributes.shape[1]
        paths = linear_paths(features, gate_input)
        shapes = [(features[i].mul, n_attributes, gate_input[o].mul) for i, o in paths]
        flat = self.take(f"{module}.weight", (sum(map(_size, shapes)),))
        position = 0
        for (i, o), shape in zip(paths, shapes):
            block = flat[position : position + _size(shape)].reshape(shape)
            position += block.size
            fan_in = sum(features[k].mul for k, target in paths if target == o) * n_attributes
            weights = np.einsum("ucw,sc->suw", block, self.attributes) / sqrt(fan_in)
            self.tensors[f"{name}.self_connection.{features[i].ir}.weight"] = weights
        self.state.take_mask(f"{module}.output_mask")
        for table, degrees in self.coupling_tables(module).items():
            if self.coupling_sign(table, degrees) < 0:
                raise FormatError(f"tensor '{table}' has another sign than e3nn's")
        return "species"

    def coupling_signs(self, module: str, paths: list[Path]) -> np.ndarray:
        """+1 or -1 for each filter column: the signs of the file's own 3j tables against e3nn's."""
        signs = {
            degrees: self.coupling_sign(name, degrees)
            for name, degrees in self.coupling_tables(module).items()
        }
        found = []
        for path in paths:
            degrees = path.source.ir.l, path.edge.l, path.out.l
            found.append(np.full(path.source.mul, signs.get(degrees, 1.0)))
        return np.concatenate(found)

    def coupling_tables(self, module: str) -> dict[str, tuple[int, int, int]]:
        pattern = re.escape(module) + r"\._compiled_main.*\._w3j_(\d)_(\d)_(\d)"
        found = self.state.matching(pattern)
        return {name: (int(m[1]), int(m[2]), int(m[3])) for name, m in found.items()}

    def coupling_sign(self, name: str, degrees: tuple[int, int, int]) -> float:
        one, two, out = degrees
        if max(degrees) > L_MAX or not abs(one - two) <= out <= one + two:
            raise FormatError(f"tensor '{name}' is no Wigner 3j symbol")
        expected = wigner_3j(*degrees)
        stored = self.state.take(name, expected.shape)
        for sign in (1.0, -1.0):
            if np.allclose(stored, sign * expected, rtol=1e-5, atol=1e-6):
                return sign
        raise FormatError(f"tensor '{name}' is no Wigner 3j symbol")

    def gate(self, out: Irreps) -> dict[str, Any]:
        scalars = {
            str(entry.ir): _activation(self.model.scalars["e" if entry.ir.p > 0 else "o"])
            for entry in out
            if entry.ir.l == 0
        }
        gates = {str(EVEN_SCALAR): _activation(self.model.gates["e"])}
        return {"scalars": scalars, "gates": gates if out[-1].ir.l > 0 else {}}

    def network(
        self, module: str, n_in: int, n_out: int, nonlinearity: str | None
    ) -> tuple[list[np.ndarray], str]:
        return network_of(self.state, module, n_in, n_out, nonlinearity)

    def readout(self, features: Irreps) -> dict[str, Any]:
        if len(features) != 1 or features[0].ir != EVEN_SCALAR:
            raise FormatError(f"the last features, {format_irreps(features)}, are not even scalars")
        module = "per_atom_energy_readout.mlp_module"
        weights, activation = self.network(module, features[0].mul, 1, self.model.readout)
        for i, weight in enumerate(weights):
            self.tensors[f"readout.{i}.weight"] = weight
        return {"hidden": [weight.shape[1] for weight in weights[:-1]], "activation": activation}

    def scale_and_shift(self) -> None:
        values = scale_and_shift_of(self.state, len(self.numbers))
        self.tensors["scale"], self.tensors["shift"] = values

    def repulsion(self, p: float) -> dict[str, Any]:
        shape = (len(self.numbers),) * 2
        cutoffs = self.tensors.get("radial.r_max", np.full(shape, self.model.r_max))
        tensors, card = repulsion_of(self.state, p, self.numbers, cutoffs)
        self.tensors.update(tensors)
        return card


def _output(hidden: Irreps, reached: set[Irrep]) -> Irreps:
    """What a layer's gate gives: scalars, then the others, of those that paths lead to."""
    kept = [entry for entry in hidden if entry.ir in reached]
    out = [e for e in kept if e.ir.l == 0] + [e for e in kept if e.ir.l > 0]
    irreps = [entry.ir for entry in out]
    if EVEN_SCALAR not in irreps or len(set(irreps)) != len(irreps):
        raise FormatError(f"features '{format_irreps(hidden)}' without 0e or with an irrep twice")
    return out


def _activation(name: str) -> dict[str, Any]:
    return {"activation": name, "scale": SECOND_MOMENT[name]}


def _size(shape: tuple[int, int, int]) -> int:
    return shape[0] * shape[1] * shape[2]
