"""python3 -m irrepd FILE --url URL --model NAME: evaluates every frame of a file that ASE reads."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from irrepd.client import DEFAULT_URL, PROPERTIES, Client, structure_of
from irrepd.errors import ConnectionFailed, ServerError

_GPA = 160.21766208  # GPa in one eV/Angstrom^3
_PROGRESS_FROM = 50  # frames


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except (ConnectionFailed, ServerError, OSError, ValueError) as error:
        print(f"irrepd: {error}", file=sys.stderr)
    except ImportError as error:
        print(f"irrepd: {error}; reading files needs ASE (pip install ase)", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="irrepd",
        description="Evaluates every frame of a file by an irrepd daemon: a line for each frame, "
        "and with --output a file with the results. Exit status: 0, or 1 when the daemon refused "
        "some of the frames, or 2 when something else went wrong.",
    )
    parser.add_argument("file", metavar="FILE", help="anything that ASE reads")
    parser.add_argument("--url", default=DEFAULT_URL, help="of the daemon (%(default)s)")
    parser.add_argument("--model", default="sevennet-0", help="name of the model (%(default)s)")
    parser.add_argument("--precision", choices=("float32", "float64"), help="default: the model's")
    parser.add_argument("--index", default=":", help="frames in ASE's notation (%(default)s)")
    parser.add_argument("--format", help="of FILE, if its name does not tell")
    parser.add_argument("--output", metavar="PATH", help="write frames with results there")
    parser.add_argument(
        "--batch", type=int, default=32, metavar="N", help="frames in one request (%(default)s)"
    )
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds (%(default)s)")
    return parser


def _run(options: argparse.Namespace) -> int:
    import ase.io

    if options.batch < 1:
        raise ValueError("--batch must be at least 1")
    frames = _frames(options)
    failures = 0
    print(_HEADER)
    with Client(options.url, options.timeout) as client:
        for i, result in enumerate(_results(client, frames, options)):
            print(_line(i, frames[i], result), flush=True)
            failures += result["status"] != "ok"
            if options.output:
                _attach(frames[i], result)
            _progress(i + 1, len(frames))
    if options.output:
        ase.io.write(options.output, frames)
    return 1 if failures else 0


def _frames(options: argparse.Namespace) -> list[Any]:
    import ase.io

    try:
        frames = ase.io.read(options.file, index=options.index, format=options.format)
    except Exception as error:  # ASE's readers raise whatever they stumble over
        if isinstance(error, OSError) and error.errno:
            raise
        reason = str(error) or type(error).__name__
        raise ValueError(f"{options.file} cannot be read: {reason}") from error
    return frames if isinstance(frames, list) else [frames]


def _results(
    client: Client, frames: list[Any], options: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    for begin in range(0, len(frames), options.batch):
        structures = [structure_of(atoms) for atoms in frames[begin : begin + options.batch]]
        yield from _predict(client, structures, options)


def _predict(
    client: Client, structures: list[dict[str, Any]], options: argparse.Namespace
) -> list[dict[str, Any]]:
    """Results; in halves where the request is too large, and refusals of one as its result."""
    try:
        return client.predict(options.model, structures, PROPERTIES, options.precision)
    except ServerError as error:
        if error.status not in (413, 422):
            raise
        if len(structures) == 1:
            return [{"status": "error", "error": error.problem}]
    middle = len(structures) // 2
    return [
        *_predict(client, structures[:middle], options),
        *_predict(client, structures[middle:], options),
    ]


_HEADER = f"{'frame':>6}  {'formula':<20} {'atoms':>6} {'energy/eV':>16} {'max F/(eV/A)':>13} " + (
    f"{'pressure/GPa':>13}"
)


def _line(i: int, atoms: Any, result: dict[str, Any]) -> str:
    formula = atoms.get_chemical_formula()
    start = f"{i:>6}  {formula if len(formula) <= 20 else formula[:17] + '...':<20} {len(atoms):>6}"
    if result["status"] != "ok":
        problem = result["error"]
        return f"{start}  {problem.get('detail') or problem.get('title') or 'refused'}"
    force = max(sum(x * x for x in row) ** 0.5 for row in result["forces"])
    line = f"{start} {result['energy']:>16.6f} {force:>13.6f}"
    stress = result.get("stress")
    if stress is not None:
        line += f" {-sum(stress[k][k] for k in range(3)) / 3 * _GPA:>13.6f}"
    return line


def _attach(atoms: Any, result: dict[str, Any]) -> None:
    from ase.calculators.singlepoint import SinglePointCalculator

    from irrepd.calculator import results_of

    atoms.calc = None
    if result["status"] == "ok":
        atoms.calc = SinglePointCalculator(atoms, **results_of(result))


def _progress(done: int, total: int) -> None:
    if total < _PROGRESS_FROM or not sys.stderr.isatty() or sys.stdout.isatty():
        return
    width = 40
    bar = ("#" * (width * done // total)).ljust(width, ".")
    end = "\n" if done == total else ""
    print(f"\r[{bar}] {done}/{total}", end=end, flush=True, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
