"""Every public header compiles alone, without a warning, as C and as C++."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEADERS = sorted(path.name for path in (ROOT / "include" / "irrep").glob("*.h"))
STRICT = ["-pedantic", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror", "-fsyntax-only"]
COMPILERS = {
    "gcc": ["gcc", "-x", "c", "-std=c11"],
    "g++": ["g++", "-x", "c++", "-std=c++17"],
    "clang": ["clang", "-x", "c", "-std=c11"],
    "clang++": ["clang++", "-x", "c++", "-std=c++17"],
}
EVERYWHERE = ("gcc", "g++")  # the others where they are installed


def compile_text(compiler: str, text: str) -> str:
    """What the compiler says to a text; "" when it accepts it. C wants a declaration at least."""
    command = COMPILERS[compiler]
    if compiler not in EVERYWHERE and shutil.which(command[0]) is None:
        pytest.skip(f"no {compiler}")
    command = [*command, *STRICT, "-I", str(ROOT / "include"), "-"]
    text += "extern int declared;\n"
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    assert (done.returncode == 0) == (done.stderr == "")
    return done.stderr


def initializers() -> list[tuple[str, str]]:
    """The structs that callers fill, with the macro that initialises each."""
    text = "".join((ROOT / "include" / "irrep" / name).read_text() for name in HEADERS)
    structs = re.findall(r"^struct (irrep_\w+) \{\n  size_t struct_size;", text, flags=re.M)
    return [(name, f"{name.upper()}_INIT") for name in structs]


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("header", HEADERS)
def test_a_header_alone(compiler: str, header: str) -> None:
    assert compile_text(compiler, f"#include <irrep/{header}>\n") == ""


@pytest.mark.parametrize("compiler", COMPILERS)
def test_all_headers_and_initializers(compiler: str) -> None:
    names = initializers()
    assert ("irrep_structure", "IRREP_STRUCTURE_INIT") in names and len(names) >= 6
    lines = [f"#include <irrep/{name}>" for name in (*HEADERS, *HEADERS)]
    for name, macro in names:
        lines += [
            f"extern struct {name} {name}_of(void);",
            f"struct {name} {name}_of(void) {{ struct {name} s = {macro}; return s; }}",
        ]
    assert compile_text(compiler, "\n".join(lines) + "\n") == ""


@pytest.mark.parametrize("compiler", COMPILERS)
def test_functions_have_the_linkage_of_c(compiler: str) -> None:
    """In C++, a second declaration with another linkage is an error."""
    lines = [f"#include <irrep/{name}>" for name in HEADERS]
    open_, close = ('extern "C" {', "}") if compiler.endswith("++") else ("", "")
    lines += [open_, "const char *irrep_version(void);", close]
    lines += [open_, "void irrep_model_free(struct irrep_model *model);", close]
    assert compile_text(compiler, "\n".join(lines) + "\n") == ""


@pytest.mark.parametrize("compiler", COMPILERS)
def test_matrices_of_callers(compiler: str) -> None:
    """Matrices of any form can be given, without a cast."""
    text = """
#include <irrep/e3.h>
extern int turn(double matrix[3][3], double *d);
int turn(double matrix[3][3], double *d) {
  const double flat[9] = {1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0};
  return (int)irrep_wigner_d(1, matrix[0], d, NULL) + (int)irrep_wigner_d(1, flat, d, NULL);
}
"""
    assert compile_text(compiler, text) == ""


@pytest.mark.parametrize("compiler", EVERYWHERE)
def test_the_check_finds_what_is_wrong(compiler: str) -> None:
    assert "error" in compile_text(compiler, "struct s { int a[0]; };\n")
    assert "missing initializer" in compile_text(
        compiler,
        "#include <irrep/structure.h>\n"
        "extern struct irrep_structure s;\n"
        "struct irrep_structure s = {sizeof s};\n",
    )
