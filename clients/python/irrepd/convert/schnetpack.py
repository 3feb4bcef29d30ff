"""Pickled SchNetPack potentials (Schuett et al. 2023, 10.1063/5.0138367) to model files.

Follows schnetpack 2.0 to 2.2: a NeuralNetworkPotential with a SchNet, PaiNN or SO3net
representation, one Atomwise energy, and its postprocessors. The file tells neither units (see
adapt.py: eV and Angstrom are assumed) nor the elements that the model was trained on (all that have
an embedding are taken, or those with a reference energy).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from irrepd.convert import painn, schnet, so3net
from irrepd.convert.modules import Module
from irrepd.convert.releases import release_of
from irrepd.convert.schnetpack_modules import cutoff_of, network_of, radial_of
from irrepd.convert.state import described
from irrepd.errors import FormatError
from irrepd.records import Record

Converted = tuple[dict[str, np.ndarray], dict[str, Any]]

NUMBER_MAX = 118
REPRESENTATIONS = {"SchNet": schnet.convert, "PaiNN": painn.convert, "SO3net": so3net.convert}
_CASTS = ("CastMap", "CastTo32", "CastTo64")


def is_schnetpack(checkpoint: Any) -> bool:
    return isinstance(checkpoint, Record) and checkpoint.function.module.startswith("schnetpack.")


def convert(checkpoint: Record, modality: str | None) -> Converted:
    """Effective tensors and the card of a potential (model_format.h)."""
    if modality is not None:
        raise FormatError("--modality is for checkpoints that have several; this is none")
    return _Converter(checkpoint).run()


class _Converter:
    def __init__(self, checkpoint: Record):
        if checkpoint.function.module.startswith("schnetpack.atomistic"):
            raise FormatError(
                f"a '{checkpoint.function}', as SchNetPack before 2.0 pickles its models, which "
                "are others: train the potential anew with SchNetPack 2"
            )
        self.model = Module(checkpoint)
        self.model.expect("NeuralNetworkPotential")
        self.representation = self.model.child("representation")
        self.kind = self.representation.expect(*REPRESENTATIONS)
        self.model.only(
            {"input_dtype_str", "do_postprocessing", "required_derivatives", "model_outputs"}
            | {"postprocessors", "representation", "input_modules", "output_modules"}
            | {"spk_version"}
        )
        self.release = release_of("schnetpack", self.model.get("spk_version"))
        self.release.warn_of_newer()
        self.tensors: dict[str, np.ndarray] = {}

    def run(self) -> Converted:
        for module in self.model.child("input_modules").children():
            module.expect("PairwiseDistances", "Strain")
            module.only(set())
        r_max, cutoff = cutoff_of(self.representation.child("cutoff_fn"))
        tensors, basis = radial_of(self.representation.child("radial_basis"))
        self.tensors.update(tensors)
        readout = self.energy()
        offsets, known = self.postprocessors()
        embedding = self.embedding()
        precision = str(embedding.dtype)
        tensors, model = REPRESENTATIONS[self.kind](
            self.representation, basis["num_basis"], embedding.shape[1]
        )
        numbers = [z for z in range(1, len(embedding)) if known is None or z in known]
        self.tensors.update(tensors)
        self.tensors["embedding.weight"] = embedding[numbers].astype(np.float64)
        self.tensors["scale"] = np.ones(len(numbers))
        self.tensors["shift"] = np.array([offsets[z] for z in numbers])
        model = {"irreps_embedding": f"{embedding.shape[1]}x0e", **model, "readout": readout}
        if self.aggregation == "avg":
            model["aggregation"] = "mean"
        self.model.tensors.finish()
        card = {
            "format": 1,
            "architecture": self.kind.lower(),
            "atomic_numbers": numbers,
            "r_max": r_max,
            "precision": precision,
            "units": {"length": "Angstrom", "energy": "eV"},
            "radial": {"basis": basis, "cutoff": cutoff, "envelope": "filter"},
            "model": model,
        }
        if self.release.version is not None:
            card["training"] = {"code": str(self.release)}
        return self.tensors, card

    def energy(self) -> dict[str, Any]:
        """The one Atomwise module; its MLP becomes the readout."""
        outputs = list(self.model.child("output_modules").children())
        for module in outputs:
            module.expect("Atomwise", "Forces")
        energies = [module for module in outputs if module.kind == "Atomwise"]
        if len(energies) != 1:
            raise FormatError(f"{len(energies)} Atomwise modules; one, the energy, is supported")
        atomwise = energies[0]
        atomwise.only(
            {"output_key", "model_outputs", "per_atom_output_key", "n_out", "outnet"}
            | {"aggregation_mode"}
        )
        self.key = atomwise.get("output_key")
        self.aggregation = atomwise.get("aggregation_mode")
        if self.aggregation not in ("sum", "avg"):
            raise FormatError(
                f"aggregation {described(self.aggregation)} is not supported; known: sum, avg"
            )
        if atomwise.get("n_out") != 1:
            raise FormatError("an Atomwise module of more than one output is not supported")
        for module in outputs:
            if module.kind == "Forces" and module.get("energy_key") != self.key:
                raise FormatError("Forces are not those of the Atomwise module's energy")
        layers, activation = network_of(atomwise.child("outnet"), "silu")
        for i, (weight, bias) in enumerate(layers):
            self.tensors[f"readout.{i}.weight"] = weight
            if bias is not None:
                self.tensors[f"readout.{i}.bias"] = bias
        if layers[-1][0].shape[1] != 1:
            raise FormatError("the Atomwise module's network has more than one output")
        hidden = [weight.shape[1] for weight, _ in layers[:-1]]
        return {"hidden": hidden, "activation": activation}

    def postprocessors(self) -> tuple[np.ndarray, set[int] | None]:
        """Offsets by atomic number, and the elements that have one, where some do."""
        offsets = np.zeros(NUMBER_MAX + 1)
        known: set[int] | None = None
        # None is the default of schnetpack 2.0.0, which applies nothing then.
        unset = "do_postprocessing" in self.model and self.model.is_none("do_postprocessing")
        applied = not unset and self.model.flag("do_postprocessing", True)
        for module in self.model.child("postprocessors").children():
            if module.expect("AddOffsets", *_CASTS) != "AddOffsets":
                module.only({"type_map"})
                continue
            module.only({"add_mean", "add_atomrefs", "is_extensive", "estimate_atomref"})
            mean, atomref = self.offsets_of(module)
            if not applied:
                continue
            offsets += mean
            offsets[: len(atomref)] += atomref
            if atomref.any():
                known = set(np.flatnonzero(atomref).tolist()) & (known or set(range(1000)))
        return offsets, known

    def offsets_of(self, module: Module) -> tuple[float, np.ndarray]:
        if module.get("_property") != self.key:
            raise FormatError(f"'{module.path}' adds to something that is not the energy")
        if module.flag("is_extensive", True) != (self.aggregation == "sum"):
            raise FormatError(f"'{module.path}' and the aggregation are not both of one kind")
        mean, atomref = module.take("mean").astype(np.float64), module.take("atomref")
        if mean.size != 1 or atomref.ndim != 1:
            raise FormatError(f"'{module.path}' has a mean or references of an unknown shape")
        use_mean, use_atomref = (module.flag(f"add_{x}", False) for x in ("mean", "atomrefs"))
        atomref = atomref[: NUMBER_MAX + 1].astype(np.float64)
        return float(mean.item()) if use_mean else 0.0, atomref if use_atomref else atomref[:0]

    def embedding(self) -> np.ndarray:
        """[atomic number][features]; row 0 is padding."""
        if "electronic_embeddings" in self.representation:
            if list(self.representation.child("electronic_embeddings").children()):
                raise FormatError("embeddings of charge or spin are not supported")
        module = self.representation.child("embedding")
        module.expect("Embedding")
        if module.get("max_norm") is not None:
            raise FormatError("an embedding with max_norm is not supported")
        weight = module.take("weight")
        if weight.ndim != 2 or len(weight) < 2 or weight.dtype not in (np.float32, np.float64):
            raise FormatError(f"an embedding of shape {weight.shape} and dtype {weight.dtype}")
        return weight[: NUMBER_MAX + 1]
