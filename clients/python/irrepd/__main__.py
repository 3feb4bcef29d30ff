"""python3 -m irrepd FILE --url URL --model NAME: evaluates every frame of a file that ASE reads.

python3 -m irrepd relax FILE --output OUT, and md: irrepd.trajectory_command; hessian:
irrepd.hessian_command; jobs: irrepd.job_command; mcp: irrepd.agent_command; pull: irrepd.pull;
models: irrepd.models_command.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from importlib import import_module
from typing import Any

from irrepd.client import PROPERTIES, Client, parsed_dispersion
from irrepd.errors import ConnectionFailed, ServerError, StructureError
from irrepd.options import add_connection, add_frames, add_model, client_of, species_of
from irrepd.progress import Progress
from irrepd.results import Result
from irrepd.stream import BATCH_ATOMS, BATCH_STRUCTURES, IN_FLIGHT, evaluate

COMMANDS = {
    "relax": "irrepd.trajectory_command",
    "md": "irrepd.trajectory_command",
    "hessian": "irrepd.hessian_command",
    "jobs": "irrepd.job_command",
    "mcp": "irrepd.agent_command",
    "pull": "irrepd.pull",
    "models": "irrepd.models_command",
}


def main(arguments: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if arguments is None else arguments)
    is_command = bool(words) and words[0] in COMMANDS and not os.path.isfile(words[0])
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning  # type: ignore[assignment]
            if is_command:
                command = import_module(COMMANDS[words[0]])
                return int(command.main(words[0], words[1:]))
            return _run(_parser().parse_args(words))
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


def _show_warning(message: Warning | str, *_: Any) -> None:
    print(f"irrepd: {message}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="irrepd",
        description="Evaluates every frame of a file by an irrepd daemon: a line for each frame, "
        "and with --output a file with the results. Exit status: 0, or 1 when some of the frames "
        "have no result, each with its reason, or 2 when something else went wrong. "
        "`irrepd relax --help` and `irrepd md --help`: relaxation and dynamics; "
        "`irrepd hessian --help`: second derivatives and normal modes; "
        "`irrepd jobs --help`: those that go on by themselves; `irrepd mcp --help`: all of it for "
        "agents that are language models; `irrepd pull --help`: published models by name; "
        "`irrepd models --help`: those that are there.",
    )
    add_frames(parser)
    add_model(parser)
    add_connection(parser)
    add = parser.add_argument
    add("--priority", choices=("interactive", "bulk"), help="bulk lets the interactive go first")
    add(
        "--properties",
        default=",".join(PROPERTIES),
        metavar="NAMES",
        help="what to ask for beside energy and forces, separated by commas (%(default)s); also "
        "virial and, of each atom, stresses, descriptors, descriptors_l",
    )
    add(
        "--output",
        metavar="PATH",
        help="write frames with results there, or with .jsonl the results alone; .xyz, .extxyz and "
        ".jsonl are written as the frames come",
    )
    add("--resume", action="store_true", help="go on with the --output of an interrupted run")
    add("--quiet", action="store_true", help="no line for each frame that has a result")
    add("--batch", type=int, default=BATCH_STRUCTURES, metavar="N", help="frames in one request")
    add("--batch-atoms", type=int, default=BATCH_ATOMS, metavar="N", help="atoms in one request")
    add("--in-flight", type=int, default=IN_FLIGHT, metavar="N", help="requests under way")
    return parser


def _run(options: argparse.Namespace) -> int:
    if min(options.batch, options.batch_atoms, options.in_flight) < 1:
        raise ValueError("--batch, --batch-atoms and --in-flight must be at least 1")
    if options.resume and not options.output:
        raise ValueError("--resume needs --output")
    with client_of(options) as client, closing(_Run(options, client)) as run:
        for result in evaluate(
            run.entries(),
            options.model,
            client,
            properties=_properties(options.properties),
            precision=options.precision,
            priority=options.priority,
            dispersion=parsed_dispersion(options.dispersion),
            head=options.head,
            committee=options.committee.split(",") if options.committee else None,
            batch_atoms=options.batch_atoms,
            batch_structures=options.batch,
            in_flight=options.in_flight,
            output=options.output if run.is_journal else None,
            strict=options.strict,
            model_sha256=run.label.get("model_sha256"),
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

    def __init__(self, options: argparse.Namespace, client: Client):
        from irrepd import frames, outputs

        self.options = options
        self.is_journal = bool(options.output) and options.output.endswith(".jsonl")
        if self.is_journal and not options.resume and os.path.exists(options.output):
            raise ValueError(f"{options.output} exists: add --resume to go on, or remove it")
        species = species_of(options)
        self.source = frames.read(options.file, options.index, options.format, species)
        self.writer = None
        self.label: dict[str, Any] = {}
        if options.output and not self.is_journal:
            outputs.check(options.output, options.resume)
            self.label = client.label(options.model, options.precision, options.head)
            self.writer = outputs.Writer(options.output, options.resume, self.label)
        self.n_done = self.writer.n_done if self.writer else 0
        self.i = self.n_frames = self.failures = 0
        self.fault: ValueError | None = None
        self.waiting: deque[tuple[Any, float | None]] = deque()
        is_shown = options.quiet or not sys.stdout.isatty()
        self.bar = Progress(None) if is_shown else None

    def entries(self) -> Iterator[Any]:
        """What `evaluate` takes: atoms, or why there are none.

        A file that cannot be read to its end is a failure only once what came before is done.
        """
        for i, (frame, fraction) in enumerate(self._readable()):
            self.n_frames += 1
            if self.writer and i < self.n_done:
                self.writer.skip(frame, i)
                self.i += 1
                continue
            self.waiting.append((frame, fraction))
            yield frame

    def _readable(self) -> Iterator[tuple[Any, float | None]]:
        try:
            yield from self.source
        except ValueError as error:
            if self.n_frames == 0:
                raise
            self.fault = error

    def take(self, result: Result) -> None:
        frame, fraction = self.waiting.popleft()
        if not self.options.quiet:
            if self.i == self.n_done:
                print(_HEADER)
            print(_line(self.i, frame, result), flush=True)
        elif not result.ok:
            print(f"irrepd: frame {self.i}: {result.problem}", file=sys.stderr)
        self.i += 1
        self.failures += not result.ok
        if self.writer:
            self.writer.write(frame, result)
        if self.bar:
            self.bar.step(0 if isinstance(frame, StructureError) else len(frame), fraction)

    def finish(self) -> int:
        if self.fault:
            raise self.fault
        if self.n_frames == 0:
            where = "" if self.options.index == ":" else f" at --index {self.options.index}"
            raise ValueError(f"{self.options.file} holds no frame{where}")
        if self.writer:
            self.writer.finish(self.n_frames)
        if self.failures:
            print(
                f"irrepd: {self.failures} of {self.n_frames} frames have no result",
                file=sys.stderr,
            )
        return 1 if self.failures else 0

    def close(self) -> None:
        if self.writer:
            self.writer.close()
        if self.bar:
            self.bar.close()


_HEADER = f"{'frame':>6}  {'formula':<20} {'atoms':>6} {'energy/eV':>16} {'max F/(eV/A)':>13} " + (
    f"{'pressure/GPa':>13}"
)


def _line(i: int, frame: Any, result: Result) -> str:
    if isinstance(frame, StructureError):
        return f"{i:>6}  {'not read':<20} {'':>6}  {result.problem}"
    formula = frame.get_chemical_formula()
    start = f"{i:>6}  {formula if len(formula) <= 20 else formula[:17] + '...':<20} {len(frame):>6}"
    if not result.ok:
        return f"{start}  {result.problem}"
    line = f"{start} {result['energy']:>16.6f} {result.max_force:>13.6f}"
    return line if result.pressure is None else f"{line} {result.pressure:>13.6f}"


if __name__ == "__main__":
    sys.exit(main())
