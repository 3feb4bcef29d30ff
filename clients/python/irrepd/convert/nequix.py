"""Nequix models (Koker et al. 2025, arXiv:2508.16067) to nequip model files.

Follows nequix 0.4.5: a line of JSON, its configuration, and behind it the weights, as equinox
saves them (`.nqx`: numpy arrays in the order of the module's fields) or as torch.save does (`.pt`:
a state dict). NequIP's layers, with one more step, a norm over all irreps before each gate, and
with constants of their own: second moments by quantiles, and MLPs without normalisation.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from math import pi, sqrt
from typing import Any, BinaryIO

import numpy as np

from irrepd import pickles
from irrepd.archives import Archive
from irrepd.convert.e3nn import (
    CHANNELS_MAX,
    EVEN_SCALAR,
    L_MAX,
    Entry,
    Irrep,
    Irreps,
    Path,
    convolution_paths,
    format_irreps,
    linear_paths,
    merged,
    parse_irreps,
)
from irrepd.convert.state import Config, StateDict
from irrepd.convert.wigner import wigner_3j
from irrepd.errors import FormatError

Converted = tuple["dict[str, np.ndarray]", "dict[str, Any]"]

NEWEST = "0.4.5"
CONFIGURATION_MAX = 1 << 20  # bytes of the line of JSON
_LAYERS_MAX = 16
_DEPTH_MAX = 8  # of the configuration
_EPSILON = 1e-12  # nequix.layer_norm.RMSLayerNorm
# e3nn_jax.normalize_function: 1/sqrt(<f(z)^2>) over 1,000,001 quantiles z of a normal distribution,
# in float64; nequix.torch_impl.model.normalize2mom is the same.
_SECOND_MOMENT = 1.6765620560798837  # of silu
_OWN_OPTIONS = {"hidden_irreps", "radial_polynomial_p", "atomic_numbers", "avg_n_neighbors"}
_MODEL_OPTIONS = _OWN_OPTIONS | set(
    "cutoff lmax n_layers radial_basis_size radial_mlp_size radial_mlp_layers mlp_init_scale "
    "index_weights layer_norm shift scale atom_energies".split()
)
# Of how a model was trained or is computed, not of what it is. An option that is in neither list
# may be one of a later release, and change what the weights mean.
_TRAINING_OPTIONS = set(
    "avg_n_edges avg_n_nodes batch_size cache_dir checkpoint_grad_energy ema_decay energy_weight "
    "extra_energy_weight extra_force_weight extra_stress_weight extra_train_path extra_train_steps "
    "extra_val_frac extra_val_path finetune_from force_weight grad_clip_norm hessian_weight kernel "
    "learning_rate log_every loss_type max_n_edges max_n_nodes n_epochs n_graph optimizer "
    "readout_initialization resume_from state_path stress_weight train_path val_every val_path "
    "valid_frac valid_path warmup_epochs warmup_factor weight_decay".split()
)


def is_nequix(path: str | os.PathLike[str]) -> bool:
    """Whether the file begins with a line of JSON, as no other checkpoint does."""
    with open(path, "rb") as file:
        return file.read(2) in (b'{"', b"{}")


def convert(path: str | os.PathLike[str], modality: str | None) -> Converted:
    """Effective tensors and the card of a checkpoint (model_format.h)."""
    if modality is not None:
        raise FormatError("--modality is for checkpoints that have several; a Nequix has one")
    with open(path, "rb") as file:
        options = _configuration(file)
        if file.read(6) == b"\x93NUMPY":
            file.seek(-6, os.SEEK_CUR)
            return _Converter(options, _Leaves(file)).run()
    with Archive(path) as archive:
        return _Converter(options, _State(pickles.load(archive))).run()


def _configuration(file: BinaryIO) -> dict[str, Any]:
    line = file.readline(CONFIGURATION_MAX)
    if not line.endswith(b"\n"):
        raise FormatError("the line of JSON at the beginning does not end")
    try:
        options = json.loads(line, parse_int=_integer, parse_constant=_constant)
    except (ValueError, RecursionError):
        raise FormatError("the line at the beginning is no JSON") from None
    if not isinstance(options, dict) or not set(options) >= _OWN_OPTIONS:
        raise FormatError(
            "a line of JSON that is not the configuration of a Nequix: it lacks "
            + ", ".join(sorted(_OWN_OPTIONS - set(options if isinstance(options, dict) else ())))
        )
    unknown = sorted(set(options) - _MODEL_OPTIONS - _TRAINING_OPTIONS)
    if unknown:
        raise FormatError(
            f"the configuration has options that nequix {NEWEST} has not: "
            f"{', '.join(name[:40] for name in unknown[:5])}"
        )
    return options


def _integer(digits: str) -> int:
    if len(digits) > 18:
        raise ValueError("an integer beyond 64 bits")
    return int(digits)


def _constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


class _Leaves:
    """The weights of an equinox module, which are asked for in the order of its fields."""

    def __init__(self, file: BinaryIO):
        from irrepd.npy import Arrays

        self._arrays = Arrays(file)

    def atom_energies(self, count: int) -> np.ndarray:
        return self._arrays.take("atom_energies", (count,))

    def layer(self, t: int, parts: dict[str, Callable[[], Any]]) -> dict[str, Any]:
        """Of a NequixConvolution: radial_mlp, linear_1, linear_2, skip, layer_norm."""
        order = ("radial_mlp", "linear_1", "linear_2", "skip", "layer_norm")
        return {part: parts[part]() for part in order if part in parts}

    def mlp(self, module: str, sizes: list[int]) -> list[np.ndarray]:
        shapes = zip(sizes, sizes[1:])
        return [self._arrays.take(f"{module}.{i}", shape) for i, shape in enumerate(shapes)]

    def linear(
        self, module: str, shapes: list[tuple[int, ...]], labels: list[str]
    ) -> list[np.ndarray]:
        """equinox orders the entries of a dictionary by their keys, 'w[i,o] 128x0e,64x0e'."""
        order = sorted(range(len(shapes)), key=labels.__getitem__)
        found = {i: self._arrays.take(f"{module} {labels[i]}", shapes[i]) for i in order}
        return [found[i] for i in range(len(shapes))]

    def gains(self, module: str, sizes: list[int]) -> list[np.ndarray]:
        return [self._arrays.take(f"{module}.{i}", (size,)) for i, size in enumerate(sizes)]

    def check_couplings(self, t: int, paths: list[Path]) -> None:
        """e3nn_jax has none in the file: they are e3nn's."""

    def finish(self, options: Any) -> None:
        """Some files (nequix-oam-1) hold the configuration once more: its numbers, as leaves."""
        if not self._arrays.at_end:
            for leaf in _numbers_of(options, 0):
                stored = self._arrays.take("configuration", (), "fiub")
                if stored.item() != leaf:
                    raise FormatError(
                        f"behind the weights is {stored.item()}, where the configuration has {leaf}"
                    )
        self._arrays.finish()


class _State:
    """The weights of a torch module."""

    def __init__(self, checkpoint: Any):
        self._state = StateDict(checkpoint)

    def atom_energies(self, count: int) -> np.ndarray:
        return self._state.take("atom_energies", (count,))

    def layer(self, t: int, parts: dict[str, Callable[[], Any]]) -> dict[str, Any]:
        return {part: take() for part, take in parts.items()}

    def mlp(self, module: str, sizes: list[int]) -> list[np.ndarray]:
        return [
            self._state.take(f"{module}.layers.{i}.weights", shape)
            for i, shape in enumerate(zip(sizes, sizes[1:]))
        ]

    def linear(
        self, module: str, shapes: list[tuple[int, ...]], labels: list[str]
    ) -> list[np.ndarray]:
        sizes = [int(np.prod(shape)) for shape in shapes]
        flat = self._state.take(f"{module}.weight", (sum(sizes),))
        self._state.take_empty(f"{module}.bias")
        self._state.take_mask(f"{module}.output_mask")
        ends = np.cumsum(sizes)
        return [
            flat[end - size : end].reshape(shape) for end, size, shape in zip(ends, sizes, shapes)
        ]

    def gains(self, module: str, sizes: list[int]) -> list[np.ndarray]:
        names = [f"{module}.affine_weight.{i}" for i in range(len(sizes))]
        return [self._state.take(name, (size,)) for name, size in zip(names, sizes)]

    def check_couplings(self, t: int, paths: list[Path]) -> None:
        """The file's own Wigner 3j symbols, and what else e3nn keeps, are constants."""
        product, gate = f"layers.{t}.tp", f"layers.{t}.gate.scalars_gates_vectors_elemwise"
        for module in (product, gate):
            self._state.take_empty(f"{module}.weight")
            self._state.take_mask(f"{module}.output_mask")
            pattern = re.escape(module) + r"\._compiled_main.*\._w3j_(\d)_(\d)_(\d)"
            for name, match in self._state.matching(pattern).items():
                one, two, out = (int(degree) for degree in match.groups())
                if max(one, two, out) > L_MAX or not abs(one - two) <= out <= one + two:
                    raise FormatError(f"tensor '{name}' is no Wigner 3j symbol")
                expected = wigner_3j(one, two, out)
                stored = self._state.take(name, expected.shape)
                if not np.allclose(stored, expected, rtol=1e-5, atol=1e-6):
                    raise FormatError(f"tensor '{name}' is not e3nn's Wigner 3j symbol")

    def finish(self, options: Any) -> None:
        self._state.finish()


class _Converter:
    def __init__(self, options: dict[str, Any], weights: _Leaves | _State):
        self.options, self.weights = options, weights
        self.config = config = Config(options)
        self.numbers = _atomic_numbers(config.get("atomic_numbers"))
        self.r_max = _between(config, "cutoff", 1e-3, 100)
        self.neighbours = _between(config, "avg_n_neighbors", 1e-6, 1e6)
        self.by_species = config.flag("index_weights")
        self.has_norm = config.flag("layer_norm")
        self.l_max = config.integer("lmax", 0, L_MAX)
        self.hidden = self.hidden_irreps()
        self.tensors: dict[str, np.ndarray] = {}

    def hidden_irreps(self) -> Irreps:
        text = self.config.get("hidden_irreps")
        irreps = parse_irreps(text)
        # The order of irreps of one degree is another one in e3nn_jax than in e3nn; no such model
        # has been published.
        natural = [entry.ir == Irrep(entry.ir.l, (-1) ** entry.ir.l) for entry in irreps]
        degrees = [entry.ir.l for entry in irreps]
        if not irreps or degrees != sorted(set(degrees)) or not all(natural) or degrees[0] != 0:
            raise FormatError(
                f"option 'hidden_irreps' is {text!r:.60}; supported: 0e, 1o, 2e, .. in this order, "
                "each at most once, 0e among them"
            )
        if degrees[-1] > self.l_max:
            raise FormatError(f"option 'lmax' is below the degree {degrees[-1]} of the features")
        return irreps

    def run(self) -> Converted:
        count = self.config.integer("n_layers", 1, _LAYERS_MAX)
        n = len(self.numbers)
        energies = self.take_energies(n)
        features: Irreps = [Entry(n, EVEN_SCALAR)]
        self.tensors["embedding.weight"] = np.eye(n)
        cards = []
        radial = self.radial()
        for t in range(count):
            out = self.hidden if t < count - 1 else self.hidden[:1]
            cards.append(self.layer(t, features, out))
            features = out
        [readout] = self.linear("readout", features, [Entry(1, EVEN_SCALAR)], False).values()
        self.tensors["readout.0.weight"] = readout
        self.weights.finish(self.options)
        scale, shift = self.config.number("scale"), self.config.number("shift")
        self.tensors["scale"] = np.full(n, scale)
        self.tensors["shift"] = energies + shift
        return self.tensors, {
            "format": 1,
            "architecture": "nequip",
            "variant": "nequix",
            "atomic_numbers": self.numbers,
            "r_max": self.r_max,
            "precision": "float32",
            "units": {"length": "Angstrom", "energy": "eV"},
            "radial": radial,
            "model": {
                "l_max": self.l_max,
                "edge_parity": "natural",
                "irreps_embedding": f"{n}x0e",
                "layers": cards,
                "readout": {"hidden": [], "activation": "silu"},
            },
            "training": {"code": "nequix"},
        }

    def take_energies(self, count: int) -> np.ndarray:
        """Of isolated atoms, which the weights hold; those of the configuration are the same."""
        energies = self.weights.atom_energies(count).astype(np.float64)
        table = self.config.get("atom_energies")
        if table is not None:
            given = Config(table)
            for number, energy in zip(self.numbers, energies):
                stated = given.number(str(number))
                if not abs(stated - energy) <= 1e-5 * (1 + abs(energy)):
                    raise FormatError(
                        f"the energy of atom {number} is {stated} in the configuration and "
                        f"{energy} in the weights"
                    )
        return energies

    def radial(self) -> dict[str, Any]:
        count = self.config.integer("radial_basis_size", 1, 512)
        power = self.config.number("radial_polynomial_p")
        if not 2 <= power <= 64:
            raise FormatError(f"option 'radial_polynomial_p' is {power}, not within 2..64")
        self.tensors["radial.frequencies"] = np.arange(1, count + 1) * (pi / self.r_max)
        basis = {"name": "bessel", "num_basis": count, "prefactor": 2 / self.r_max}
        return {"basis": basis, "cutoff": {"name": "polynomial", "p": power}}

    def layer(self, t: int, features: Irreps, out: Irreps) -> dict[str, Any]:
        name = module = f"layers.{t}"
        edges = [Irrep(degree, (-1) ** degree) for degree in range(self.l_max + 1)]
        gated = [entry for entry in out if entry.ir.l > 0]
        gate_input = merged([*out, *(Entry(entry.mul, EVEN_SCALAR) for entry in gated)])
        paths = convolution_paths(features, edges, {entry.ir for entry in out})
        mid = merged([Entry(path.source.mul, path.out) for path in paths])
        self.weights.check_couplings(t, paths)
        width = self.config.integer("radial_mlp_size", 1, CHANNELS_MAX)
        hidden = [width] * self.config.integer("radial_mlp_layers", 0, _LAYERS_MAX)
        columns = sum(path.source.mul for path in paths)
        sizes = [self.tensors["radial.frequencies"].size, *hidden, columns]
        parts: dict[str, Callable[[], Any]] = {
            "radial_mlp": lambda: self.weights.mlp(f"{module}.radial_mlp", sizes),
            "linear_1": lambda: self.linear(f"{module}.linear_1", features, features, False),
            "linear_2": lambda: self.linear(f"{module}.linear_2", mid, gate_input, False),
            "skip": lambda: self.linear(f"{module}.skip", features, gate_input, self.by_species),
        }
        if self.has_norm:
            widths = [entry.mul for entry in gate_input]
            parts["layer_norm"] = lambda: self.weights.gains(f"{module}.layer_norm", widths)
        found = self.weights.layer(t, parts)
        self.put(f"{name}.linear_up", found["linear_1"])
        self.put(f"{name}.linear_down", found["linear_2"])
        self.put(f"{name}.self_connection", found["skip"])
        for i, weight in enumerate(self.filter(found["radial_mlp"], paths)):
            self.tensors[f"{name}.filter.{i}.weight"] = weight
        for entry, gain in zip(gate_input, found.get("layer_norm", ())):
            self.tensors[f"{name}.norm.{entry.ir}.gain"] = gain.astype(np.float64)
        activation = {"activation": "silu", "scale": _SECOND_MOMENT}
        return {
            "irreps_out": format_irreps(out),
            "irreps_mid": format_irreps(mid),
            "self_connection": "species" if self.by_species else "linear",
            "filter": {"hidden": hidden, "activation": "silu"},
            **({"norm": {"epsilon": _EPSILON}} if self.has_norm else {}),
            "gate": {
                "scalars": {"0e": activation},
                "gates": {"0e": activation} if gated else {},
            },
        }

    def filter(self, stored: list[np.ndarray], paths: list[Path]) -> list[np.ndarray]:
        """Columns in nested order, of paths that are stored sorted by the irrep of the output."""
        weights = [weight.astype(np.float64) for weight in stored]
        blocks: dict[int, np.ndarray] = {}
        position = 0
        for path in sorted(paths, key=lambda path: path.out):
            end = position + path.source.mul
            blocks[path.column] = weights[-1][:, position:end]
            position = end
        columns = [blocks[path.column] for path in paths]
        weights[-1] = np.concatenate(columns, axis=1) / sqrt(self.neighbours)
        return weights

    def linear(
        self, module: str, irreps_in: Irreps, irreps_out: Irreps, by_species: bool
    ) -> dict[Irrep, np.ndarray]:
        """Blocks by irrep, each over the root of the number of inputs of its output."""
        paths = linear_paths(irreps_in, irreps_out)
        species = (len(self.numbers),) if by_species else ()
        shapes = [(*species, irreps_in[i].mul, irreps_out[o].mul) for i, o in paths]
        labels = [
            f"w[{i},{o}] {format_irreps([irreps_in[i]])},{format_irreps([irreps_out[o]])}"
            for i, o in paths
        ]
        blocks = self.weights.linear(module, shapes, labels)
        return {
            irreps_out[o].ir: block.astype(np.float64) / sqrt(irreps_in[i].mul)
            for (i, o), block in zip(paths, blocks)
        }

    def put(self, name: str, weights: dict[Irrep, np.ndarray]) -> None:
        for ir, block in weights.items():
            self.tensors[f"{name}.{ir}.weight"] = block


def _atomic_numbers(numbers: Any) -> list[int]:
    """Species are numbered in ascending order (nequix.data.atomic_numbers_to_indices)."""
    if not isinstance(numbers, list) or not 0 < len(numbers) <= 118:
        raise FormatError("option 'atomic_numbers' is no list of elements")
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= 118:
            raise FormatError("option 'atomic_numbers' is no list of elements")
    if len(set(numbers)) != len(numbers):
        raise FormatError("option 'atomic_numbers' has an element twice")
    return sorted(numbers)


def _numbers_of(tree: Any, depth: int) -> Iterator[float]:
    """The numbers of a tree in jax's order, by key in dictionaries; text and None are no leaves."""
    if depth > _DEPTH_MAX:
        raise FormatError("a configuration of too many levels")
    if isinstance(tree, dict):
        for key in sorted(tree):
            yield from _numbers_of(tree[key], depth + 1)
    elif isinstance(tree, list):
        for value in tree:
            yield from _numbers_of(value, depth + 1)
    elif isinstance(tree, (bool, int, float)):
        yield tree


def _between(config: Config, key: str, low: float, high: float) -> float:
    value = config.number(key)
    if not low <= value <= high:
        raise FormatError(f"option '{key}' is {value}, not within {low:g}..{high:g}")
    return value
