"""python3 -m irrepd relax FILE --output OUT, and md: relaxation and dynamics by command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from irrepd import frames
from irrepd.client import Client, parsed_dispersion
from irrepd.errors import StructureError
from irrepd.job import Job
from irrepd.options import add_connection, add_frames, add_model, client_of, species_of
from irrepd.progress import Progress
from irrepd.trajectories import Moved, md, relax
from irrepd.trajectory_files import writer_of


def main(kind: str, arguments: Sequence[str]) -> int:
    """kind: "relax" or "md". The exit status: 0, or 1 when a structure has failed."""
    options = _parser(kind).parse_args(arguments)
    with client_of(options) as client:
        if options.job:
            return _begin(kind, options, client)
        return _relax(options, client) if kind == "relax" else _md(options, client)


def _parser(kind: str) -> argparse.ArgumentParser:
    words = {
        "relax": "Relaxes every frame of a file: a line for each, and the relaxed frames in OUT.",
        "md": "Molecular dynamics of every frame of a file at the same time: a line for each step "
        "that is told, and the frames in OUT.",
    }
    parser = argparse.ArgumentParser(
        prog=f"irrepd {kind}",
        description=f"{words[kind]} Exit status: 0, or 1 when some have failed (relax: or have not "
        "converged), each with its reason, or 2 when something else went wrong.",
    )
    add_frames(parser)
    add_model(parser)
    add_connection(parser)
    add = parser.add_argument
    add("--output", metavar="OUT", help=".xyz, .extxyz, .traj, or .h5 (H5MD, needs h5py)")
    add(
        "--job",
        action="store_true",
        help="begin it and leave: it goes on in the daemon, and `irrepd jobs` tells of it",
    )
    add(
        "--max-forces-std", type=float, metavar="EV/A", help="stop where the committee differs more"
    )
    add(
        "--priority",
        choices=("interactive", "bulk"),
        help="bulk, the default, lets others go first",
    )
    add(
        "--deadline",
        type=float,
        metavar="SECONDS",
        help="of each request of some structures: what has not ended by then fails",
    )
    add("--quiet", action="store_true", help="lines of what has failed alone")
    if kind == "relax":
        _add_relax(parser)
    else:
        _add_md(parser)
    return parser


def _add_relax(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--optimizer", choices=("lbfgs", "bfgs", "fire", "fire2"), default="lbfgs")
    add("--fmax", type=float, default=0.05, help="eV/A (%(default)s)")
    add("--max-steps", type=int, default=500, metavar="N", help="(%(default)s)")
    add("--cell", choices=("fixed", "volume", "shape", "full"), default="fixed")
    add("--pressure", type=float, default=0.0, metavar="GPA", help="(%(default)s)")
    add("--symmetry", action="store_true", help="keep the space group")


def _add_md(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--steps", type=int, required=True, metavar="N")
    add("--timestep", type=float, default=1.0, metavar="FS", help="(%(default)s)")
    add("--ensemble", choices=("nve", "nvt", "npt"), default="nvt", help="(%(default)s)")
    add("--temperature", type=float, nargs="+", default=[300.0], metavar="K", help="or FROM TO")
    add("--thermostat", choices=("langevin", "csvr", "nose-hoover"))
    add("--friction", type=float, metavar="1/PS", help="of langevin")
    add("--barostat", choices=("c-rescale", "mtk"))
    add("--coupling", choices=("isotropic", "anisotropic", "triclinic"))
    add("--pressure", type=float, metavar="GPA")
    add("--every", type=int, default=100, metavar="N", help="steps between frames (%(default)s)")
    add("--seed", type=int, default=0, help="of velocities and thermostats (%(default)s)")


def _structures(options: argparse.Namespace) -> Iterator[Any]:
    """Frames of the file of a command."""
    n = 0
    for atoms, _ in frames.read(options.file, options.index, options.format, species_of(options)):
        n += 1
        yield atoms
    if n == 0:
        raise ValueError(f"{options.file} holds no frame at --index {options.index}")


def _complain(result: Moved) -> None:
    print(f"irrepd: structure {result['structure']}: {result.problem}", file=sys.stderr)


def _begin(kind: str, options: argparse.Namespace, client: Client) -> int:
    if options.output:
        raise ValueError(
            "--output goes with `irrepd jobs ID --follow --structures FILE`, not with --job"
        )
    given = _relax_options(options) if kind == "relax" else _md_options(options)
    client.strict = given.pop("strict")
    begin = Job.relax if kind == "relax" else Job.md
    print(begin(_structures(options), options.model, client, **given).id)
    return 0


_OF_ALL = ("precision", "head", "strict", "max_forces_std", "priority")


def _deadline_ms(options: argparse.Namespace) -> float | None:
    return None if options.deadline is None else 1000.0 * options.deadline


def _relax_options(options: argparse.Namespace) -> dict[str, Any]:
    names = ("optimizer", "fmax", "max_steps", "cell", "pressure", "symmetry")
    given = {name: getattr(options, name) for name in (*names, *_OF_ALL)}
    given["dispersion"] = parsed_dispersion(options.dispersion)
    given["committee"] = options.committee.split(",") if options.committee else None
    given["deadline_ms"] = _deadline_ms(options)
    return given


def _relax(options: argparse.Namespace, client: Client) -> int:
    given = _relax_options(options)
    label = client.label(options.model, options.precision, options.head)
    n_bad = 0
    bar = Progress(None) if options.quiet or not sys.stdout.isatty() else None
    if not options.quiet:
        print(RELAX_HEADER)
    with writer_of(options.output, label) as writer:
        results = relax(_structures(options), options.model, client, **given)
        with closing(results):  # type: ignore[type-var]
            for result in results:
                if not result.ok:
                    n_bad += 1
                    _complain(result)
                    writer.failed(result)
                    continue
                n_bad += not result["converged"]
                _line_of_relax(result, options.quiet)
                writer.write(result)
                if bar:
                    bar.step(len(result["positions"]))
    if bar:
        bar.close()
    return 1 if n_bad else 0


def _line_of_relax(result: Moved, quiet: bool) -> None:
    if quiet and not result["converged"]:
        print(f"irrepd: structure {result['structure']}: not converged", file=sys.stderr)
    if not quiet:
        print(relax_line(result), flush=True)


RELAX_HEADER = f"{'frame':>6} {'atoms':>6} {'steps':>6} {'energy/eV':>16} {'fmax/(eV/A)':>12}"


def relax_line(result: Moved) -> str:
    """Of where a structure ends, or of a frame on the way."""
    is_frame = result["event"] == "frame"
    left = "" if is_frame or result["converged"] else "  not converged"
    return (
        f"{result['structure']:>6} {len(result['positions']):>6} "
        f"{result['step' if is_frame else 'n_steps']:>6} "
        f"{result['energy']:>16.6f} {result['fmax']:>12.6f}{left}"
    )


def _md_options(options: argparse.Namespace) -> dict[str, Any]:
    names = ("steps", "timestep", "ensemble", "every", "seed", "thermostat")
    names += ("friction", "barostat", "coupling", "pressure")  # type: ignore[assignment]
    given = {name: getattr(options, name) for name in (*names, *_OF_ALL)}
    given["dispersion"] = parsed_dispersion(options.dispersion)
    given["committee"] = options.committee.split(",") if options.committee else None
    given["deadline_ms"] = _deadline_ms(options)
    given = {name: value for name, value in given.items() if value is not None}
    if len(options.temperature) > 2:
        raise ValueError("--temperature takes one value, or the first and the last")
    kelvin = options.temperature if len(options.temperature) == 2 else options.temperature[0]
    given["temperature"] = kelvin
    return given


def _md(options: argparse.Namespace, client: Client) -> int:
    given = _md_options(options)
    structures = list(_structures(options))
    refused = [s for s in structures if isinstance(s, StructureError)]
    label = client.label(options.model, options.precision, options.head)
    n_bad = 0
    if not options.quiet:
        print(MD_HEADER)
    with writer_of(options.output, label) as writer:
        moved = md(structures, options.model, client, **given)
        with closing(moved):  # type: ignore[type-var]
            for frame in moved:
                if not frame.ok:
                    n_bad += 1
                    _complain(frame)
                elif frame["event"] == "frame":
                    if not options.quiet:
                        print(md_line(frame), flush=True)
                    writer.write(frame)
    return 1 if n_bad or refused else 0


MD_HEADER = f"{'frame':>6} {'step':>10} {'time/fs':>12} {'energy/eV':>16} {'T/K':>10} {'p/GPa':>10}"


def md_line(frame: Moved) -> str:
    pressure = frame.get("pressure")
    end = "" if pressure is None else f" {pressure:>10.4f}"
    return (
        f"{frame['structure']:>6} {frame['step']:>10} {frame['time']:>12.3f} "
        f"{frame['energy']:>16.6f} {frame['temperature']:>10.2f}{end}"
    )
