"""docker/compose.yaml by podman-compose: up and down, alone and with the profile `scale`.

HAProxy and Prometheus are Debian's, in images that start as the projects' own do.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine import BASE, ROOT, Engine, free_port, wait_for
from fleet import ask

PREDICT = "/v1/models/sevennet-0/predict"
WATER = {"numbers": [8, 1, 1], "positions": [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]}
HAPROXY = f"""FROM {BASE}
RUN apt-get update && apt-get install -y --no-install-recommends haproxy
USER 99:99
CMD ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]
"""
PROMETHEUS = f"""FROM {BASE}
RUN apt-get update && apt-get install -y --no-install-recommends prometheus
RUN install -d -o nobody -g nogroup /prometheus
USER nobody
WORKDIR /prometheus
ENTRYPOINT ["prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
"""


class Compose:
    """The compose file in a folder of its own, with keys made as its comment says."""

    def __init__(self, engine: Engine, folder: Path):
        self.engine = engine
        self.file = folder / "docker" / "compose.yaml"
        shutil.copytree(ROOT / "docker", self.file.parent)
        secrets = self.file.parent / "secrets"
        secrets.mkdir()
        self.key = self.make_key("me", "predict,admin", secrets / "keys")
        (secrets / "prometheus").write_text(self.make_key("prom", "predict", secrets / "keys"))
        for file in secrets.iterdir():
            file.chmod(0o644)
        names = ("IRREPD_PORT", "HAPROXY_PORT", "PROMETHEUS_PORT")
        self.ports = {name: str(free_port()) for name in names}
        self.environment = {
            **self.ports,
            "IRREPD_IMAGE": engine.build("full"),
            "HAPROXY_IMAGE": engine.build_from("localhost/haproxy:2.6", HAPROXY),
            "PROMETHEUS_IMAGE": engine.build_from("localhost/prometheus:v2.42.0", PROMETHEUS),
            "IRREPD_CPUS": "1",
            "IRREPD_MEMORY": "1g",
            "IRREPD_DRAIN_DELAY_MS": "1500",
        }

    @staticmethod
    def make_key(name: str, scopes: str, file: Path) -> str:
        command = [sys.executable, ROOT / "tools" / "make_key.py", name, scopes, file]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def __call__(self, *arguments: str) -> str:
        program = Path(sys.executable).parent / "podman-compose"
        command = (program, "-f", self.file, *arguments)
        return self.engine.run(*command, timeout=300.0, **self.environment).stdout

    def ask(self, port: str, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {self.key}"}
        return ask(f"127.0.0.1:{self.ports[port]}", method, path, body, headers)

    def answers(self, port: str, path: str) -> bool:
        with contextlib.suppress(OSError):
            return self.ask(port, "GET", path)[0] == 200
        return False


@pytest.fixture
def compose(engine: Engine, tmp_path: Path) -> Iterator[Compose]:
    compose = Compose(engine, tmp_path)
    yield compose
    compose("--profile", "scale", "down", "--volumes", "--timeout", "0")


def containers(engine: Engine) -> set[str]:
    return set(engine.podman("ps", "--all", "--format", "{{.Names}}").split())


def test_up_and_down(compose: Compose, engine: Engine) -> None:
    before = containers(engine)
    compose("up", "--detach", "--no-build")
    wait_for(lambda: compose.answers("IRREPD_PORT", "/v1/health/ready"), "irrepd")
    (name,) = containers(engine) - before
    status, body = compose.ask("IRREPD_PORT", "POST", PREDICT, {"structures": [WATER]})
    assert status == 200 and json.loads(body)["results"][0]["status"] == "ok"
    memory = json.loads(compose.ask("IRREPD_PORT", "GET", "/v1/status")[1])["memory"]
    assert memory["limit_bytes"] == (1 << 30) * 7 // 8
    assert memory["limit_bytes"] // 4 < memory["budget_bytes"] < memory["limit_bytes"] // 2
    found = engine.inspect(name)
    host = found["HostConfig"]
    assert host["ReadonlyRootfs"] and host["Memory"] == 1 << 30 and host["PidsLimit"] == 512
    assert found["Config"]["User"] == "10001:10001" and not found["EffectiveCaps"]
    compose("stop", "--timeout", "60")
    assert engine.inspect(name)["State"]["ExitCode"] == 0
    compose("down")
    assert containers(engine) == before


def test_scale(compose: Compose, engine: Engine) -> None:
    """Three replicas behind HAProxy, seen by Prometheus; one stops and no request fails."""
    compose("--profile", "scale", "up", "--detach", "--no-build")
    wait_for(lambda: compose.answers("HAPROXY_PORT", "/v1/health/ready"), "HAProxy")
    wait_for(lambda: compose.answers("PROMETHEUS_PORT", "/-/ready"), "Prometheus")

    def up() -> float:
        query = "/api/v1/query?query=sum(up)"
        found = json.loads(compose.ask("PROMETHEUS_PORT", "GET", query)[1])["data"]["result"]
        return float(found[0]["value"][1]) if found else 0

    wait_for(lambda: up() == 4, "Prometheus to see three replicas and HAProxy")

    def predict() -> None:
        status, body = compose.ask("HAPROXY_PORT", "POST", PREDICT, {"structures": [WATER]})
        assert status == 200, body

    def stopping() -> bool:
        """Asks on until the replica is gone."""
        predict()
        return process.poll() is not None

    program = Path(sys.executable).parent / "podman-compose"
    command = [program, "-f", compose.file, "--profile", "scale", "stop", "irrepd-2"]
    process = subprocess.Popen(
        command,
        env={**engine.environment, **compose.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(stopping, "the stop of a replica")
    assert process.returncode == 0
    for _ in range(20):
        predict()
    wait_for(lambda: up() == 3, "Prometheus to miss it")
