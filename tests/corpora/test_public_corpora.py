"""Each public corpus on a tiny tree of its documented layout."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from own_data import faults, sound

from asr.corpora.candidate import Candidate, CorpusError, Splits
from asr.corpora.prepare import CORPORA, prepare

Speak = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, speak: Speak) -> Callable[[dict[str, str | None]], Path]:
    """Builds a tree: text files from strings, audio where there is None."""

    def build(tree: dict[str, str | None]) -> Path:
        for name, content in tree.items():
            path = tmp_path / "corpus" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                speak(path, 1.0)
            else:
                path.write_text(content, encoding="utf-8")
        return tmp_path / "corpus"

    return build


def load(corpus: str, source: Path) -> Splits:
    return CORPORA[corpus](source, source / "out", lambda done, total: None)


def rows(splits: Splits) -> Iterator[Candidate]:
    return (row for split in splits.values() for row in split)


def prepared(corpus: str, source: Path, tmp_path: Path, max_rejected: float = 0.0) -> dict[str, tuple[int, int]]:
    result = prepare(corpus, source, tmp_path / "out", max_rejected=max_rejected)
    return {split.split: (split.n_utterances, split.n_rejected) for split in result.splits}


def test_selections_of_librispeech(write, tmp_path: Path) -> None:
    tree: dict[str, str | None] = {}
    for subset in ("train-clean-100", "train-clean-360", "dev-clean", "dev-other", "test-clean", "test-other"):
        tree |= {f"{subset}/1/2/1-2.trans.txt": "1-2-0000 YES\n", f"{subset}/1/2/1-2-0000.flac": None}
    source = write(tree)
    expected = ["train-clean-100", "dev-clean", "dev-other", "test-clean", "test-other"]
    assert list(prepared("librispeech_100", source, tmp_path)) == expected
    result = prepare("librispeech", source, tmp_path / "some", only=["dev-clean", "train-clean-360"])
    assert [split.split for split in result.splits] == ["dev-clean", "train-clean-360"]
    with pytest.raises(CorpusError, match="has no split dev-celan; it has dev-clean"):
        prepare("librispeech", source, tmp_path / "none", only=["dev-celan"])
    with pytest.raises(CorpusError, match="mini_librispeech: looked for train-clean-5, dev-clean-2"):
        load("mini_librispeech", source)


CV_HEADER = "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccents\tlocale\tsegment\n"


def test_common_voice(write, tmp_path: Path) -> None:
    tree: dict[str, str | None] = {"de/clips/a.mp3": None, "de/clips/b.mp3": None, "de/clips/c.mp3": None}
    tree["de/train.tsv"] = CV_HEADER + 'x1\ta.mp3\tEr sagte: "Nein".\t2\t0\ttwenties\t\t\tde\t\n'
    tree["de/dev.tsv"] = CV_HEADER + "x2\tb\tJa.\t2\t0\t\t\t\t\t\n"
    tree["de/test.tsv"] = CV_HEADER + "x3\tc.mp3\tJa.\t2\t0\t\t\t\tde\t\nx3\t../c.mp3\tJa.\t2\t0\t\t\t\tde\t\n"
    tree["de/validated.tsv"] = tree["de/train.tsv"]
    source = write(tree) / "de"
    splits = load("common_voice", source)
    (train,) = splits["train"]
    assert (train.id, train.text, train.speaker, train.language) == ("a", 'Er sagte: "Nein".', "x1", "de")
    assert train.further == {"age": "twenties"}
    assert [row.language for row in splits["dev"]] == ["de"]
    assert faults(splits) == {"test.tsv:3": "outside"}
    assert prepared("common_voice", source, tmp_path, 0.5) == {"train": (1, 0), "dev": (1, 0), "test": (1, 1)}


STM = """;; a comment is no utterance
talk 1 talk 0.0 0.5 <o,f0,male> it 's a(2) test
talk 1 inter_segment_gap 0.5 0.6 <o,,unknown> ignore_time_segment_in_scoring
talk 1 talk 0.5 0.9 <o,f0,male> with <unk>
"""


@pytest.mark.parametrize("release", ["2", "3", "3, links left out"])
def test_tedlium(write, tmp_path: Path, release: str) -> None:
    top, train = ("", "train") if release == "2" else ("legacy/", "data")
    tree: dict[str, str | None] = {}
    for folder in (train, f"{top}dev", f"{top}test"):
        tree |= {f"{folder}/stm/talk.stm": STM, f"{folder}/sph/talk.sph": None}
    if release == "3":
        tree["legacy/train/stm/old.stm"] = STM
    source = write(tree)
    splits = load("tedlium", source)
    assert sound(splits) == {
        "train": ["talk-00000000-00000500"],
        "dev": ["talk-00000000-00000500", "talk-00000500-00000900"],
        "test": ["talk-00000000-00000500", "talk-00000500-00000900"],
    }
    row = splits["train"][0]
    assert (row.text, row.speaker, row.start_s, row.duration_s) == ("it's a test", "talk", 0.0, 0.5)
    assert prepared("tedlium", source, tmp_path) == {"train": (1, 0), "dev": (2, 0), "test": (2, 0)}
    write({f"{top}dev/stm/talk.stm": "talk 1 talk 5 4 <o> x\n", f"{top}dev/stm/other.stm": "other 1 s 0 1 <o> x\n"})
    assert faults(load("tedlium", source)) == {"talk.stm:1": "not a line of STM", "other.stm:1": "no audio file"}


def test_aishell(write, tmp_path: Path) -> None:
    ids = {"train": "BAC009S0002W0122", "dev": "BAC009S0724W0121", "test": "BAC009S0764W0121"}
    tree: dict[str, str | None] = {f"wav/{split}/{id_[6:11]}/{id_}.wav": None for split, id_ in ids.items()}
    tree["transcript/aishell_transcript_v0.8.txt"] = "".join(f"{id_} 而 对 楼市 成交\n" for id_ in ids.values())
    source = write({**tree, "wav/train/S0002/BAC009S0002W0999.wav": None})
    splits = load("aishell", source)
    assert sound(splits) == {split: [id_] for split, id_ in ids.items()}
    assert {(row.text, row.language) for row in rows(splits) if not row.fault} == {("而对楼市成交", "zh")}
    assert splits["train"][0].speaker == "S0002"
    assert list(faults(splits).values()) == ["no transcript"]
    assert prepared("aishell", source, tmp_path, 0.5) == {"train": (1, 1), "dev": (1, 0), "test": (1, 0)}


@pytest.mark.parametrize("folder", ["wav48_silence_trimmed", "wav48"])
def test_vctk(write, tmp_path: Path, folder: str) -> None:
    tree: dict[str, str | None] = {}
    for speaker in range(225, 250):
        name = f"p{speaker}_001"
        suffixes = ["_mic1.flac", "_mic2.flac"] if folder != "wav48" else [".wav"]
        tree |= {f"{folder}/p{speaker}/{name}{suffix}": None for suffix in suffixes}
        tree[f"txt/p{speaker}/{name}.txt"] = "Please call Stella.\n"
    source = write({**tree, f"{folder}/p315/p315_001_mic1.flac": None})
    (all_rows,) = load("vctk", source).values()
    assert len(all_rows) == 25
    assert (all_rows[0].id, all_rows[0].speaker, all_rows[0].text) == ("p225_001", "p225", "Please call Stella.")
    counts = prepared("vctk", source, tmp_path)
    assert list(counts) == ["train", "dev", "test"]
    assert sum(n for n, _ in counts.values()) == 25


def test_speech_commands(write, tmp_path: Path) -> None:
    source = write(
        {
            "yes/aa_nohash_0.wav": None,
            "no/aa_nohash_0.wav": None,
            "no/bb_nohash_1.wav": None,
            "_background_noise_/pink_noise.wav": None,
            "validation_list.txt": "no/aa_nohash_0.wav\n",
            "testing_list.txt": "no/bb_nohash_1.wav\n",
        }
    )
    splits = load("speech_commands", source)
    assert sound(splits) == {"train": ["yes-aa_nohash_0"], "dev": ["no-aa_nohash_0"], "test": ["no-bb_nohash_1"]}
    row = splits["train"][0]
    assert (row.text, row.further, row.speaker) == ("yes", {"label": "yes"}, "aa")
    assert prepared("speech_commands", source, tmp_path) == {"train": (1, 0), "dev": (1, 0), "test": (1, 0)}
    assert '"label": "yes"' in (tmp_path / "out" / "train.jsonl").read_text()
    write({"testing_list.txt": "no/gone_nohash_0.wav\n"})
    assert faults(load("speech_commands", source)) == {"testing_list.txt:1": "no audio file"}


def test_voxpopuli(write, tmp_path: Path) -> None:
    header = "id\traw_text\tnormalized_text\tspeaker_id\tsplit\tgender\tis_gold_transcript\taccent\n"
    tree: dict[str, str | None] = {}
    for split in ("train", "dev", "test"):
        id_ = f"20090112-0900-PLENARY-{split}"
        tree[f"de/2009/{id_}.ogg"] = None
        tree[f"de/asr_{split}.tsv"] = header + f"{id_}\tJa, ja!\tja ja\t77\t{split}\tmale\tTrue\tNone\n"
    source = write(tree) / "de"
    splits = load("voxpopuli", source)
    (row,) = splits["dev"]
    assert (row.text, row.speaker, row.language, row.further) == ("ja ja", "77", "de", {})
    assert prepared("voxpopuli", source, tmp_path) == {"train": (1, 0), "dev": (1, 0), "test": (1, 0)}
    write(
        {"de/asr_dev.tsv": header + "../../x\tx\tx\t1\tdev\tmale\tTrue\tNone\n2009-x\tx\tx\t1\tdev\tmale\tTrue\tNone\n"}
    )
    assert faults(load("voxpopuli", source)) == {"asr_dev.tsv:2": "not an id", "asr_dev.tsv:3": "no audio file"}


@pytest.mark.parametrize("suffix", ["flac", "opus"])
def test_mls(write, tmp_path: Path, suffix: str) -> None:
    tree: dict[str, str | None] = {}
    for split in ("train", "dev", "test"):
        tree[f"mls_german_opus/{split}/audio/12/34/12_34_000001.{suffix}"] = None
        tree[f"mls_german_opus/{split}/transcripts.txt"] = "12_34_000001\tguten tag\n"
    source = write(tree) / "mls_german_opus"
    splits = load("mls", source)
    row = splits["train"][0]
    assert (row.id, row.text, row.speaker, row.language) == ("12_34_000001", "guten tag", "12", "de")
    assert prepared("mls", source, tmp_path) == {"train": (1, 0), "dev": (1, 0), "test": (1, 0)}
    write({"mls_german_opus/dev/transcripts.txt": "12_34_000002\tx\n../12_34\tx\nno tab\n"})
    assert list(faults(load("mls", source)).values()) == ["no audio file", "not an id", "not a row"]


def test_fleurs(write, tmp_path: Path) -> None:
    tree: dict[str, str | None] = {}
    for split in ("train", "dev", "test"):
        tree[f"de_de/audio/{split}/17.wav"] = None
        tree[f"de_de/{split}.tsv"] = "5\t17.wav\tGuten Tag!\tguten tag\tg u t e n | t a g\t16000\tFEMALE\n"
    source = write(tree) / "de_de"
    row = load("fleurs", source)["dev"][0]
    assert (row.id, row.text, row.speaker, row.language, row.audio.parent.name) == ("17", "guten tag", "", "de", "dev")
    assert prepared("fleurs", source, tmp_path) == {"train": (1, 0), "dev": (1, 0), "test": (1, 0)}


def test_yesno(write, tmp_path: Path) -> None:
    source = write({f"{'_'.join(f'{n:08b}')}.wav": None for n in range(40)} | {"README": "not audio"})
    splits = load("yesno", source)
    assert {split: len(rows_) for split, rows_ in splits.items()} == {"train": 5, "dev": 5, "test": 30}
    assert splits["train"][1].text == "no no no no no no no yes"
    assert prepared("yesno", source, tmp_path) == {"train": (5, 0), "dev": (5, 0), "test": (30, 0)}
