from __future__ import annotations

import os
import pickle
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import molecule
from fake_server import STRESS, FakeServer, Handler, answer_and_close, busy, hang_up

from irrepd import client as client_module
from irrepd import transport
from irrepd.client import PROPERTIES, Client, structure
from irrepd.errors import ConnectionFailed, ServerError

ATOM = structure([1], [[0.5, 0.0, 0.0]])


def energy(client: Client) -> float:
    return client.predict("springs", [ATOM])[0]["energy"]


def test_importing_the_package_imports_neither_ase_nor_numpy() -> None:
    code = "import irrepd, sys; sys.exit('ase' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_predict_and_cards(server: FakeServer) -> None:
    with Client(server.url) as client:
        results = client.predict("springs", [ATOM, ATOM], ["energy", "energies"], "float64")
        assert [r["energy"] for r in results] == [0.125, 0.125]
        assert server.requests[-1]["precision"] == "float64"
        assert server.requests[-1]["properties"] == ["energy", "energies"]
        assert client.models() == [{"name": "springs"}]
        assert client.model("springs")["state"] == "ready"


def test_one_connection_serves_many_calls(server: FakeServer) -> None:
    with Client(server.url) as client:
        for _ in range(5):
            assert energy(client) == 0.125
    assert server.connections == 1


def test_numbers_keep_every_bit(server: FakeServer) -> None:
    positions = np.random.default_rng(1).normal(size=(20, 3)) * 3
    with Client(server.url) as client:
        result = client.predict("springs", [structure([1] * 20, positions)], ["forces"])[0]
    assert np.array_equal(server.requests[-1]["structures"][0]["positions"], positions)
    assert np.array_equal(result["forces"], -np.array([1.0, 2.0, 3.0]) * positions)


def test_structure_leaves_out_what_is_not_given() -> None:
    assert structure([8], [[0, 0, 0]], np.zeros((3, 3)), [False] * 3, "a") == {
        "numbers": [8],
        "positions": [[0.0, 0.0, 0.0]],
        "pbc": [False, False, False],
        "id": "a",
    }


def test_one_pbc_is_that_of_all_axes() -> None:
    assert structure([8], [[0, 0, 0]], np.eye(3), True)["pbc"] == [True] * 3
    assert structure([8], [[0, 0, 0]], np.eye(3), np.bool_(False))["pbc"] == [False] * 3


@pytest.mark.parametrize("number", [8.7, "O", None, float("nan")])
def test_numbers_are_whole(number: Any) -> None:
    with pytest.raises(ValueError, match="no atomic number"):
        structure([1, number], [[0, 0, 0], [0, 0, 1]])
    assert structure(np.array([8.0]), [[0, 0, 0]])["numbers"] == [8]


def test_structures_of_ase_and_plain_arrays(server: FakeServer) -> None:
    atoms = molecule("H2O")
    plain = {"numbers": atoms.numbers, "positions": atoms.positions, "pbc": atoms.pbc}
    with Client(server.url) as client:
        one, other = client.predict("springs", iter([atoms, plain]))
    assert (
        one["energy"]
        == other["energy"]
        == pytest.approx((atoms.positions**2 @ [0.5, 1.0, 1.5]).sum())
    )


def test_numbers_that_are_not_finite_are_not_sent(server: FakeServer) -> None:
    with Client(server.url) as client, pytest.raises(ValueError, match="finite"):
        client.predict("springs", [structure([1], [[float("nan"), 0, 0]])])
    assert not server.requests


def test_refusal_names_what_is_wrong(server: FakeServer) -> None:
    with Client(server.url) as client, pytest.raises(ServerError) as caught:
        client.predict("springs", [structure([1, 118], [[0, 0, 0], [1, 0, 0]])])
    assert caught.value.status == 422
    assert "unknown element Og" in str(caught.value)
    assert "#/structures/0/numbers/1" in str(caught.value)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (copy.status, str(copy)) == (422, str(caught.value))


@pytest.mark.parametrize(("name", "n_forces"), [("theirs", 1), ("mine", 2), ("mine", 0)])
def test_answers_of_other_structures_are_refused(
    server: FakeServer, name: str, n_forces: int
) -> None:
    def other(handler: Handler) -> bool:
        result = {"status": "ok", "energy": 1.0, "forces": [[0, 0, 0]] * n_forces, "id": name}
        handler.answer(200, {"results": [result]})
        return True

    server.faults = [other]
    with Client(server.url) as client, pytest.raises(ConnectionFailed, match="other results"):
        client.predict("springs", [structure([1], [[0.5, 0, 0]], id="mine")])


def test_priority(server: FakeServer) -> None:
    with Client(server.url) as client:
        client.predict("springs", [ATOM], priority="bulk")
        client.predict("springs", [many(1000)], priority="bulk")
    assert [request["priority"] for request in server.requests] == ["bulk", "bulk"]
    assert "binary" in server.requests[1]


def test_fault_among_several_is_an_item(server: FakeServer) -> None:
    with Client(server.url) as client:
        good, bad = client.predict("springs", [ATOM, structure([118], [[0, 0, 0]])])
    assert good["status"] == "ok"
    assert bad["error"]["detail"] == "unknown element Og"


def test_busy_daemon_is_asked_again(server: FakeServer) -> None:
    server.faults = [busy("0"), busy("0.01")]
    with Client(server.url) as client:
        assert energy(client) == 0.125
    assert len(server.requests) == 3


def test_busy_beyond_the_timeout_is_an_error(server: FakeServer) -> None:
    server.faults = [busy("30")]
    with Client(server.url, timeout=5) as client, pytest.raises(ServerError) as caught:
        energy(client)
    assert (caught.value.status, caught.value.retry_after) == (503, 30.0)
    assert len(server.requests) == 1


@pytest.mark.parametrize("timeout", [None, float("inf"), 1e12])
def test_a_timeout_without_end(server: FakeServer, timeout: float | None) -> None:
    server.faults = [busy("0")]
    with Client(server.url, timeout=timeout, patience=None) as client:
        assert energy(client) == 0.125
        assert energy(pickle.loads(pickle.dumps(client))) == 0.125


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), "soon"])
def test_timeouts_are_numbers_of_seconds(timeout: Any) -> None:
    with pytest.raises(ValueError):
        Client(timeout=timeout)


def moved(location: str, status: int = 307) -> Callable[[Handler], bool]:
    def answer(handler: Handler) -> bool:
        handler.problem(status, "moved", {"Location": location})
        return True

    return answer


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirections_are_followed(server: FakeServer, status: int) -> None:
    with FakeServer() as other:
        other.faults = [moved(f"{server.url}/v1/models/springs/predict", status)]
        with Client(other.url, key="secret") as client:
            assert energy(client) == energy(client) == 0.125
        other.shutdown()
    assert len(other.requests) == 1  # the new address is kept
    assert [headers["Authorization"] for headers in server.headers] == ["Bearer secret"] * 2
    server.faults = [moved("/v1/models/springs/predict")]
    with Client(server.url) as client:
        assert energy(client) == 0.125


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("http://localhost:1/v1/models/springs/predict", "redirects to http://localhost:1/.*URL"),
        ("/login?next=/v1", "redirects to http://127.0.0.1:[0-9]+/login"),
        ("ftp://127.0.0.1/v1/models/springs/predict", "redirects to ftp"),
        ("http://[", "redirects to"),
    ],
)
def test_redirections_elsewhere_are_named(server: FakeServer, location: str, message: str) -> None:
    """Neither the structure nor the key goes to another machine."""
    server.faults = [moved(location)]
    with Client(server.url) as client, pytest.raises(ConnectionFailed, match=message):
        energy(client)


def test_a_circle_of_redirections_ends(server: FakeServer) -> None:
    server.faults = [moved("/v1/models/springs/predict")] * 20
    with Client(server.url) as client, pytest.raises(ServerError, match="307"):
        energy(client)


def test_dead_kept_connection_is_replaced(server: FakeServer) -> None:
    with Client(server.url) as client:
        server.faults = [answer_and_close]
        assert energy(client) == 0.125
        assert energy(client) == 0.125
        server.faults = [hang_up]
        assert energy(client) == 0.125
    assert server.connections == 3


def test_a_daemon_that_goes_and_comes_back(server: FakeServer) -> None:
    with Client(server.url) as client:
        energy(client)
        server.faults = [hang_up] * 5
        assert energy(client) == 0.125
        assert not server.faults


def test_hanging_up_twice_is_an_error(server: FakeServer) -> None:
    with Client(server.url, patience=0) as client:
        energy(client)
        server.faults = [hang_up, hang_up]
        with pytest.raises(ConnectionFailed):
            energy(client)
        assert energy(client) == 0.125


def test_nobody_there() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        with Client(url) as client, pytest.raises(ConnectionFailed, match=r"127\.0\.0\.1"):
            energy(client)


def test_silent_server_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with Client(url, timeout=0.1) as client, pytest.raises(ConnectionFailed, match="in time"):
            energy(client)


def test_a_machine_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Like one, a socket whose queue is full leaves a third connection unanswered."""
    monkeypatch.setattr(transport, "CONNECT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        client = Client(f"http://127.0.0.1:{full.getsockname()[1]}")
        with socket.create_connection(full.getsockname()), pytest.raises(ConnectionFailed):
            energy(client)


@pytest.mark.parametrize("url", ["ftp://host", "http://", "unix:x", "localhost:8421"])
def test_bad_urls(url: str) -> None:
    with pytest.raises(ValueError):
        Client(url)


def test_pickles_without_its_connection(server: FakeServer) -> None:
    with Client(server.url, timeout=7) as client:
        energy(client)
        with pickle.loads(pickle.dumps(client)) as copy:
            assert (copy.url, copy.timeout) == (server.url, 7)
            assert energy(copy) == 0.125
    assert server.connections == 2


def many(count: int) -> dict[str, Any]:
    grid = np.stack(np.meshgrid(*[np.arange(10.0)] * 3), axis=-1).reshape(-1, 3)[:count]
    positions = grid + np.random.default_rng(2).uniform(-0.3, 0.3, size=grid.shape)
    return structure([1] * count, positions, np.eye(3) * 10, [True] * 3, id="many")


@pytest.mark.parametrize("takes_binary", [True, False])
def test_large_requests_are_binary_where_the_daemon_takes_that(
    server: FakeServer, takes_binary: bool
) -> None:
    server.takes_binary = takes_binary
    entries = [many(client_module.BINARY_FROM), ATOM]
    with Client(server.url) as client:
        for _ in range(2):
            large, small = client.predict("springs", entries, PROPERTIES)
            plain = client.predict("springs", [ATOM], PROPERTIES)[0]
    positions = np.array(entries[0]["positions"])
    assert np.array_equal(large["forces"], -np.array([1.0, 2.0, 3.0]) * positions)
    assert large["stress"].shape == (3, 3) and large["energies"].shape == (len(positions),)
    assert large["id"] == "many" and small["stress"] is None
    assert small["energy"] == plain["energy"] and np.array_equal(small["forces"], plain["forces"])
    is_binary = ["binary" in request for request in server.requests]
    assert is_binary == [takes_binary, False, takes_binary, False]
    assert len(server.headers) == 4 + (not takes_binary)  # 415 is believed once and for all


@pytest.mark.parametrize("takes_binary", [True, False])
def test_properties_that_the_client_does_not_know_are_arrays_too(
    server: FakeServer, takes_binary: bool
) -> None:
    server.takes_binary = takes_binary
    entries = [many(client_module.BINARY_FROM), ATOM]
    with Client(server.url) as client:
        large, small = client.predict("springs", entries, ["virial", "stresses"])
    assert "binary" in server.requests[0] or not takes_binary
    assert large["virial"].tolist() == small["virial"].tolist() == (-8 * STRESS).tolist()
    assert large["stresses"].shape == (client_module.BINARY_FROM, 3, 3)
    assert np.array_equal(small["stresses"], [-8 * STRESS])


@pytest.mark.parametrize(
    "change",
    [
        {"numbers": [1.5] * 1000},
        {"numbers": [2**40] * 1000},
        {"positions": [0.0] * 3000},
        {"cell": [9.0, 9.0, 9.0]},
        {"pbc": [0.5, 1, 1]},
        {"charge": 1},
    ],
)
def test_what_the_binary_form_cannot_say_goes_as_json(
    server: FakeServer, change: dict[str, Any]
) -> None:
    """So that the daemon refuses it; arrays would be converted, broadcast or left out."""

    def refuse(handler: Handler) -> bool:
        handler.problem(422, "as JSON says")
        return True

    server.faults = [refuse]
    with Client(server.url) as client, pytest.raises(ServerError, match="as JSON says"):
        client.predict("springs", [{**many(1000), **change}])
    name = next(iter(change))
    assert server.requests[-1]["structures"][0][name] == change[name]


def test_refusals_in_binary_answers_get_their_words(server: FakeServer) -> None:
    entries = [many(client_module.BINARY_FROM), structure([118], [[0, 0, 0]], id="bad")]
    with Client(server.url) as client:
        good, bad = client.predict("springs", entries)
    assert good.ok and not bad.ok
    assert (bad["id"], bad.problem) == ("bad", "unknown element Og")


def test_keys(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with Client(server.url, key="secret") as client:
        energy(client)
        energy(pickle.loads(pickle.dumps(client)))
        assert "secret" not in repr(client)
    monkeypatch.setenv("IRREPD_KEY", "of-environment")
    with Client(server.url) as client:
        energy(client)
    sent = [headers.get("Authorization") for headers in server.headers]
    assert sent == ["Bearer secret", "Bearer secret", "Bearer of-environment"]


def with_tls(server: FakeServer, folder: Path) -> tuple[str, Path, Path]:
    """The server's URL once it speaks TLS, its certificate and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", str(key)]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return server.url.replace("http", "https"), certificate, key


def test_tls(server: FakeServer, tmp_path: Path) -> None:
    url, certificate, key = with_tls(server, tmp_path)
    with Client(url) as client, pytest.raises(ConnectionFailed, match=r"certificate.*verify="):
        energy(client)
    for verify in (str(certificate), certificate, False):
        with Client(url, verify=verify) as client:
            assert energy(client) == 0.125
    for absent in (tmp_path / "absent.pem", key):
        with pytest.raises(ValueError, match=str(absent)):
            Client(url, verify=absent)


def test_the_wrong_scheme_is_named(server: FakeServer, tmp_path: Path) -> None:
    with (
        Client(server.url.replace("http", "https")) as client,
        pytest.raises(ConnectionFailed, match="begin the URL with http://"),
    ):
        energy(client)
    with_tls(server, tmp_path)
    with (
        Client(server.url) as client,
        pytest.raises(ConnectionFailed, match="begin the URL with https://"),
    ):
        energy(client)


def test_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    answer = b'{"models":[]}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            with listening.accept()[0] as peer:
                peer.recv(10000)
                peer.sendall(head % len(answer) + answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with Client(f"unix:{path}") as client:
            assert client.models() == []
        thread.join()
    with Client(f"unix:{tmp_path}/absent") as client, pytest.raises(ConnectionFailed):
        client.models()


def test_child_of_a_fork_opens_its_own_connection(server: FakeServer) -> None:
    with Client(server.url) as client:
        energy(client)
        child = os.fork()
        if child == 0:
            os._exit(0 if energy(client) == 0.125 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert energy(client) == 0.125
    assert server.connections == 2


def test_threads_share_a_client(server: FakeServer) -> None:
    found: list[float] = []
    with Client(server.url) as client:

        def ask(x: float) -> None:
            for _ in range(10):
                atom = structure([1], [[x, 0, 0]])
                found.append(client.predict("springs", [atom])[0]["energy"] - x * x / 2)

        threads = [threading.Thread(target=ask, args=(float(i),)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [0.0] * 40
