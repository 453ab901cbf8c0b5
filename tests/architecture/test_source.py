"""House rules that a reader would otherwise have to check by eye (DESIGN §2, §6, §10)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source import EVERYWHERE, ROOT, SERVER, files, imports, tree, within


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{path.relative_to(ROOT)}:{node.name}", (node.end_lineno or 0) - node.lineno + 1


def percentile_90(sizes: list[int]) -> int:
    return sorted(sizes)[len(sizes) * 9 // 10]


def test_no_file_is_over_400_lines_and_few_are_over_250() -> None:
    sizes = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files(*EVERYWHERE)}

    assert {name: size for name, size in sizes.items() if size > 400} == {}
    assert percentile_90(list(sizes.values())) <= 250


def test_no_function_is_over_60_lines_and_few_are_over_30() -> None:
    sizes = dict(size for path in files(*EVERYWHERE) for size in functions(path))

    assert {name: size for name, size in sizes.items() if size > 60} == {}
    assert percentile_90(list(sizes.values())) <= 30


def test_modules_are_named_for_what_they_hold() -> None:
    vague = {"util", "utils", "helper", "helpers", "common", "misc", "base_utils", "shared", "lib"}
    found = [
        str(path.relative_to(ROOT)) for path in files(*EVERYWHERE) if vague & {path.stem, *path.relative_to(ROOT).parts}
    ]

    assert found == []


def test_there_are_no_model_signals() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in files(*SERVER)
        for name in imports(tree(path))
        if within(name, "django.db.models.signals", "django.dispatch", "django.core.signals")
    }

    assert found == set()


def test_the_admin_is_not_installed() -> None:
    from django.conf import settings

    assert "django.contrib.admin" not in settings.INSTALLED_APPS


def loading_calls(path: Path) -> Iterator[ast.Call]:
    """Calls of `torch.load`, `numpy.load` and their like, under whatever name."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "load":
            owner = ast.unparse(node.func.value)
            if owner in {"torch", "np", "numpy", "torch.jit", "torch.export"}:
                yield node


def may_unpickle(call: ast.Call) -> bool:
    given = {word.arg: ast.unparse(word.value) for word in call.keywords}
    library = ast.unparse(call.func).partition(".")[0]
    if library == "torch":
        return given.get("weights_only") != "True" or ast.unparse(call.func) != "torch.load"
    return given.get("allow_pickle", "False") != "False"


def test_nothing_is_ever_unpickled() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in files(*EVERYWHERE)
        for call in loading_calls(path)
        if may_unpickle(call)
    ]

    assert found == []


@pytest.mark.parametrize(
    ("call", "unpickles"),
    [
        ("torch.load(path)", True),
        ("torch.load(path, weights_only=False)", True),
        ("torch.load(path, weights_only=True)", False),
        ("torch.jit.load(path, weights_only=True)", True),
        ("np.load(path, allow_pickle=True)", True),
        ("np.load(path)", False),
    ],
)
def test_what_counts_as_unpickling(call: str, unpickles: bool) -> None:
    node = ast.parse(call, mode="eval").body
    assert isinstance(node, ast.Call)

    assert may_unpickle(node) is unpickles


def commands() -> list[str]:
    folders = ("*/management/commands", "*/*/management/commands")
    return sorted(
        path.stem
        for pattern in folders
        for folder in ROOT.glob(pattern)
        if ".venv" not in folder.parts
        for path in folder.glob("[!_]*.py")
    )


def test_each_management_command_has_a_test() -> None:
    tests = "\n".join(path.read_text() for path in files("tests"))
    untested = [
        name for name in commands() if f'call_command("{name}"' not in tests and f'"manage.py", "{name}"' not in tests
    ]

    assert len(commands()) >= 5
    assert untested == []
