"""A run's page: what was recorded is on it, escaped; what cannot be read is named."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from asr.recognizer.report import ReportError, read_run, report


def write_run(folder: Path, n_steps: int = 60) -> Path:
    (folder / "attention").mkdir(parents=True)
    rows = [{"step": step, "group": "train", "loss": 1.0 / step, "lr": 1e-3} for step in range(20, n_steps + 1, 20)]
    rows.append({"step": n_steps, "group": "dev", "wer": 0.25, "listening_gain": 1.5})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "train.log").write_text(
        "d t step 20  fine\nd t ALIGNMENT: deaf <script>\nd t step 3: the gradient is nan on u1; the batch is kept in x and skipped\n"
    )
    (folder / "recipe.yaml").write_text("{}\n")
    return folder


def test_the_page_tells_what_was_recorded_and_escapes_it(tmp_path):
    run = write_run(tmp_path / "a&b $x$ <i>")
    (run / "attention" / "step-00000020.png").write_bytes(b"one")
    (run / "attention" / "step-00000040.png").write_bytes(b"two")
    (run / "attention" / "step-00000060.png").write_bytes(b"six")
    page = report([run], tmp_path / "new" / "page.html").read_text()
    assert "25.00 % at step 60" in page
    assert "deaf &lt;script&gt;" in page and "the gradient is nan on u1" in page and "fine" not in page
    assert "<script" not in page and "<i>" not in page
    assert "b25l" in page and "c2l4" in page and "dHdv" not in page  # the first and the newest, in base64
    svg = page[page.index("<svg") : page.index("</svg>") + 6]
    ElementTree.fromstring(svg)
    assert "asr train" in page


def test_a_run_in_progress_is_read_up_to_the_line_being_written(tmp_path):
    run = write_run(tmp_path / "a")
    whole = read_run(run)
    assert whole.curve("train/loss") == [(20, 1 / 20), (40, 1 / 40), (60, 1 / 60)]
    assert whole.curve("train/peak_share") == []
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 80, "gro')
    assert read_run(run) == whole


def test_runs_are_compared_in_one_picture(tmp_path):
    runs = [write_run(tmp_path / name) for name in ("a", "_b")]
    assert report(runs, tmp_path / "both.png").read_bytes().startswith(b"\x89PNG")
    page = report(runs, tmp_path / "both.html").read_text()
    assert "<h2>" + str(runs[0]) in page and "<h2>" + str(runs[1]) in page


@pytest.mark.parametrize(
    ("content", "named"),
    [(None, "there is none"), ("", "no figures yet"), ("nonsense\n", ":1:"), ('{"group": "dev"}\n', "'step'"),
     ('{"step": 1, "group": "dev", "wer": "x"}\n', ":1:"), ("[1]\n", ":1:")],
)  # fmt: skip
def test_what_cannot_be_read_is_named(tmp_path, content, named):
    if content is not None:
        (tmp_path / "metrics.jsonl").write_text(content)
    with pytest.raises(ReportError, match="metrics.jsonl") as caught:
        report([tmp_path], tmp_path / "x.html")
    assert named in str(caught.value)
    assert not (tmp_path / "x.html").exists()


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(ReportError, match=r"expected \.html or \.png"):
        report([write_run(tmp_path / "a")], tmp_path / "x.pdf")
