"""HAProxy before three real replicas: they drain, die, are replaced, cut off; no request fails."""

from __future__ import annotations

import json
import shutil
import signal
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from conftest import Key, crystal
from engine import ROOT, free_port, wait_for, why_not
from fleet import DAEMON, HAProxy, Load, Process, Replica, ask
from network import NotPermitted, run

PREDICT = "/v1/models/sevennet-0/predict"
FLAGS = ("--workers", "1", "--drain-delay-ms", "2000", "--drain-timeout-ms", "110000")

pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")


@pytest.fixture
def ending() -> Iterator[Callable[[Process], Process]]:
    """Registers what is ended with the test, the last first."""
    started: list[Process] = []

    def register(process: Process) -> Process:
        started.append(process)
        return process

    yield register
    for process in reversed(started):
        process.end()


@pytest.fixture
def fleet(tmp_path: Path, ending: Callable[[Process], Process]) -> Callable[..., list[Replica]]:
    def start(n: int, *flags: object, **more: object) -> list[Replica]:
        replicas = [Replica(tmp_path, *flags, **more) for _ in range(n)]  # type: ignore[arg-type]
        for replica in replicas:
            ending(replica)
        for replica in replicas:
            wait_for(replica.is_ready, "a replica")
        return replicas

    return start


def newer_version(folder: Path) -> tuple[Path, str]:
    """The daemon under another version, as an upgrade would bring it."""
    said = subprocess.run([DAEMON, "--version"], capture_output=True, text=True, check=True).stdout
    version = said.split()[1]
    other = version[:-1] + ("9" if version[-1] != "9" else "8")
    program = folder / "irrepd"
    program.write_bytes(DAEMON.read_bytes().replace(version.encode(), other.encode()))
    program.chmod(0o755)
    return program, other


def test_no_request_fails(
    tmp_path: Path, fleet: Callable[..., list[Replica]], ending: Callable[[Process], Process]
) -> None:
    """Inferences of seconds; a replica is replaced by a new version, one is killed, one drains."""
    replicas = fleet(3, *FLAGS)
    proxy = HAProxy(tmp_path, [replica.address for replica in replicas])
    ending(proxy)
    load = Load(proxy.address, PREDICT, [crystal(7), crystal(8)]).start(6)

    def busy(replica: Replica) -> bool:
        state = json.loads(ask(replica.address, "GET", "/v1/status")[1])
        return state["batches_running"] > 0

    wait_for(lambda: len(load.answers) >= 6, "answers")

    first = replicas[0]
    program, version = newer_version(tmp_path)
    wait_for(lambda: busy(first), "a computation to drain")
    first.signal(signal.SIGTERM)
    assert first.wait() == 0
    new = ending(Replica(tmp_path, *FLAGS, port=first.port, program=program))
    assert isinstance(new, Replica)
    wait_for(new.is_ready, "the new version")
    assert json.loads(ask(new.address, "GET", "/v1/status")[1])["version"] == version

    second = replicas[1]
    wait_for(lambda: busy(second), "a computation to kill")
    second.signal(signal.SIGKILL)
    second.wait()
    wait_for(lambda: proxy.lost(2), "HAProxy to notice")
    back = ending(Replica(tmp_path, *FLAGS, port=second.port))
    assert isinstance(back, Replica)
    wait_for(back.is_ready, "the killed one")
    wait_for(lambda: busy(back), "work for who came back")

    third = replicas[2]
    wait_for(lambda: busy(third), "a computation to drain")
    third.signal(signal.SIGTERM)
    assert third.wait() == 0
    answered = len(load.answers)
    wait_for(lambda: len(load.answers) >= answered + 6, "answers by two replicas")
    assert busy(new)

    load.finish()
    seconds = load.check()
    median = statistics.median(seconds)
    print(f"\n{len(seconds)} answers, median {median:.1f} s, longest {max(seconds):.1f} s")
    assert len(seconds) > 20


def test_models_stay_on_few_replicas(
    tmp_path: Path, fleet: Callable[..., list[Replica]], ending: Callable[[Process], Process]
) -> None:
    """ROUTING=model: a name goes to one replica; without it, to another, and the others stay."""
    models = tmp_path / "models"
    models.mkdir()
    for n in range(12):
        shutil.copy(ROOT / "models" / "schnet-small.safetensors", models / f"m{n}.safetensors")
    replicas = fleet(3, "--on-demand", models=models)
    proxy = ending(HAProxy(tmp_path, [replica.address for replica in replicas], routing="model"))
    assert isinstance(proxy, HAProxy)
    water = {"numbers": [8, 1, 1], "positions": [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]}

    def ask_for_all() -> None:
        for n in range(12):
            for _ in range(3):
                path = f"/v1/models/m{n}/predict"
                # Where it still counts the last request, the next one may be more than the share
                # of a replica.
                wait_for(proxy.is_idle, "the end of the last request")
                status, body = ask(proxy.address, "POST", path, {"structures": [water]})
                assert status == 200, body

    def residents() -> list[set[str]]:
        found = []
        for replica in replicas:
            if replica.process.poll() is not None:
                continue
            state = json.loads(ask(replica.address, "GET", "/v1/status")[1])
            found.append({x["name"] for x in state["models"] if x["state"] == "ready"})
        return found

    ask_for_all()
    before = residents()
    assert sum(len(names) for names in before) == 12
    assert len(set.union(*before)) == 12 and all(len(names) < 12 for names in before)

    lost = max(range(3), key=lambda n: len(before[n]))
    replicas[lost].signal(signal.SIGKILL)
    replicas[lost].wait()
    ask_for_all()
    after = residents()
    kept = [names for n, names in enumerate(before) if n != lost]
    assert all(old <= new for old, new in zip(kept, after))
    moved = set.union(*(new - old for old, new in zip(kept, after)))
    assert moved == before[lost]


@pytest.fixture
def namespaces() -> Iterator[tuple[list[str], list[str], str]]:
    """Two network namespaces with a cable between: commands to run in each, the far address."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    near, far = (f"irrepd-{side}-{free_port()}" for side in ("near", "far"))
    commands = [
        f"ip netns add {near}",
        f"ip netns add {far}",
        f"ip -n {near} link add cable type veth peer name cable netns {far}",
        f"ip -n {near} address add 198.18.0.1/30 dev cable",
        f"ip -n {far} address add 198.18.0.2/30 dev cable",
        *(f"ip -n {name} link set {link} up" for name in (near, far) for link in ("lo", "cable")),
    ]
    try:
        inside = [["ip", "netns", "exec", name] for name in (near, far)]
        try:
            for command in [*(command.split() for command in commands), [*inside[0], "true"]]:
                run(*command)
        except NotPermitted as reason:
            pytest.skip(str(reason))
        yield inside[0], inside[1], "198.18.0.2"
    finally:
        for name in (near, far):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)


def test_a_network_partition(
    tmp_path: Path,
    namespaces: tuple[list[str], list[str], str],
    ending: Callable[[Process], Process],
) -> None:
    """Packets of one replica vanish while it computes; its requests are answered by others."""
    near, far, host = namespaces
    replicas = [Replica(tmp_path, *FLAGS, inside=near) for _ in range(2)]
    replicas.append(Replica(tmp_path, *FLAGS, "--allow-remote", host=host, inside=far))
    for replica in replicas:
        ending(replica)
    for replica in replicas:
        wait_for(replica.is_ready, "a replica")
    socket_path = str(tmp_path / "haproxy.sock")
    addresses = [replica.address for replica in replicas]
    proxy = HAProxy(tmp_path, addresses, listen=socket_path, inside=near)
    ending(proxy)
    load = Load(proxy.address, PREDICT, [crystal(6)]).start(6)

    def computed_far() -> int:
        done = subprocess.run(
            [*far, "curl", "-s", f"http://{replicas[2].address}/v1/status"],
            capture_output=True,
            timeout=30,
        )
        return int(json.loads(done.stdout)["batches_running"])

    def firewall(*rule: str) -> None:
        subprocess.run([*far, "nft", *rule], check=True, capture_output=True)

    wait_for(lambda: len(load.answers) >= 6 and computed_far() > 0, "a computation behind it")
    firewall("add", "table", "inet", "cut")
    for hook, way in (("input", "iif"), ("output", "oif")):
        chain = ("inet", "cut", hook)
        firewall("add", "chain", *chain, f"{{ type filter hook {hook} priority 0; }}")
        firewall("add", "rule", *chain, way, "cable", "drop")
    wait_for(lambda: proxy.lost(3), "HAProxy to notice")
    answered = len(load.answers)
    wait_for(lambda: len(load.answers) >= answered + 8, "answers by two replicas")
    firewall("delete", "table", "inet", "cut")
    wait_for(lambda: not proxy.lost(3) and computed_far() > 0, "work for who came back")
    load.finish()
    seconds = load.check()
    print(f"\n{len(seconds)} answers, longest {max(seconds):.1f} s")
    assert max(seconds) < 60


def prometheus_files(folder: Path, key: Key, replicas: list[str], haproxy: str) -> Path:
    """docker/prometheus/ with the addresses of here, and looking every second."""
    source = ROOT / "docker" / "prometheus"
    shutil.copy(source / "rules.yml", folder)
    secret = folder / "key"
    secret.write_text(key.secret + "\n")
    config = yaml.safe_load((source / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    for job in config["scrape_configs"]:
        targets = replicas if job["job_name"] == "irrepd" else [haproxy]
        job["static_configs"] = [{"targets": targets}]
        if "authorization" in job:
            job["authorization"] = {"credentials_file": str(secret)}
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    return file


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed")
def test_prometheus_sees_it_and_an_alert_fires(
    tmp_path: Path,
    key: Key,
    fleet: Callable[..., list[Replica]],
    ending: Callable[[Process], Process],
) -> None:
    replicas = fleet(3, "--workers", "1", "--keys", key.file)
    addresses = [replica.address for replica in replicas]
    proxy = ending(HAProxy(tmp_path, addresses))
    assert isinstance(proxy, HAProxy)
    config = prometheus_files(tmp_path, key, addresses, proxy.metrics)
    address = f"127.0.0.1:{free_port()}"
    flags = {"config.file": config, "storage.tsdb.path": tmp_path / "data"}
    command = ["prometheus", *(f"--{k}={v}" for k, v in flags.items())]
    ending(Process(tmp_path / "prometheus.log", [*command, f"--web.listen-address={address}"]))

    def query(text: str) -> list[tuple[dict[str, str], float]]:
        try:
            status, body = ask(address, "GET", f"/api/v1/query?query={text}")
        except OSError:
            return []
        if status != 200:
            return []
        found = json.loads(body)["data"]["result"]
        return [(x["metric"], float(x["value"][1])) for x in found]

    load = Load(proxy.address, PREDICT, [crystal(2)], key.headers).start(2)
    wait_for(lambda: query("sum(up)") == [({}, 4.0)], "three replicas and HAProxy")
    wait_for(lambda: query("sum(haproxy_server_status)"), "HAProxy's metrics")
    wait_for(lambda: [x for x in query("irrepd:structures:rate1m") if x[1] > 0], "a rate")
    assert query("irrepd:memory_planned:ratio")
    assert not query("ALERTS")

    replicas[2].signal(signal.SIGKILL)
    replicas[2].wait()
    begun = time.monotonic()
    firing = wait_for(lambda: query('ALERTS{alertstate="firing"}'), "the alert", patience=120)
    assert [x["alertname"] for x, _ in firing] == ["IrrepdDown"]
    assert firing[0][0]["instance"] == replicas[2].address
    assert time.monotonic() - begun > 50  # `for: 1m`, not at once
    load.finish()
    load.check()
