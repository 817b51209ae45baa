"""The house rules that no linter knows: floors, sizes, words, recipes, commands in the README."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command
from weightless import build_weightless

from asr.cli.main import app
from asr.recipe.load import load_recipe

REPOSITORY = Path(__file__).resolve().parent.parent
FILES = sorted((REPOSITORY / "asr").glob("**/*.py"))
RECIPES = sorted((REPOSITORY / "recipes").glob("**/*.yaml"))
README = REPOSITORY / "README.md"

FLOORS = {
    "audio": 2,
    "text": 2,
    "corpora": 2,
    "ranks": 2,
    "dataset": 3,
    "models": 3,
    "training": 4,
    "search": 4,
    "scoring": 4,
    "recipe": 5,
    "build": 6,
    "recognizer": 7,
    "cli": 8,
}
NEIGHBOURS = {("corpora", "audio"), ("corpora", "text")}  # preparing a corpus is reading it
FORBIDDEN_NAMES = {"utils.py", "common.py", "misc.py", "base.py", "helpers.py"}
FORBIDDEN_CALLS = {
    "eval",
    "exec",
    "pickle.load",
    "pickle.loads",
    "pickle.dump",
    "torch.load",
    "torch.save",
    "yaml.load",
}
FORBIDDEN_IMPORTS = {"pickle", "dill", "cloudpickle", "shelve", "marshal"}
MAX_FILE_LINES, MAX_FUNCTION_LINES, P90_FUNCTION_LINES, MAX_ARGUMENTS = 400, 80, 50, 15

TREES = {path: ast.parse(path.read_text(encoding="utf-8"), str(path)) for path in FILES}


def name_of(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def room_of(path: Path) -> str:
    return path.relative_to(REPOSITORY / "asr").parts[0].removesuffix(".py")


def imported_modules(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the room"
            yield node.module or ""


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                yield f"{name_of(path)}:{node.lineno} {node.name}", node


def test_there_is_a_house():
    assert len(FILES) > 20
    # The package itself and `python -m asr` stand above all floors.
    assert {room_of(path) for path in FILES} - {"__init__", "__main__"} <= set(FLOORS)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_room_imports_only_rooms_below(path):
    room = room_of(path)
    for module in imported_modules(TREES[path]):
        package, _, rest = module.partition(".")
        other = rest.partition(".")[0]
        if package != "asr" or room in ("__init__", "__main__") or other == room:
            continue
        assert other, f"{name_of(path)}: imports the whole package"
        below = FLOORS[other] < FLOORS[room] or (room, other) in NEIGHBOURS
        assert below, f"{name_of(path)}: {room} must not know {other}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_is_short_and_well_named(path):
    assert path.name not in FORBIDDEN_NAMES
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_FILE_LINES


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nothing_can_run_code_from_a_file(path):
    assert FORBIDDEN_IMPORTS.isdisjoint(module.partition(".")[0] for module in imported_modules(TREES[path]))
    calls = {ast.unparse(node.func) for node in ast.walk(TREES[path]) if isinstance(node, ast.Call)}
    assert FORBIDDEN_CALLS.isdisjoint(calls)


def test_functions_are_short():
    lengths = sorted((node.end_lineno - node.lineno + 1, name) for name, node in functions())
    assert lengths[-1][0] <= MAX_FUNCTION_LINES, lengths[-1]
    assert lengths[int(0.9 * len(lengths))][0] <= P90_FUNCTION_LINES


def test_functions_take_few_arguments():
    for name, node in functions():
        n_arguments = len(node.args.posonlyargs) + len(node.args.args) + len(node.args.kwonlyargs)
        assert n_arguments <= MAX_ARGUMENTS, name


@pytest.mark.parametrize("path", RECIPES, ids=name_of)
def test_a_shipped_recipe_loads_and_builds(path):
    from asr.build import build_augmentation_at, build_search_settings

    recipe = load_recipe(path, ["training.device=cpu"])
    model = build_weightless(recipe, n_tokens=30)
    assert sum(weights.numel() for weights in model.parameters()) > 0
    build_search_settings(recipe)
    build_augmentation_at(recipe)(0)


@pytest.mark.parametrize("path", RECIPES, ids=name_of)
def test_a_shipped_recipe_says_its_command_first(path):
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("#"), "the first comment gives the command, the WER and the hardware"


def readme_commands() -> list[str]:
    """The `asr …` lines in the README's code blocks, without prompt, comment and what follows a pipe."""
    text = README.read_text(encoding="utf-8") if README.exists() else ""
    blocks = re.findall(r"^```[a-z]*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    found = [re.split(r" [|>&#]", line)[0] for line in lines]
    starts = (r"(\.venv/bin/)?asr \w", r"(\.venv/bin/)?python -m asr \w")
    return [line for line in found if any(re.match(start, line) for start in starts)]


@pytest.mark.parametrize("line", readme_commands())
def test_a_command_in_the_readme_parses(line):
    words = shlex.split(line.replace("python -m asr", "asr"))[1:]
    group = get_command(app)
    with group.make_context("asr", list(words)) as context:
        name, command, rest = group.resolve_command(context, list(words))
        command.make_context(name, rest, parent=context)
    recipes = [word for word in words if word.startswith("recipes/")]
    assert all((REPOSITORY / recipe).is_file() for recipe in recipes)
