"""Writes fixtures/*.pth, tiny random SevenNet checkpoints, and fixtures/energies.json.

Covers what the published checkpoints do not: parity, species-wise self-connection, biases, an MLP
readout, filters stored in sorted order, modalities everywhere, flipped 3j signs. Needs torch 2.13.0
and sevenn 0.13.0; the tests need neither. Run from anywhere: python make_fixtures.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import sevenn._keys as KEY
import torch
from e3nn import o3
from sevenn.model_build import build_E3_equivariant_model
from sevenn.nn.convolution import IrrepsConvolution
from sevenn.nn.node_embedding import OnehotEmbedding

HERE = Path(__file__).resolve().parent / "fixtures"
NUMBERS = [1, 8, 8, 14]
POSITIONS = [[0.0, 0.1, 0.0], [1.1, 0.3, -0.2], [-0.4, 1.9, 0.8], [1.5, -1.2, 1.7]]
CUTOFF = 3.5

BASE: dict[str, Any] = {
    "version": "0.13.0",
    "_model_type": "E3_equivariant_model",
    "_type_map": {14: 0, 8: 1, 1: 2},
    "_number_of_species": 3,
    "cutoff": CUTOFF,
    "channel": 3,
    "irreps_manual": False,
    "lmax": 2,
    "lmax_edge": -1,
    "lmax_node": -1,
    "is_parity": False,
    "num_convolution_layer": 2,
    "radial_basis": {"radial_basis_name": "bessel", "bessel_basis_num": 4},
    "cutoff_function": {"cutoff_function_name": "poly_cut", "poly_cut_p_value": 5},
    "act_radial": "silu",
    "act_scalar": {"e": "silu", "o": "tanh"},
    "act_gate": {"e": "silu", "o": "tanh"},
    "weight_nn_hidden_neurons": [5, 6],
    "conv_denominator": [2.5, 3.5],
    "train_denominator": False,
    "train_shift_scale": True,
    "use_bias_in_linear": False,
    "readout_as_fcn": False,
    "self_connection_type": "linear",
    "interaction_type": "nequip",
    "_normalize_sph": True,
    "shift": [-1.0, 2.0, 0.5],
    "scale": [1.5, 0.5, 2.0],
}
CASES: dict[str, dict[str, Any]] = {
    "parity": {
        "is_parity": True,
        "num_convolution_layer": 3,
        "conv_denominator": [2.5, 3.5, 1.5],
        "self_connection_type": "nequip",
        "use_bias_in_linear": True,
        "act_radial": "ssp",
        "readout_as_fcn": True,
        "readout_fcn_hidden_neurons": [4, 3],
        "readout_fcn_activation": "sigmoid",
        "cutoff_function": {"cutoff_function_name": "XPLOR", "cutoff_on": 2.0},
    },
    "solid": {
        "lmax": 1,
        "lmax_edge": 3,
        "_normalize_sph": False,
        "act_scalar": {"e": "ssp", "o": "abs"},
        "self_connection_type": ["linear", "nequip"],
        "irreps_manual": ["4x0e", "3x0e+2x1e+2x2e", "6x0e+2x1e"],
        "shift": 0.25,
        "scale": 1.25,
    },
    "modal": {
        "use_modality": True,
        "_number_of_modalities": 3,
        "_modal_map": {"first": 0, "second": 1, "third": 2},
        "use_modal_node_embedding": True,
        "use_modal_self_inter_intro": True,
        "use_modal_self_inter_outro": True,
        "use_modal_output_block": True,
        "use_modal_wise_shift": True,
        "use_modal_wise_scale": True,
        "use_bias_in_linear": True,
        "shift": [[-1.0, 2.0, 0.5], [1.0, -3.0, 0.0], [0.0, 1.0, 4.0]],
        "scale": [[1.5, 0.5, 2.0], [1.0, 0.7, 1.0], [2.0, 1.0, 0.3]],
    },
}


def double_features(module: torch.nn.Module, data: dict[str, torch.Tensor]) -> dict[str, Any]:
    """One step of the model; the float32 one-hots that sevenn makes become float64."""
    data = module(data)
    if isinstance(module, OnehotEmbedding):
        for key, value in data.items():
            if value.dtype == torch.float32:
                data[key] = value.double()
    return data


def energies(model: torch.nn.Module, config: dict[str, Any], modality: int) -> list[float]:
    positions = np.array(POSITIONS)
    vectors = positions[None, :, :] - positions[:, None, :]
    distances = np.linalg.norm(vectors, axis=2)
    i, j = np.nonzero((distances < CUTOFF) & (distances > 0))
    data = {
        KEY.NODE_FEATURE: torch.tensor([config["_type_map"][z] for z in NUMBERS]),
        KEY.EDGE_IDX: torch.tensor(np.stack([i, j])),
        KEY.EDGE_VEC: torch.tensor(vectors[i, j]),
        KEY.BATCH: torch.zeros(len(NUMBERS), dtype=torch.long),
        KEY.MODAL_TYPE: torch.tensor([modality]),
    }
    for name, module in model._modules.items():
        if name == "reduce_total_enegy":
            break
        data = double_features(module, data)
    return data[KEY.ATOMIC_ENERGY].detach()[:, 0].tolist()


def exact_couplings(model: torch.nn.Module) -> None:
    """The 3j tables, which loading has rounded to float32, in float64 again."""
    for name, buffer in model.named_buffers():
        if "_w3j_" in name:
            degrees = [int(part) for part in name.rsplit("_", 3)[1:]]
            buffer.copy_(o3.wigner_3j(*degrees, dtype=torch.float64))


def rounded(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The state dict in float32, as checkpoints have it; sizeable biases, so that they count."""
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    state = {name: value.float() for name, value in model.state_dict().items()}
    model.load_state_dict(state)
    exact_couplings(model)
    return state


def as_old(state: dict[str, torch.Tensor], model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The state as sevenn 0.9 stored it: old names, nested filters, one 3j table negated."""
    state = dict(state)
    flipped = (1, 1, 1)
    for name, module in model._modules.items():
        if not isinstance(module, IrrepsConvolution):
            continue
        arguments = module.convolution_kwargs
        before = [step[:3] for step in module._instructions_before_sort]
        after = sorted(before, key=lambda step: step[2])
        widths = [arguments["irreps_in1"][step[0]].mul for step in after]
        last = f"{name}.weight_nn.layer{len(module.weight_nn_kwargs['hs']) - 2}.weight"
        blocks = dict(zip(after, torch.split(state[last], widths, dim=1)))
        for step in before:
            keys = ("irreps_in1", "irreps_in2", "irreps_out")
            degrees = tuple(arguments[key][i].ir.l for key, i in zip(keys, step))
            blocks[step] = -blocks[step] if degrees == flipped else blocks[step]
        state[last] = torch.cat([blocks[step] for step in before], dim=1)
        table = f"{name}.convolution._compiled_main_left_right._w3j_1_1_1"
        if table in state:
            state[table] = -state[table]
    return {old_name(name): value for name, value in state.items()}


def old_name(name: str) -> str:
    name = name.replace("edge_embedding.", "EdgeEmbedding.")
    name = name.replace("reduce_input_to_hidden", "reducing nn input to hidden")
    name = name.replace("reduce_hidden_to_energy", "reducing nn hidden to energy")
    name = name.replace("rescale_atomic_energy", "rescale atomic energy")
    spaced_words = "self_connection_intro", "convolution.", "self_interaction_2", "equivariant_gate"
    for words in spaced_words:
        spaced = "_" + words
        if spaced in name and name[0].isdigit():
            name = name.replace(spaced, " " + words.replace("_", " "))
    return name.replace("denominator", "denumerator")


def main() -> None:
    torch.set_default_dtype(torch.float64)
    HERE.mkdir(exist_ok=True)
    answers: dict[str, Any] = {"numbers": NUMBERS, "positions": POSITIONS, "energies": {}}
    for name, changes in CASES.items():
        torch.manual_seed(sum(map(ord, name)))
        config = {**BASE, **changes}
        model = build_E3_equivariant_model(config).double()
        state = rounded(model)
        if name == "solid":
            config["version"] = "0.9.1"
            del config["_normalize_sph"]
            state = as_old(state, model)
        with torch.no_grad():
            for modality, index in config.get("_modal_map", {"": 0}).items():
                key = f"{name} {modality}".strip()
                answers["energies"][key] = energies(model, config, index)
        torch.save({"config": config, "model_state_dict": state, "epoch": 3}, HERE / f"{name}.pth")
    (HERE / "energies.json").write_text(json.dumps(answers, indent=1) + "\n")


if __name__ == "__main__":
    main()
