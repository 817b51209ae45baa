"""Files from an attacker, through the command line: nothing is run, nothing lands outside, the refusal is in words."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hostile.data import ARCHIVES, LISTS, MANIFESTS
from hostile.models import CHECKPOINTS, MODELS, RECIPES
from hostile.place import Case, Place
from hostile.texts import RECORDINGS, TEXTS
from tones import write_recipe

from asr.build import build_model
from asr.recipe.load import dump_recipe, load_recipe
from asr.text.tokenizer import Tokenizer
from asr.training.tensors import save_tensors

RUNS = {"os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "subprocess.Popen"}
FORBIDDEN = RUNS | {"pickle.find_class", "socket.connect", "shutil.unpack_archive"}
_seen: list[str] | None = None


def _hook(event: str, given: tuple[object, ...]) -> None:
    if _seen is not None and event in FORBIDDEN:
        _seen.append(f"{event} {given!r}")


sys.addaudithook(_hook)  # for good; it looks only while a case runs


@contextmanager
def watching() -> Iterator[list[str]]:
    """Whatever is run, unpickled or called up meanwhile, in this process."""
    global _seen
    _seen = []
    try:
        yield _seen
    finally:
        _seen = None


ALL = {
    f"{kind}: {name}": case
    for kind, cases in (
        ("recipe", RECIPES),
        ("model", MODELS),
        ("run", CHECKPOINTS),
        ("manifest", MANIFESTS),
        ("list", LISTS),
        ("archive", ARCHIVES),
        ("text", TEXTS),
        ("recording", RECORDINGS),
    )
    for name, case in cases.items()
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a model, untrained."""
    folder = tmp_path_factory.mktemp("whole")
    recipe = load_recipe(write_recipe(folder / "r.yaml", folder / "t.jsonl"))
    tokenizer = Tokenizer.train(["abba cd"], "char")
    save_tensors(folder / "w", build_model(recipe, tokenizer.n_tokens).state_dict())
    return {
        "recipe.yaml": dump_recipe(recipe).encode(),
        "tokenizer.model": tokenizer.model,
        "model.safetensors": (folder / "w").read_bytes(),
    }


def everything(folder: Path, but: Path) -> dict[str, bytes | None]:
    """What lies below a folder, but for one folder in it; links and pipes are not followed."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_relative_to(but):
            plain = path.is_file() and not path.is_symlink()
            found[str(path.relative_to(folder))] = path.read_bytes() if plain else None
    return found


def is_harmless(text: str) -> bool:
    """Whether a terminal would show it, and do nothing else."""
    return all(character.isprintable() or character in "\n\t" for character in text)


def test_there_are_enough() -> None:
    assert len(ALL) >= 50


@pytest.mark.parametrize("case", ALL.values(), ids=ALL)
def test_nothing_is_run_nothing_lands_outside_and_the_refusal_is_in_words(
    asr: Callable[..., object], case: Case, whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, status, said = case
    place = Place(tmp_path / "below" / "in", tmp_path / "mark", tmp_path / "below" / "out", whole, monkeypatch)
    for folder in (place.top, tmp_path / "outside", tmp_path / "here"):
        folder.mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    words = make(place)
    before = everything(tmp_path, place.out)
    with watching() as events:
        outcome = asr(*words)
    assert not place.mark.exists()
    assert events == []
    assert everything(tmp_path, place.out) == before
    assert not any(path.is_symlink() for path in place.out.rglob("*"))
    assert is_harmless(outcome.out + outcome.err), (outcome.out, outcome.err)
    assert "Traceback" not in outcome.err
    assert outcome.status == status, outcome.err
    assert re.search(said, outcome.err if status else outcome.out), (outcome.out, outcome.err)
    for page in place.out.rglob("*.html"):
        assert "<script>alert" not in page.read_text()
