#!/usr/bin/env python3
"""Prints a software bill of materials, CycloneDX 1.5 as JSON: the daemon and Debian's packages.

    docker/sbom.py --program IRREPD --status /var/lib/dpkg/status [--only PACKAGES]

--only names a file with one package a line; without it all that the status lists are components.
The same inputs give the same bytes. Needs only the standard library.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote


def installed(status: str) -> Iterator[dict[str, str]]:
    """The fields of each installed package of dpkg's status file, without continued lines."""
    for paragraph in status.split("\n\n"):
        lines = [line for line in paragraph.splitlines() if line and not line.startswith(" ")]
        fields = dict(line.split(": ", 1) for line in lines if ": " in line)
        if fields.get("Status", "").endswith(" installed"):
            yield fields


def component(fields: dict[str, str]) -> dict[str, Any]:
    name, version = fields["Package"], fields["Version"]
    where = f"pkg:deb/debian/{name}@{quote(version)}?arch={fields['Architecture']}"
    return {
        "type": "library",
        "bom-ref": where,
        "name": name,
        "version": version,
        "purl": where,
        "supplier": {"name": "Debian"},
    }


def daemon(program: Path) -> dict[str, Any]:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return {
        "type": "application",
        "bom-ref": "irrepd",
        "name": "irrepd",
        "version": said.split()[1],
        "licenses": [{"license": {"id": "MIT"}}],
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(program.read_bytes()).hexdigest()}],
    }


def bill(program: Path, status: str, only: set[str] | None) -> dict[str, Any]:
    packages = [component(x) for x in installed(status) if only is None or x["Package"] in only]
    packages.sort(key=lambda x: x["bom-ref"])
    if only is not None and len(packages) < len(only):
        missing = only - {package["name"] for package in packages}
        raise SystemExit(f"sbom.py: not in the status file: {', '.join(sorted(missing))}")
    document: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": daemon(program)},
        "components": packages,
        "dependencies": [{"ref": "irrepd", "dependsOn": [x["bom-ref"] for x in packages]}],
    }
    digest = hashlib.sha256(json.dumps(document).encode()).hexdigest()
    return {**document, "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, digest)}"}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--program", type=Path, required=True)
    parser.add_argument("--status", type=Path, required=True)
    parser.add_argument("--only", type=Path)
    arguments = parser.parse_args()
    only = set(arguments.only.read_text().split()) if arguments.only else None
    json.dump(bill(arguments.program, arguments.status.read_text(), only), sys.stdout, indent=1)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
