"""What the tools for a language model's agent take: JSON Schema (2020-12) of their arguments.

Names, limits and choices are those of the HTTP interface (server/page/openapi.json); nothing else
is taken.
"""

from __future__ import annotations

from typing import Any

STRUCTURES_MAX = 100  # in one call
TEXT_MAX = 5_000_000  # characters of one structure's text
WAIT_MAX = 300  # seconds; hosts of agents lose patience earlier
WAIT = 20

FORMATS = {"extxyz": "extxyz", "xyz": "xyz", "cif": "cif", "poscar": "vasp"}  # ASE's names

_VECTOR = {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3}
_VECTORS = {"type": "array", "items": _VECTOR, "minItems": 1}
_FLAGS = {"type": "array", "items": {"type": "boolean"}, "minItems": 3, "maxItems": 3}
_CELL = {"type": ["array", "null"], "items": _VECTOR, "minItems": 3, "maxItems": 3}


def _object(properties: dict[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _about(schema: dict[str, Any], text: str) -> dict[str, Any]:
    return {**schema, "description": text}


def _choice(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


ARRAYS = _about(
    _object(
        {
            "id": {"type": "string", "maxLength": 200},
            "numbers": _about(
                {
                    "type": "array",
                    "minItems": 1,
                    "items": {"type": "integer", "minimum": 1, "maximum": 118},
                },
                "Atomic numbers [N].",
            ),
            "positions": _about(_VECTORS, "Angstrom [N][3], Cartesian."),
            "cell": _about(_CELL, "Angstrom [3][3], rows are lattice vectors; null: no cell."),
            "pbc": _about(_FLAGS, "Which axes are periodic. Default: all with a cell, else none."),
            "velocities": _about(_VECTORS, "Angstrom/fs [N][3], of md. Default: drawn."),
            "masses": _about(
                {
                    "type": "array",
                    "minItems": 1,
                    "items": {"type": "number", "exclusiveMinimum": 0, "maximum": 1000000},
                },
                "u [N], of md. Default: the elements'.",
            ),
            "fixed": _about(
                {"type": "array", "items": {"type": "integer", "minimum": 0}},
                "Indices of atoms that stay where they are, of relax and md.",
            ),
        },
        ("numbers", "positions"),
    ),
    "A structure as arrays.",
)
TEXT = _about(
    _object(
        {
            "text": {"type": "string", "minLength": 1, "maxLength": TEXT_MAX},
            "format": _about(_choice(*FORMATS), "Default: as the text looks."),
            "frame": _about(
                {"type": "integer", "default": -1},
                "Of several in the text; negative ones count from the end.",
            ),
        },
        ("text",),
    ),
    "The text of a file: extended xyz, CIF or POSCAR.",
)
SAVED = _about(
    _object({"saved": {"type": "string", "maxLength": 40}}, ("saved",)),
    "A structure that an earlier answer has called so, with its velocities after md.",
)
_STRUCTURES = _about(
    {
        "type": "array",
        "minItems": 1,
        "maxItems": STRUCTURES_MAX,
        "items": {"anyOf": [ARRAYS, TEXT, SAVED]},
    },
    "They are computed at the same time; the fault of one leaves the others alone.",
)
_DISPERSION = _about(
    _object(
        {
            "method": _choice("d3bj", "d3zero"),
            "functional": _about(
                {"type": "string", "maxLength": 60}, "Whose parameters; default: pbe."
            ),
            **{
                name: {"type": "number"}
                for name in ("s6", "s8", "a1", "a2", "rs6", "rs8", "cutoff", "cn_cutoff", "width")
            },
            "three_body": {"type": "boolean"},
            "three_body_cutoff": {"type": "number"},
        }
    ),
    "Adds DFT-D3 to energy, forces and stress; {} takes what the model names, or d3bj of PBE. Not "
    "for models that were trained with dispersion.",
)
_COMMITTEE = _about(
    {
        "type": "array",
        "minItems": 1,
        "maxItems": 7,
        "items": {"type": "string", "minLength": 1, "maxLength": 128},
    },
    "More models, by name or as MODEL:HEAD: results are the means over all, and tell how far apart "
    "these are (energy_std, forces_std, stress_std).",
)
_MAX_FORCES_STD = _about(
    {"type": "number", "exclusiveMinimum": 0},
    "eV/Angstrom, with a committee: a structure stops where its members differ by more.",
)
_WAIT = _about(
    {"type": "number", "minimum": 0, "maximum": WAIT_MAX, "default": WAIT},
    "Seconds until the answer tells how far it is; then it goes on as a job, which follow tells.",
)
_JOB = {"type": "string", "pattern": "^[0-9a-f]{32}$"}


def _common(model: str) -> dict[str, Any]:
    return {
        "structures": _STRUCTURES,
        "model": _about(
            {"type": "string", "minLength": 1, "maxLength": 200, "default": model},
            "Its name, as list_models has it.",
        ),
        "precision": _about(_choice("float32", "float64"), "Default: the model's."),
        "dispersion": _DISPERSION,
        "head": _about(
            {"type": "string", "minLength": 1, "maxLength": 63},
            "Of a model with several, which list_models tells; default: its default_head.",
        ),
    }


RELAX = {
    "max_forces_std": _MAX_FORCES_STD,
    "optimizer": {**_choice("lbfgs", "bfgs", "fire", "fire2"), "default": "lbfgs"},
    "fmax": _about(
        {"type": "number", "exclusiveMinimum": 0, "default": 0.05},
        "eV/Angstrom, of what has converged; the gradient by the cell has to meet it too.",
    ),
    "max_steps": {"type": "integer", "minimum": 0, "maximum": 10000000, "default": 500},
    "cell": _about(
        {**_choice("fixed", "volume", "shape", "full"), "default": "fixed"},
        "What of the cell may change; all but fixed need three periodic axes.",
    ),
    "pressure": _about(
        {"type": "number", "minimum": -10000, "maximum": 10000, "default": 0},
        "GPa, with a cell that changes its volume.",
    ),
    "symmetry": _about({"type": "boolean", "default": False}, "Keep the space group."),
}
MD = {
    "max_forces_std": _MAX_FORCES_STD,
    "ensemble": _about(
        _choice("nve", "nvt", "npt"), "nvt needs a temperature, npt a pressure besides."
    ),
    "timestep": _about(
        {"type": "number", "exclusiveMinimum": 0, "maximum": 1000},
        "fs; 1, or 0.5 where there is hydrogen, are usual.",
    ),
    "steps": {"type": "integer", "minimum": 0, "maximum": 10000000},
    "temperature": _about(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": 1000000},
                {
                    "type": "array",
                    "items": {"type": "number", "minimum": 0, "maximum": 1000000},
                    "minItems": 2,
                    "maxItems": 2,
                },
            ]
        },
        "K, or [from, to]; of velocities that are drawn, too.",
    ),
    "pressure": _about({"type": "number", "minimum": -10000, "maximum": 10000}, "GPa, of npt."),
    "thermostat": _choice("langevin", "csvr", "nose-hoover"),
    "friction": _about(
        {"type": "number", "exclusiveMinimum": 0, "maximum": 1000000}, "1/ps, of langevin."
    ),
    "barostat": _choice("c-rescale", "mtk"),
    "coupling": _choice("isotropic", "anisotropic", "triclinic"),
    "seed": _about(
        {"type": "integer", "minimum": 0, "maximum": 9007199254740991, "default": 0},
        "The same seed gives the same trajectory.",
    ),
    "every": _about(
        {"type": "integer", "minimum": 1, "maximum": 10000000},
        "Steps from one frame to the next. Default: a hundredth of them.",
    ),
}


def schemas(model: str) -> dict[str, dict[str, Any]]:
    """Of each tool; model: which one is asked where none is named."""
    alone = _common(model)
    common = {**alone, "committee": _COMMITTEE}
    properties = {
        "type": "array",
        "items": _choice("energy", "forces", "stress", "energies", "virial", "stresses"),
        "minItems": 1,
        "uniqueItems": True,
        "description": "Default: energy, forces, stress; energies and stresses are of atoms.",
    }
    return {
        "list_models": _object({}),
        "predict": _object({**common, "properties": properties}, ("structures",)),
        "hessian": _object(
            {name: alone[name] for name in ("structures", "model", "dispersion", "head")},
            ("structures",),
        ),
        "relax": _object({**common, **RELAX, "wait": _WAIT}, ("structures",)),
        "md": _object(
            {**common, **MD, "wait": _WAIT}, ("structures", "ensemble", "timestep", "steps")
        ),
        "list_jobs": _object({}),
        "follow": _object({"job": _JOB, "wait": _WAIT}, ("job",)),
        "cancel": _object({"job": _JOB}, ("job",)),
        "show": _object(
            {
                "saved": {"type": "string", "maxLength": 40},
                "format": _choice("extxyz", "cif", "poscar", "json"),
            },
            ("saved",),
        ),
    }


DESCRIPTIONS = {
    "list_models": "Lists the interatomic potentials (machine-learned force fields) that can be "
    "asked: name, architecture, elements, cutoff.",
    "predict": "Computes the energy (eV), forces (eV/Angstrom) and stress (eV/Angstrom^3, tension "
    "positive) of atomic structures, which stay as they are.",
    "hessian": "Computes the frequencies of normal modes (1/cm, imaginary ones negative, those of "
    "rigid motions 0) and the zero-point energy (eV) of structures that have been relaxed.",
    "relax": "Relaxes atomic structures to a minimum of the energy, the cell too where that is "
    "asked for. What takes longer than wait goes on as a job.",
    "md": "Molecular dynamics of atomic structures. What takes longer than wait goes on as a job.",
    "list_jobs": "Lists relaxations and dynamics that go on by themselves or have ended.",
    "follow": "Tells how far a job is, and its results once it has ended; while it waits, progress "
    "where the host asks for that.",
    "cancel": "Ends a job, and tells how far it came.",
    "show": "Gives a structure that an answer has saved, as text.",
}
