"""A run's page: what was recorded is on it, escaped; what cannot be read is named."""

import base64
import json
import re
from dataclasses import fields
from pathlib import Path
from xml.etree import ElementTree

import pytest

from asr.recognizer.curves import PANELS, points
from asr.recognizer.report import ReportError, read_run, report
from asr.scoring.alignment import AlignmentHealth

PNG_END = b"IEND\xaeB`\x82"
ALARM = "ALIGNMENT: the speller does not listen <script>alert(1)</script>"
SKIPPED = "step 3: the gradient is nan on u<1>; the batch is kept in x and skipped"


def write_run(folder: Path, n_steps: int = 60, finished: bool = False) -> Path:
    """A run whose dev WER is lowest at step 40."""
    (folder / "attention").mkdir(parents=True)
    steps = range(20, n_steps + 1, 20)
    rows = [{"step": step, "group": "train", "loss": 1.0 / step, "lr": 1e-3} for step in steps]
    rows += [{"step": step, "group": "dev", "wer": 0.25 + abs(step - 40) / 100, "cer": 0.1} for step in steps]
    rows += [{"step": n_steps, "group": "average", "wer": 0.125}] * finished
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    times = [f"2026-01-01 00:00:0{second} " for second in range(5)]
    told = ["step 20  dev WER 45 %", ALARM, SKIPPED, "ALIGNMENT: late", ALARM]
    (folder / "train.log").write_text("".join(f"{time}{line}\n" for time, line in zip(times, told, strict=True)))
    (folder / "recipe.yaml").write_text("training: {seed: 1}  # <i>\n")
    for step in steps:
        (folder / "attention" / f"step-{step:08d}.png").write_bytes(b"picture %d" % step + PNG_END)
    return folder


def pictures(page: str) -> list[bytes]:
    return [base64.b64decode(data).removesuffix(PNG_END) for data in re.findall(r"base64,([^\"]*)", page)]


def test_the_page_tells_what_was_recorded(tmp_path):
    run = write_run(tmp_path / "a")
    page = report([run], tmp_path / "new" / "page.html").read_text()
    assert "25.00 % at step 40" in page and "none yet" in page
    assert "<td>3</td><td>1</td>" in page, "alarms and skipped batches"
    assert "the speller does not listen" in page and "00:00:04, 2 times" in page and "late" in page
    assert "the gradient is nan on u&lt;1&gt;" in page and "dev WER 45" not in page
    assert f"asr train {run}/recipe.yaml --out {run}" in page
    assert pictures(page) == [b"picture 20", b"picture 60"], "the first and the newest"
    assert not re.search(r"<(script|link|iframe)|src=\"(?!data:)|url\((?!#)", page), "nothing from elsewhere"


def test_the_average_of_a_finished_run_is_told(tmp_path):
    page = report([write_run(tmp_path / "a", finished=True)], tmp_path / "page.html").read_text()
    assert "12.50 %" in page and "60, finished" in page
    assert "asr train" not in page and "asr transcribe" in page


def test_names_from_files_do_not_become_markup(tmp_path):
    runs = [write_run(tmp_path / name) for name in ("a&b $x$ <i>", "_b")]
    page = report(runs, tmp_path / "page.html").read_text()
    assert "<script" not in page and "<i>" not in page
    assert "a&amp;b $x$ &lt;i&gt;" in page
    svg = ElementTree.fromstring(page[page.index("<svg") : page.index("</svg>") + 6])
    assert svg.tag.endswith("svg")


def test_every_figure_of_a_run_is_in_one_panel():

    drawn = [name for panel in PANELS for name in (*panel.figures, panel.error) if name]
    assert len(drawn) == len(set(drawn))
    assert {f"dev/{field.name}" for field in fields(AlignmentHealth)} | {"dev/wer", "dev/cer"} <= set(drawn)
    paces = ("loss", "loss_attention", "loss_ctc", "accuracy", "gradient_norm", "audio_s_per_s", "peak_share")
    assert {f"train/{name}" for name in (*paces, "data_wait_share", "lr")} <= set(drawn)


def test_a_run_in_progress_is_read_up_to_what_is_being_written(tmp_path):
    run = write_run(tmp_path / "a")
    whole = read_run(run)
    assert points(whole.rows, "train/loss") == [(20, 1 / 20), (40, 1 / 40), (60, 1 / 60)]
    assert points(whole.rows, "train/peak_share") == []
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 80, "gro')
    (run / "attention" / "step-00000080.png").write_bytes(b"half")
    assert read_run(run) == whole


def test_what_is_not_finite_is_left_out(tmp_path):
    with (write_run(tmp_path / "a") / "metrics.jsonl").open("a") as file:
        file.write('{"step": 80, "group": "dev", "wer": NaN, "entropy": Infinity}\n')
    assert "25.00 % at step 40" in report([tmp_path / "a"], tmp_path / "page.html").read_text()


def test_runs_are_compared_in_one_picture(tmp_path):
    runs = [write_run(tmp_path / name) for name in ("a", "b")]
    (runs[1] / "recipe.yaml").write_text("training: {seed: 2, peak_lr: 0.1}\n")
    assert report(runs, tmp_path / "both.png").read_bytes().startswith(b"\x89PNG")
    page = report(runs, tmp_path / "both.html").read_text()
    assert page.count("<svg") == 1 and "<h2>a</h2>" in page and "<h2>b</h2>" in page
    assert "<td>training.seed</td><td>1</td><td>2</td>" in page
    assert "<td>training.peak_lr</td><td>–</td><td>0.1</td>" in page


def test_runs_of_one_name_are_told_apart_by_their_folders(tmp_path):
    runs = [write_run(tmp_path / name / "run") for name in ("a", "b")]
    assert f"<h2>{runs[0]}</h2>" in report(runs, tmp_path / "both.html").read_text()


def test_a_folder_with_figures_alone_will_do(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 20, "group": "train", "loss": 1.0}\n')
    assert "none yet" in report([tmp_path], tmp_path / "x.html").read_text()


@pytest.mark.parametrize(
    ("content", "named"),
    [(None, "no such file"), (b"", "no figures yet"), (b'{"step": 1', "no figures yet"), (b"nonsense\n", ":1:"),
     (b'{"group": "dev"}\n', ":1:"), (b'{"step": 1, "group": "dev", "wer": "x"}\n', ":1:"), (b"[1]\n", ":1:"),
     (b'{"step": 1, "group": "dev"}\n\x00\xff\n', ":2:")],
)  # fmt: skip
def test_what_cannot_be_read_is_named(tmp_path, content, named):
    if content is not None:
        (tmp_path / "metrics.jsonl").write_bytes(content)
    with pytest.raises(ReportError, match=r"metrics\.jsonl") as caught:
        report([tmp_path], tmp_path / "x.html")
    assert named in str(caught.value)
    assert not (tmp_path / "x.html").exists()


def test_another_suffix_is_refused(tmp_path):
    with pytest.raises(ReportError, match=r"expected \.html or \.png"):
        report([write_run(tmp_path / "a")], tmp_path / "x.pdf")
