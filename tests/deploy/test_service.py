"""The service of the Debian package, under a systemd that runs in a container."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

import pytest
from engine import Engine, wait_for
from installed import BUILD, only

# systemd, and what the package depends on.
IMAGE = """FROM docker.io/library/debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends \\
    adduser curl dbus libcjson1 libgnutls30 libmicrohttpd12 libopenblas0-serial libsymspg1 libuv1 \\
    libzstd1 systemd zlib1g
"""
# User namespaces do not nest in the container. The rest of the sandbox is as it is.
DROP_IN = "[Service]\nPrivateUsers=no\nWatchdogSec=2s\n"
REQUEST = json.dumps({"structures": [{"numbers": [8, 8], "positions": [[0, 0, 0], [0, 0, 1.2]]}]})
URL = "http://127.0.0.1:8421"


class Booted:
    """A Debian whose process 1 is systemd, with the package irrepd."""

    def __init__(self, engine: Engine):
        engine.base()
        image = engine.build_from("localhost/irrepd-systemd", IMAGE)
        self.engine, self.name = engine, "irrepd-systemd"
        engine.podman(
            *("run", "--detach", "--name", self.name, "--pull=never", "--network=none"),
            *("--systemd=always", "--cap-add=SYS_ADMIN", "--security-opt=seccomp=unconfined"),
            *("--volume", f"{BUILD}:/build:ro", image, "/lib/systemd/systemd"),
        )
        wait_for(lambda: self.sh("systemctl is-system-running") in ("running", "degraded"), "boot")

    def sh(self, command: str) -> str:
        """Standard output, whatever the exit status."""
        return self.engine.podman("exec", self.name, "sh", "-c", command, check=False)

    def show(self, what: str) -> str:
        return self.sh(f"systemctl show -P {what} irrepd")

    def log(self) -> str:
        return self.sh("journalctl -u irrepd --no-pager -o cat")


@pytest.fixture(scope="module")
def booted(engine: Engine) -> Iterator[Booted]:
    booted = Booted(engine)
    yield booted
    engine.podman("rm", "--force", "--time", "2", booted.name)


def test_service(booted: Booted) -> None:
    """Installed without models, started with some, asked, reloaded, hung, stopped."""
    folder = "/var/lib/irrepd/models"
    booted.sh(f"dpkg -i /build/dist/{only('irrepd_*.deb').name}")
    states = booted.sh("systemctl is-enabled irrepd; systemctl is-active irrepd")
    assert states.split() == ["enabled", "inactive"]
    assert booted.show("ConditionResult") == "no"

    unit = "/etc/systemd/system/irrepd.service"
    booted.sh(f"mkdir {unit}.d")
    booted.sh(f"printf %s {shlex.quote(DROP_IN)} >{unit}.d/here.conf")
    booted.sh("echo IRREPD_MAX_ATOMS=77 >>/etc/default/irrepd; systemctl daemon-reload")
    booted.sh(f"cp /build/models/*-small.safetensors {folder}; systemctl start irrepd")
    assert booted.sh(f"irrepd --healthcheck {URL} && echo ready") == "ready", booted.log()
    pattern, process = "^(CapBnd|NoNewPrivs|Seccomp):", booted.show("MainPID")
    status = booted.sh(f"grep -E '{pattern}' /proc/{process}/status")
    assert status.split()[1::2] == ["0000000000000000", "1", "2"]
    assert json.loads(booted.sh(f"curl -s {URL}/v1/status"))["limits"]["max_atoms"] == 77
    post = f"curl -s {URL}/v1/models/schnet-small/predict -H 'Content-Type: application/json'"
    assert json.loads(booted.sh(f"{post} -d '{REQUEST}'"))["results"][0]["status"] == "ok"

    booted.sh(f"cp {folder}/schnet-small.safetensors {folder}/copy.safetensors")
    assert booted.sh("systemctl reload irrepd && echo reloaded") == "reloaded"
    wait_for(lambda: '"model":"copy"' in booted.log(), "the new model")
    assert booted.show("NRestarts") == "0"

    booted.sh(f"kill -STOP {process}")
    wait_for(lambda: booted.show("NRestarts") == "1", "the watchdog")
    wait_for(lambda: booted.sh("systemctl is-active irrepd") == "active", "the next start")
    booted.sh("systemctl stop irrepd")
    assert (booted.show("Result"), booted.show("ExecMainStatus")) == ("success", "0")
