"""Options that several commands have: of the file that is read, the model, and the daemon."""

from __future__ import annotations

import argparse

from irrepd.client import DEFAULT_URL, Client

DEFAULT_TLS_URL = DEFAULT_URL.replace("http:", "https:")


def add_frames(parser: argparse.ArgumentParser) -> None:
    """The file, and how its frames are read."""
    add = parser.add_argument
    add("file", metavar="FILE", help="anything that ASE reads")
    add("--index", default=":", help="frames in ASE's notation (%(default)s)")
    add("--format", help="of FILE, if its name does not tell")
    add(
        "--species",
        nargs="+",
        metavar="SYMBOL",
        default=[],
        help="elements of LAMMPS' atom types 1, 2, ..., for its files that do not name them",
    )
    add("--strict", action="store_true", help="refuse charges and spins, which no model takes")


def species_of(options: argparse.Namespace) -> list[str]:
    """The elements of LAMMPS' types: add_frames takes them apart or with commas."""
    return [symbol for text in options.species for symbol in text.split(",")]


def add_model(parser: argparse.ArgumentParser) -> None:
    """The model, and what of it or beside it computes."""
    add = parser.add_argument
    add("--model", default="sevennet-0", help="name of the model (%(default)s)")
    add("--precision", choices=("float32", "float64"), help="default: the model's")
    add(
        "--dispersion",
        nargs="?",
        const="{}",
        metavar="FUNCTIONAL",
        help="add DFT-D3 with the parameters of a functional (pbe), or as a JSON object says",
    )
    add("--head", help="of a model with several; default: the one of the model's card")
    add(
        "--committee",
        metavar="MODELS",
        help="more models, or MODEL:HEAD, separated by commas: results are the means of all, and "
        "files have the standard deviations",
    )


def add_connection(parser: argparse.ArgumentParser) -> None:
    """How a daemon is reached."""
    add = parser.add_argument
    add(
        "--url",
        help=f"of the daemon, or unix:/PATH ({DEFAULT_URL}, or {DEFAULT_TLS_URL} with --ca-file)",
    )
    add("--timeout", type=float, default=600.0, help="seconds for a request (%(default)s), or inf")
    add("--key-file", metavar="PATH", help="of the API key; default: $IRREPD_KEY")
    add("--ca-file", metavar="PATH", help="certificates to trust with https")


def client_of(options: argparse.Namespace) -> Client:
    """The daemon that add_connection's options name. The caller closes it."""
    key = None
    if options.key_file:
        with open(options.key_file, encoding="utf-8-sig") as file:
            key = file.read().strip()
    url = options.url or (DEFAULT_TLS_URL if options.ca_file else DEFAULT_URL)
    if options.ca_file and not url.startswith("https:"):
        raise ValueError(f"--ca-file is for https, but --url is {url}")
    return Client(url, options.timeout, key, options.ca_file or True)
