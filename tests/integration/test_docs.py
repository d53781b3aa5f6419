"""README, docs, `--help` and code say the same."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import catalog.store  # noqa: F401 - every error class must be known
import discovery.web  # noqa: F401
from model.errors import PipelineError
from segue.config import SETTINGS, Setting
from segue.main import COMMANDS, parser

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _error_classes(base: type[PipelineError] = PipelineError) -> Iterator[type[PipelineError]]:
    yield base
    for each in base.__subclasses__():
        yield from _error_classes(each)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_readme_names_every_command(command: str) -> None:
    """A newcomer sees each command once in the README's table."""
    assert f"`segue {command}" in _text("README.md")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`segue COMMAND --help` exits 0 and shows a command line to copy."""
    with pytest.raises(SystemExit) as ended:
        parser().parse_args([command, "--help"])
    assert ended.value.code == 0
    assert f"example:\n  segue {command}" in capsys.readouterr().out


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_operations_has_every_setting(setting: Setting) -> None:
    """Key and environment variable stand in the table of settings."""
    page = _text("docs/operations.md")
    assert f"`{setting.key}`" in page and f"`{setting.env}`" in page


def test_errors_has_every_code_and_no_other() -> None:
    """The table of errors is exactly what can be raised."""
    listed = re.findall(r"^\| `([a-z-]+)` \|", _text("docs/errors.md"), re.MULTILINE)
    ours = {each.code for each in _error_classes() if each.__module__.partition(".")[0] != "tests"}
    assert sorted(listed) == sorted(ours)


def test_cli_json_has_every_command() -> None:
    """Each command's lines are described."""
    page = _text("docs/cli-json.md")
    assert all(f"`{command}`" in page for command in COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link and picture in the docs exists."""
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert missing == []


def test_make_targets_in_the_docs_exist() -> None:
    """`make X` in README and CONTRIBUTING is a target of the Makefile."""
    said = _text("README.md") + _text("CONTRIBUTING.md")
    named = set(re.findall(r"(?:`|^    )make ([a-z]+)", said, re.MULTILINE))
    targets = set(re.findall(r"^([a-z]+):", _text("Makefile"), re.MULTILINE))
    assert {"demo", "test"} <= named <= targets
