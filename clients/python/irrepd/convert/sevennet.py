"""SevenNet checkpoints (Park et al. 2024, 10.1021/acs.jctc.4c00190) to nequip model files.

Follows sevenn 0.13.0, model_build.py; what older releases stored differently is in releases.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import fsum
from typing import Any

import numpy as np

from irrepd.convert.e3nn import (
    CHANNELS_MAX,
    EVEN_SCALAR,
    L_MAX,
    ODD_SCALAR,
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
    multiplicity,
    network_weights,
    parse_irreps,
    species_linear_weights,
)
from irrepd.convert.heads import Heads, choose
from irrepd.convert.releases import (
    SEVENN_SORTED_FILTERS,
    SEVENN_UNIT_HARMONICS,
    SEVENN_ZERO_DEGREE,
    release_of,
)
from irrepd.convert.state import Config, StateDict, described
from irrepd.convert.wigner import wigner_3j
from irrepd.errors import FormatError

_OLD_NAMES = (  # modules as they were called before April 2024
    (r"EdgeEmbedding\.", "edge_embedding."),
    (r"reducing nn input to hidden\.", "reduce_input_to_hidden."),
    (r"reducing nn hidden to energy\.", "reduce_hidden_to_energy."),
    (r"rescale atomic energy\.", "rescale_atomic_energy."),
    (r"(\d+) self connection intro\.", r"\1_self_connection_intro."),
    (r"(\d+) convolution\.", r"\1_convolution."),
    (r"(\d+) self interaction 2\.", r"\1_self_interaction_2."),
    (r"(\d+) equivariant gate\.", r"\1_equivariant_gate."),
)
_LAYERS_MAX = 16
_OWN_OPTIONS = {"_type_map", "num_convolution_layer", "weight_nn_hidden_neurons"}


@dataclass
class Modality:
    """The fidelities of a multi-fidelity checkpoint, and where their one-hot enters."""

    heads: Heads
    count: int
    places: set[str] = field(default_factory=set)

    def of_heads(self, values: np.ndarray) -> np.ndarray:
        """Of one row for each fidelity: of those that are kept, or of the only one."""
        return values[list(self.heads.kept)] if self.heads.are_named else values[self.heads.kept[0]]


@dataclass
class Layer:
    features: Irreps  # what comes in
    out: Irreps
    gate_input: Irreps
    mid: Irreps
    paths: list[Path]


def is_sevennet(checkpoint: Any) -> bool:
    """A checkpoint of sevenn; `_model_type` is not there in all releases, and has one value."""
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get("config"), dict):
        return False
    config = checkpoint["config"]
    kind = config.get("_model_type", "E3_equivariant_model")
    return kind == "E3_equivariant_model" and set(config) >= _OWN_OPTIONS


def convert(
    checkpoint: dict[str, Any], modality: str | None
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Effective tensors and the card of a checkpoint (model_format.h)."""
    return _Converter(checkpoint, modality).run()


class _Converter:
    def __init__(self, checkpoint: dict[str, Any], modality: str | None):
        self.config = Config(checkpoint["config"])
        self.release = release_of("sevenn", self.config.get("version"))
        self.release.refuse_newer()
        self.is_sorted = self.release.has(SEVENN_SORTED_FILTERS)
        self.state = StateDict(_renamed(checkpoint.get("model_state_dict")))
        self.epoch = checkpoint.get("epoch")
        self.modality = self.choose_modality(modality)
        self.numbers = self.atomic_numbers()
        self.r_max = self.config.number("cutoff")
        if not 0 < self.r_max <= 100:
            raise FormatError(f"option 'cutoff' is {self.r_max}, not within 0..100 Angstrom")
        self.tensors: dict[str, np.ndarray] = {}
        self.check_supported()

    def run(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        radial = self.radial()
        edges, edge_card = self.edges()
        features, layers = self.layers(edges)
        self.embedding(features)
        cards = [self.layer(t, layer) for t, layer in enumerate(layers)]
        readout = self.readout(layers[-1].out)
        self.rescale()
        self.state.finish()
        model = {
            **edge_card,
            "irreps_embedding": format_irreps(features),
            "layers": cards,
            "readout": readout,
        }
        is_single = self.config.choice("dtype", {"single", "double"}, "single") == "single"
        card = {
            "format": 1,
            "architecture": "nequip",
            "variant": "sevennet",
            "atomic_numbers": self.numbers,
            "r_max": self.r_max,
            "precision": "float32" if is_single else "float64",
            "units": {"length": "Angstrom", "energy": "eV"},
            "radial": radial,
            "model": model,
            "training": self.training(),
        }
        if self.modality:
            # A single fidelity has its name in the card, too.
            card.update(self.modality.heads.card or {"modality": self.modality.heads.names[0]})
        return self.tensors, card

    def check_supported(self) -> None:
        config = self.config
        config.choice("interaction_type", {"nequip"}, "nequip")
        for key in ("use_flash_tp", "use_oeq"):
            if config.flag(key, False):
                raise FormatError(f"option '{key}' is on; convert the checkpoint to e3nn first")
        if config.section("cuequivariance_config", {}).get("use", False):
            raise FormatError("a cuEquivariance checkpoint; convert it to e3nn first (sevenn cp)")
        if config.get("optimize_by_reduce") is False:
            raise FormatError("option 'optimize_by_reduce: False' is not supported")

    def choose_modality(self, name: str | None) -> Modality | None:
        if not self.config.flag("use_modality", False):
            if name is not None:
                raise FormatError("--modality is for multi-fidelity checkpoints; this is none")
            return None
        table = self.config.section("_modal_map")
        indices = {key: table.integer(key, 0, 255) for key in table.names() if isinstance(key, str)}
        if sorted(indices.values()) != list(range(len(table.names()))) or not indices:
            raise FormatError("option '_modal_map' is no numbering of modalities")
        heads = choose(sorted(indices, key=indices.__getitem__), name, "--modality")
        chosen = Modality(heads, len(indices))
        for key, place in (
            ("use_modal_node_embedding", "onehot_to_feature_x"),
            ("use_modal_self_inter_intro", "self_interaction_1"),
            ("use_modal_self_inter_outro", "self_interaction_2"),
            ("use_modal_output_block", "reduce_input_to_hidden"),
        ):
            if self.config.flag(key, False) and chosen.count > 1:
                chosen.places.add(place)
        return chosen

    def atomic_numbers(self) -> list[int]:
        table = self.config.get("_type_map")
        if not isinstance(table, dict) or not 0 < len(table) <= 118:
            raise FormatError("option '_type_map' is missing")
        inverse = {index: number for number, index in table.items()}
        numbers: list[Any] = [inverse.get(index) for index in range(len(table))]
        for number in numbers:
            if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= 118:
                raise FormatError("option '_type_map' is no numbering of elements")
        return numbers

    def radial(self) -> dict[str, Any]:
        basis = self.config.section("radial_basis")
        basis.only("radial_basis", {"radial_basis_name", "bessel_basis_num", "trainable_coeff"})
        basis.choice("radial_basis_name", {"bessel"})
        count = basis.integer("bessel_basis_num", 1, 1024, 8)
        if basis.flag("trainable_coeff", True):
            frequencies = self.state.take("edge_embedding.basis_function.coeffs", (count,))
        else:
            frequencies = np.arange(1, count + 1) * np.pi / self.r_max
            frequencies = frequencies.astype(np.float32)  # sevenn keeps them in float32
        self.tensors["radial.frequencies"] = frequencies.astype(np.float64)
        card = {"name": "bessel", "num_basis": count, "prefactor": 2.0 / self.r_max}
        return {"basis": card, "cutoff": self.cutoff()}

    def cutoff(self) -> dict[str, Any]:
        function = self.config.section("cutoff_function")
        name = function.choice("cutoff_function_name", {"poly_cut", "XPLOR"})
        function.only("cutoff_function", {"cutoff_function_name", "cutoff_on", "poly_cut_p_value"})
        if name == "poly_cut":
            power = function.number("poly_cut_p_value", 6)
            if not 2 <= power <= 64:
                raise FormatError(f"option 'poly_cut_p_value' is {power}, not within 2..64")
            return {"name": "polynomial", "p": power}
        r_on = function.number("cutoff_on")
        if not 0 <= r_on < self.r_max:
            raise FormatError(f"option 'cutoff_on' is {r_on}, not below the cutoff")
        return {"name": "xplor", "r_on": r_on}

    def edges(self) -> tuple[list[Irrep], dict[str, Any]]:
        l_max = self.degree("lmax_edge")
        parity = self.config.flag("is_parity")
        edges = [Irrep(degree, (-1) ** degree if parity else 1) for degree in range(l_max + 1)]
        card: dict[str, Any] = {"l_max": l_max, "edge_parity": "natural" if parity else "even"}
        if not self.config.flag("_normalize_sph", self.release.has(SEVENN_UNIT_HARMONICS)):
            card["edge_harmonics"] = "solid"
        return edges, card

    def degree(self, option: str) -> int:
        """Of harmonics or features: lmax unless given."""
        degree = self.config.integer(option, -1, L_MAX, -1)
        if degree > 0 or (degree == 0 and not self.release.has(SEVENN_ZERO_DEGREE)):
            return degree
        return self.config.integer("lmax", 0, L_MAX)

    def layers(self, edges: list[Irrep]) -> tuple[Irreps, list[Layer]]:
        count = self.config.integer("num_convolution_layer", 1, _LAYERS_MAX)
        manual = self.config.get("irreps_manual", False)
        if manual is not False:
            if not isinstance(manual, list) or len(manual) != count + 1:
                raise FormatError("option 'irreps_manual' does not have one entry for each layer")
            manual = [parse_irreps(text) for text in manual]
        channels = self.config.integer("channel", 1, CHANNELS_MAX)
        first = manual[0] if manual else [Entry(channels, EVEN_SCALAR)]
        if len(first) != 1 or first[0].ir != EVEN_SCALAR:
            raise FormatError(f"first features '{format_irreps(first)}' are not even scalars alone")
        l_node = self.degree("lmax_node")
        features, layers = first, []
        for t in range(count):
            last = t == count - 1
            reached = _reached(features, edges, 0 if last else l_node, even=last)
            out = manual[t + 1] if manual else [Entry(channels, ir) for ir in sorted(reached)]
            layers.append(_layer(features, edges, out, even=last))
            features = out
        return first, layers

    def embedding(self, features: Irreps) -> None:
        species: Irreps = [Entry(len(self.numbers), EVEN_SCALAR)]
        linear = self.linear("onehot_to_feature_x", species, features)
        weights, bias = linear.weights[EVEN_SCALAR], linear.bias
        if bias is not None and bias.ndim > 1:
            self.tensors["embedding.head_bias"], bias = bias, None
        self.tensors["embedding.weight"] = weights if bias is None else weights + bias

    def layer(self, t: int, layer: Layer) -> dict[str, Any]:
        name = f"layers.{t}"
        up = self.linear(f"{t}_self_interaction_1", layer.features, layer.features)
        self.put_linear(f"{name}.linear_up", up)
        filter_card = self.filter(t, layer)
        down = self.linear(f"{t}_self_interaction_2", layer.mid, layer.gate_input)
        self.put_linear(f"{name}.linear_down", down)
        connection = self.self_connection(t, layer)
        return {
            "irreps_out": format_irreps(layer.out),
            "irreps_mid": format_irreps(layer.mid),
            "self_connection": connection,
            "filter": filter_card,
            "gate": self.gate(t, layer.out),
        }

    def linear(self, module: str, irreps_in: Irreps, irreps_out: Irreps) -> Linear:
        """An IrrepsLinear module, with the rows of the modalities as biases."""
        place = re.sub(r"^\d+_", "", module)
        modal = self.modality if self.modality and place in self.modality.places else None
        source = [*irreps_in, Entry(modal.count, EVEN_SCALAR)] if modal else irreps_in
        flat = self.state.take(f"{module}.linear.weight")
        blocks = linear_weights(source, irreps_out, flat)
        result = Linear({})
        for (i, o), block in zip(linear_paths(source, irreps_out), blocks):
            if modal and i == len(irreps_in):
                result.bias = modal.of_heads(block)
            else:
                result.weights[irreps_out[o].ir] = block
        bias = self.linear_bias(module, irreps_out)
        if bias is not None:
            result.bias = bias if result.bias is None else result.bias + bias
        self.state.take_mask(f"{module}.linear.output_mask")
        return result

    def linear_bias(self, module: str, irreps_out: Irreps) -> np.ndarray | None:
        scalars = multiplicity(irreps_out, EVEN_SCALAR)
        if not self.config.flag("use_bias_in_linear", False) or not scalars:
            self.state.take_empty(f"{module}.linear.bias")
            return None
        return self.state.take(f"{module}.linear.bias", (scalars,)).astype(np.float64)

    def put_linear(self, name: str, linear: Linear) -> None:
        for ir, weights in linear.weights.items():
            self.tensors[f"{name}.{ir}.weight"] = weights
        if linear.bias is not None:
            kind = "head_bias" if linear.bias.ndim > 1 else "bias"
            self.tensors[f"{name}.{kind}"] = linear.bias

    def filter(self, t: int, layer: Layer) -> dict[str, Any]:
        module = f"{t}_convolution"
        hidden = self.config.integers("weight_nn_hidden_neurons", 1, CHANNELS_MAX)
        activation = self.config.choice("act_radial", SECOND_MOMENT)
        columns = sum(path.source.mul for path in layer.paths)
        sizes = [self.tensors["radial.frequencies"].size, *hidden, columns]
        weights = self.network(f"{module}.weight_nn", sizes, activation)
        denominator = float(self.state.take(f"{module}.denominator", (1,))[0])
        if denominator == 0:
            raise FormatError(f"tensor '{module}.denominator' is zero")
        weights[-1] = self.nested(module, layer, weights[-1]) / denominator
        for i, weight in enumerate(weights):
            self.tensors[f"layers.{t}.filter.{i}.weight"] = weight
        self.state.take_empty(f"{module}.convolution.weight")
        self.state.take_mask(f"{module}.convolution.output_mask")
        return {"hidden": hidden, "activation": activation}

    def network(self, module: str, sizes: list[int], activation: str) -> list[np.ndarray]:
        shapes = list(zip(sizes, sizes[1:]))
        names = [f"{module}.layer{i}.weight" for i in range(len(shapes))]
        layers = [self.state.take(name, shape) for name, shape in zip(names, shapes)]
        return network_weights(layers, activation)

    def nested(self, module: str, layer: Layer, columns: np.ndarray) -> np.ndarray:
        """Filter columns in nested order of paths, and with the signs of e3nn's 3j symbols."""
        stored = layer.paths
        if self.is_sorted:
            stored = sorted(layer.paths, key=lambda path: path.out)
        blocks: dict[int, np.ndarray] = {}
        position = 0
        for path in stored:
            end = position + path.source.mul
            sign = self.coupling_sign(module, path.source.ir.l, path.edge.l, path.out.l)
            blocks[path.column] = columns[:, position:end] * sign
            position = end
        return np.concatenate([blocks[path.column] for path in layer.paths], axis=1)

    def coupling_sign(self, module: str, l1: int, l2: int, l3: int) -> float:
        """+1 or -1: the sign of the file's own 3j table against e3nn's of today."""
        name = f"{module}.convolution._compiled_main_left_right._w3j_{l1}_{l2}_{l3}"
        if name not in self.state:
            if min(l1, l2, l3) > 0:
                raise FormatError(f"tensor '{name}' is missing")
            return 1.0
        expected = wigner_3j(l1, l2, l3)
        stored = self.state.take(name, expected.shape)
        for sign in (1.0, -1.0):
            if np.allclose(stored, sign * expected, rtol=1e-5, atol=1e-6):
                return sign
        raise FormatError(f"tensor '{name}' is no Wigner 3j symbol")

    def self_connection(self, t: int, layer: Layer) -> str:
        kind = self.config.get("self_connection_type", "nequip")
        if isinstance(kind, list):
            kind = kind[t] if t < len(kind) else None
        module = f"{t}_self_connection_intro"
        name = f"layers.{t}.self_connection"
        if kind == "linear":
            blocks = linear_weights(
                layer.features, layer.gate_input, self.state.take(f"{module}.linear.weight")
            )
            for (i, _), block in zip(linear_paths(layer.features, layer.gate_input), blocks):
                self.tensors[f"{name}.{layer.features[i].ir}.weight"] = block
            self.state.take_empty(f"{module}.linear.bias")
            self.state.take_mask(f"{module}.linear.output_mask")
            return "linear"
        if kind != "nequip":
            raise FormatError(f"option 'self_connection_type' is {described(kind)}")
        product = f"{module}.fc_tensor_product"
        flat = self.state.take(f"{product}.weight")
        species = len(self.numbers)
        by_irrep = species_linear_weights(layer.features, species, layer.gate_input, flat)
        for ir, weights in by_irrep.items():
            self.tensors[f"{name}.{ir}.weight"] = weights
        self.state.take_mask(f"{product}.output_mask")
        for table in self.state.matching(re.escape(product) + r"\._compiled_main.*\._w3j_\d_0_\d"):
            degree = int(table[-1])
            if not np.allclose(self.state.take(table), wigner_3j(degree, 0, degree), atol=1e-6):
                raise FormatError(f"tensor '{table}' is no Wigner 3j symbol")
        return "species"

    def gate(self, t: int, out: Irreps) -> dict[str, Any]:
        scalars = {}
        for ir in (EVEN_SCALAR, ODD_SCALAR):
            if multiplicity(out, ir):
                scalars[str(ir)] = self.activation("act_scalar", ir)
        gates = {}
        if any(entry.ir.l > 0 for entry in out):
            ir = _gate_irrep(out)
            gates[str(ir)] = self.activation("act_gate", ir)
        module = f"{t}_equivariant_gate.gate.mul"
        self.state.take_empty(f"{module}.weight")
        self.state.take_mask(f"{module}.output_mask")
        return {"scalars": scalars, "gates": gates}

    def activation(self, option: str, ir: Irrep) -> dict[str, Any]:
        by_parity = self.config.section(option)
        choices = {"e": {"ssp", "silu"}, "o": {"tanh", "abs"}}
        parity = str(ir)[-1]
        name = by_parity.choice(parity, choices[parity])
        return {"activation": name, "scale": SECOND_MOMENT[name]}

    def readout(self, features: Irreps) -> dict[str, Any]:
        if not self.config.flag("readout_as_fcn", False):
            return self.linear_readout(features)
        hidden = self.config.integers("readout_fcn_hidden_neurons", 1, CHANNELS_MAX)
        activation = self.config.choice("readout_fcn_activation", SECOND_MOMENT)
        if len(features) != 1 or features[0].ir != EVEN_SCALAR:
            raise FormatError("the last features are not even scalars alone")
        weights = self.network("readout_FCN.fcn", [features[0].mul, *hidden, 1], activation)
        for i, weight in enumerate(weights):
            self.tensors[f"readout.{i}.weight"] = self.for_heads(weight, 2)
        return {"hidden": hidden, "activation": activation}

    def for_heads(self, values: np.ndarray, n_dims: int) -> np.ndarray:
        """What all heads share, or each has, in the shape of the file: by head where it has any."""
        if not self.modality or not self.modality.heads.are_named or values.ndim > n_dims:
            return values
        return np.repeat(values[None], len(self.modality.heads.kept), axis=0)

    def linear_readout(self, features: Irreps) -> dict[str, Any]:
        """Two linear maps without an activation between: one."""
        dimension = sum(entry.mul * (2 * entry.ir.l + 1) for entry in features)
        hidden: Irreps = [Entry(dimension // 2, EVEN_SCALAR)]
        first = self.linear("reduce_input_to_hidden", features, hidden)
        second = self.linear("reduce_hidden_to_energy", hidden, [Entry(1, EVEN_SCALAR)])
        if EVEN_SCALAR not in first.weights or not hidden[0].mul:
            raise FormatError("the last features have no even scalars to read energies from")
        weights = second.weights[EVEN_SCALAR]
        weight = _product(first.weights[EVEN_SCALAR], weights)
        self.tensors["readout.0.weight"] = self.for_heads(weight, 2)
        biases = []
        if first.bias is not None:
            product = _product(np.atleast_2d(first.bias), weights)
            biases.append(self.for_heads(product if first.bias.ndim > 1 else product[0], 1))
        if second.bias is not None:
            biases.append(self.for_heads(second.bias, 1))
        if biases:
            self.tensors["readout.0.bias"] = np.sum(biases, axis=0)
        return {"hidden": [], "activation": "silu"}

    def rescale(self) -> None:
        for kind in ("scale", "shift"):
            values = self.state.take(f"rescale_atomic_energy.{kind}").astype(np.float64)
            if self.modality and self.config.flag(f"use_modal_wise_{kind}", False):
                if values.ndim != 2 or values.shape[0] != self.modality.count:
                    raise FormatError(f"the {kind} has not one row for each modality")
                values = self.modality.of_heads(values)
            if values.shape[-1:] == (1,):
                values = np.repeat(values, len(self.numbers), axis=-1)
            values = self.for_heads(values, 1)
            if values.shape[-1:] != (len(self.numbers),) or values.ndim != self.dims_of_heads():
                raise FormatError(f"the {kind} has shape {values.shape}, not one for each element")
            self.tensors[kind] = values

    def dims_of_heads(self) -> int:
        """Of numbers by species."""
        return 2 if self.modality and self.modality.heads.are_named else 1

    def training(self) -> dict[str, Any]:
        result: dict[str, Any] = {"code": str(self.release)}
        if isinstance(self.epoch, int) and 0 <= self.epoch < 1 << 31:
            result["epoch"] = self.epoch
        for key in ("loss", "optimizer"):
            if isinstance(self.config.get(key), str):
                result[key] = self.config.text(key)[:100]
        paths = self.config.get("load_dataset_path")
        if isinstance(paths, list) and all(isinstance(path, str) for path in paths):
            result["dataset_files"] = [path.rsplit("/", 1)[-1][:100] for path in paths[:20]]
        return result


def _product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Matrix product with exactly rounded sums, the same on every machine."""
    return np.array([[fsum(row * column) for column in right.T] for row in left])


def _renamed(tensors: Any) -> Any:
    if not isinstance(tensors, dict):
        return tensors
    result = {}
    for name, tensor in tensors.items():
        if isinstance(name, str):
            for old, new in _OLD_NAMES:
                name, changed = re.subn("^" + old, new, name)
                if changed:
                    name = name.replace("denumerator", "denominator")
                    break
        result[name] = tensor
    if len(result) != len(tensors):
        raise FormatError("the state dict has a tensor under its old and its new name")
    return result


def _reached(features: Irreps, edges: list[Irrep], l_max: int, even: bool) -> set[Irrep]:
    """Irreps of the products of features and harmonics, up to l_max (sevenn: infer_irreps_out)."""
    products = {ir for mul_ir in features for edge in edges for ir in mul_ir.ir.product(edge)}
    return {ir for ir in products if ir.l <= l_max and (ir.p > 0 or not even)}


def _gate_irrep(out: Irreps) -> Irrep:
    return EVEN_SCALAR if multiplicity(out, EVEN_SCALAR) else ODD_SCALAR


def _layer(features: Irreps, edges: list[Irrep], out: Irreps, even: bool) -> Layer:
    irreps = [entry.ir for entry in out]
    degrees = [ir.l > 0 for ir in irreps]
    if not out or len(set(irreps)) != len(irreps) or degrees != sorted(degrees):
        raise FormatError(f"features '{format_irreps(out)}' are not scalars first, each irrep once")
    kept = _reached(features, edges, max(ir.l for ir in irreps), even)
    paths = convolution_paths(features, edges, kept)
    mid = merged([Entry(path.source.mul, path.out) for path in paths])
    gated = [entry for entry in out if entry.ir.l > 0]
    gates = [Entry(entry.mul, _gate_irrep(out)) for entry in gated]
    return Layer(features, out, merged(out + gates), mid, paths)
