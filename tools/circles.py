"""Circles: files that need each other, directly or by way of others, so that none can be understood
or tested without the rest. By includes for headers, by symbols for what is compiled."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

Graph = dict[str, set[str]]

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)

# Names of other libraries that a file of this project defines in their place.
INTERPOSED = {"send", "gnutls_record_send"}


def circles(graph: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """The strongly connected parts of a graph that have several members, each sorted."""
    order: list[str] = []
    seen: set[str] = set()

    def walk(start: str, edges: Mapping[str, Iterable[str]], out: list[str]) -> None:
        stack = [(start, iter(edges.get(start, ())))]
        seen.add(start)
        while stack:
            node, rest = stack[-1]
            following = next((n for n in rest if n not in seen), None)
            if following is None:
                out.append(node)
                stack.pop()
            else:
                seen.add(following)
                stack.append((following, iter(edges.get(following, ()))))

    for node in sorted(graph):
        if node not in seen:
            walk(node, graph, order)
    back: Graph = {}
    for node in sorted(graph):
        for other in graph[node]:
            back.setdefault(other, set()).add(node)
    seen.clear()
    found = []
    for node in reversed(order):
        if node not in seen:
            part: list[str] = []
            walk(node, back, part)
            found.append(sorted(part))
    return sorted(part for part in found if len(part) > 1)


def includes(texts: Mapping[str, str]) -> Graph:
    """Who includes whom, among the given files."""
    graph: Graph = {}
    for name, text in texts.items():
        found = (f"include/{n}" if n.startswith("irrep/") else n for n in INCLUDE.findall(text))
        graph[name] = {target for target in found if target in texts}
    return graph


def calls(root: Path, objects: Path) -> Graph:
    """Which source file uses a symbol that another one defines. A source may have several objects:
    NAME.o, or NAME.ISA.BITS.o. Those whose source is no longer there are not looked at."""
    defined: dict[str, str] = {}
    wanted: dict[str, set[str]] = {}
    sources = {}
    for path in sorted(objects.glob("**/*.o")):
        source = str(path.relative_to(objects)).split(".")[0] + ".c"
        if (root / source).exists():
            sources[str(path)] = source
            wanted[source] = set()
    command = ["nm", "--print-file-name", "--extern-only", "--format=posix", *sources]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines():
        path, symbol = line.split(": ", 1)
        name, kind = symbol.split()[:2]
        if kind == "U":
            wanted[sources[path]].add(name)
        else:
            defined[name] = sources[path]
    for name in INTERPOSED & defined.keys():
        del defined[name]
    return {
        source: {defined[n] for n in names if n in defined} - {source}
        for source, names in wanted.items()
    }
