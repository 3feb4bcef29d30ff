"""No circle between files: tools/circles.py."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import circles  # noqa: E402


def test_parts_of_a_graph() -> None:
    graph = {
        "a": {"b"},
        "b": {"c", "d"},
        "c": {"a"},
        "d": {"e"},
        "e": {"f"},
        "f": {"e"},
        "g": {"g"},
    }
    assert circles.circles(graph) == [["a", "b", "c"], ["e", "f"]]
    assert circles.circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_includes() -> None:
    texts = {
        "core/a.h": '#include "core/b.h"\n#include <stdio.h>\n#include "irrep/c.h"\n',
        "core/b.h": '#include "core/a.h"\n#include "core/elsewhere.h"\n',
        "include/irrep/c.h": "",
    }
    graph = circles.includes(texts)
    assert graph["core/a.h"] == {"core/b.h", "include/irrep/c.h"}
    assert circles.circles(graph) == [["core/a.h", "core/b.h"]]


def test_calls() -> None:
    graph = circles.calls(ROOT, ROOT / "build" / "obj")
    assert "core/cpu/evaluate.c" in graph["core/terms/model_terms.c"]
    assert "core/cpu/rows.c" in graph["core/cpu/op_linear.c"]
    assert "server/jobs/predictor_queue.c" in graph["server/jobs/job_life.c"]
    assert circles.circles(graph) == []
