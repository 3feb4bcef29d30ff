"""python3 -m irrepd hessian FILE --output OUT: second derivatives and normal modes by command."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from irrepd import frames
from irrepd.client import parsed_dispersion
from irrepd.derivatives import hessian
from irrepd.errors import ServerError, StructureError
from irrepd.options import add_connection, add_frames, add_model, client_of, species_of
from irrepd.results import Result

_HEADER = (
    f"{'frame':>6}  {'formula':<20} {'atoms':>6} {'imaginary':>9} {'lowest/cm-1':>12} "
    f"{'highest/cm-1':>12} {'ZPE/eV':>12}"
)


def main(_: str, arguments: Sequence[str]) -> int:
    """The exit status: 0, or 1 when a structure has failed."""
    options = _parser().parse_args(arguments)
    if options.precision == "float32":
        raise ValueError("second derivatives are computed in float64")
    given: dict[str, Any] = {
        "dispersion": parsed_dispersion(options.dispersion),
        "head": options.head,
        "committee": options.committee.split(",") if options.committee else None,
        "method": options.method,
        "strict": options.strict,
    }
    output = _output_of(options.output)
    n = n_bad = 0
    print(_HEADER)
    with client_of(options) as client:
        for atoms, _fraction in frames.read(
            options.file, options.index, options.format, species_of(options)
        ):
            try:
                if isinstance(atoms, StructureError):
                    raise atoms
                result = hessian(atoms, options.model, client, **given)
            except ServerError as error:
                if not isinstance(error, StructureError) and error.status != 422:
                    raise
                result = Result.refused(error)
            print(_line(n, atoms, result), flush=True)
            output.take(n, result)
            n_bad += not result.ok
            n += 1
    if n == 0:
        raise ValueError(f"{options.file} holds no frame at --index {options.index}")
    output.finish()
    return 1 if n_bad else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="irrepd hessian",
        description="Second derivatives of the energy at every frame of a file, and its normal "
        "modes: a line for each, and the numbers in OUT. Exit status: 0, or 1 when some have "
        "failed, each with its reason, or 2 when something else went wrong.",
    )
    add_frames(parser)
    add_model(parser)
    add_connection(parser)
    add = parser.add_argument
    add(
        "--output",
        metavar="OUT",
        help=".npz: arrays K/hessian, K/frequencies, K/modes, K/zero_point_energy of frame K; "
        ".jsonl: the results, a line for each frame",
    )
    add(
        "--method",
        choices=("analytic", "differences"),
        help="by tangents or by differences of forces; default: analytic where it can be",
    )
    return parser


def _line(i: int, atoms: Any, result: Result) -> str:
    if isinstance(atoms, StructureError):
        return f"{i:>6}  {'not read':<20} {'':>6}  {result.problem}"
    formula = atoms.get_chemical_formula()
    start = f"{i:>6}  {formula if len(formula) <= 20 else formula[:17] + '...':<20} {len(atoms):>6}"
    if not result.ok:
        return f"{start}  {result.problem}"
    of_modes = result["frequencies"][result["frequencies"] != 0]
    lowest, highest = (of_modes[0], of_modes[-1]) if of_modes.size else (0.0, 0.0)
    return (
        f"{start} {int((of_modes < 0).sum()):>9} {lowest:>12.3f} {highest:>12.3f} "
        f"{result['zero_point_energy']:>12.6f}"
    )


class _Output(Protocol):
    def take(self, index: int, result: Result) -> None: ...

    def finish(self) -> None: ...


class _Nothing:
    def take(self, index: int, result: Result) -> None:
        pass

    def finish(self) -> None:
        pass


class _Arrays:
    """Frames that have failed are left out."""

    def __init__(self, path: str):
        self.path = path
        self.arrays: dict[str, Any] = {}

    def take(self, index: int, result: Result) -> None:
        names = ("hessian", "frequencies", "modes", "zero_point_energy")
        self.arrays.update({f"{index}/{name}": result[name] for name in names if result.ok})

    def finish(self) -> None:
        np.savez(self.path, **self.arrays)


class _Lines:
    def __init__(self, path: str):
        self.file = open(path, "w", encoding="utf-8")  # noqa: SIM115

    def take(self, index: int, result: Result) -> None:
        plain = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in result.items()}
        print(json.dumps({"frame": index, **plain}), file=self.file, flush=True)

    def finish(self) -> None:
        self.file.close()


def _output_of(path: str | None) -> _Output:
    if path is None:
        return _Nothing()
    if path.endswith(".npz"):
        return _Arrays(path)
    if path.endswith(".jsonl"):
        return _Lines(path)
    raise ValueError(f"--output is .npz or .jsonl, not {path}")


if __name__ == "__main__":
    sys.exit(main("hessian", sys.argv[1:]))
