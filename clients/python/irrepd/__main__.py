"""python3 -m irrepd FILE --url URL --model NAME: evaluates every frame of a file that ASE reads."""

from __future__ import annotations

import argparse
import os
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from irrepd.client import DEFAULT_URL, PROPERTIES, Client
from irrepd.errors import ConnectionFailed, ServerError
from irrepd.progress import Progress
from irrepd.results import Result
from irrepd.stream import BATCH_ATOMS, BATCH_STRUCTURES, IN_FLIGHT, evaluate


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except BrokenPipeError:  # whoever read the lines has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
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
    add = parser.add_argument
    add("file", metavar="FILE", help="anything that ASE reads")
    add("--url", default=DEFAULT_URL, help="of the daemon, or unix:/PATH (%(default)s)")
    add("--model", default="sevennet-0", help="name of the model (%(default)s)")
    add("--precision", choices=("float32", "float64"), help="default: the model's")
    add("--priority", choices=("interactive", "bulk"), help="bulk lets the interactive go first")
    add(
        "--properties",
        default=",".join(PROPERTIES),
        metavar="NAMES",
        help="what to ask for beside energy and forces, separated by commas (%(default)s); also "
        "virial and, of each atom, stresses",
    )
    add("--index", default=":", help="frames in ASE's notation (%(default)s)")
    add("--format", help="of FILE, if its name does not tell")
    add(
        "--output",
        metavar="PATH",
        help="write frames with results there, or with .jsonl the results alone; .xyz, .extxyz and "
        ".jsonl are written as the frames come",
    )
    add("--resume", action="store_true", help="go on with the --output of an interrupted run")
    add("--quiet", action="store_true", help="no line for each frame")
    add("--batch", type=int, default=BATCH_STRUCTURES, metavar="N", help="frames in one request")
    add("--batch-atoms", type=int, default=BATCH_ATOMS, metavar="N", help="atoms in one request")
    add("--in-flight", type=int, default=IN_FLIGHT, metavar="N", help="requests under way")
    add("--timeout", type=float, default=600.0, help="seconds for one request (%(default)s)")
    add("--key-file", metavar="PATH", help="of the API key; default: $IRREPD_KEY")
    add("--ca-file", metavar="PATH", help="certificates to trust with https")
    return parser


def _run(options: argparse.Namespace) -> int:
    if min(options.batch, options.batch_atoms, options.in_flight) < 1:
        raise ValueError("--batch, --batch-atoms and --in-flight must be at least 1")
    if options.resume and not options.output:
        raise ValueError("--resume needs --output")
    key = Path(options.key_file).read_text().strip() if options.key_file else None
    verify = options.ca_file or True
    with Client(options.url, options.timeout, key, verify) as client, closing(_Run(options)) as run:
        for result in evaluate(
            run.entries(),
            options.model,
            client,
            properties=_properties(options.properties),
            precision=options.precision,
            priority=options.priority,
            batch_atoms=options.batch_atoms,
            batch_structures=options.batch,
            in_flight=options.in_flight,
            output=options.output if run.is_journal else None,
        ):
            run.take(result)
        return run.finish()


def _properties(names: str) -> list[str]:
    """Energy and forces are for the lines, the stress says what the stresses of atoms are."""
    given = [name.strip() for name in names.split(",") if name.strip()]
    needed = ["energy", "forces", *(["stress"] if "stresses" in given else [])]
    return list(dict.fromkeys([*needed, *given]))


class _Run:
    """The frames that are under way, where their results go, and what is shown."""

    def __init__(self, options: argparse.Namespace):
        from irrepd import frames

        self.options = options
        self.is_journal = bool(options.output) and options.output.endswith(".jsonl")
        if self.is_journal and not options.resume and os.path.exists(options.output):
            raise ValueError(f"{options.output} exists: add --resume to go on, or remove it")
        self.source = frames.read(options.file, options.index, options.format)
        self.writer = None
        if options.output and not self.is_journal:
            self.writer = frames.Writer(options.output, options.resume)
        self.i = 0
        self.failures = 0
        self.waiting: deque[tuple[Any, float | None]] = deque()
        is_shown = options.quiet or not sys.stdout.isatty()
        self.bar = Progress(None) if is_shown else None

    def entries(self) -> Iterator[dict[str, Any]]:
        n_done = self.writer.n_done if self.writer else 0
        for i, (atoms, fraction) in enumerate(self.source):
            if self.writer and i < n_done:
                self.writer.skip(atoms, i)
                self.i += 1
                continue
            self.waiting.append((atoms, fraction))
            yield atoms

    def take(self, result: Result) -> None:
        atoms, fraction = self.waiting.popleft()
        if not self.options.quiet:
            if self.i == (self.writer.n_done if self.writer else 0):
                print(_HEADER)
            print(_line(self.i, atoms, result), flush=True)
        self.i += 1
        self.failures += not result.ok
        if self.writer:
            self.writer.write(atoms, result)
        if self.bar:
            self.bar.step(len(atoms), fraction)

    def finish(self) -> int:
        if self.writer:
            self.writer.finish()
        return 1 if self.failures else 0

    def close(self) -> None:
        if self.writer:
            self.writer.close()
        if self.bar:
            self.bar.close()


_HEADER = f"{'frame':>6}  {'formula':<20} {'atoms':>6} {'energy/eV':>16} {'max F/(eV/A)':>13} " + (
    f"{'pressure/GPa':>13}"
)


def _line(i: int, atoms: Any, result: Result) -> str:
    formula = atoms.get_chemical_formula()
    start = f"{i:>6}  {formula if len(formula) <= 20 else formula[:17] + '...':<20} {len(atoms):>6}"
    if not result.ok:
        return f"{start}  {result.problem}"
    line = f"{start} {result['energy']:>16.6f} {result.max_force:>13.6f}"
    return line if result.pressure is None else f"{line} {result.pressure:>13.6f}"


if __name__ == "__main__":
    sys.exit(main())
