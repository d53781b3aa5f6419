"""README, docs, `--help` and code say the same."""

import re
import tomllib
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from functools import cache
from io import StringIO
from pathlib import Path

import pytest

import catalog.store  # noqa: F401 - every error class must be known
import discovery.listening.history_files
import discovery.listening.service
import discovery.playlists.formats
import discovery.playlists.nsp
import discovery.web  # noqa: F401
from catalog.rules import FIELDS, OPERATORS, Operator
from discovery.subsonic.web import ENDPOINTS
from inspector.judge import RULES
from manifests.rules import PLAIN_RULES
from model.errors import PipelineError
from segue.config import SETTINGS, Setting
from segue.main import COMMANDS, parser

ROOT = Path(__file__).resolve().parents[2]
RULE_ID = re.compile(r'"((?:SEGUE|CMAF|OPUS|APPLE|RFC8216)-[A-Za-z0-9.-]+)"')
EVENT = re.compile(r'"event": "([a-z]+)"')
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@cache
def _options(command: str) -> set[str]:
    """The long options of a command, settings and all, as its help lists them."""
    said = StringIO()
    with redirect_stdout(said), suppress(SystemExit):
        parser().parse_args([command, "--help"])
    return set(re.findall(r"^  (?:-h, )?(--[a-z-]+)", said.getvalue(), re.MULTILINE))


def _anchors(page: Path) -> set[str]:
    """What a link can follow into a page: its headings, as GitHub spells them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


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


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_a_command_is_explained(command: str) -> None:
    """What is no setting stands in the README or in the operator's page."""
    settings = {setting.flag for setting in SETTINGS} | {"--help", "--config"}
    said = _text("README.md") + _text("docs/operations.md")
    own = _options(command) - settings
    assert sorted(option for option in own if not re.search(rf"[` ]{option}(?![a-z-])", said)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_docs_name_no_option_that_is_none(page: Path) -> None:
    """What stands in backticks as `--option`, or behind `segue COMMAND`, is an option (of that command)."""
    said = page.read_text(encoding="utf-8")
    ours = {option for command in COMMANDS for option in _options(command)} | {"--version", "--odd"}
    assert set(re.findall(r"`(--[a-z-]+)", said)) - ours == set()
    for command, words in re.findall(r"segue (\w+)((?: [^`\n]*)?)", said):
        taken = set(re.findall(r"(?<= )--[a-z-]+", words))
        assert command not in COMMANDS or taken - _options(command) == set()


def test_cli_json_has_every_event() -> None:
    """Each event that a command prints is described, and no other."""
    printed = {event for file in (ROOT / "segue").rglob("*.py") for event in EVENT.findall(file.read_text("utf-8"))}
    rows = re.findall(r"^\| [^|]+ \| `([a-z]+)`", _text("docs/cli-json.md"), re.MULTILINE)
    assert printed == set(rows) - {"event"}  # the head of the table


def test_playlists_has_every_field_with_its_operators() -> None:
    """The table of fields of rule playlists: each once, of its kind, with all that can be asked of it."""
    rows = re.findall(
        r"^\| `([a-z]+)` \| ([a-z ]+)(?:; [^|]+)? \| ([^|]+) \|$", _text("docs/playlists.md"), re.MULTILINE
    )
    told = {name: (kind, re.findall(r"`(\w+)`", operators)) for name, kind, operators in rows}
    known = {
        name: (str(field.kind), [each for each in Operator if each in OPERATORS[field.kind]])
        for name, field in FIELDS.items()
    }
    assert told == known


def test_verify_has_every_rule_as_it_is() -> None:
    """The tables of rules: each id once, in order, with its section, its severity and its fix."""
    rows = re.findall(
        r"^\| `([^`]+)` \| (.+?) \| (must|should) \| (.+?) \| (.+?) \|$", _text("docs/verify.md"), re.MULTILINE
    )
    told = [(rule, section, severity, fix) for rule, section, severity, _, fix in rows]
    assert told == [(each.rule, each.section, str(each.severity), each.how_to_fix) for each in RULES]


def test_verify_has_every_rule_of_our_packages() -> None:
    """What only the packager and our own decisions know."""
    page = _text("docs/verify.md")
    known = {each.rule for each in PLAIN_RULES if each.rule.startswith("SEGUE-")}
    known |= set(RULE_ID.findall(_text("packager/verify.py")))
    listed = re.findall(r"^\| `([^`]+)` \| (?:must|should) \| [^|]+ \|$", page, re.MULTILINE)
    assert sorted(listed) == sorted(known - {each.rule for each in RULES})


def test_every_rule_of_our_packages_is_triggered() -> None:
    """Each id of the packager's stands in a test of the packager's."""
    tests = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("packager/test_*.py"))
    assert set(RULE_ID.findall(_text("packager/verify.py"))) - set(RULE_ID.findall(tests)) == set()


def test_architecture_has_every_folder() -> None:
    """Each package that is shipped is in the table of folders."""
    packages = tomllib.loads(_text("pyproject.toml"))["tool"]["setuptools"]["packages"]
    listed = re.findall(r"^\| `([a-z_/]+)/` \|", _text("docs/architecture.md"), re.MULTILINE)
    named = {name.replace(".", "/") for name in packages} - {"segue/commands", "player_demo"}
    assert set(listed) == named


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link and picture in the docs exists, and so does the heading that it names."""
    missing = []
    for target, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        place = page.parent / target if target else page
        if not place.exists() or (anchor and anchor not in _anchors(place)):
            missing.append(f"{target}#{anchor}")
    assert missing == []


def test_decisions_are_numbered() -> None:
    """One after the other, and the heading has the number of the file."""
    files = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    titles = [re.match(r"# (\d+)\. ", file.read_text(encoding="utf-8")) for file in files]
    assert [int(title[1]) for title in titles if title] == list(range(1, len(files) + 1))
    assert [int(file.name[:4]) for file in files] == list(range(1, len(files) + 1))


def test_make_targets_in_the_docs_exist() -> None:
    """`make X` in README and CONTRIBUTING is a target of the Makefile."""
    said = _text("README.md") + _text("CONTRIBUTING.md")
    named = set(re.findall(r"(?:`|^    )make ([a-z]+)", said, re.MULTILINE))
    targets = set(re.findall(r"^([a-z]+):", _text("Makefile"), re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def test_the_threat_model_names_tests_that_exist() -> None:
    """Each defence is shown by a test: the file is there, and the function in it."""
    named = re.findall(r"`(tests/[a-z0-9_/]+\.py)(?:::(\w+))?`", _text("docs/threat-model.md"))
    assert len(named) > 20
    missing = [(file, test) for file, test in named if f"def {test}" not in _text(file)]
    assert missing == []


def test_opensubsonic_has_every_endpoint() -> None:
    """The table of endpoints is what is answered, and no other."""
    table = re.findall(r"^\| (`.+?) \|", _text("docs/opensubsonic.md"), re.MULTILINE)
    assert {name for cell in table for name in re.findall(r"`([\w.]+)`", cell)} == set(ENDPOINTS)
