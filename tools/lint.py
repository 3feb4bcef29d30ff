#!/usr/bin/env python3
"""Checks this project's own rules. Prints FILE:LINE: MESSAGE for every violation.

    tools/lint.py [ROOT]

Layering (who may include whom), a test for each source, lengths of files, forbidden
functions and texts. Needs only the standard library. The exit status is 1 when there is a
violation.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import circles
import version

LINES_MAX = 600
FUNCTION_LINES_MAX = 60
TABLE_MARKER = "lint: table"  # within the first 30 lines: the file is a table, of any length

FREESTANDING = "stdarg stdatomic stdbool stddef stdint".split()
PURE = "assert ctype errno fenv float inttypes limits locale math stdio stdlib string".split()
CORE_SYSTEM = {f"{name}.h" for name in FREESTANDING + PURE} | {"immintrin.h"}
PUBLIC_SYSTEM = {f"{name}.h" for name in FREESTANDING}

# The rooms, lowest first: a file may include its own room and those before it. Rooms in one group
# do not know each other. "" is the top of the folder itself.
ROOMS = {
    "core": (
        ("base",),
        ("e3", "graph", "outputs"),
        ("nn", "dynamics"),
        ("program",),
        ("cpu/kernels",),
        ("cpu",),
        ("dispersion",),
        ("builders", "terms"),
        ("api",),
    ),
    "server": (
        ("os",),
        ("base",),
        ("models",),
        ("codec",),
        ("compute",),
        ("jobs",),
        ("drivers",),
        ("runs",),
        ("http",),
        ("routes",),
        ("",),
    ),
}

# Libraries that only the named files may include.
ONLY_IN = {
    "spglib.h": ("core/dynamics/space_group.c",),
    "microhttpd.h": (
        "server/http/http_inside.h",
        "server/http/http_response.c",
        "server/http/quirks.*",
        "tests/unit/test_http_response.c",
    ),
    "zlib.h": ("server/http/decoder.c", "server/http/encoder.c", "tests/*"),
    "zstd.h": ("server/http/decoder.c", "server/http/encoder.c", "tests/*"),
    "cjson/cJSON.h": (
        "server/base/config.c",
        "clients/c/*",
        "tests/*",
    ),
    "cJSON.h": (),
    "cblas.h": ("core/base/dense.c", "tests/bench/*"),
    "pthread.h": ("core/base/dense.c", "core/cpu/tables_once.h", "server/*", "tests/*"),
}

# Objects of the core that hold state of the process all the same, with its bytes.
STATE_ALLOWED = {"dense.o": 40}  # the lock around OpenBLAS

# What a library that neither prints, aborts, reads files nor knows the time must not call.
CORE_FORBIDDEN = re.compile(
    r"(?<![\w.>])(printf|fprintf|vprintf|vfprintf|puts|perror|abort|exit|_Exit|getenv|setenv|setlocale|"
    r"fopen|open|time|clock|clock_gettime|gettimeofday|rand|srand|system|signal|strtok)\s*\("
)
C_FORBIDDEN = re.compile(
    r"(?<![\w.>])(alloca|__builtin_alloca|gets|strcpy|strcat|sprintf|vsprintf|atoi|atol|atof)\s*\("
)

# Assembled, so that this file does not contain what it looks for.
LEFTOVER = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3)) + r")\b")
MACHINE_PATH = re.compile(r"(?<![\w.~}])/(work|ro" + r"ot|home|opt)/[\w.]")
REGISTRY_HOST = re.compile(
    r"\b((files\.)?py"
    + r"pi\.(org|io)|py"
    + r"thonhosted\.org|(deb|security)\.deb"
    + r"ian\.org)\b"
)

TEXT_SUFFIXES = set(
    ".c .h .py .sh .md .mk .map .txt .toml .json .yaml .yml .html .js .css .cfg .ini .conf".split()
)
TEXT_NAMES = {"Makefile", "Dockerfile", "LICENSE", "run", ".clang-tidy", ".clang-format"}

Violation = tuple[str, int, str]


def tracked(root: Path) -> list[str]:
    """Files of the project: those in git, and new ones that git does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=root,
        check=True,
        capture_output=True,
    ).stdout.decode()
    return sorted(name for name in set(listed.split("\0")) if name and (root / name).is_file())


def without_comments(text: str) -> str:
    """C text with comments and the insides of strings blanked, line numbers kept."""

    def blank(match: re.Match[str]) -> str:
        found = match.group()
        if found.startswith("/"):
            return re.sub(r"[^\n]", " ", found)
        return found[0] + found[-1]

    return re.sub(
        r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", blank, text, flags=re.S
    )


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(re.fullmatch(re.escape(p).replace(r"\*", ".*"), name) for p in patterns)


def room_problem(name: str, target: str) -> str | None:
    """Why a file of one room may not include another room's, or None."""
    folder, _, room = str(Path(name).parent).partition("/")
    other_folder, _, other = str(Path(target).parent).partition("/")
    rank = {room: i for i, group in enumerate(ROOMS[folder]) for room in group}
    if other_folder != folder or room == other:
        return None
    for unknown in {room, other} - set(rank):
        return f"{folder}/{unknown}/ is no room: add it to ROOMS in tools/lint.py"
    if rank[other] >= rank[room]:
        return f"{folder}/{room} includes {folder}/{other}, which is not below it"
    return None


def include_problem(name: str, quote: str, target: str) -> str | None:
    """Why file `name` may not include `target`, or None."""
    if target in ONLY_IN and not matches(name, ONLY_IN[target]):
        return f"<{target}> may be included only by {', '.join(ONLY_IN[target]) or 'nobody'}"
    parts = name.split("/")
    if name.startswith("include/"):
        if quote == '"' and not target.startswith("irrep/"):
            return f'a public header includes "{target}": only "irrep/..." is allowed'
        if quote == "<" and target not in PUBLIC_SYSTEM:
            return f"a public header includes <{target}>: only {', '.join(sorted(PUBLIC_SYSTEM))}"
    elif parts[0] == "core":
        if quote == "<":
            if target not in CORE_SYSTEM and target not in ONLY_IN:
                return (
                    f"core includes <{target}>: it knows nothing beyond the C library's pure part"
                )
        elif not target.startswith(("irrep/", "core/")):
            return f'core includes "{target}": only "irrep/..." and "core/..." are allowed'
        return room_problem(name, target)
    elif parts[0] == "server":
        if quote == '"' and not target.startswith(("irrep/", "core/base/", "server/")):
            return (
                f'server includes "{target}": '
                'only "irrep/...", "core/base/..." and "server/..." are allowed'
            )
        return room_problem(name, target) if quote == '"' else None
    elif name.startswith("clients/c/"):
        if quote == '"' and "/" in target:
            return f'the C client includes "{target}": it talks HTTP only'
    return None


def too_long(name: str, first: int, last: int) -> Iterator[Violation]:
    """A function's first line is its signature's, or in C that of its brace."""
    n = last - first + 1
    if n > FUNCTION_LINES_MAX:
        yield name, first, f"a function of {n} lines: {FUNCTION_LINES_MAX} fit a screen"


def check_c_functions(name: str, code: str) -> Iterator[Violation]:
    """Of code as clang-format leaves it: a function's braces stand in the first column."""
    begin = None
    for number, line in enumerate(code.split("\n"), 1):
        if re.match(r"\{|[A-Za-z_].*\)\s*\{$", line):
            begin = number
        elif line.startswith("}"):
            if begin is not None:
                yield from too_long(name, begin, number)
            begin = None


def check_python_functions(name: str, text: str) -> Iterator[Violation]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from too_long(name, node.lineno, node.end_lineno or node.lineno)


def check_c(name: str, text: str) -> Iterator[Violation]:
    code = without_comments(text)
    yield from check_c_functions(name, code)
    for number, line in enumerate(text.split("\n"), 1):
        include = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if include:
            problem = include_problem(name, include.group(1), include.group(2))
            if problem:
                yield name, number, problem
    for number, line in enumerate(code.split("\n"), 1):
        found = None if name.startswith("tests/") else C_FORBIDDEN.search(line)
        if not found and name.startswith(("core/", "include/")):
            found = CORE_FORBIDDEN.search(line)
        if found:
            yield name, number, f"{found.group(1)}() is not allowed here"
    if name.endswith(".h"):
        guard = re.sub(r"\W", "_", name.removeprefix("include/")).upper()
        if f"#ifndef {guard}\n#define {guard}\n" not in text:
            yield name, 1, f"the include guard is not {guard}"
    if name.startswith("tests/unit/test_") and "cmocka_run_group_tests" not in code:
        yield name, 1, "a unit test without cmocka_run_group_tests"


def check_python(name: str, text: str) -> Iterator[Violation]:
    if not name.startswith("clients/python/irrepd/"):
        return
    for number, line in enumerate(text.split("\n"), 1):
        found = re.match(r"\s*(?:import|from)\s+([A-Za-z_][\w]*)", line)
        if found and found.group(1) in {
            "torch",
            "sevenn",
            "e3nn",
            "requests",
            "httpx",
            "scipy",
            "mace",
        }:
            yield name, number, f"the package needs numpy (and ASE) only, not {found.group(1)}"
        if re.match(r"(?:import|from)\s+ase\b", line) and not name.endswith(
            ("calculator.py", "__main__.py")
        ):
            yield name, number, "ASE is an extra: import it where it is used"


def check_text(name: str, text: str) -> Iterator[Violation]:
    lines = text.split("\n")
    if name.endswith((".c", ".h", ".py")) and len(lines) - 1 >= LINES_MAX:
        if TABLE_MARKER not in "\n".join(lines[:30]):
            yield name, LINES_MAX, f"{len(lines) - 1} lines: one idea a file, below {LINES_MAX}"
    for number, line in enumerate(lines, 1):
        for pattern, what in (
            (LEFTOVER, "leftover"),
            (MACHINE_PATH, "path of one machine"),
            (REGISTRY_HOST, "host name of a package registry"),
        ):
            found = pattern.search(line)
            if found:
                yield name, number, f"{what}: {found.group()}"
        if line.rstrip() != line and not name.endswith(".md"):
            yield name, number, "blanks at the end of the line"
    if text and not text.endswith("\n"):
        yield name, len(lines), "no newline at the end of the file"


def check_tests_exist(names: set[str]) -> Iterator[Violation]:
    by_test: dict[str, str] = {}
    for name in sorted(names):
        path = Path(name)
        if path.suffix == ".c" and path.parts[0] in ("core", "server") and name != "server/main.c":
            test = f"tests/unit/test_{path.stem}.c"
            if test not in names:
                yield name, 1, f"no unit test {test}"
            if test in by_test:
                yield name, 1, f"shares its name, and so its test, with {by_test[test]}"
            by_test[test] = name


def check_state(root: Path) -> Iterator[Violation]:
    """No object of the core, when built, holds state that can be written."""
    archive = root / "build/libcore.a"
    if not archive.exists():
        return
    listed = subprocess.run(
        ["size", "-A", str(archive)], capture_output=True, text=True, check=True
    ).stdout
    member = "?"
    for line in listed.split("\n"):
        fields = line.split()
        if len(fields) >= 2 and fields[1].startswith("(ex"):
            member = fields[0]
        elif (
            len(fields) >= 2
            and re.fullmatch(r"\.t?(data|bss)(\.(?!rel\.ro).*)?", fields[0])
            and int(fields[1]) > STATE_ALLOWED.get(member, 0)
        ):
            yield (
                "build/libcore.a",
                1,
                f"{member}: {fields[1]} bytes of {fields[0]}: global mutable state",
            )


def check_includes(root: Path, names: list[str]) -> Iterator[Violation]:
    texts = {
        name: (root / name).read_text()
        for name in names
        if name.startswith(("core/", "include/", "server/")) and name.endswith((".c", ".h"))
    }
    for circle in circles.circles(circles.includes(texts)):
        yield circle[0], 1, f"files include each other: {', '.join(circle)}"


def check_all(root: Path) -> Iterator[Violation]:
    names = tracked(root)
    yield from check_includes(root, names)
    for name in names:
        path = Path(name)
        if path.suffix not in TEXT_SUFFIXES and path.name not in TEXT_NAMES:
            continue
        try:
            text = (root / name).read_text()
        except UnicodeDecodeError:
            yield name, 1, "not UTF-8"
            continue
        if "/fixtures/" not in name and "/corpus/" not in name:
            yield from check_text(name, text)
        if path.suffix in (".c", ".h"):
            yield from check_c(name, text)
        elif path.suffix == ".py":
            yield from check_python(name, text)
            yield from check_python_functions(name, text)
    yield from check_tests_exist(set(names))
    for name, message in version.problems(root):
        yield name, 1, message
    yield from check_state(root)


def main() -> int:
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve()
    count = 0
    for name, number, message in check_all(root):
        print(f"{name}:{number}: {message}")
        count += 1
    if count:
        print(f"tools/lint.py: {count} violations", file=sys.stderr)
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
