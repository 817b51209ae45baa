from asr.cli import progress


def test_a_log_gets_a_line_now_and_then(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    with progress.progress_bar("digits") as tell:
        tell(1, 2)
    assert capsys.readouterr() == ("", "digits: 1 of 2\n")


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress.progress_bar("digits [x]") as tell:
        tell(1, 2)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "digits [x]" in captured.err
