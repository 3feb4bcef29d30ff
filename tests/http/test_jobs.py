"""Jobs: relaxations and dynamics that go on by themselves and outlive the daemon."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import signal
import struct
from pathlib import Path
from typing import Any

import pytest
from conftest import MODELS, PATIENCE, Answer, Daemon, Factory, kind, pointer
from trajectories import (
    JSON,
    diamond,
    events,
    follow,
    lines,
    md,
    move,
    of_structure,
    relax,
    water,
)

from irrepd import binary, safetensors

ASYNC = {**JSON, "Prefer": "respond-async"}
ENDLESS = {"steps": 10_000_000, "ensemble": "nve"}
SHORT = {"fmax": 0.05, "max_steps": 30, "trajectory": 1}


def start_job(daemon: Daemon, body: dict[str, Any], headers: dict[str, str] | None = None) -> str:
    answer = move(daemon, body, {**ASYNC, **(headers or {})})
    assert answer.status == 202, answer.body
    assert answer.headers["preference-applied"] == "respond-async"
    found = re.fullmatch(r"/v1/jobs/([0-9a-f]{32})", answer.headers["location"])
    assert found and answer.json()["id"] == found[1]
    return found[1]


def card(daemon: Daemon, job: str) -> dict[str, Any]:
    answer = daemon.ask("GET", f"/v1/jobs/{job}")
    assert answer.status == 200, answer.body
    return answer.json()


def act(daemon: Daemon, job: str, action: str) -> Answer:
    return daemon.ask("POST", f"/v1/jobs/{job}", json.dumps({"action": action}).encode(), JSON)


def frames(daemon: Daemon, job: str, start: int = 0) -> list[dict[str, Any]]:
    """To the end of the job."""
    return lines(daemon.ask("GET", f"/v1/jobs/{job}/frames?from={start}"))


def n_frames(told: list[dict[str, Any]]) -> int:
    return sum(x["event"] == "frame" for x in told)


def behind(told: list[dict[str, Any]], start: int) -> list[dict[str, Any]]:
    """What came behind so many frames."""
    at = 0
    while start > 0:
        start -= told[at]["event"] == "frame"
        at += 1
    return told[at:]


def wait_for(daemon: Daemon, job: str, state: str) -> dict[str, Any]:
    daemon.wait_for(lambda: card(daemon, job)["state"] == state, state)
    return card(daemon, job)


def steps(daemon: Daemon, job: str) -> int:
    return card(daemon, job)["steps"]


def told(daemon: Daemon, job: str) -> int:
    return card(daemon, job)["events"]


def test_a_job(daemon: Daemon) -> None:
    body = relax([diamond(1), water(2)], **SHORT)
    job = start_job(daemon, body)
    found = wait_for(daemon, job, "done")
    assert found["kind"] == "relax" and found["model"] == "mace-small"
    assert found["structures"] == found["structures_ended"] == found["converged"] == 2
    assert found["created"] and found["ended"] and found["reason"] == ""
    kept = frames(daemon, job)
    assert found["events"] == len(kept) and found["frames"] == n_frames(kept)
    assert kept[-1] == {
        "event": "end",
        "state": "done",
        "structures": 2,
        "converged": 2,
        "failed": 0,
    }
    streamed = events(daemon, body)
    for i in range(2):
        assert of_structure(kept, i) == of_structure(streamed, i)
    for start in range(found["frames"] + 1):
        assert frames(daemon, job, start) == behind(kept, start)
    assert frames(daemon, job, found["frames"] + 9) == kept[-1:]
    assert job in [x["id"] for x in daemon.ask("GET", "/v1/jobs").json()["jobs"]]
    assert daemon.ask("DELETE", f"/v1/jobs/{job}").status == 204
    for method, path in (("GET", ""), ("GET", "/frames"), ("DELETE", "")):
        answer = daemon.ask(method, f"/v1/jobs/{job}{path}")
        assert answer.status == 404 and kind(answer) == "unknown-job"


def test_following_pausing_cancelling(start: Factory) -> None:
    daemon = start("--workers", "1").wait_ready()
    job = start_job(daemon, md([water(1), water(2)], every=1, **ENDLESS))
    connection = daemon.connection()
    connection.request("GET", f"/v1/jobs/{job}/frames")
    told_on = follow(connection.getresponse())
    first = [next(told_on) for _ in range(50)]
    assert {x["event"] for x in first} == {"frame"}
    running = wait_for(daemon, job, "running")
    assert running["steps_wanted"] == 2 * ENDLESS["steps"]
    assert len(running["energies"]) == len(running["temperatures"]) == 2
    assert daemon.metric("jobs", kind="md", state="running") == 1
    assert act(daemon, job, "pause").json()["state"] == "paused"

    def stands_still() -> bool:
        before = steps(daemon, job)
        assert move(daemon, relax([water(1)], fmax=0.05)).status == 200
        return steps(daemon, job) == before

    daemon.wait_for(stands_still, "a paused job to stand still")
    before = steps(daemon, job)
    assert act(daemon, job, "pause").status == 200  # once more
    assert act(daemon, job, "resume").json()["state"] == "running"
    daemon.wait_for(lambda: steps(daemon, job) > before, "steps")
    assert act(daemon, job, "checkpoint").status == 200
    cancelled = daemon.ask("DELETE", f"/v1/jobs/{job}")
    assert cancelled.status == 200 and cancelled.json()["state"] == "cancelled"
    last = [*told_on][-1]
    assert last["event"] == "end" and last["state"] == "cancelled"
    assert act(daemon, job, "resume").status == 409
    assert daemon.ask("DELETE", f"/v1/jobs/{job}").status == 204
    assert daemon.metric("jobs", kind="md", state="cancelled") == 0
    assert daemon.metric("queue_structures") == 0


def test_bad_requests(daemon: Daemon) -> None:
    for body, status in ((relax([diamond(1)], fmax=-1), 422), (relax([], fmax=1), 422)):
        answer = move(daemon, body, ASYNC)
        assert answer.status == status and "location" not in answer.headers
    assert daemon.ask("GET", "/v1/jobs/nobody").status == 404
    assert daemon.ask("GET", "/v1/jobs/" + 32 * "0").status == 404
    job = start_job(daemon, relax([water(1)], fmax=0.05))
    wait_for(daemon, job, "done")
    for body in (b"", b"[]", b"{}", b'{"action":"stop"}', b'{"action":"pause","x":1}'):
        assert daemon.ask("POST", f"/v1/jobs/{job}", body, JSON).status in (400, 422)
    assert act(daemon, job, "pause").status == 409
    for start in ("x", "-1", "", "1e3"):
        answer = daemon.ask("GET", f"/v1/jobs/{job}/frames?from={start}")
        assert answer.status == 422 and pointer(answer) == "#/from"
    assert daemon.ask("PUT", f"/v1/jobs/{job}").headers["allow"] == "GET, HEAD, POST, DELETE"
    assert daemon.ask("DELETE", f"/v1/jobs/{job}").status == 204


def test_a_fault_of_one_is_its_own(daemon: Daemon) -> None:
    job = start_job(daemon, relax([water(1), {"numbers": [118], "positions": [[0, 0, 0]]}]))
    found = wait_for(daemon, job, "done")
    assert (found["converged"], found["failed"]) == (1, 1)
    (error,) = [x for x in frames(daemon, job) if x["event"] == "error"]
    assert error["structure"] == 1 and error["error"]["type"] == "urn:irrepd:unknown-element"


def test_quotas(start: Factory, tmp_path: Path) -> None:
    quotas = ("--max-jobs", "3", "--max-jobs-client", "2", "--jobs", str(tmp_path / "jobs"))
    daemon = start(*quotas).wait_ready()
    body = md([water(1)], **ENDLESS)
    jobs = [start_job(daemon, body) for _ in range(2)]
    answer = move(daemon, body, ASYNC)
    assert answer.status == 429 and kind(answer) == "client-quota"
    for job in jobs:
        assert daemon.ask("DELETE", f"/v1/jobs/{job}").status == 200
    start_job(daemon, body)
    answer = move(daemon, body, ASYNC)
    assert answer.status == 503 and kind(answer) == "too-many-jobs"
    assert daemon.ask("DELETE", f"/v1/jobs/{jobs[0]}").status == 204
    start_job(daemon, body)


def test_in_memory_what_has_ended_gives_way(start: Factory) -> None:
    """The first to end goes first, and is not found any more; those that run stay."""
    daemon = start("--max-jobs", "3").wait_ready()
    ended = [start_job(daemon, relax([water(i)], fmax=0.05)) for i in range(2)]
    for job in ended:
        wait_for(daemon, job, "done")
        frames(daemon, job)
    running = [start_job(daemon, md([water(1)], **ENDLESS)) for _ in range(2)]
    assert [daemon.ask("GET", f"/v1/jobs/{job}").status for job in ended] == [404, 200]
    assert daemon.metric("jobs_forgotten_total", reason="room") == 1
    running.append(start_job(daemon, md([water(1)], **ENDLESS)))
    assert daemon.ask("GET", f"/v1/jobs/{ended[1]}").status == 404
    answer = move(daemon, md([water(1)], **ENDLESS), ASYNC)
    assert answer.status == 503 and kind(answer) == "too-many-jobs"
    assert {card(daemon, job)["state"] for job in running} == {"running"}


def test_disk_quota(start: Factory, tmp_path: Path) -> None:
    """What finds no room stands still, says why, and goes on when there is some."""
    folder = tmp_path / "jobs"
    daemon = start("--jobs", str(folder), "--jobs-bytes", "2M").wait_ready()
    done = start_job(daemon, md([water(1)], every=1, steps=4000))
    wait_for(daemon, done, "done")
    job = start_job(daemon, md([water(1)], every=1, steps=4000))
    paused = wait_for(daemon, job, "paused")
    assert "--jobs-bytes" in paused["reason"]
    assert daemon.ask("DELETE", f"/v1/jobs/{done}").status == 204
    act(daemon, job, "resume")
    wait_for(daemon, job, "done")
    assert [x["step"] for x in frames(daemon, job)[:-2]] == list(range(4001))
    assert [x.get("step") for x in frames(daemon, job, 3999)] == [3999, 4000, None, None]
    daemon.wait_for(lambda: not (folder / done).exists(), "its files to go")


def test_age(start: Factory, tmp_path: Path) -> None:
    daemon = start("--jobs", str(tmp_path / "jobs"), "--jobs-age", "1").wait_ready()
    job = start_job(daemon, relax([water(1)], fmax=0.05))
    daemon.wait_for(lambda: daemon.ask("GET", f"/v1/jobs/{job}").status == 404, "its end")
    daemon.wait_for(lambda: not (tmp_path / "jobs" / job).exists(), "its files to go")


def kill(start: Factory, daemon: Daemon) -> None:
    daemon.process.kill()
    daemon.process.wait(PATIENCE)
    daemon.check_log()
    start.made[start.made.index(daemon)].end = lambda: None  # type: ignore[method-assign]


def test_keys(start: Factory, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    text = "".join(
        f"{name} predict {hashlib.sha256(secret.encode()).hexdigest()}\n"
        for name, secret in (("alice", "a" * 20), ("bob", "b" * 20))
    )
    keys.write_text(text)
    keys.chmod(0o600)
    flags = ("--keys", str(keys), "--jobs", str(tmp_path / "jobs"))
    daemon = start(*flags).wait_ready()
    alice = {"Authorization": "Bearer " + "a" * 20}
    bob = {"Authorization": "Bearer " + "b" * 20}
    assert move(daemon, relax([water(1)]), ASYNC).status == 401
    job = start_job(daemon, md([water(1)], **ENDLESS), alice)

    def seen(headers: dict[str, str]) -> bool:
        listed = daemon.ask("GET", "/v1/jobs", None, headers).json()["jobs"]
        status = daemon.ask("GET", f"/v1/jobs/{job}", None, headers).status
        assert (status == 200) == bool(listed)
        return status == 200

    assert seen(alice) and not seen(bob)
    for method, path in (("GET", "/frames"), ("DELETE", "")):
        assert daemon.ask(method, f"/v1/jobs/{job}{path}", None, bob).status == 404
    assert daemon.ask("GET", f"/v1/jobs/{job}").status == 401
    kill(start, daemon)
    daemon = start(*flags).wait_ready()
    assert seen(alice) and not seen(bob)  # after a restart too


def test_a_drain_saves_and_a_restart_goes_on(start: Factory, tmp_path: Path) -> None:
    flags = ("--jobs", str(tmp_path / "jobs"), "--workers", "2")
    body = md([water(i) for i in range(5)], every=10, steps=3000)
    daemon = start(*flags).wait_ready()
    job, paused = start_job(daemon, body), start_job(daemon, body)
    daemon.wait_for(lambda: steps(daemon, job) > 200, "steps")
    act(daemon, paused, "pause")
    daemon.signal()
    assert daemon.wait() == 0
    daemon = start(*flags).wait_ready()
    assert card(daemon, paused)["state"] == "paused"
    wait_for(daemon, job, "done")
    act(daemon, paused, "resume")
    wait_for(daemon, paused, "done")
    whole = events(daemon, body)
    for name in (job, paused):
        kept = frames(daemon, name)
        assert len(kept) == 5 * 302 + 1
        for i in range(5):
            assert of_structure(kept, i) == of_structure(whole, i)
    daemon.signal()
    assert daemon.wait() == 0
    daemon = start(*flags).wait_ready()  # what has ended is there, and ended
    assert card(daemon, paused)["state"] == "done" and frames(daemon, paused) == kept
    assert [x["state"] for x in daemon.ask("GET", "/v1/jobs").json()["jobs"]] == ["done"] * 2


def test_the_head_of_frames(daemon: Daemon) -> None:
    """Nothing follows the head, which is no matter of when it is asked for."""
    job = start_job(daemon, md([water(0)], every=1, steps=3))
    for _ in range(2):
        with daemon.connect() as peer:
            peer.settimeout(60)
            peer.sendall(f"HEAD /v1/jobs/{job}/frames HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            got = b""
            while more := peer.recv(65536):
                got += more
        assert got.startswith(b"HTTP/1.1 200 ") and got.endswith(b"\r\n\r\n")
        assert got.count(b"\r\n\r\n") == 1 and b"\r\nConnection: close\r\n" in got
        wait_for(daemon, job, "done")


@pytest.mark.parametrize("seed", range(3))
def test_kill_9_loses_nothing(start: Factory, tmp_path: Path, seed: int) -> None:
    """Killed at random moments, with checkpoints now and then: every line that was told is there
    afterwards, none comes twice, and the bits are those of a run that nobody has killed."""
    noise = random.Random(seed)
    flags = ("--jobs", str(tmp_path / "jobs"), "--workers", str(1 + seed % 2))
    body = [
        md([water(i) for i in range(4)], every=5, steps=1500, thermostat="csvr"),
        relax([water(i) for i in range(70)], fmax=1e-5, trajectory=1, optimizer="fire"),
        md([diamond(i) for i in range(2)], every=2, steps=200, ensemble="npt", pressure=0.0),
    ][seed]
    daemon = start(*flags).wait_ready()
    job = start_job(daemon, body)
    known: list[dict[str, Any]] = []
    for _ in range(7):
        connection = daemon.connection()
        start_at = n_frames(known)
        connection.request("GET", f"/v1/jobs/{job}/frames?from={start_at}")
        following = follow(connection.getresponse())
        again = behind(known, start_at)
        assert [next(following) for _ in again] == again
        for _ in range(noise.randrange(1, 60)):
            if (event := next(following, None)) is None:
                break
            known.append(event)
        if noise.random() < 0.7:
            act(daemon, job, "checkpoint")
        for _ in range(noise.randrange(1, 60)):
            if (event := next(following, None)) is None:
                break
            known.append(event)
        kill(start, daemon)
        connection.close()
        daemon = start(*flags).wait_ready()
        assert frames_so_far(daemon, job, len(known)) == known
    wait_for(daemon, job, "done")
    kept = frames(daemon, job)
    assert kept[: len(known)] == known
    whole = events(daemon, body)
    assert len(kept) == len(whole)
    for i in range(len(body["structures"])):
        assert of_structure(kept, i) == of_structure(whole, i)


def frames_so_far(daemon: Daemon, job: str, n: int) -> list[dict[str, Any]]:
    connection = daemon.connection()
    connection.request("GET", f"/v1/jobs/{job}/frames")
    following = follow(connection.getresponse())
    found = [next(following) for _ in range(n)]
    connection.close()
    return found


def test_a_torn_tail_is_cut_off(start: Factory, tmp_path: Path) -> None:
    flags = ("--jobs", str(tmp_path / "jobs"))
    body = md([water(1)], every=1, steps=200)
    daemon = start(*flags).wait_ready()
    job = start_job(daemon, body)
    wait_for(daemon, job, "done")
    kept = frames(daemon, job)
    daemon.signal()
    assert daemon.wait() == 0
    file = tmp_path / "jobs" / job / "frames"
    whole = file.read_bytes()
    for cut, flip in ((1, None), (len(whole) // 2, None), (0, len(whole) // 3), (0, 2)):
        torn = bytearray(whole[: len(whole) - cut])
        if flip is not None:
            torn[flip] ^= 1
        file.write_bytes(torn)
        (tmp_path / "jobs" / job / "state").unlink(missing_ok=True)
        daemon = start(*flags).wait_ready()
        wait_for(daemon, job, "done")  # it was not, by its frames, and so it is computed again
        assert frames(daemon, job) == kept
        daemon.signal()
        assert daemon.wait() == 0
        assert file.read_bytes() == whole


def test_a_binary_body_outlives_the_daemon(start: Factory, tmp_path: Path) -> None:
    flags = ("--jobs", str(tmp_path / "jobs"))
    body = md([water(1), diamond(2)], every=50, steps=2000)
    tensors, metadata = safetensors.loads(binary.encode(body["structures"], None, "float64"))
    data = safetensors.dumps(dict(tensors), {**metadata, "md": json.dumps(body["md"])})
    daemon = start(*flags).wait_ready()
    headers = {"Content-Type": binary.MEDIA_TYPE, "Prefer": "respond-async"}
    answer = daemon.ask("POST", "/v1/models/mace-small/md", data, headers)
    assert answer.status == 202, answer.body
    job = answer.json()["id"]
    daemon.wait_for(lambda: told(daemon, job) > 3, "frames")
    kill(start, daemon)
    daemon = start(*flags).wait_ready()
    wait_for(daemon, job, "done")
    kept, whole = frames(daemon, job), events(daemon, body)
    assert [of_structure(kept, i) for i in range(2)] == [of_structure(whole, i) for i in range(2)]


def test_folders_that_are_refused(start: Factory, tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    daemon = start("--jobs", str(folder)).wait_ready()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with pytest.raises(RuntimeError, match="another daemon has this folder"):
        Daemon(tmp_path / "a", "--jobs", str(folder))
    daemon.signal()
    assert daemon.wait() == 0
    (folder / "version").write_text("7\n")
    with pytest.raises(RuntimeError, match="a folder of version 7; this daemon reads version 1"):
        Daemon(tmp_path / "b", "--jobs", str(folder))


def test_damaged_jobs_are_left_alone(start: Factory, tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    flags = ("--jobs", str(folder))
    daemon = start(*flags).wait_ready()
    jobs = [start_job(daemon, md([water(1)], every=1, **ENDLESS)) for _ in range(3)]
    daemon.wait_for(lambda: all(told(daemon, job) > 20 for job in jobs), "frames")
    daemon.signal()
    assert daemon.wait() == 0
    for job, name in zip(jobs, ("request", "state")):
        file = folder / job / name
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    begun, forgotten = folder / ("0" * 32), folder / ("1" * 32)
    for half in (begun, forgotten):  # when the daemon was killed
        half.mkdir()
    (begun / "request.new").write_bytes(b"IRR")
    (forgotten / "frames").write_bytes(b"IRR1")
    daemon = start(*flags).wait_ready()
    assert [x["id"] for x in daemon.ask("GET", "/v1/jobs").json()["jobs"]] == jobs[2:]
    assert "left alone" in daemon.log.read_text()
    assert (folder / jobs[0] / "request").exists()
    assert not begun.exists() and not forgotten.exists()


def test_another_model_under_the_name(start: Factory, tmp_path: Path) -> None:
    """Its bits would be others: the job ends, and says why."""
    models = tmp_path / "models"
    models.mkdir()
    target = models / "mace-small.safetensors"
    target.write_bytes((MODELS / "mace-small.safetensors").read_bytes())
    flags = ("--jobs", str(tmp_path / "jobs"))
    daemon = start(*flags, models=models).wait_ready()
    job = start_job(daemon, md([water(1)], every=1, **ENDLESS))
    daemon.wait_for(lambda: told(daemon, job) > 5, "frames")
    daemon.signal()
    assert daemon.wait() == 0
    target.write_bytes((MODELS / "so3net-small.safetensors").read_bytes())
    daemon = start(*flags, models=models).wait_ready()
    failed = wait_for(daemon, job, "failed")
    assert "another one" in failed["reason"]
    last = frames(daemon, job)[-1]
    assert last["event"] == "error" and last["state"] == "failed"


def test_a_model_that_is_away(start: Factory, tmp_path: Path) -> None:
    """Its jobs wait for it, and lose nothing."""
    models = tmp_path / "models"
    models.mkdir()
    file, away = models / "mace-small.safetensors", tmp_path / "away"
    file.write_bytes((MODELS / "mace-small.safetensors").read_bytes())
    (models / "other.safetensors").write_bytes((MODELS / "so3net-small.safetensors").read_bytes())
    flags = ("--jobs", str(tmp_path / "jobs"))
    body = md([water(1), water(2)], every=1, steps=3000)
    daemon = start(*flags, models=models).wait_ready()
    job = start_job(daemon, body)
    daemon.wait_for(lambda: told(daemon, job) > 5, "frames")
    assert act(daemon, job, "pause").json()["state"] == "paused"
    daemon.signal()
    assert daemon.wait() == 0
    file.rename(away)
    daemon = start(*flags, models=models).wait_ready()
    assert act(daemon, job, "resume").status == 200
    daemon.wait_for(lambda: "mace-small" in card(daemon, job)["reason"], "its reason")
    assert card(daemon, job)["state"] == "paused"
    away.rename(file)
    daemon.signal(signal.SIGHUP)
    daemon.wait_for(lambda: daemon.ask("GET", "/v1/models/mace-small").status == 200, "the model")
    assert act(daemon, job, "resume").status == 200
    kept = frames(daemon, job)
    whole = events(daemon, body)
    assert [of_structure(kept, i) for i in range(2)] == [of_structure(whole, i) for i in range(2)]


def test_disk_full(start: Factory, tmp_path: Path) -> None:
    """Files that cannot be written: the job stands still with its reason, and the daemon lives."""
    folder = tmp_path / "jobs"
    daemon = start("--jobs", str(folder)).wait_ready()
    job = start_job(daemon, md([water(1)], every=1, **ENDLESS))
    daemon.wait_for(lambda: told(daemon, job) > 5, "frames")
    limit = f"--fsize={(folder / job / 'frames').stat().st_size + 4096}"
    assert os.system(f"prlimit --pid {daemon.process.pid} {limit}:unlimited") == 0
    paused = wait_for(daemon, job, "paused")
    assert "could not be written: File too large" in paused["reason"]
    assert move(daemon, relax([water(1)], fmax=0.05)).status == 200
    assert os.system(f"prlimit --pid {daemon.process.pid} --fsize=unlimited:unlimited") == 0
    before = told(daemon, job)
    act(daemon, job, "resume")
    daemon.wait_for(lambda: told(daemon, job) > before + 1000, "frames")
    daemon.ask("DELETE", f"/v1/jobs/{job}")
    kept = [x["step"] for x in frames(daemon, job)[:-1]]
    assert kept == list(range(len(kept)))


def test_the_file_is_what_the_manual_says(start: Factory, tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    daemon = start("--jobs", str(folder)).wait_ready()
    job = start_job(daemon, md([water(1)], every=1, steps=5))
    kept = frames(daemon, job)
    data, at, found = (folder / job / "frames").read_bytes(), 0, []
    while at < len(data):
        magic, size = struct.unpack_from("<4sI", data, at)
        assert magic == b"IRR1"
        found.append(json.loads(data[at + 32 : at + 32 + size]))
        at += 32 + size
    assert found == kept
