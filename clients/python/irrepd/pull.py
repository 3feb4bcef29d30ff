"""python3 -m irrepd pull NAME: fetches a published checkpoint and makes a model file of it."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from irrepd.catalogue import CATALOGUE, Published, find
from irrepd.fetching import FetchError, fetch
from irrepd.program import TREE

MEMORY_MAX = 16 << 30  # bytes that a conversion may take
CONVERSION_SECONDS = 900.0
# In a process of its own, with bounds that it sets itself before it looks at the file.
_CONVERT = (
    "import resource, sys\n"
    "resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)\n"
    "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
    "from irrepd.convert.__main__ import main\n"
    "sys.exit(main(sys.argv[2:]))"
)


def main(_: str, arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    if options.list:
        print(listing())
        return 0
    if options.name is None:
        raise ValueError("name a model, or give --list")
    entry = find(options.name)
    path = pull(
        entry,
        Path(options.models or default_folder()),
        source=options.source or os.environ.get("IRREPD_MIRROR"),
        accept_license=options.accept_license,
    )
    print(f"{path}: {entry.license}; cite {entry.citation}")
    if entry.warning:
        print(entry.warning)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="irrepd pull",
        description="Fetches a checkpoint from where its authors publish it, converts it, and puts "
        "the model file into the folder that a daemon serves. Nothing of it is executed.",
    )
    add = parser.add_argument
    add("name", metavar="NAME", nargs="?", help="of a published model, or another name of it")
    add("--list", action="store_true", help="show all names")
    add(
        "--models",
        metavar="FOLDER",
        help="where the model file goes (IRREPD_MODELS, else build/models of the source tree)",
    )
    add(
        "--from",
        dest="source",
        metavar="FILE|URL",
        help="the checkpoint's file (of matgl's the folder), or a mirror's address, below which it "
        "has its own name (IRREPD_MIRROR)",
    )
    add(
        "--accept-license",
        action="store_true",
        help="of a model whose licence does not permit every use (ASL: no commercial use)",
    )
    return parser


def listing() -> str:
    rows = [(e.name, e.license, e.functional, ", ".join(e.aliases)) for e in CATALOGUE]
    heads = ("name", "license", "functional", "also")
    widths = [max(map(len, column)) for column in zip(heads, *rows)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in (heads, *rows))


def default_folder() -> Path:
    """IRREPD_MODELS, or that of the source tree; ValueError where there is neither."""
    named = os.environ.get("IRREPD_MODELS")
    if not named and not (TREE.parent / "VERSION").is_file():
        raise ValueError("name the folder of the models by --models or IRREPD_MODELS")
    return Path(named or TREE / "models")


def pull(
    entry: Published,
    folder: Path,
    *,
    source: str | None = None,
    accept_license: bool = False,
    stall: float = 60.0,
) -> Path:
    """The model file, which is complete or not there. OSError, ValueError: why it is not.

    source: a file, or a mirror's address. A checkpoint that was fetched is removed once converted.
    """
    if not entry.is_free and not accept_license:
        raise ValueError(
            f"'{entry.name}' is under the Academic Software License, which permits no commercial "
            "use (https://github.com/gabor1/ASL): add --accept-license to accept it"
        )
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{entry.name}.safetensors"
    if source is not None and "://" not in source:
        _convert(entry, Path(source), target)
        return target
    url = f"{source.rstrip('/')}/{entry.file_name}" if source else entry.url
    checkpoint = folder / f".{entry.name}.checkpoint"
    bar = _Bar(entry.name)
    try:
        _fetch(entry, url, checkpoint, stall, bar)
    finally:
        bar.close()
    try:
        _convert(entry, checkpoint, target)
    finally:
        _remove(checkpoint)
    return target


def _fetch(entry: Published, url: str, checkpoint: Path, stall: float, bar: _Bar) -> None:
    """The checkpoint's file, or the files of its folder; of which a cut one alone is kept."""
    if not entry.parts:
        digests = {"sha256": entry.sha256, "md5": entry.md5}
        fetch(url, checkpoint, size=entry.size, stall=stall, progress=bar, **digests)
        return
    checkpoint.mkdir(exist_ok=True)
    try:
        for part in entry.parts:
            where, digest = f"{url}/{part.name}", part.sha256
            target = checkpoint / part.name
            fetch(where, target, size=part.size, sha256=digest, stall=stall, progress=bar)
    except BaseException:
        if not list(checkpoint.glob("*.part")):
            _remove(checkpoint)
        raise


def _remove(checkpoint: Path) -> None:
    if checkpoint.is_dir():
        shutil.rmtree(checkpoint)
    else:
        checkpoint.unlink(missing_ok=True)


def _convert(entry: Published, checkpoint: Path, target: Path) -> None:
    if not checkpoint.is_file() and not (entry.parts and checkpoint.is_dir()):
        raise FetchError(f"there is no {'folder' if entry.parts else 'file'} {checkpoint}")
    with tempfile.TemporaryDirectory(prefix=".pull-", dir=target.parent) as scratch:
        made = Path(scratch) / target.name
        source = f"{entry.url} ({entry.functional})"
        command = [sys.executable, "-c", _CONVERT, str(MEMORY_MAX), str(checkpoint), str(made)]
        for field, text in (
            ("name", entry.name), ("license", entry.license), ("citation", entry.citation),
            ("source", source), ("description", entry.warning), ("dispersion", entry.dispersion),
            ("default-head", entry.default_head),
        ):  # fmt: skip
            command += [f"--{field}", text] if text else []
        package = str(Path(__file__).resolve().parent.parent)
        paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        try:
            done = subprocess.run(
                command,
                env=environment,
                capture_output=True,
                text=True,
                timeout=CONVERSION_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ValueError(f"converting took more than {CONVERSION_SECONDS:g} s") from None
        if done.returncode != 0 or not made.is_file():
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            reason = lines[-1] if lines else f"the converter ended with {done.returncode}"
            raise ValueError(f"'{entry.name}' is not converted: {reason[:500]}")
        os.replace(made, target)


class _Bar:
    """How much has arrived, on standard error where that is a terminal."""

    def __init__(self, name: str):
        self.name, self.is_shown, self.drawn = name, sys.stderr.isatty(), -1

    def __call__(self, done: int, total: int | None) -> None:
        megabytes = done >> 20
        if not self.is_shown or megabytes == self.drawn:
            return
        self.drawn = megabytes
        share = f" {100 * done // total}%" if total else ""
        print(f"\r{self.name}: {megabytes} MiB{share}  ", end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        if self.drawn >= 0:
            print(file=sys.stderr)
