"""Bodies of application/x-safetensors: requests and answers with ragged arrays.

n_atoms I32[B], numbers I32[sum N], positions F64[sum N,3], cell F64[B,3,3], pbc U8[B,3], and
options in __metadata__; the answer has what was asked for, F64 with a row for each structure or,
where its __metadata__ says so in by_atom, for each atom, and status I32[B], 0 for a structure that
was evaluated.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from irrepd import safetensors
from irrepd.errors import FormatError
from irrepd.results import Result, Results

MEDIA_TYPE = "application/x-safetensors"
_FIELDS = {"id", "numbers", "positions", "cell", "pbc"}

# What a row of each is.
_ROWS: dict[str, tuple[int, ...]] = {
    "status": (),
    "energy": (),
    "dispersion_energy": (),
    "energy_std": (),
    "forces_std": (),
    "stress_std": (3, 3),
    "forces": (3,),
    "stress": (3, 3),
    "virial": (3, 3),
    "energies": (),
    "stresses": (3, 3),
}


# What an answer has beside the properties that were asked for.
_EXTRA = ("dispersion_energy", "energy_std", "forces_std", "stress_std")


def encode(
    structures: Sequence[dict[str, Any]],
    properties: Sequence[str] | None,
    precision: str | None,
    priority: str | None = None,
    dispersion: dict[str, Any] | None = None,
    head: str | None = None,
    committee: Sequence[str] | None = None,
    of_hessian: bool = False,
    method: str | None = None,
) -> bytes:
    """A request's body; ids stay with the caller. ValueError: JSON is to say what is wrong.

    of_hessian: structures may have masses, and there may be a method.
    """
    known = {*_FIELDS, "masses"} if of_hessian else _FIELDS
    if any(not entry.keys() <= known for entry in structures):
        raise ValueError("an entry has a field that arrays do not carry")
    numbers = [_numbers_of(entry) for entry in structures]
    positions = [_array(s["positions"], (len(z), 3)) for s, z in zip(structures, numbers)]
    cells = np.zeros((len(structures), 3, 3))
    pbc = np.zeros((len(structures), 3), dtype="u1")
    for i, entry in enumerate(structures):
        if entry.get("cell") is not None:
            cells[i] = _array(entry["cell"], (3, 3))
        periodic = entry.get("pbc")
        if periodic is None:
            pbc[i] = entry.get("cell") is not None
        else:
            pbc[i] = _array(periodic, (3,), "b")
    tensors = {
        "n_atoms": np.array([len(z) for z in numbers], dtype="<i4"),
        "numbers": np.concatenate(numbers),
        "positions": np.concatenate(positions).astype("<f8"),
        "cell": cells,
        "pbc": pbc,
    }
    if any("masses" in entry for entry in structures):
        tensors["masses"] = np.concatenate([_masses_of(entry) for entry in structures])
    if not (np.isfinite(tensors["positions"]).all() and np.isfinite(cells).all()):
        raise ValueError("positions and cell must be finite numbers")
    wanted = None if properties is None else ",".join(properties)
    options = {"properties": wanted, "precision": precision, "priority": priority, "head": head}
    options["method"] = method
    if dispersion is not None:
        options["dispersion"] = json.dumps(dispersion)
    if committee is not None:
        options["committee"] = json.dumps(list(committee))
    return safetensors.dumps(tensors, {k: v for k, v in options.items() if v is not None})


def _masses_of(entry: dict[str, Any]) -> np.ndarray:
    """Those of a structure of several, of which some have masses."""
    n = len(entry["numbers"])
    if "masses" not in entry:
        raise ValueError("masses are due for all structures, or for none")
    return _array(entry["masses"], (n,)).astype("<f8")


def _numbers_of(entry: dict[str, Any]) -> np.ndarray:
    numbers = _array(entry["numbers"], (len(entry["numbers"]),), "iu")
    small = numbers.astype("<i4")
    if not np.array_equal(small, numbers):
        raise ValueError("atomic numbers are due")
    return small


def _array(values: Any, shape: tuple[int, ...], kinds: str = "iuf") -> np.ndarray:
    array = np.asarray(values)
    if array.shape != shape or array.dtype.kind not in kinds:
        raise ValueError(f"an array of shape {shape} and kind {kinds} is due")
    return array


def decode(body: bytes, structures: Sequence[dict[str, Any]], properties: Sequence[str]) -> Results:
    """Results of a request; of refused structures only the status, as {"error": {"status"}}.

    FormatError unless the answer has all that was asked for.
    """
    tensors, metadata = safetensors.loads(body)
    counts = [len(entry["numbers"]) for entry in structures]
    n_structures, n_atoms = len(counts), sum(counts)
    if "by_atom" not in metadata:
        raise FormatError("the answer does not say what has a row for each atom")
    by_atom = metadata["by_atom"].split(",")
    for name in ("status", *properties):
        n_rows = n_atoms if name in by_atom else n_structures
        if name not in tensors or tensors[name].shape[:1] != (n_rows,):
            raise FormatError(f"the answer lacks '{name}' with {n_rows} rows")
        _check_type(name, tensors[name])
    extra = [name for name in _EXTRA if name in tensors]
    for name in extra:
        if tensors[name].shape[:1] != (n_atoms if name in by_atom else n_structures,):
            raise FormatError(f"the answer has '{name}' as {list(tensors[name].shape)}")
        _check_type(name, tensors[name])
    results, begin = Results(), 0
    results.model_sha256 = metadata.get("model_sha256")
    for i, (entry, count) in enumerate(zip(structures, counts)):
        atoms = slice(begin, begin + count)
        begin += count
        rows = {name: tensors[name][atoms if name in by_atom else i] for name in properties}
        rows.update((name, tensors[name][atoms if name in by_atom else i]) for name in extra)
        results.append(_result(int(tensors["status"][i]), rows, entry))
    return results


def _check_type(name: str, tensor: np.ndarray) -> None:
    dtype = np.dtype("<i4" if name == "status" else "<f8")
    row = _ROWS.get(name, tensor.shape[1:])
    if tensor.dtype != dtype or tensor.shape[1:] != row:
        raise FormatError(f"the answer has '{name}' as {tensor.dtype}{list(tensor.shape)}")


def _result(status: int, rows: dict[str, Any], entry: dict[str, Any]) -> Result:
    result = Result()
    if entry.get("id") is not None:
        result["id"] = entry["id"]
    if status != 0:
        result.update(status="error", error={"status": status})
        return result
    result["status"] = "ok"
    for name, values in rows.items():
        if np.isnan(values).all():  # there is none, as the stress of a molecule
            result[name] = None
        else:
            result[name] = values.astype(float) if np.ndim(values) else float(values)
    return result


# The numbers of a Hessian, in flat arrays over all structures: what each becomes of N atoms.
_OF_HESSIAN: dict[str, Callable[[int], tuple[int, ...]]] = {
    "hessian": lambda n: (n, 3, n, 3),
    "frequencies": lambda n: (3 * n,),
    "modes": lambda n: (3 * n, n, 3),
    "zero_point_energy": lambda n: (),
    "step": lambda n: (),
    "asymmetry": lambda n: (),
    "n_rigid": lambda n: (),
    "analytic": lambda n: (),
    "status": lambda n: (),
}


def decode_hessian(body: bytes, structures: Sequence[dict[str, Any]]) -> Results:
    """The results of an answer with second derivatives. FormatError: it is none."""
    tensors, metadata = safetensors.loads(body)
    results = Results()
    results.model_sha256 = metadata.get("model_sha256")
    begin = dict.fromkeys(_OF_HESSIAN, 0)
    for entry in structures:
        rows = {}
        for name, shape_of in _OF_HESSIAN.items():
            shape = shape_of(len(entry["numbers"]))
            end = begin[name] + int(np.prod(shape))
            values = tensors[name][begin[name] : end] if name in tensors else np.empty(0)
            if values.shape != (end - begin[name],):
                raise FormatError(f"the answer lacks '{name}' of {end} numbers")
            begin[name] = end
            rows[name] = values.reshape(shape)
        status, is_analytic = int(rows.pop("status")), bool(rows.pop("analytic"))
        result = _result(status, rows, entry)
        if status == 0:
            result["n_rigid"] = int(rows["n_rigid"])
            result["method"] = "analytic" if is_analytic else "differences"
        results.append(result)
    return results
