"""report.html: self-contained, whole, and no text of others is ever markup."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from urllib.parse import unquote

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.audio.read import Part
from asr.scoring.corpus import score
from asr.scoring.errors import ScoringError
from asr.scoring.evidence import Evidence, embedded, link, measured
from asr.scoring.page import render_page
from asr.scoring.results_table import results_table, write_results_table
from asr.scoring.rows import Clip, Known

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(2)>",
    "<!--",
    "]]>",
    "&lt;b&gt;",
    "\"'><b>",
    "\x1b[31mred\x07",
    "\u202eevil\u2028",
    "\ud800",
    "javascript:alert(3)",
    "\u4f60\u597d",
    "|table|",
]
texts = st.lists(st.sampled_from([*HOSTILE, "a", "b"]) | st.text(max_size=4), max_size=6).map(" ".join)


class Page(HTMLParser):
    """Every tag with its attributes, and what stands in scripts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self.styles, self.open = [], {}, [], None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.open = (tag, dict(attributes).get("id", "program")) if tag in ("script", "style") else None

    def handle_endtag(self, tag):
        self.open = None

    def handle_data(self, data):
        if self.open and self.open[0] == "script":
            self.scripts[self.open[1]] = data
        elif self.open:
            self.styles.append(data)

    def data(self, name):
        return json.loads(self.scripts[name])


def rendered(rows, evidence, folder, title="test"):
    references, hypotheses, speakers = ({id: row[i] for id, row in rows.items()} for i in range(3))
    return render_page(
        score(references, hypotheses, speakers, n_resamples=2), evidence, title, {"about": title}, folder
    )


@settings(deadline=None, max_examples=40)
@given(
    st.dictionaries(
        st.sampled_from(HOSTILE) | st.text(min_size=1, max_size=5),
        st.tuples(texts, texts, texts),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from(HOSTILE),
)
def test_no_text_of_others_is_markup(tmp_path_factory, rows, title):
    folder = tmp_path_factory.getbasetemp()
    plain = Page(rendered({"a": ("a", "b", "c"), "b": ("a b", "a", "d")}, Evidence(), folder))
    knowns = {id: Known(corpus=row[2]) for id, row in rows.items()}
    text = rendered(rows, Evidence(knowns), folder, title)
    text.encode()  # no half of a surrogate pair
    page = Page(text)
    assert {tag for tag, _ in page.tags} <= {tag for tag, _ in plain.tags}
    assert page.scripts["program"] == plain.scripts["program"]
    for _, attributes in page.tags:
        assert not any(name.startswith("on") or name in ("src", "href", "style", "srcdoc") for name in attributes)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert len(page.data("utterances")) == len(rows)


def test_the_policy_allows_this_style_and_this_script_alone(tmp_path):
    page = Page(rendered({"a": ("a", "b", "c")}, Evidence(), tmp_path))
    (policy,) = [each["content"] for tag, each in page.tags if tag == "meta" and "http-equiv" in each]
    for content, directive in ((page.scripts["program"], "script-src"), (page.styles[0], "style-src")):
        hashed = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{directive} 'sha256-{hashed}';" in policy
    assert policy.startswith("default-src 'none';")
    assert "http" not in policy and "//" not in page.styles[0]


def test_alignments_carry_every_word(tmp_path):
    rows = {
        "u1": ("the cat sat on", "the bat sat down on", "ann"),
        "u2": ("", "ghost", "bob"),
        "u3": ("x y", "", "bob"),
    }
    data = {each["id"]: each for each in Page(rendered(rows, Evidence(), tmp_path)).data("utterances")}
    assert data["u1"] == {
        "id": "u1",
        "n": [1, 0, 1, 4],
        "a": ["the", ["cat", "bat"], "sat", [None, "down"], "on"],
        "who": "ann",
    }
    assert data["u2"]["a"] == [[None, "ghost"]]
    assert data["u3"]["a"] == [["x", None], ["y", None]]


def test_confidences_are_drawn_where_there_are_any(tmp_path):
    rows = {"u1": ("a b", "a c", "ann")}
    assert "expected calibration error 20.00 %" in rendered(
        rows, Evidence({"u1": Known(confidences=(0.9, 0.3))}), tmp_path
    )
    for evidence in (Evidence(), Evidence({"u1": Known(confidences=(0.9,))})):
        assert "calibration" not in rendered(rows, evidence, tmp_path)


@pytest.fixture
def clips(tmp_path):
    """Of u1 to u4: a file, a stretch of one with a hostile name, a file that is none, and no file at all."""
    folder = tmp_path / "audio"
    folder.mkdir()
    rng = np.random.default_rng(0)
    samples = rng.standard_normal(16_000) * np.repeat([0.001, 0.1], 8000)
    for name in ("u1.wav", "#2 ?<b>%20.wav"):
        sf.write(folder / name, samples, 16_000)
    (folder / "u3.wav").write_bytes(b"RIFF nothing")
    paths = {"u1": Clip(folder / "u1.wav"), "u2": Clip(folder / "#2 ?<b>%20.wav", 0.25, 0.5)}
    return paths | {"u3": Clip(folder / "u3.wav"), "u4": Clip(folder / "no.wav")}


def test_audio_is_linked_or_embedded_and_measured(tmp_path, clips):
    found = score({id: "a b" for id in clips}, {"u1": "a b", "u2": "c d", "u3": "a", "u4": "a b"}, n_resamples=2)
    known = {id: Known(clip=clip) for id, clip in clips.items()}
    snrs = {id: measured(clip) for id, clip in clips.items()}
    assert snrs["u1"] == pytest.approx(40, abs=2) and snrs["u2"] is not None
    assert snrs["u3"] is snrs["u4"] is measured(None) is None
    evidence = Evidence(known, snrs)
    out = tmp_path / "x" / "out"
    rows = {each["id"]: each for each in Page(render_page(found, evidence, "t", {}, out)).data("utterances")}
    assert rows["u1"]["url"] == "./../../audio/u1.wav"
    path, _, fragment = rows["u2"]["url"].partition("#")
    assert (out / unquote(path)).resolve() == clips["u2"].path and fragment == "t=0.250,0.750"
    for budget, ids in ((1_000_000, {"u1", "u2"}), (20_000, {"u2"}), (10, set())):
        evidence = Evidence(known, snrs, audio=embedded(found, known, budget))
        assert evidence.audio.keys() == ids  # u2 has more errors
        page = Page(render_page(found, evidence, "t", {}, out))
        assert {sorted(clips)[int(place)] for place in page.data("audio")} == ids
        assert sum(map(len, page.data("audio").values())) <= budget
        assert {each["id"] for each in page.data("utterances") if "url" in each} == clips.keys() - ids


def test_what_browsers_cannot_play_is_not_linked(tmp_path):
    assert link(Clip(tmp_path / "x.sph"), tmp_path) is None
    assert link(Clip(tmp_path / "x.wav", part=Part(0, 10, 0)), tmp_path) is None
    assert link(Clip(tmp_path / "javascript:alert(1).wav"), tmp_path) == "./javascript%3Aalert%281%29.wav"


def test_flags_are_shown(tmp_path):
    page = Page(rendered({"u1": ("a", "b", "c")}, Evidence({"u1": Known(flags=("loop", "<b>"))}), tmp_path))
    assert page.data("utterances")[0]["flags"] == "loop, <b>"


def test_pictures_are_in_the_page(tmp_path):
    page = Page(rendered({"u1": ("a", "b", "c")}, Evidence(pictures={"u1": b"png"}), tmp_path))
    assert page.data("pictures") == {"0": base64.b64encode(b"png").decode()}


def test_results_table_is_espnet_s(tmp_path):
    found = score({"a": "a b c d", "b": "e"}, {"a": "a x c", "b": "e f"}, n_resamples=2)
    lines = results_table(
        {"test_clean": found, "a|b": found}, {"command": "x | `y` <b>", "search": {"beam_size": 5}}
    ).splitlines()
    assert "- command: x \\| \\`y\\` \\<b\\>" in lines
    assert lines.count("|dataset|Snt|Wrd|Corr|Sub|Del|Ins|Err|S.Err|") == 2
    rows = [line for line in lines if line.startswith("|test_clean|")]
    assert rows[0] == "|test_clean|2|5|60.0|20.0|20.0|20.0|60.0|100.0|"
    assert rows[1].startswith("|test_clean|2|8|")
    assert rows[0].replace("test_clean", "a\\|b") in lines
    for _ in range(2):
        write_results_table(tmp_path / "new" / "RESULTS.md", {"x": found}, {})
    (tmp_path / "RESULTS.md").write_text("# mine")
    with pytest.raises(ScoringError, match="not of an earlier report"):
        write_results_table(tmp_path / "RESULTS.md", {"x": found}, {})
    empty = score({"a": ""}, {"a": ""}, n_resamples=2)
    assert "|x|1|0|nan|" in results_table({"x": empty}, {})


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.mark.skipif(not CHROMIUM, reason="Chromium is absent")
def test_chromium_shows_texts_as_texts(tmp_path):
    rows = {f"{text}-{i}": (text, f"{text} b", text) for i, text in enumerate(HOSTILE)}
    (tmp_path / "report.html").write_bytes(rendered(rows, Evidence(), tmp_path).encode())
    command = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--dump-dom",
    ]
    url = (tmp_path / "report.html").as_uri() + "#sort=id"
    done = subprocess.run([*command, url], capture_output=True, timeout=120, check=False)
    page = done.stdout.decode()
    if "<article>" not in page and not page.strip():
        pytest.skip("Chromium does not start here")
    assert page.count("<article>") == len(HOSTILE)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;-0</b>" in page
    assert "<img" not in page and "alert(2)&gt;" in page
