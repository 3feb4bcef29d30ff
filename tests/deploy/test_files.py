"""The files of docker/ by the tools that know them. Builds nothing, starts nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
KUBERNETES = DOCKER / "kubernetes"
OVERLAYS = ["base", *(f"overlays/{x.name}" for x in sorted((KUBERNETES / "overlays").iterdir()))]


def run(*command: object, **environment: str) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{command}: exit status {done.returncode}\n{said}"
    return said


def tool(name: str) -> Path:
    """A program of the tests' own environment."""
    return Path(sys.executable).parent / name


def system_tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed here")
    return found


def test_dockerfile() -> None:
    run(tool("hadolint"), DOCKER / "Dockerfile")


def test_compose(tmp_path: Path) -> None:
    """Images by tag, not digest, is what remains (CL-0019): who pulls them pins them.

    A copy is judged, because the linter minds where the file lies (below the superuser's home).
    """
    copy = shutil.copy(DOCKER / "compose.yaml", tmp_path)
    said = run(tool("compose-lint"), "check", "--format", "json", copy)
    rules = set(re.findall(r"CL-\d{4}", said))
    assert rules <= {"CL-0019"}, said


def test_compose_services() -> None:
    services = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    assert set(services) == {"irrepd", "irrepd-2", "irrepd-3", "haproxy", "prometheus"}
    assert [n for n, x in services.items() if "profiles" not in x] == ["irrepd"]
    for name, service in services.items():
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"] and service["cpus"] and service["pids_limit"], name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
    assert services["irrepd"]["user"] == "10001:10001"


def flags() -> set[str]:
    help_text = run(ROOT / "build" / "irrepd", "--help")
    return set(re.findall(r"^  --([a-z-]+)", help_text, re.M))


def test_flags_exist() -> None:
    """Each IRREPD_ variable and each key of a configuration file is a flag."""
    known = flags()
    services = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    variables = {x for service in services.values() for x in service.get("environment", {})}
    variables |= set(re.findall(r"\bIRREPD_[A-Z_]+(?==)", (DOCKER / "Dockerfile").read_text()))
    named = {x[len("IRREPD_") :].lower().replace("_", "-") for x in variables if x[:7] == "IRREPD_"}
    assert {"listen", "models", "keys", "drain-delay-ms"} <= named <= known
    for file in KUBERNETES.rglob("config.json"):
        assert set(json.loads(file.read_text())) <= known, file


def test_times_of_a_stop_fit() -> None:
    """Who stops a daemon waits longer than the daemon takes."""
    service = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]["irrepd"]
    told = {k: v for k, v in service["environment"].items() if k.startswith("IRREPD_DRAIN")}
    seconds = {k: int(re.sub(r"\$\{.*:-(\d+)\}", r"\1", v)) / 1000 for k, v in told.items()}
    assert sum(seconds.values()) < int(service["stop_grace_period"].rstrip("s"))
    haproxy = (DOCKER / "haproxy" / "haproxy.cfg").read_text()
    inter, fall = re.findall(r"check inter (\d+)ms fall (\d+)", haproxy)[0]
    assert seconds["IRREPD_DRAIN_DELAY_MS"] > 2 * int(inter) * int(fall) / 1000


def test_times_of_a_pods_stop_fit() -> None:
    """A pod is out of the Service before it drains, and drains before it is killed."""
    for overlay in OVERLAYS:
        workloads = [x for x in resources(overlay) if x["kind"] in ("Deployment", "StatefulSet")]
        (workload,) = [x for x in workloads if x["metadata"]["name"] == "irrepd"]
        pod = workload["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        probe = container["readinessProbe"]
        assert pause > probe["periodSeconds"] * probe["failureThreshold"]
        drain = json.loads((KUBERNETES / "base" / "config.json").read_text())["drain-timeout-ms"]
        assert pause + drain / 1000 < pod["terminationGracePeriodSeconds"]


def test_haproxy() -> None:
    haproxy = system_tool("haproxy")
    for routing in ("load", "model"):
        addresses = {f"REPLICA_{n}": f"127.0.0.1:{8420 + n}" for n in (1, 2, 3)}
        file = DOCKER / "haproxy" / "haproxy.cfg"
        said = run(haproxy, "-c", "-f", file, ROUTING=routing, **addresses)
        assert "valid" in said and "WARNING" not in said


def test_haproxy_listens_on_this_machine() -> None:
    """Unless told otherwise; its own network is a container's or a pod's matter."""
    text = (DOCKER / "haproxy" / "haproxy.cfg").read_text()
    assert re.findall(r"presetenv (?:LISTEN|METRICS) (\S+):\d+", text) == ["127.0.0.1"] * 2
    assert re.findall(r"^  bind (.*)", text, re.M) == ['"${LISTEN}"', '"${METRICS}"']


def test_pods_are_closed() -> None:
    """Every kind of pod has a policy that names who may come in, and where it may go."""
    for overlay in OVERLAYS:
        found = resources(overlay)
        pods = {
            x["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"]
            for x in found
            if x["kind"] in ("Deployment", "StatefulSet")
        }
        policies = [x["spec"] for x in found if x["kind"] == "NetworkPolicy"]
        closed = {
            x["podSelector"]["matchLabels"]["app.kubernetes.io/name"]
            for x in policies
            if set(x["policyTypes"]) == {"Ingress", "Egress"}
        }
        assert pods == closed, overlay


def test_images_of_others_are_named_by_digest() -> None:
    named = {
        container["image"]
        for path in KUBERNETES.rglob("*.yaml")
        for document in yaml.safe_load_all(path.read_text())
        if document and document.get("kind") in ("Deployment", "StatefulSet", "DaemonSet", "Job")
        for container in document["spec"]["template"]["spec"]["containers"]
    }
    assert {name.partition(":")[0] for name in named} == {"irrepd", "haproxy"}
    named.remove("irrepd")  # whoever deploys it names the one that he has pushed
    assert all(re.fullmatch(r"[a-z]+:[0-9.]+@sha256:[0-9a-f]{64}", name) for name in named)


def test_prometheus() -> None:
    promtool = system_tool("promtool")
    folder = DOCKER / "prometheus"
    run(promtool, "check", "config", "--syntax-only", folder / "prometheus.yml")
    run(promtool, "check", "rules", folder / "rules.yml")
    run(promtool, "test", "rules", folder / "rules_test.yml")


def expressions() -> list[str]:
    """Every query of rules, dashboard and autoscalers."""
    rules = yaml.safe_load((DOCKER / "prometheus" / "rules.yml").read_text())
    found = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    dashboard = json.loads((DOCKER / "grafana" / "irrepd.json").read_text())
    found += [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    scaled = yaml.safe_load((KUBERNETES / "overlays/keda/scaledobject.yaml").read_text())
    found += [trigger["metadata"]["query"] for trigger in scaled["spec"]["triggers"]]
    scaler = yaml.safe_load((KUBERNETES / "overlays/hpa/horizontalpodautoscaler.yaml").read_text())
    found += [metric["pods"]["metric"]["name"] for metric in scaler["spec"]["metrics"]]
    adapter = yaml.safe_load((KUBERNETES / "overlays/hpa/adapter-rules.yaml").read_text())
    return found + [rule["seriesQuery"] for rule in adapter["rules"]["custom"]]


def test_metrics_exist() -> None:
    """Queries name what server/base/metrics.c gives, or what a rule records."""
    source = (ROOT / "server" / "base" / "metrics.c").read_text()
    given = re.findall(r'X\(\w+, (\w+),\s*\\?\s*"(\w+)"', source)
    names = {f"irrepd_{name}" for kind, name in given if kind in ("COUNTER", "GAUGE")}
    for kind, name in given:
        if kind in ("SECONDS", "SIZES"):
            names |= {f"irrepd_{name}_{suffix}" for suffix in ("bucket", "sum", "count")}
    rules = yaml.safe_load((DOCKER / "prometheus" / "rules.yml").read_text())
    names |= {rule["record"] for g in rules["groups"] for rule in g["rules"] if "record" in rule}
    used = {x for query in expressions() for x in re.findall(r"\birrepd[_:][\w:]+", query)}
    assert len(names) > 30 and len(used) > 15
    assert used <= names


def test_every_alert_is_tested() -> None:
    rules = yaml.safe_load((DOCKER / "prometheus" / "rules.yml").read_text())
    alerts = {rule["alert"] for g in rules["groups"] for rule in g["rules"] if "alert" in rule}
    tests = yaml.safe_load((DOCKER / "prometheus" / "rules_test.yml").read_text())["tests"]
    fired = {x["alertname"] for t in tests for x in t.get("alert_rule_test", ()) if x["exp_alerts"]}
    assert fired == alerts


def kustomize(overlay: str) -> str:
    return run(
        *(system_tool("kubectl"), "kustomize", "--load-restrictor", "LoadRestrictionsNone"),
        KUBERNETES / overlay,
    )


def resources(overlay: str) -> list[dict[str, Any]]:
    return [x for x in yaml.safe_load_all(kustomize(overlay)) if x]


def test_kubernetes(tmp_path: Path) -> None:
    """Each resource fits its schema, but KEDA's own, whose schema is not Kubernetes'."""
    files = [tmp_path / f"{overlay.replace('/', '-')}.yaml" for overlay in OVERLAYS]
    for overlay, file in zip(OVERLAYS, files):
        file.write_text(kustomize(overlay))
    said = run(tool("kubernetes-validate"), "--strict", *files)
    assert re.findall(r"find schema for kind (\w+)", said) == ["ScaledObject"]
    assert len(re.findall(r"passed for resource", said)) >= 7 * len(files)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubernetes_names_fit(overlay: str) -> None:
    """What resources say of each other: selectors, ports, scaled objects, mounted volumes."""
    found = resources(overlay)
    pods = [x for x in found if x["kind"] in ("Deployment", "StatefulSet")]
    labels = [x["spec"]["template"]["metadata"]["labels"] for x in pods]
    for x in found:
        spec = x.get("spec", {})
        if x["kind"] == "Service":
            assert spec["selector"] in labels
        if x["kind"] == "PodDisruptionBudget":
            assert spec["selector"]["matchLabels"] in labels
        if x["kind"] == "NetworkPolicy":
            assert spec["podSelector"]["matchLabels"] in labels
            rules = [rule for rule in spec.get("egress", []) if "podSelector" in rule["to"][0]]
            assert all(rule["to"][0]["podSelector"]["matchLabels"] in labels for rule in rules)
        if "scaleTargetRef" in spec:
            assert spec["scaleTargetRef"]["name"] in [pod["metadata"]["name"] for pod in pods]
            assert all("replicas" not in pod["spec"] for pod in pods)
    names = {(x["kind"], x["metadata"]["name"]) for x in found}
    for pod in pods:
        spec = pod["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        assert spec["securityContext"]["runAsNonRoot"] and not spec["automountServiceAccountToken"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
        assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)
        assert not [a for a in mounts for b in mounts if a.startswith(b + "/")]
        for volume in volumes.values():
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in names
            if "secret" in volume:
                assert ("Secret", volume["secret"]["secretName"]) in names
