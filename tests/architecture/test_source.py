"""How the code is kept: documented, in small files, failing loudly, and free of this machine's traces."""

import ast
import re
from collections.abc import Iterator

from tests.architecture.source import ROOT, Module, modules, tracked_files

MOST_LINES = 400
BROAD = re.compile(r"\b(Base)?Exception\b")
LARGE_BY_NATURE = ("LICENSE", "requirements.lock")
# Home folders and work folders of one machine, and index or mirror hosts of packages.
TRACES = re.compile(
    r"/(?:root|home/\w+|Users/\w+|work)/\w|\b(?:pypi|files|mirror|proxy)[\w-]*\.[\w.-]*(?:internal|local|lan)\b"
)
UNFINISHED = re.compile(r"NotImplemented[E]rror|\bTO[D]O\b|\bFIX[M]E\b|Magic[M]ock|time\.sle[e]p\(|assert Tru[e]\b")


def test_every_public_name_has_a_docstring() -> None:
    assert [told for module in modules() for told in _undocumented(module)] == []


def test_files_are_small() -> None:
    large = [
        f"{path}: {count} lines"
        for path in tracked_files()
        if path.suffix == ".py" and (count := len((ROOT / path).read_text().splitlines())) > MOST_LINES
    ]
    assert large == []


def test_one_broad_except_in_the_whole_program_and_it_stands_in_the_loop() -> None:
    broad = [module.name for module in modules() for _ in _broad_handlers(module)]
    assert len(broad) == 1, broad
    assert broad[0].startswith("controller.loop")


def test_no_trace_of_the_machine_it_was_written_on() -> None:
    assert list(_lines_matching(TRACES)) == []


def test_nothing_is_left_unfinished() -> None:
    assert list(_lines_matching(UNFINISHED, suffix=".py")) == []


def _undocumented(module: Module) -> Iterator[str]:
    if ast.get_docstring(module.tree) is None:
        yield f"{module.path}: the module"
    pending: list[tuple[str, ast.Module | ast.ClassDef]] = [("", module.tree)]
    while pending:
        prefix, parent = pending.pop()
        for node in parent.body:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
                continue
            if ast.get_docstring(node) is None and not _is_overload(node):
                yield f"{module.path}:{node.lineno}: {prefix}{node.name}"
            if isinstance(node, ast.ClassDef):
                pending.append((f"{prefix}{node.name}.", node))


def _is_overload(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any("overload" in ast.unparse(decorator) for decorator in node.decorator_list)


def _broad_handlers(module: Module) -> Iterator[ast.AST]:
    for node in ast.walk(module.tree):
        match node:
            case ast.ExceptHandler(type=None):
                yield node
            case ast.ExceptHandler(type=ast.expr() as caught) if BROAD.search(ast.unparse(caught)):
                yield node
            case ast.Call(func=ast.Name("suppress") | ast.Attribute(attr="suppress"), args=caught) if any(
                BROAD.fullmatch(ast.unparse(error)) for error in caught
            ):
                yield node
            case _:
                pass


def _lines_matching(pattern: re.Pattern[str], suffix: str = "") -> Iterator[str]:
    for path in tracked_files():
        if path.name in LARGE_BY_NATURE or (suffix and path.suffix != suffix):
            continue
        try:
            text = (ROOT / path).read_text()
        except UnicodeDecodeError:
            continue  # Binary files are data, not text that we wrote.
        yield from (
            f"{path}:{number}: {line}" for number, line in enumerate(text.splitlines(), 1) if pattern.search(line)
        )
