"""Certificates for a daemon on this machine, and the authority that they are from."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path


class Authority:
    """Makes certificates for 127.0.0.1 in a folder, below an authority of its own."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.ca = folder / "ca.pem"
        self._openssl("req -x509 -nodes -subj /CN=authority -keyout ca.key -out ca.pem", new=True)

    def _openssl(self, arguments: str, new: bool = False) -> None:
        key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256" if new else ""
        command = ["openssl", *arguments.split(), *key.split()]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)

    def issue(self, name: str) -> tuple[Path, Path]:
        self._openssl(f"req -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr", new=True)
        (self.folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        self._openssl(
            f"x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -set_serial {hash(name) % 10**9} "
            f"-extfile names -out {name}.pem"
        )
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca))


def flags(pair: tuple[Path, Path]) -> list[str]:
    return ["--tls-cert", str(pair[0]), "--tls-key", str(pair[1])]
