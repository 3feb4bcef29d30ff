"""python3 -m irrepd mcp: tools for a language model's agent, by the Model Context Protocol.

https://modelcontextprotocol.io; over standard input and output, by PyPI's package mcp.
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from irrepd.agent_schemas import DESCRIPTIONS
from irrepd.agent_tools import Refused, Tools
from irrepd.options import add_connection, client_of
from irrepd.trajectories import Moved

INSTRUCTIONS = (
    "Energies, forces, stresses, relaxations and molecular dynamics of atomic structures, by "
    "machine-learned interatomic potentials. Begin with list_models: a model knows some elements "
    "only. Structures are arrays, the text of a file, or the name under which an earlier answer "
    "has saved one, as in {'saved': 'r1'}: prefer that to copying numbers. Energies of different "
    "models must not be compared."
)
NEEDS = (
    "irrepd: mcp needs PyPI's package mcp 2, and Python 3.10 or newer: "
    "pip install 'irrepd[mcp]', or pip install 'clients/python[mcp]' from the source tree"
)


_WHERE = (
    "All numbers are in {}: in the frames whose irrepd_saved is the name in saved, or 'job ID' for "
    "those on the way of dynamics."
)


def main(_: str, arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    try:
        for name in ("mcp.server.lowlevel", "mcp_types"):  # the second is not there with mcp 1
            import_module(name)
    except ImportError as error:
        print(f"{NEEDS} ({error})", file=sys.stderr)
        return 2
    import anyio

    with client_of(options) as client:
        writer = _Writer(options.output) if options.output else None
        tools = Tools(
            client, options.model, writer, _WHERE.format(options.output) if writer else ""
        )
        try:
            anyio.run(_serve, tools)
        finally:
            tools.stop()
            if writer:
                writer.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="irrepd mcp",
        description="Serves tools for a language model's agent by the Model Context Protocol, on "
        "standard input and output: list_models, predict, hessian, relax, md, list_jobs, "
        "follow, cancel, show. An agent's host starts it.",
    )
    add_connection(parser)
    add = parser.add_argument
    add("--model", default="sevennet-0", help="that is asked where none is named (%(default)s)")
    add(
        "--output",
        metavar="FILE",
        help="extended xyz, to which every result is added with all its numbers; answers to the "
        "agent cut long arrays",
    )
    return parser


class _Writer:
    """Adds results to a file; thread-safe."""

    def __init__(self, path: str):
        if not path.lower().endswith((".xyz", ".extxyz")):
            raise ValueError(f"{path}: name it .extxyz")
        self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115
        self._lock = threading.Lock()

    def __call__(self, moved: Moved, name: str, label: dict[str, Any]) -> None:
        import ase.io

        atoms = moved.atoms
        atoms.info.update({f"irrepd_{key}": value for key, value in label.items()})
        atoms.info["irrepd_saved"] = name
        for key in ("structure", "step", "n_steps", "converged"):
            if moved.get(key) is not None:
                atoms.info[key] = moved[key]
        with self._lock:
            ase.io.write(self._file, atoms, format="extxyz")
            self._file.flush()

    def close(self) -> None:
        self._file.close()


def _version() -> str:
    from irrepd import __version__

    return __version__


async def _serve(tools: Tools) -> None:
    from mcp.server.lowlevel import Server
    from mcp.server.stdio import stdio_server

    server: Any = Server(
        "irrepd",
        version=_version(),
        instructions=INSTRUCTIONS,
        on_list_tools=_lister(tools),
        on_call_tool=_caller(tools),
    )
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())
        tools.stop()


def _lister(tools: Tools) -> Any:
    from mcp_types import ListToolsResult, Tool, ToolAnnotations

    listed = [
        Tool(
            name=name,
            description=DESCRIPTIONS[name],
            input_schema=schema,
            annotations=ToolAnnotations(
                read_only_hint=name not in ("cancel", "relax", "md"),
                destructive_hint=name == "cancel",
            ),
        )
        for name, schema in tools.schemas.items()
    ]

    async def list_tools(_: Any, __: Any) -> Any:
        return ListToolsResult(tools=listed)

    return list_tools


def _caller(tools: Tools) -> Any:
    import anyio.from_thread
    import anyio.to_thread
    from mcp_types import CallToolResult, TextContent

    def answer(name: str, arguments: dict[str, Any], context: Any) -> tuple[str, bool]:
        def tell(steps: float, wanted: float, words: str) -> None:
            anyio.from_thread.run(context.session.report_progress, steps, wanted, words)

        try:
            return tools.call(name, arguments, tell), False
        except Refused as error:
            return str(error), True
        except Exception as error:  # an agent is told of a fault here, too, and the server lives
            print(f"irrepd: {name}: {error!r}", file=sys.stderr)
            return f"{type(error).__name__} in the tool itself: {str(error)[:500]}", True

    async def call_tool(context: Any, params: Any) -> Any:
        text, is_error = await anyio.to_thread.run_sync(
            answer, params.name, params.arguments or {}, context, abandon_on_cancel=True
        )
        return CallToolResult(content=[TextContent(text=text)], is_error=is_error)

    return call_tool
