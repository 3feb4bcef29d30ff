"""python3 -m irrepd jobs: what goes on in the daemon by itself."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from irrepd import frames
from irrepd.client import Client
from irrepd.job import Job, jobs
from irrepd.options import add_connection, client_of
from irrepd.trajectories import Moved
from irrepd.trajectory_command import MD_HEADER, RELAX_HEADER, md_line, relax_line
from irrepd.trajectory_files import writer_of


def main(_: str, arguments: Sequence[str]) -> int:
    """The exit status: 0, or 1 when a job that is followed does not end well."""
    options = _parser().parse_args(arguments)
    _check(options)
    with client_of(options) as client:
        if options.id is None:
            return _list(client)
        return _one(options, client)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="irrepd jobs",
        description="Relaxations and dynamics that go on in the daemon by themselves, as `irrepd "
        "relax --job` and `irrepd md --job` begin them. Without ID: a line for each. With one: its "
        "card, as JSON, once it has been done what the options say. Exit status: 0, or 1 when one "
        "that is followed has failed or was cancelled, or a structure of it has failed, or 2 when "
        "something else went wrong.",
    )
    add = parser.add_argument
    add("id", metavar="ID", nargs="?")
    what = parser.add_mutually_exclusive_group()
    for name, words in (
        ("follow", "print what it tells until it ends, frame by frame"),
        ("pause", "let it stand still"),
        ("resume", "let it go on"),
        ("checkpoint", "have the daemon write a checkpoint"),
        ("cancel", "end it, and keep what it has told"),
        ("forget", "end it, and remove what it has told"),
    ):
        what.add_argument(f"--{name}", action="store_true", help=words)
    first = "--from"
    add(first, type=int, default=0, metavar="K", dest="first", help="frames to pass over")
    add("--output", metavar="OUT", help="of --follow: .xyz, .extxyz, .traj, or .h5")
    add("--structures", metavar="FILE", help="that it was begun with, needed for --output")
    add("--index", default=":", help="frames of FILE in ASE's notation (%(default)s)")
    add("--format", help="of FILE, if its name does not tell")
    add_connection(parser)
    return parser


def _check(options: argparse.Namespace) -> None:
    acts = ("follow", "pause", "resume", "checkpoint", "cancel", "forget")
    if options.id is None and any(getattr(options, name) for name in acts):
        raise ValueError("which job? `irrepd jobs` lists them")
    if options.first < 0:
        raise ValueError("--from counts frames from 0")
    if not options.follow and (options.output or options.structures or options.first):
        raise ValueError("--from, --output and --structures go with --follow")
    if bool(options.output) != bool(options.structures):
        raise ValueError("--output needs --structures, the file that the job was begun with")


def _list(client: Client) -> int:
    print(f"{'job':<32} {'kind':<5} {'model':<16} {'state':<9} {'steps':>21} {'events':>8}")
    for job in jobs(client):
        card = job.last_card or {}
        steps = f"{card['steps']}/{card['steps_wanted']}"
        print(
            f"{job.id:<32} {card['kind']:<5} {card['model']:<16} {card['state']:<9} {steps:>21} "
            f"{card['events']:>8}"
        )
    return 0


def _one(options: argparse.Namespace, client: Client) -> int:
    job = Job(options.id, client)
    if options.follow:
        return _follow(options, job)
    for name in ("pause", "resume", "checkpoint", "cancel"):
        if getattr(options, name):
            getattr(job, name)()
    if options.forget:
        job.forget()
    else:
        print(json.dumps(job.card(), indent=1))
    return 0


def _follow(options: argparse.Namespace, job: Job) -> int:
    card = job.card()
    if options.structures:
        given = frames.read(options.structures, options.index, options.format)
        job = Job(job.id, job.client, [atoms for atoms, _ in given], card)
        if job.n_structures != card["structures"]:
            raise ValueError(
                f"{options.structures} has {job.n_structures} frames, and the job "
                f"{card['structures']} structures"
            )
    label = {"model": card["model"], "model_sha256": card.get("model_sha256")}
    is_md = card["kind"] == "md"
    print(MD_HEADER if is_md else RELAX_HEADER)
    n_bad = 0
    with writer_of(options.output, label) as writer:
        for moved in job.frames(options.first):
            if not moved.ok:
                n_bad += 1
                print(f"irrepd: structure {moved['structure']}: {moved.problem}", file=sys.stderr)
                continue
            _show(moved, is_md)
            if moved["event"] == "frame" or not is_md:  # the end of dynamics has no step of its own
                writer.write(moved)
    card = job.card()
    if card["state"] != "done":
        print(f"irrepd: the job is {card['state']} {card['reason']}".rstrip(), file=sys.stderr)
    return 1 if n_bad or card["state"] != "done" else 0


def _show(moved: Moved, is_md: bool) -> None:
    if not is_md:
        print(relax_line(moved), flush=True)
    elif moved["event"] == "frame":
        print(md_line(moved), flush=True)
