"""A daemon of one's own on a unix socket, shared by a user's processes, gone with the last of them.

Every process that uses it holds a shared lock on the file `users` of its folder, which the kernel
drops when the process ends, however it ends. A small supervisor tries for the exclusive lock; once
it has it, nobody is left, and the daemon is stopped.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import hashlib
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from irrepd.catalogue import CATALOGUE, canonical, did_you_mean
from irrepd.errors import ConnectionFailed
from irrepd.program import TREE, find
from irrepd.transport import Transport

if TYPE_CHECKING:
    from irrepd.calculator import IrrepCalculator
    from irrepd.client import Dispersion

_START_SECONDS = 120.0
_POLL = 0.1  # seconds
_DATA = "dftd3.params.safetensors"
_BASE_MAX = 107 - len("/0123456789abcdef/socket")  # bytes; the kernel bounds a socket's path
_PR_SET_PDEATHSIG = 1
_leases: dict[Path, int] = {}  # folder -> descriptor of its locked file `users`


def local(
    model: str | os.PathLike[str] = "sevennet-0",
    *,
    precision: str | None = None,
    dispersion: Dispersion = None,
    head: str | None = None,
    slab_stress: bool = False,
    models: str | os.PathLike[str] | None = None,
    daemon: str | os.PathLike[str] | None = None,
    flags: Sequence[str] = (),
) -> IrrepCalculator:
    """A calculator for ASE by a private daemon, which is started if none runs yet.

    model: a name, or the path of a model file. models: the folder of the named ones, by default
    IRREPD_MODELS of the environment, or build/models of the source tree. dispersion, head,
    slab_stress: as for `IrrepCalculator`; the data of dispersion lie beside the model, or in that
    folder. daemon: the program, by default IRREPD_DAEMON, or that of the wheel, on the PATH, or of
    the source tree.
    flags: more of its flags.
    ConnectionFailed: it does not start. Processes of one user with the same arguments share one.
    """
    from irrepd.calculator import IrrepCalculator

    url = local_url(model, models=models, daemon=daemon, flags=flags)
    return IrrepCalculator(
        url=url,
        model=_stem(model),
        precision=precision,
        dispersion=dispersion,
        head=head,
        slab_stress=slab_stress,
    )


def local_url(
    model: str | os.PathLike[str] = "sevennet-0",
    *,
    models: str | os.PathLike[str] | None = None,
    daemon: str | os.PathLike[str] | None = None,
    flags: Sequence[str] = (),
) -> str:
    """`local` without ASE: a URL for `irrepd.Client`, good while this process lives."""
    program, file = find(daemon), _model_file(model, models)
    data = _dispersion_data(file, models)
    info = file.stat()
    what = [str(program), str(file), str(info.st_mtime_ns), str(info.st_size), _stem(model), *flags]
    what += [f"{data} {data.stat().st_mtime_ns}"] if data else []
    folder = _base() / hashlib.sha256("\0".join(what).encode()).hexdigest()[:16]
    folder.mkdir(mode=0o700, exist_ok=True)
    _take_lease(folder)
    address = folder / "socket"
    with _locked(folder / "start"):
        if not _answers(address):
            _start(folder, program, file, data, _stem(model), flags)
    return f"unix:{address}"


def _stem(model: str | os.PathLike[str]) -> str:
    return Path(model).stem if _is_path(model) else str(model)


def _is_path(model: str | os.PathLike[str]) -> bool:
    return not isinstance(model, str) or os.sep in model or model.endswith(".safetensors")


def _model_file(model: str | os.PathLike[str], models: str | os.PathLike[str] | None) -> Path:
    if _is_path(model):
        path = Path(model)
    else:
        path = _folder(models) / f"{model}.safetensors"
        if not path.is_file():
            path = path.with_name(f"{canonical(str(model))}.safetensors")
    if not path.is_file():
        raise FileNotFoundError(
            f"no model file {path}: name its folder by models= or IRREPD_MODELS, or give its path"
            + _advice(path)
        )
    return path.resolve()


def _advice(path: Path) -> str:
    """What to do where the model is published, or one of a near name is there."""
    if any(entry.name == path.stem for entry in CATALOGUE):
        return f"; `python3 -m irrepd pull {path.stem}` fetches it"
    return did_you_mean(path.stem, sorted(file.stem for file in path.parent.glob("*.safetensors")))


def _folder(models: str | os.PathLike[str] | None) -> Path:
    return Path(models or os.environ.get("IRREPD_MODELS") or TREE / "models")


def _dispersion_data(file: Path, models: str | os.PathLike[str] | None) -> Path | None:
    """The reference data of dispersion, where there are any."""
    for folder in (file.parent, _folder(models)):
        if (folder / _DATA).is_file():
            return (folder / _DATA).resolve()
    return None


def _base() -> Path:
    """A folder of this user's, in which no other user can put anything."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    name = f"irrepd-{os.getuid()}"
    if runtime and _is_mine(Path(runtime)):
        base = Path(runtime) / "irrepd"
    else:
        base = Path(tempfile.gettempdir()) / name
    if len(os.fsencode(base)) > _BASE_MAX:
        base = Path("/tmp") / name
    base.mkdir(mode=0o700, exist_ok=True)
    if not _is_mine(base):
        raise PermissionError(f"{base} is not a folder of this user's alone")
    return base


def _is_mine(folder: Path) -> bool:
    try:
        info = folder.lstat()
    except OSError:
        return False
    mode = info.st_mode
    return stat.S_ISDIR(mode) and info.st_uid == os.getuid() and not mode & 0o077


def _take_lease(folder: Path) -> None:
    if folder not in _leases:
        descriptor = os.open(folder / "users", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        _leases[folder] = descriptor


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _answers(address: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(address))
        except OSError:
            return False
        return True


def _start(
    folder: Path, program: Path, file: Path, data: Path | None, name: str, flags: Sequence[str]
) -> None:
    models = folder / "models"
    models.mkdir(exist_ok=True)
    _place(file, models / f"{name}.safetensors")
    if data:
        _place(data, models / _DATA)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("IRREPD_")}
    package = str(Path(__file__).resolve().parent.parent)
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    listen = f"unix:{folder / 'socket'}"
    command = [str(program), "--models", str(models), "--listen", listen, *flags]
    with subprocess.Popen(
        [sys.executable, "-m", "irrepd.private", str(folder), name, *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=environment,
        start_new_session=True,
    ) as starter:
        assert starter.stdout is not None
        answer = starter.stdout.readline().decode(errors="replace").strip()
    if answer != "ready":
        log = folder / "log"
        end = log.read_text(errors="replace")[-500:].strip() if log.exists() else ""
        raise ConnectionFailed(f"the private daemon {answer or 'did not start'}: {end}")


def _place(file: Path, target: Path) -> None:
    """A hard link, or a copy across file systems: the daemon follows no link out of its folder."""
    target.unlink(missing_ok=True)
    try:
        os.link(file, target)
    except OSError:
        shutil.copyfile(file, target)


def _state(address: Path, name: str) -> str:
    """Of the model: as the daemon's card has it, or "" while the daemon does not answer."""
    transport = Transport(f"unix:{address}")
    try:
        path = f"/v1/models/{urllib.parse.quote(name, safe='')}"
        answer = transport.exchange("GET", path, None, {}, time.monotonic() + 5)
        return str(json.loads(answer.body).get("state", "")) if answer.status == 200 else ""
    except (ConnectionFailed, ValueError):
        return ""
    finally:
        transport.close()


def _supervise(folder: Path, name: str, command: Sequence[str]) -> None:
    """Runs the daemon as long as somebody holds the file `users`; says "ready" on standard output.

    The caller waits for its child only, so this is the child's child.
    """
    if os.fork() != 0:
        os._exit(0)
    libc = ctypes.CDLL(None)
    (folder / "socket").unlink(missing_ok=True)
    with open(folder / "log", "wb") as log:
        daemon = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM),
        )
    deadline = time.monotonic() + _START_SECONDS
    while True:
        state = _state(folder / "socket", name)
        if state == "ready":
            break
        if state == "failed" or daemon.poll() is not None or time.monotonic() > deadline:
            daemon.kill()
            daemon.wait()
            shutil.rmtree(folder / "models", ignore_errors=True)
            print("cannot load the model" if state == "failed" else "does not start", flush=True)
            return
        time.sleep(0.02)
    print("ready", flush=True)
    with open(os.devnull, "wb") as null:
        os.dup2(null.fileno(), sys.stdout.fileno())
    _wait_for_the_last(folder, daemon)


def _wait_for_the_last(folder: Path, daemon: subprocess.Popen[bytes]) -> None:
    with open(folder / "users", "rb+") as users:
        while daemon.poll() is None:
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_POLL)
                continue
            daemon.terminate()  # whoever comes now waits for the lock, then starts another
            daemon.wait()
            shutil.rmtree(folder / "models", ignore_errors=True)


if __name__ == "__main__":
    _supervise(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
