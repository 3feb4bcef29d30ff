"""docker/Dockerfile as it is: built by buildah, run by podman with runc, hardened."""

from __future__ import annotations

import concurrent.futures
import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Key, crystal
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from engine import Engine, free_port, wait_for

PREDICT = "/v1/models/sevennet-0/predict"
SILICON = {
    "numbers": [14, 14],
    "positions": [[0, 0, 0], [1.3575, 1.3575, 1.3575]],
    "cell": [[0, 2.715, 2.715], [2.715, 0, 2.715], [2.715, 2.715, 0]],
}
HARDENED = ("--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--pull=never")


class Container:
    """irrepd as README's `docker run` starts it: read-only, on a bridge, its port on loopback."""

    def __init__(
        self,
        engine: Engine,
        image: str,
        key: Key,
        *flags: str,
        memory: str = "1g",
        cores: str = "2",
    ):
        self.engine, self.key, self.port = engine, key, free_port()
        self.name = f"irrepd-{self.port}"
        engine.podman(
            *("run", "--detach", "--name", self.name, *HARDENED),
            *("--memory", memory, "--cpus", cores),
            *("--publish", f"127.0.0.1:{self.port}:8421"),
            *("--volume", f"{key.file}:/run/secrets/keys:ro", image),
            *("--keys", "/run/secrets/keys", *flags),
        )
        wait_for(self.is_ready, "a container that is ready")

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        headers = {"Content-Type": "application/json", **self.key.headers}
        try:
            connection.request(method, path, body and json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def is_ready(self) -> bool:
        state = self.engine.inspect(self.name)["State"]
        assert state["Running"], self.engine.run("podman", "logs", self.name).stderr
        try:
            return self.ask("GET", "/v1/health/ready")[0] == 200
        except OSError:
            return False

    def remove(self) -> None:
        self.engine.podman("rm", "--force", "--time", "0", self.name)


@pytest.fixture(scope="module")
def full(engine: Engine) -> str:
    return engine.build("full")


@pytest.fixture(scope="module")
def container(engine: Engine, full: str, key: Key) -> Iterator[Container]:
    container = Container(engine, full, key)
    yield container
    container.remove()


def test_a_prediction_and_the_healthcheck(container: Container, engine: Engine) -> None:
    status, body = container.ask("POST", PREDICT, {"structures": [SILICON]})
    assert status == 200
    assert json.loads(body)["results"][0]["energy"] == pytest.approx(-10.80166, abs=1e-4)
    assert engine.run("podman", "healthcheck", "run", container.name).returncode == 0


def test_it_runs_with_no_rights(container: Container, engine: Engine) -> None:
    pid = engine.inspect(container.name)["State"]["Pid"]
    fields = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    assert fields["Uid"].split() == ["10001"] * 4 and fields["Gid"].split() == ["10001"] * 4
    assert {int(fields[f"Cap{x}"], 16) for x in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {0}
    assert fields["NoNewPrivs"] == "1"
    assert engine.inspect(container.name)["HostConfig"]["ReadonlyRootfs"]
    touched = engine.run("podman", "exec", container.name, "touch", "/models/x", check=False)
    assert touched.returncode != 0 and "Read-only" in touched.stderr


def test_without_keys_it_does_not_listen_to_all(engine: Engine, full: str) -> None:
    done = engine.run("podman", "run", "--rm", *HARDENED, full, check=False)
    assert done.returncode == 1 and "--keys or --allow-remote" in done.stderr


def test_the_healthcheck_fails_where_nothing_is_ready(engine: Engine, full: str) -> None:
    done = engine.run(
        *("podman", "run", "--rm", *HARDENED, full, "--healthcheck", "http://127.0.0.1:8421"),
        check=False,
    )
    assert done.returncode == 1 and done.stdout + done.stderr


def test_a_stop_drains(engine: Engine, full: str, key: Key) -> None:
    container = Container(engine, full, key, "--workers", "1")
    request = {"structures": [crystal(6)] * 3}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(container.ask, "POST", PREDICT, request)
        wait_for(
            lambda: json.loads(container.ask("GET", "/v1/status")[1])["batches_running"] > 0,
            "the computation",
        )
        engine.podman("stop", "--time", "60", container.name)
        status, body = answer.result()
    assert status == 200
    assert [x["status"] for x in json.loads(body)["results"]] == ["ok"] * 3
    assert engine.inspect(container.name)["State"]["ExitCode"] == 0
    container.remove()


def test_a_memory_limit_refuses_rather_than_dies(engine: Engine, full: str, key: Key) -> None:
    """The budget follows the limit; what fits queues for it, what does not is refused."""
    container = Container(engine, full, key, memory="512m", cores="0.5")
    state = json.loads(container.ask("GET", "/v1/status")[1])
    memory = state["memory"]
    assert memory["limit_bytes"] == (512 << 20) * 7 // 8 and state["workers"]["count"] == 1
    assert memory["limit_bytes"] // 4 < memory["budget_bytes"] < memory["limit_bytes"] // 2
    status, body = container.ask("POST", PREDICT, {"structures": [crystal(14)]})
    assert (status, json.loads(body)["retryable"]) == (422, False)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(
                lambda n: container.ask("POST", PREDICT, {"structures": [crystal(n)]}),
                [2, 4, 5, 14] * 8,
            )
        )
    assert {status for status, _ in answers} <= {200, 422, 429, 503}
    assert [status for status, _ in answers[::4]] == [200] * 8
    assert [status for status, _ in answers[3::4]] == [422] * 8
    state = engine.inspect(container.name)["State"]
    assert state["Running"] and not state["OOMKilled"]
    assert container.ask("POST", PREDICT, {"structures": [SILICON]})[0] == 200
    container.remove()


def test_the_minimal_image(engine: Engine, key: Key, full: str) -> None:
    """Nothing but the daemon: models from a volume, here those of the full image."""
    image = engine.build("minimal")
    assert engine.inspect(image)["Size"] < 60e6  # of which OpenBLAS is 34
    volume = f"irrepd-models-{time.time_ns()}"
    engine.podman("run", "--rm", "--volume", f"{volume}:/models", *HARDENED, full, "--version")
    port = free_port()
    name = f"irrepd-{port}"
    engine.podman(
        *("run", "--detach", "--name", name, *HARDENED, "--network=host"),
        *("--volume", f"{volume}:/models:ro", image, "--listen", f"127.0.0.1:{port}"),
    )
    address = f"http://127.0.0.1:{port}"
    ask = ("podman", "exec", name, "/usr/local/bin/irrepd", "--healthcheck", address)
    wait_for(lambda: engine.run(*ask, check=False).returncode == 0, "the minimal image")
    shell = engine.run("podman", "exec", name, "sh", check=False)
    assert shell.returncode != 0
    engine.podman("stop", "--time", "60", name)
    assert engine.inspect(name)["State"]["ExitCode"] == 0
    engine.podman("rm", name)
    engine.podman("volume", "rm", volume)


@pytest.mark.parametrize("target", ["full", "minimal"])
def test_the_bill_of_materials(engine: Engine, target: str, tmp_path: Path) -> None:
    image = engine.build(target)
    holder = engine.podman("create", image, "x")
    where = "/usr/share/doc/irrepd"
    engine.podman("cp", f"{holder}:{where}/sbom.cdx.json", tmp_path)
    engine.podman("rm", holder)
    text = (tmp_path / "sbom.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(text) is None
    bill = json.loads(text)
    names = {component["name"] for component in bill["components"]}
    assert {
        "libc6",
        "libmicrohttpd12",
        "libcjson1",
        "libuv1",
        "libgnutls30",
        "zlib1g",
        "libzstd1",
    } <= names
    assert {"libopenblas0-serial", "libsymspg1"} <= names
    assert ("dpkg" in names) == (target == "full")
    said = engine.podman("run", "--rm", *HARDENED, image, "--version")
    assert said == f"irrepd {bill['metadata']['component']['version']}"
    labels = engine.inspect(image)["Config"]["Labels"]
    assert labels["org.opencontainers.image.version"] == said.split()[1]
    assert labels["org.opencontainers.image.licenses"] == "MIT"


def test_the_same_inputs_give_the_same_layers(engine: Engine) -> None:
    """Compiled and installed a second time from nothing."""
    first = engine.inspect(engine.build("runtime"))["RootFS"]["Layers"]
    again = engine.inspect(engine.build("runtime", "--no-cache", tag="again"))["RootFS"]["Layers"]
    assert first == again


def test_the_test_stage(engine: Engine) -> None:
    engine.build("test")
