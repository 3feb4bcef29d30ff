"""buildah and podman as root, with images and containers of their own below build/deploy/.

The Dockerfile is built as it is. The base that it names comes from mmdebstrap, under the name that
a registry would give it, so that no registry is needed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "deploy"
BASE = "docker.io/library/debian:bookworm-slim"
EPOCH = "1700000000"  # of all files in an image
PROGRAMS = ("buildah", "podman", "runc", "mmdebstrap", "iptables", "ip")
SLIM = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/man/*",
)


def why_not() -> str | None:
    """Why there cannot be containers or networks here, as far as that is seen at once; or None."""
    if os.geteuid() != 0:
        return "needs root: containers of their own storage and network"
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    return f"not installed: {', '.join(missing)} (make test-deploy)" if missing else None


def wait_for(condition: Callable[[], Any], what: str, patience: float = 120.0) -> Any:
    """What the condition gives as soon as that is true."""
    deadline = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {patience:.0f} s in vain for {what}"
        time.sleep(0.05)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Engine:
    def __init__(self) -> None:
        FOLDER.mkdir(parents=True, exist_ok=True)
        # podman wants a short path for what lasts as long as the machine is up.
        digest = hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]
        run_root = Path(tempfile.gettempdir()) / f"irrepd-deploy-{digest}"
        storage, containers = FOLDER / "storage.conf", FOLDER / "containers.conf"
        storage.write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{FOLDER}/store"\nrunroot = "{run_root}"\n'
        )
        containers.write_text(
            '[containers]\ndefault_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]\n'
            '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
            f'[network]\nnetwork_backend = "netavark"\nnetwork_config_dir = "{FOLDER}/networks"\n'
        )
        self.environment = {
            **os.environ,
            "BUILDAH_ISOLATION": "chroot",
            "CONTAINERS_STORAGE_CONF": str(storage),
            "CONTAINERS_CONF": str(containers),
        }

    def run(
        self, *command: object, check: bool = True, timeout: float = 600.0, **more: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=ROOT,
            env={**self.environment, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if check and done.returncode != 0:
            said = f"{done.stdout[-2000:]}\n{done.stderr[-6000:]}"
            raise AssertionError(f"{command}: exit status {done.returncode}\n{said}")
        return done

    def podman(self, *arguments: object, check: bool = True, timeout: float = 120.0) -> str:
        return self.run("podman", *arguments, check=check, timeout=timeout).stdout.strip()

    def has(self, image: str) -> bool:
        return self.run("podman", "image", "exists", image, check=False).returncode == 0

    def build_from(self, name: str, dockerfile: str, *flags: str) -> str:
        """An image of a few lines, for what a registry would have."""
        context = FOLDER / "context"
        context.mkdir(exist_ok=True)
        (context / "Dockerfile").write_text(dockerfile)
        self.run("buildah", "bud", "-q", "--pull-never", "--layers", *flags, "-t", name, context)
        return name

    def base(self) -> str:
        """Debian's slim image, with the certificates that this machine trusts."""
        if self.has(BASE):
            return BASE
        tar = FOLDER / "context" / "base.tar"
        tar.parent.mkdir(exist_ok=True)
        options = [f"--dpkgopt={option}" for option in SLIM]
        self.run("mmdebstrap", "--quiet", "--variant=minbase", *options, "bookworm", tar)
        lines = ["FROM scratch", "ADD base.tar /"]
        trusted = Path("/etc/ssl/certs/ca-certificates.crt")
        if trusted.exists():
            shutil.copy(trusted, tar.parent / "host.crt")
            lines.append("COPY host.crt /usr/local/share/ca-certificates/host.crt")
        self.build_from(BASE, "\n".join(lines), "--timestamp", EPOCH)
        tar.unlink()
        return BASE

    def why_not(self) -> str | None:
        """Why a container of nothing but Debian does not run here, or None."""
        flags = ("--rm", "--pull=never", "--read-only", "--memory=64m", "--user=10001")
        try:
            self.podman("run", *flags, self.base(), "true")
        except (AssertionError, subprocess.TimeoutExpired) as error:
            return f"no containers here: {str(error).strip().splitlines()[-1]}"
        return None

    def build(self, target: str, *flags: str, tag: str = "") -> str:
        """Builds a target of docker/Dockerfile; what was built before is reused."""
        self.base()
        name = f"localhost/irrepd:{tag or target}"
        self.run(
            *("buildah", "bud", "-q", "--pull-never", "--layers", "--format", "docker"),
            *("--timestamp", EPOCH, *flags, "--target", target),
            *("-f", ROOT / "docker" / "Dockerfile", "-t", name, ROOT),
            timeout=1500.0,
        )
        return name

    def inspect(self, name: str) -> Any:
        return json.loads(self.podman("inspect", name))[0]
