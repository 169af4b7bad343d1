"""Who may import whom: the contracts of pyproject.toml, and what stands beside them in the design."""

import ast
import re
import subprocess
import sys
import tomllib

import pytest

from tests.architecture.source import ROOT, Module, modules, under

# Client libraries and the rooms that may know them.
CLIENTS = {
    "aiohttp": ("controller.clients", "controller.adapters", "controller.web", "controller.metrics_api"),
    "alembic": ("controller.journal", "controller.migrations"),
    "asyncpg": ("controller.journal",),
    "kubernetes": ("controller.clients", "controller.adapters"),
    "prometheus_api_client": ("controller.clients", "controller.adapters"),
    "requests": ("controller.clients", "controller.adapters"),
    "sqlalchemy": ("controller.journal", "controller.migrations"),
    "typer": ("controller.cli",),
    "urllib.request": ("controller.clients", "controller.adapters"),
    "urllib3": ("controller.clients", "controller.adapters"),
}
# What the decision core may use besides itself: computing and types.
PURE = {
    *("numpy", "numba", "scipy", "sklearn", "pydantic", "pydantic_core", "cronsim", "policies"),
    *("__future__", "abc", "base64", "bisect", "collections", "contextlib", "copy", "dataclasses", "datetime"),
    *("decimal", "difflib", "enum", "fractions", "functools", "hashlib", "heapq", "io", "itertools", "json", "math"),
    *("operator", "re", "statistics", "string", "struct", "textwrap", "types", "typing", "zlib", "zoneinfo"),
}
IMPURE_CALLS = ("open", "print", "input", "exec", "eval", "__import__", "breakpoint")
CLOCK_METHODS = ("now", "utcnow", "today")
FILE_METHODS = ("read_text", "read_bytes", "write_text", "write_bytes", "tofile", "fromfile")


def test_layers_and_contracts_hold() -> None:
    lint = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command; lint_imports_command()",
        "--no-cache",
    ]
    done = subprocess.run(lint, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_of_the_controller_has_a_layer() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layered = {name for line in contracts[0]["layers"] for name in re.findall(r"[\w.]+", line)}
    rooms = {".".join(module.name.split(".")[:2]) for module in modules("controller") if "." in module.name}
    assert rooms <= layered


@pytest.mark.parametrize("library", sorted(CLIENTS))
def test_client_libraries_stay_in_their_rooms(library: str) -> None:
    strangers = [
        f"{module.name} imports {name}"
        for module in modules()
        if not under(module.name, *CLIENTS[library])
        for name in module.imports()
        if under(name, library)
    ]
    assert strangers == []


def test_adapters_do_not_import_each_other() -> None:
    adapters = [module for module in modules("controller") if module.name.startswith("controller.adapters.")]
    crossing = [
        f"{module.name} imports {name}"
        for module in adapters
        for name in module.imports()
        if under(name, "controller.adapters") and not under(name, _room(module.name))
    ]
    assert crossing == []


def test_simulations_know_of_the_controller_only_ports_records_and_errors() -> None:
    allowed = ("controller.ports", "controller.records", "controller.errors")
    strangers = [
        f"{module.name} imports {name}"
        for module in modules("simulations")
        for name in module.imports()
        if under(name, "controller") and not under(name, *allowed)
    ]
    assert strangers == []


def test_policies_import_only_what_computes() -> None:
    strangers = [
        f"{module.name} imports {name}"
        for module in modules("policies")
        for name in module.imports()
        if name.split(".")[0] not in PURE
    ]
    assert strangers == []


def test_policies_have_no_clock_no_files_and_no_output() -> None:
    assert [told for module in modules("policies") for told in _impurities(module)] == []


def _impurities(module: Module) -> list[str]:
    calls = [node for node in ast.walk(module.tree) if isinstance(node, ast.Call)]
    named = [
        call
        for call in calls
        if (isinstance(call.func, ast.Name) and call.func.id in IMPURE_CALLS)
        or (isinstance(call.func, ast.Attribute) and call.func.attr in (*CLOCK_METHODS, *FILE_METHODS))
    ]
    return [f"{module.path}:{call.lineno}: {ast.unparse(call.func)}" for call in named]


def _room(name: str) -> str:
    """An adapter is a module or a package right below `controller.adapters`."""
    return ".".join(name.split(".")[:3])
