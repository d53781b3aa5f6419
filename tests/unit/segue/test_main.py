"""Exit statuses and help: what scripts and people rely on."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from model.errors import Interrupted, PipelineError, SourceUnreadable, ToolMissing, UsageError
from segue.config import SETTINGS
from segue.main import COMMANDS, main, parser


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of this machine, and nothing written into its home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for setting in SETTINGS:
        monkeypatch.delenv(setting.env, raising=False)


def test_the_commands_are_these() -> None:
    """Stable from the first release on."""
    names = [
        "publish", "ingest", "package", "serve", "verify", "ls", "search", "playlist", "mix",
        "recommend", "train", "show", "token", "features", "listener", "device", "events",
        "gc", "mirror", "export", "rebuild", "doctor", "config", "scheduler", "worker",
    ]  # fmt: skip
    assert list(COMMANDS) == names


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_teaches_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Its purpose, its settings, an example that parses; and no secret among its flags."""
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "--json" in shown
    assert COMMANDS[name].EXAMPLE in shown
    assert all(setting.flag not in shown for setting in SETTINGS if setting.secret)
    program, *words = COMMANDS[name].EXAMPLE.split()
    assert program == "segue"
    assert parser().parse_args(words).command == name


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["sing"],
        ["publish"],
        ["publish", "x", "--loudly"],
        ["show"],
    ],
)
def test_a_command_line_that_cannot_be_is_usage(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, with words on stderr only."""
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "argv",
    [
        ["publish", "no-such-folder", "--store", "file:store"],
        ["publish", ".", "--store", "file:store"],
        ["ls"],
        ["verify", "not-an-id", "--store", "file:store"],
        ["show", "../../etc", "--store", "file:store"],
        ["ls", "--store", "ftp://somewhere"],
        ["package", "--store", "file:store", "--aac", ""],
        ["config", "--port", "http"],
        ["ls", "--store", "s3://bucket"],
    ],
)
def test_what_we_cannot_be_asked_is_usage(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, one JSON line with the code, and words with a hint for people."""
    assert main([*argv, "--json"]) == 2
    shown = capsys.readouterr()
    (line,) = [json.loads(line) for line in shown.out.splitlines()]
    assert (line["event"], line["code"]) == ("error", "usage")
    assert line["hint"]
    assert shown.err.startswith("segue: ")


def test_a_name_that_is_no_text_can_be_complained_about(capsys: pytest.CaptureFixture[str]) -> None:
    """A file name of bytes that are no UTF-8, and that does not exist."""
    assert main(["publish", "\udcff.flac", "--store", "file:store", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["code"] == "usage"


def test_a_machine_without_ffmpeg_is_environment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 3, before any source is touched."""
    (tmp_path / "a.flac").write_bytes(b"x")
    argv = ["publish", "a.flac", "--store", "file:store", "--ffmpeg", "/no/such/ffmpeg", "--json"]
    assert main(argv) == 3
    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert line["code"] == "tool-missing"
    assert "SEGUE_FFMPEG" in line["hint"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("x"), 2),
        (ToolMissing("x"), 3),
        (Interrupted("x"), 130),
        (SourceUnreadable("x"), 1),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError("x"), 1),
    ],
)
def test_each_error_has_its_status(
    error: BaseException, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever a command raises: a status, and no trace but in the log."""

    def run(*_: Any) -> int:
        raise error

    monkeypatch.setattr(COMMANDS["config"], "run", run)
    assert main(["config", "--json"]) == status
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["code"] for line in lines] == ([error.code] if isinstance(error, PipelineError) else [])


def test_settings_that_a_command_does_not_have_are_refused() -> None:
    """`segue ls --port 1` is a mistake, not a wish."""
    with pytest.raises(SystemExit):
        parser().parse_args(["ls", "--port", "1"])
    assert isinstance(parser().parse_args(["serve", "--port", "1"]), argparse.Namespace)
