"""Pickled MACE models (Batatia et al. 2022) to mace model files.

Follows mace-torch 0.3.16; reads files of older releases too, which keep some buffers as attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from irrepd.convert.e3nn import (
    EVEN_SCALAR,
    L_MAX,
    Irrep,
    Irreps,
    Linear,
    format_irreps,
)
from irrepd.convert.e3nn_modules import (
    activation_of,
    convolution_of,
    irreps_of,
    linear_of,
    network_of,
    species_linear_of,
)
from irrepd.convert.heads import Heads, choose
from irrepd.convert.mace_nonlinear import gate_of, species_embeddings
from irrepd.convert.mace_nonlinear import network_of as species_network_of
from irrepd.convert.mace_product import product_of
from irrepd.convert.mace_radial import pair_of, radial_of
from irrepd.convert.modules import Module
from irrepd.convert.state import described
from irrepd.errors import FormatError
from irrepd.records import Record

Converted = tuple[dict[str, np.ndarray], dict[str, Any]]

MODELS = ("MACE", "ScaleShiftMACE", "EnergyDipolesMACE")
_PLAIN = ("RealAgnosticInteractionBlock", "RealAgnosticDensityInteractionBlock")
_RESIDUAL = (
    "RealAgnosticResidualInteractionBlock",
    "RealAgnosticDensityResidualInteractionBlock",
)
_NONLINEAR = "RealAgnosticResidualNonLinearInteractionBlock"
_READOUTS = ("LinearReadoutBlock", "NonLinearReadoutBlock", "NonLinearBiasReadoutBlock")
_LAYERS_MAX = 16

VECTOR = Irrep(1, -1)
DEBYE = 1e-11 / 299792458.0 / 1.602176634e-19  # e Angstrom, as mace-torch has it

_MODEL_PARTS = {
    "atomic_numbers", "r_max", "num_interactions", "heads", "lammps_mliap", "apply_cutoff",
    "edge_irreps", "use_reduced_cg", "use_agnostic_product", "use_so3", "use_last_readout_only",
    "use_edge_irreps_first", "node_embedding", "radial_embedding", "pair_repulsion",
    "pair_repulsion_fn", "spherical_harmonics", "atomic_energies_fn", "interactions", "products",
    "readouts", "scale_shift",
}  # fmt: skip
_INTERACTION_PARTS = {
    "node_attrs_irreps", "node_feats_irreps", "edge_attrs_irreps", "edge_feats_irreps",
    "target_irreps", "hidden_irreps", "avg_num_neighbors", "radial_MLP", "edge_irreps",
    "cueq_config", "oeq_config", "linear_up", "conv_tp", "conv_tp_weights", "irreps_out", "linear",
    "skip_tp", "reshape", "density_fn",
}  # fmt: skip
_NONLINEAR_PARTS = _INTERACTION_PARTS - {"linear"} | {
    "source_embedding", "target_embedding", "equivariant_nonlin", "irreps_nonlin", "linear_res",
    "linear_1", "linear_2",
}  # fmt: skip


def is_mace(checkpoint: Any) -> bool:
    known = ("mace.modules.models", "mace.modules.extensions")
    return isinstance(checkpoint, Record) and checkpoint.function.module in known


def convert(checkpoint: Record, head: str | None) -> Converted:
    """Effective tensors and the card of a model (model_format.h)."""
    return _Converter(checkpoint, head).run()


class _Converter:
    def __init__(self, checkpoint: Record, head: str | None):
        self.model = Module(checkpoint)
        self.model.expect(*MODELS)
        self.model.only(_MODEL_PARTS)
        if self.model.get("lammps_mliap"):
            raise FormatError("a model wrapped for LAMMPS; convert the one it was made from")
        self.tensors: dict[str, np.ndarray] = {}
        self.numbers = self.atomic_numbers()
        self.r_max = self.model.number("r_max")
        self.heads: Heads = choose(self.head_names(), head, "--head")

    def run(self) -> Converted:
        radial_module = self.model.child("radial_embedding")
        tensors, radial = radial_of(radial_module, self.r_max, self.numbers)
        self.tensors.update(tensors)
        self.apply_cutoff = radial_module.flag("apply_cutoff", True)
        self.n_basis = radial["basis"]["num_basis"]
        self.l_max, parity = self.harmonics()
        embedding = self.embedding()
        layers = self.layers()
        scale = self.scale_and_shift()
        model: dict[str, Any] = {
            "l_max": self.l_max,
            "edge_parity": parity,
            "irreps_embedding": embedding,
            "layers": layers,
        }
        if self.model.get("pair_repulsion", False):
            pair, tensors = pair_of(self.model.child("pair_repulsion_fn"), self.numbers, scale)
            model["pair_repulsion"] = pair
            self.tensors.update(tensors)
        self.model.get("num_interactions")
        self.model.tensors.finish()
        dtype = self.precision()
        card = {
            "format": 1,
            "architecture": "mace",
            "atomic_numbers": self.numbers,
            "r_max": self.r_max,
            "precision": dtype,
            "units": {"length": "Angstrom", "energy": "eV"},
            "radial": radial,
            "model": model,
        }
        card.update(self.heads.card)
        return self.tensors, card

    def precision(self) -> str:
        weight = self.model.child("node_embedding").child("linear").take("weight")
        return "float64" if weight.dtype == np.float64 else "float32"

    def atomic_numbers(self) -> list[int]:
        values = np.asarray(self.model.get("atomic_numbers"))
        if values.ndim != 1 or values.dtype.kind not in "iu" or not 0 < values.size <= 118:
            raise FormatError("'atomic_numbers' is no list of elements")
        numbers = [int(number) for number in values]
        if len(set(numbers)) != len(numbers) or min(numbers) < 1 or max(numbers) > 118:
            raise FormatError("'atomic_numbers' is no list of elements")
        return numbers

    def head_names(self) -> list[str]:
        heads = self.model.get("heads", None)
        if heads is None:
            return ["Default"]
        if not isinstance(heads, (list, tuple)) or not heads:
            raise FormatError(f"'heads' is {described(heads)}, not a list of names")
        if not all(isinstance(name, str) for name in heads):
            raise FormatError("'heads' is no list of names")
        return list(heads)

    def harmonics(self) -> tuple[int, str]:
        module = self.model.child("spherical_harmonics")
        module.expect("SphericalHarmonics")
        irreps = [entry.ir for entry in irreps_of(module.get("irreps_out"))]
        l_max = len(irreps) - 1
        if module.get("normalize") is not True or module.get("normalization") != "component":
            raise FormatError("harmonics that are not of the unit direction, 'component'")
        for parity, p in (("natural", -1), ("even", 1)):
            if l_max <= L_MAX and irreps == [Irrep(n, p**n) for n in range(l_max + 1)]:
                return l_max, parity
        raise FormatError("harmonics that are not of all degrees up to a highest one")

    def embedding(self) -> str:
        module = self.model.child("node_embedding")
        module.expect("LinearNodeEmbeddingBlock")
        linear = module.child("linear")
        weights = linear_of(linear)
        self.check_species(linear)
        self.tensors["embedding.weight"] = weights.weights[EVEN_SCALAR]
        return format_irreps(irreps_of(linear.get("irreps_out")))

    def check_species(self, linear: Module) -> None:
        irreps = irreps_of(linear.get("irreps_in"))
        if [tuple(entry) for entry in irreps] != [(len(self.numbers), EVEN_SCALAR)]:
            raise FormatError(f"'{linear.path}' is not by species")

    def layers(self) -> list[dict[str, Any]]:
        interactions = list(self.model.child("interactions").children())
        products = list(self.model.child("products").children())
        readouts = list(self.model.child("readouts").children())
        count = len(interactions)
        if not 0 < count <= _LAYERS_MAX or len(products) != count:
            raise FormatError(f"a model of {count} interactions and {len(products)} products")
        if len(readouts) not in (1, count):
            raise FormatError(f"a model of {count} interactions and {len(readouts)} readouts")
        cards = []
        for t, (interaction, product) in enumerate(zip(interactions, products)):
            card = self.layer(t, interaction, product)
            if self.model.kind == "EnergyDipolesMACE":
                if len(readouts) != count:
                    raise FormatError("a model of dipoles without a readout for each interaction")
                card.update(self.dipole_readout(t, readouts[t]))
            elif len(readouts) == count:
                card["readout"] = self.readout(t, readouts[t])
            elif t == count - 1:
                card["readout"] = self.readout(t, readouts[0])
            cards.append(card)
        return cards

    def layer(self, t: int, interaction: Module, product: Module) -> dict[str, Any]:
        kind = interaction.expect(*_PLAIN, *_RESIDUAL, _NONLINEAR)
        interaction.only(_NONLINEAR_PARTS if kind == _NONLINEAR else _INTERACTION_PARTS)
        for config in ("cueq_config", "oeq_config"):
            self.refuse_backend(interaction, config)
        name = f"layers.{t}"
        message = irreps_of(interaction.get("target_irreps"))
        card = self.message(name, interaction, message)
        product_block = product.child("symmetric_contractions")
        product.expect("EquivariantProductBasisBlock")
        product.only({"use_sc", "use_agnostic_product", "symmetric_contractions", "linear",
                      "cueq_config", "oeq_config"})  # fmt: skip
        self.refuse_backend(product, "cueq_config")
        if kind not in _PLAIN and not product.flag("use_sc", True):
            raise FormatError(f"'{product.path}' leaves out the self-connection")
        agnostic = product.flag("use_agnostic_product", False)
        n_weights = 1 if agnostic else len(self.numbers)
        out = irreps_of(product_block.get("irreps_out"))
        tensors, irreps = product_of(product_block, n_weights, message, f"{name}.product")
        self.tensors.update(tensors)
        linear = product.child("linear")
        self.put(f"{name}.linear_out", linear_of(linear))
        return {
            **card,
            "irreps_message": format_irreps(message),
            "irreps_out": format_irreps(out),
            **self.skip(name, kind, interaction.child("skip_tp")),
            "product": {"weights": "shared" if agnostic else "species", "irreps": irreps},
        }

    def refuse_backend(self, module: Module, name: str) -> None:
        config = module.get(name)
        if config is None:
            return
        state = config.state if isinstance(config, Record) else None
        if not isinstance(state, dict) or state.get("enabled") is not False:
            raise FormatError(f"'{module.where(name)}' is on: convert the model to e3nn first")

    def skip(self, name: str, kind: str, module: Module) -> dict[str, str]:
        """skip_tp: the map of the messages by species, or around them, by species or not."""
        if kind == _NONLINEAR:
            self.put(f"{name}.self_connection", linear_of(module))
            return {"self_connection": "linear", "selector": "linear"}
        part, other = ("selector", "self_connection")[:: 1 if kind in _PLAIN else -1]
        self.put(f"{name}.{part}", Linear(species_linear_of(module, len(self.numbers))))
        return {part: "species", other: "none"}

    def message(self, name: str, interaction: Module, message: Irreps) -> dict[str, Any]:
        """linear_up, filter, and what the convolution's output goes through."""
        up = interaction.child("linear_up")
        self.put(f"{name}.linear_up", linear_of(up))
        mid, paths, factors = convolution_of(interaction.child("conv_tp"))
        columns = np.concatenate([np.arange(p.column, p.column + p.source.mul) for p in paths])
        card = {
            "irreps_up": format_irreps(irreps_of(up.get("irreps_out"))),
            "irreps_mid": format_irreps(mid),
        }
        if interaction.kind == _NONLINEAR:
            return {**card, **self.gated_message(name, interaction, message, factors, columns)}
        return {**card, **self.plain_message(name, interaction, factors, columns)}

    def gated_message(
        self,
        name: str,
        interaction: Module,
        message: Irreps,
        factors: np.ndarray,
        columns: np.ndarray,
    ) -> dict[str, Any]:
        """Filter and density by pair of species, residual, gate."""
        embeddings = species_embeddings(interaction, len(self.numbers))
        cards = {}
        for key, child in (("filter", "conv_tp_weights"), ("density", "density_fn")):
            tensors, hidden = species_network_of(interaction.child(child), self.n_basis, embeddings)
            if key == "filter":
                for end in ("weight", "bias"):
                    last = tensors[f"{len(hidden)}.{end}"]
                    if last.shape[-1] != factors.size:
                        raise FormatError(f"'{interaction.path}' has not one filter for each path")
                    tensors[f"{len(hidden)}.{end}"] = (last * factors)[..., columns]
            self.tensors.update({f"{name}.{key}.{end}": t for end, t in tensors.items()})
            cards[key] = {"hidden": hidden, "activation": "silu"}
        self.put(f"{name}.linear_down", linear_of(interaction.child("linear_1")))
        self.put(f"{name}.residual", linear_of(interaction.child("linear_res")))
        self.put(f"{name}.selector", linear_of(interaction.child("linear_2")))
        alpha, beta = interaction.number("alpha"), interaction.number("beta")
        return {
            "filter": cards["filter"],
            "density": {"filter": cards["density"], "offset": alpha, "scale": beta},
            "residual": "linear",
            "gate": gate_of(interaction.child("equivariant_nonlin"), message),
        }

    def plain_message(
        self, name: str, interaction: Module, factors: np.ndarray, columns: np.ndarray
    ) -> dict[str, Any]:
        """Filter, and linear_down over the average number of neighbours or the density."""
        weights, activation = network_of(interaction.child("conv_tp_weights"), self.n_basis)
        if weights[-1].shape[1] != factors.size:
            raise FormatError(f"'{interaction.path}' has not one filter for each path")
        weights[-1] = (weights[-1] * factors)[:, columns]
        for i, weight in enumerate(weights):
            self.tensors[f"{name}.filter.{i}.weight"] = weight
        hidden = [weight.shape[1] for weight in weights[:-1]]
        card: dict[str, Any] = {"filter": {"hidden": hidden, "activation": activation}}
        down = linear_of(interaction.child("linear"))
        if "density_fn" in interaction:
            density, _ = network_of(interaction.child("density_fn"), self.n_basis)
            if len(density) != 1 or density[0].shape[1] != 1:
                raise FormatError(f"'{interaction.path}.density_fn' is not one linear map")
            self.tensors[f"{name}.density.0.weight"] = density[0]
            card["density"] = {
                "filter": {"hidden": [], "activation": "silu"},
                "offset": 1.0,
                "scale": 1.0,
            }
        else:
            average = interaction.number("avg_num_neighbors")
            if average == 0:
                raise FormatError("'avg_num_neighbors' is zero")
            for weight in down.weights.values():
                weight /= average
        self.put(f"{name}.linear_down", down)
        return card

    def put(self, name: str, linear: Linear) -> None:
        for ir, weights in linear.weights.items():
            self.tensors[f"{name}.{ir}.weight"] = weights
        if linear.bias is not None:
            self.tensors[f"{name}.bias"] = linear.bias

    def readout(self, t: int, module: Module) -> dict[str, Any]:
        """The heads' parts of a readout, each an MLP of scalars."""
        kind = module.expect(*_READOUTS)
        module.only({"linear", "hidden_irreps", "num_heads", "linear_1", "linear_2", "linear_mid",
                     "non_linearity"})  # fmt: skip
        heads = len(self.heads.names)
        if kind == "LinearReadoutBlock":
            linears, activation = [self.scalars(module.child("linear"))], "silu"
        else:
            names = ["linear_1", "linear_mid", "linear_2"]
            names = [name for name in names if name in module]
            linears = [self.scalars(module.child(name)) for name in names]
            activation, gain = self.activation(module.child("non_linearity"))
            for linear in linears[1:]:
                linear.weights[EVEN_SCALAR] *= gain
            if module.get("num_heads", 1) != heads:
                raise FormatError(f"'{module.path}' has not the heads of the model")
        sizes = []
        for i, linear in enumerate(linears):
            weight = linear.weights[EVEN_SCALAR]
            rows = self.parts(weight.shape[0]) if i > 0 else [slice(None)] * heads
            columns = self.parts(weight.shape[1])
            weights = [weight[r, c] for r, c in zip(rows, columns)]
            sizes.append(weights[0].shape[1])
            self.tensors[f"layers.{t}.readout.{i}.weight"] = self.of_heads(weights)
            if linear.bias is not None:
                biases = [linear.bias[c] for c in columns]
                self.tensors[f"layers.{t}.readout.{i}.bias"] = self.of_heads(biases)
        if sizes[-1] != 1:
            raise FormatError(f"'{module.path}' gives not one energy for each head")
        return {"hidden": sizes[:-1], "activation": activation}

    def dipole_readout(self, t: int, module: Module) -> dict[str, Any]:
        """What an EnergyDipolesMACE reads: an energy, and a dipole in debye as it is trained."""
        name = f"layers.{t}.dipole"
        kind = module.expect("LinearDipoleReadoutBlock", "NonLinearDipoleReadoutBlock")
        module.only({"irreps_out", "linear", "hidden_irreps", "equivariant_nonlin",
                     "irreps_nonlin", "linear_1", "linear_2"})  # fmt: skip
        if kind == "LinearDipoleReadoutBlock":
            last = linear_of(module.child("linear"))
            self.expect_energy_and_dipole(module, last)
            self.put_energy(t, [last.weights[EVEN_SCALAR]])
            self.tensors[f"{name}.weight"] = DEBYE * last.weights[VECTOR][:, 0]
            return {"readout": {"hidden": [], "activation": "silu"}, "dipole": {}}
        hidden = irreps_of(module.get("hidden_irreps"))
        if [entry.ir for entry in hidden] != [EVEN_SCALAR, VECTOR]:
            raise FormatError(f"'{module.path}' has hidden channels other than of 0e and 1o")
        n_scalars, n_vectors = (entry.mul for entry in hidden)
        gates = gate_of(module.child("equivariant_nonlin"), hidden)
        first, last = (linear_of(module.child(f"linear_{i}")) for i in (1, 2))
        self.expect_energy_and_dipole(module, last)
        opened = first.weights[EVEN_SCALAR]
        is_whole = set(first.weights) == {EVEN_SCALAR, VECTOR} and first.bias is None
        if not is_whole or opened.shape[1] != n_scalars + n_vectors:
            raise FormatError(f"'{module.path}.linear_1' does not lead to scalars, gates, vectors")
        scalar, gate = (gates[key][str(EVEN_SCALAR)] for key in ("scalars", "gates"))
        energy = scalar["scale"] * last.weights[EVEN_SCALAR]
        self.put_energy(t, [opened[:, :n_scalars], energy])
        self.tensors[f"{name}.gates.weight"] = opened[:, n_scalars:]
        self.tensors[f"{name}.vectors.weight"] = first.weights[VECTOR]
        self.tensors[f"{name}.weight"] = DEBYE * last.weights[VECTOR][:, 0]
        return {
            "readout": {"hidden": [n_scalars], "activation": scalar["activation"]},
            "dipole": {"hidden": n_vectors, **gate},
        }

    @staticmethod
    def expect_energy_and_dipole(module: Module, last: Linear) -> None:
        found = {ir: weights.shape[1] for ir, weights in last.weights.items()}
        if found != {EVEN_SCALAR: 1, VECTOR: 1} or last.bias is not None:
            raise FormatError(f"'{module.path}' does not give an energy and a dipole")

    def put_energy(self, t: int, weights: list[np.ndarray]) -> None:
        for i, weight in enumerate(weights):
            self.tensors[f"layers.{t}.readout.{i}.weight"] = self.of_heads([weight])

    def parts(self, size: int) -> list[slice]:
        """The channels of each head: it has its own, one after the other."""
        width, rest = divmod(size, len(self.heads.names))
        if rest:
            raise FormatError("a readout whose channels do not belong to heads")
        return [slice(i * width, (i + 1) * width) for i in range(len(self.heads.names))]

    def of_heads(self, values: Sequence[np.ndarray]) -> np.ndarray:
        """What each head of the checkpoint has: of the heads that are kept, or of the only one."""
        kept = [values[i] for i in self.heads.kept]
        return np.stack(kept) if self.heads.are_named else kept[0]

    @staticmethod
    def scalars(module: Module) -> Linear:
        linear = linear_of(module)
        if set(linear.weights) != {EVEN_SCALAR}:
            raise FormatError(f"'{module.path}' does not read scalars only")
        return linear

    @staticmethod
    def activation(module: Module) -> tuple[str, float]:
        module.expect("Activation")
        acts = list(module.child("acts").children())
        if not acts:
            return "identity", 1.0
        if len(acts) != 1:
            raise FormatError(f"'{module.path}' has several activations")
        return activation_of(acts[0])

    def scale_and_shift(self) -> np.ndarray:
        """Reference energies and the scale and shift; returns the scale, or those of the heads."""
        n_species, n_heads = len(self.numbers), len(self.heads.names)
        energies = self.model.child("atomic_energies_fn").take("atomic_energies")
        shift = np.atleast_2d(energies.astype(np.float64))
        if shift.shape not in ((1, n_species), (n_heads, n_species)):
            raise FormatError(f"atomic energies of shape {energies.shape}")
        shift = np.broadcast_to(shift, (n_heads, n_species)).copy()
        scale = np.ones(n_heads)
        if self.model.kind == "ScaleShiftMACE":
            block = self.model.child("scale_shift")
            scale = self.by_head(block.take("scale"))
            shift += self.by_head(block.take("shift"))[:, None]
        self.tensors["scale"] = self.of_heads(np.repeat(scale[:, None], n_species, axis=1))
        self.tensors["shift"] = self.of_heads(shift)
        return self.of_heads(scale)

    def by_head(self, values: np.ndarray) -> np.ndarray:
        values = np.atleast_1d(values).astype(np.float64)
        if values.shape not in ((1,), (len(self.heads.names),)):
            raise FormatError("a scale or shift that is not one for each head")
        return np.broadcast_to(values, (len(self.heads.names),))
