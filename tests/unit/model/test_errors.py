"""Errors are part of the contract: codes, exit statuses, and what a message is made of."""

from collections import Counter
from collections.abc import Iterator

from model import errors
from model.errors import PipelineError


def _kinds(kind: type[PipelineError] = PipelineError) -> Iterator[type[PipelineError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)


def test_every_error_has_a_code_of_its_own() -> None:
    """Scripts tell errors apart by it, so none inherits its parent's."""
    codes = Counter(kind.code for kind in _kinds())
    assert [code for code, count in codes.items() if count > 1] == []
    assert all("code" in vars(kind) for kind in _kinds())


def test_exit_statuses_are_the_contract_of_the_command_line() -> None:
    """2 usage, 3 environment, 130 interrupted, 1 everything else."""
    ours = [kind for kind in _kinds() if kind.__module__ == errors.__name__]  # others may come with what is imported
    special = {kind.code: kind.exit_status for kind in ours if kind.exit_status != 1}
    assert special == {
        "usage": 2,
        "interrupted": 130,
        **dict.fromkeys(("tool-missing", "key-missing", "key-malformed", "key-store-unsafe"), 3),
        **dict.fromkeys(("engine-unavailable", "engine-mismatch"), 3),
    }


def test_only_what_may_pass_by_itself_is_retryable() -> None:
    """Asking again for what is denied or missing is a waste."""
    assert {kind.code for kind in _kinds() if kind.retryable} == {
        "storage-unavailable", "overloaded", "search-unavailable", "listening-unavailable", "listeners-unavailable",
        "rate-limited",
    }  # fmt: skip


def test_a_message_says_what_happened_and_to_what() -> None:
    """The subject comes after a colon; the hint stands apart."""
    error = errors.SourceUnreadable("cannot read source", subject="a/b.flac", hint="copy it again")
    assert str(error) == "cannot read source: a/b.flac"
    assert (error.message, error.subject, error.hint) == ("cannot read source", "a/b.flac", "copy it again")
    assert str(errors.SourceUnreadable("cannot read source")) == "cannot read source"


def test_errors_with_more_to_say_keep_it() -> None:
    """The line of a playlist, and what the program said."""
    syntax = errors.PlaylistSyntaxError("no URI", line=7, subject="index.m3u8")
    assert (syntax.line, str(syntax)) == (7, "line 7: no URI: index.m3u8")
    failed = errors.ToolFailed("died", argv=("ffmpeg", "-x"), exit_status_of_tool=-9, stderr_tail="…")
    assert (failed.argv, failed.exit_status_of_tool, failed.stderr_tail) == (("ffmpeg", "-x"), -9, "…")
