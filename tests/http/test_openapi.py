"""The daemon against its own description, by schemathesis.

`make test-api` runs it with EXAMPLES of each operation beside those that cover every schema.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from conftest import Factory

CONFIG = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = int(os.environ.get("IRREPD_API_EXAMPLES", "0"))


def test_schemathesis_finds_nothing(start: Factory, tmp_path: Path) -> None:
    daemon = start("--max-body-bytes", "1M", "--max-structures", "64").wait_ready()
    phases = "examples,coverage,fuzzing,stateful" if EXAMPLES else "examples,coverage"
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG)),
        *("run", f"{daemon.url}/openapi.json", "--checks", "all", "--phases", phases),
        *("--max-examples", str(EXAMPLES or 1), "--seed", "1", "--continue-on-failure"),
        *("--no-color", "--warnings", "off"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "No issues found" in done.stdout
    assert daemon.process.poll() is None
    assert daemon.ask("GET", "/v1/health/ready").status == 200
