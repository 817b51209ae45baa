def write_run(folder):
    folder.mkdir()
    (folder / "metrics.jsonl").write_text('{"step": 20, "group": "train", "loss": 1.0}\n')
    return folder


def test_a_run_is_reported_in_its_folder(asr, tmp_path):
    outcome = asr("report", write_run(tmp_path / "a"))
    assert outcome.status == 0, outcome.err
    assert outcome.out.strip() == str(tmp_path / "a" / "report.html")
    assert (tmp_path / "a" / "report.html").is_file()


def test_several_runs_need_a_place_to_write_to(asr, tmp_path):
    runs = [write_run(tmp_path / name) for name in "ab"]
    outcome = asr("report", *runs)
    assert outcome.status == 2 and "--out" in outcome.err
    assert asr("report", *runs, "--out", tmp_path / "both.html").status == 0


def test_a_folder_without_figures_is_an_error_in_words(asr, tmp_path):
    outcome = asr("report", tmp_path)
    assert outcome.status == 1 and outcome.err.startswith(f"asr: {tmp_path}/metrics.jsonl: ")
