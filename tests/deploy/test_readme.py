"""docs/deploying.md, word for word, with podman and buildah under Docker's name."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from engine import EPOCH, ROOT, Engine, free_port, wait_for
from fleet import ask
from test_compose import HAPROXY, PROMETHEUS

PORTS = {"8421": "IRREPD_PORT", "8420": "HAPROXY_PORT", "9090": "PROMETHEUS_PORT"}
DOCKER = f"""#!/bin/sh
case $1 in
compose) shift; exec {Path(sys.executable).parent}/podman-compose "$@" ;;
build) shift; exec buildah bud --pull-never --layers --format docker --timestamp {EPOCH} "$@" ;;
*) exec podman "$@" ;;
esac
"""


def blocks() -> list[str]:
    """The blocks of commands of the page, in order."""
    chapter = (ROOT / "docs" / "deploying.md").read_text()
    return re.findall(r"^```\n(.*?)^```$", chapter, re.M | re.S)


class User:
    """Pastes blocks at the root of a tree of her own; ports are others where these are taken."""

    def __init__(self, engine: Engine, folder: Path):
        self.engine, self.tree = engine, folder / "tree"
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split("\0")
        for name in filter(None, listed):
            if (ROOT / name).is_file():
                (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.tree / name)
        programs = folder / "bin"
        programs.mkdir()
        (programs / "docker").write_text(DOCKER)
        (programs / "docker").chmod(0o755)
        self.ports = {usual: str(free_port()) for usual in PORTS}
        self.environment = {
            **engine.environment,
            **{PORTS[usual]: port for usual, port in self.ports.items()},
            "PATH": f"{programs}:{engine.environment['PATH']}",
            "HAPROXY_IMAGE": engine.build_from("localhost/haproxy:2.6", HAPROXY),
            "PROMETHEUS_IMAGE": engine.build_from("localhost/prometheus:v2.42.0", PROMETHEUS),
        }

    def paste(self, text: str, timeout: float = 900) -> str:
        for usual, port in self.ports.items():
            text = text.replace(f"127.0.0.1:{usual}", f"127.0.0.1:{port}")
        done = subprocess.run(
            ["bash", "-e", "-c", text],
            cwd=self.tree,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def answers(self, usual: str, path: str) -> bool:
        try:
            return ask(f"127.0.0.1:{self.ports[usual]}", "GET", path)[0] == 200
        except OSError:
            return False


@pytest.fixture
def user(engine: Engine, tmp_path: Path) -> Iterator[User]:
    engine.base()
    engine.podman("rm", "--force", "--time", "0", "irrepd", check=False)
    user = User(engine, tmp_path)
    yield user
    engine.podman("rm", "--force", "--time", "0", "irrepd", check=False)
    user.paste("docker compose -f docker/compose.yaml --profile scale down --volumes --timeout 0")


def test_images_and_compose(user: User, engine: Engine) -> None:
    image, compose, *_ = blocks()
    said = user.paste(image)
    answer, _ = json.JSONDecoder().raw_decode(said[said.index('{"model"') :])
    assert answer["results"][0]["status"] == "ok"
    assert engine.inspect("irrepd")["State"]["ExitCode"] == 0

    lines = compose.splitlines()
    assert len(lines) == 4
    user.paste("\n".join(lines[:2]))
    wait_for(lambda: user.answers("8421", "/v1/health/ready"), "irrepd")
    user.paste(lines[2])
    wait_for(lambda: user.answers("8420", "/v1/health/ready"), "HAProxy")
    wait_for(lambda: user.answers("9090", "/-/ready"), "Prometheus")
    begun = time.monotonic()
    user.paste(lines[3])
    assert time.monotonic() - begun < 60
    assert not user.answers("8420", "/v1/health/ready")


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")
def test_haproxy(tmp_path: Path) -> None:
    (command,) = [block for block in blocks() if "haproxy -f" in block]
    done = subprocess.run(
        ["bash", "-c", command.replace("haproxy -f", "haproxy -c -f")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0 and "valid" in done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed here")
def test_kubernetes() -> None:
    (command,) = [block for block in blocks() if "kubectl" in block]
    folder = command.split("-k ")[1].strip()
    done = subprocess.run(
        ["kubectl", "kustomize", folder], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    kinds = {x["kind"] for x in yaml.safe_load_all(done.stdout)}
    assert {"Deployment", "Service", "PodDisruptionBudget", "ConfigMap", "Secret"} <= kinds
