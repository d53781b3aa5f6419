"""Settings: flags over environment over file over defaults, mistakes named, secrets kept."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from model.errors import UsageError
from origin.tokens import TokenKey
from segue.commands import config as command
from segue.config import SETTINGS, Config, load
from segue.output import Output

SECRETS = tuple(setting.key for setting in SETTINGS if setting.secret)
HUSH = "0123456789abcdef" * 4  # fits every secret's form


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No segue.toml of this machine is found."""
    monkeypatch.chdir(tmp_path)


def _load(*, flags: dict[str, Any] | None = None, environ: dict[str, str] | None = None, file: str = "") -> Config:
    if file:
        Path("segue.toml").write_text(file, encoding="utf-8")
    return load(flags or {}, environ or {})


def _origin(config: Config, key: str) -> tuple[Any, str]:
    return config[key], config.values[key].origin


def test_flags_win_then_environment_then_file_then_default() -> None:
    """Each with where it came from."""
    every = {"flags": {"jobs": "3"}, "environ": {"SEGUE_JOBS": "4"}, "file": "jobs = 5"}
    assert _origin(_load(**every), "jobs") == (3, "flag")  # type: ignore[arg-type]
    assert _origin(_load(environ={"SEGUE_JOBS": "4"}), "jobs") == (4, "environment (SEGUE_JOBS)")
    assert _origin(_load(), "jobs") == (5, "file")
    Path("segue.toml").unlink()
    config = _load()
    assert config.values["jobs"].origin == "default"
    assert config["jobs"] >= 1


def test_a_flag_that_was_not_given_and_a_variable_that_is_empty_say_nothing() -> None:
    """argparse gives None; a shell gives an empty text."""
    assert _origin(_load(flags={"port": None}, environ={"SEGUE_PORT": ""}), "port") == (8080, "default")


def test_values_have_their_types_wherever_they_come_from() -> None:
    """A TOML list and a comma-separated text are the same rates."""
    as_list = _load(file='aac = [64, 128]\ntarget = -16\nlog_format = "json"')
    assert (as_list["aac"], as_list["target"], as_list["log_format"]) == ((64, 128), -16.0, "json")
    as_text = _load(environ={"SEGUE_AAC": "64, 128", "SEGUE_OPUS": ""}, flags={"opus": "", "target": "-16"})
    assert (as_text["aac"], as_text["opus"], as_text["target"]) == ((64, 128), (), -16.0)


@pytest.mark.parametrize(
    ("key", "bad"),
    [
        ("jobs", "0"),
        ("jobs", "many"),
        ("jobs", "1.5"),
        ("port", "-1"),
        ("port", "65536"),
        ("workers", "0"),
        ("target", "loud"),
        ("loudness", "loud"),
        ("log_level", "chatty"),
        ("log_format", "xml"),
        ("aac", "128,64"),
        ("aac", "64,64"),
        ("aac", "64,x"),
        ("aac", "5"),
        ("opus", "513"),
        ("scratch", "no/such/folder"),
    ],
)
def test_a_bad_value_is_refused_with_its_name(key: str, bad: str) -> None:
    """From a flag, a variable and a file alike, with the value, its name and what it should be."""
    flag = "--" + key.replace("_", "-")
    for name, given in (
        (flag, {"flags": {key: bad}}),
        (f"SEGUE_{key.upper()}", {"environ": {f"SEGUE_{key.upper()}": bad}}),
    ):
        with pytest.raises(UsageError, match=f"bad value '{bad}' for {name}") as refused:
            _load(**given)  # type: ignore[arg-type]
        assert refused.value.hint
    with pytest.raises(UsageError, match=f"for {key}"):
        _load(file=f'{key} = "{bad}"')


@pytest.mark.parametrize("file", ["jobs = true", "jobs = [1, 2]", "[jobs]\nx = 1", "[store]\nx = 1"])
def test_a_value_of_another_kind_is_refused(file: str) -> None:
    """A truth value, a list and a table are no number and no text."""
    with pytest.raises(UsageError):
        _load(file=file)


def test_unknown_keys_are_refused_with_the_nearest() -> None:
    """A typing mistake must not leave a setting as it was."""
    with pytest.raises(UsageError, match="unknown setting 'loudnes'") as refused:
        _load(file='loudnes = "off"')
    assert refused.value.hint == "did you mean loudness?"
    with pytest.raises(UsageError, match="unknown environment variable SEGUE_STROE") as refused:
        _load(environ={"SEGUE_STROE": "file:x"}, file="jobs = 1")
    assert refused.value.hint == "did you mean SEGUE_STORE?"
    with pytest.raises(UsageError) as refused:
        _load(environ={"SEGUE_XYZZY": "1"})
    assert "segue config" in refused.value.hint


def test_other_variables_are_none_of_our_business() -> None:
    """Only our prefix is looked at."""
    assert _load(environ={"PATH": "/bin", "SEGUELIKE": "x"})["port"] == 8080


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    """One that is not named may be missing."""
    for given in ({"flags": {"config": "other.toml"}}, {"environ": {"SEGUE_CONFIG": "other.toml"}}):
        with pytest.raises(UsageError, match=r"no such configuration file: other\.toml"):
            _load(**given)  # type: ignore[arg-type]
    (tmp_path / "other.toml").write_text("jobs = 7")
    assert _load(flags={"config": "other.toml"})["jobs"] == 7


@pytest.mark.parametrize("data", [b"jobs = ", b"\xff\xfe", b"jobs = 1\njobs = 2"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, data: bytes) -> None:
    """No TOML, no text, twice the same key; and a folder."""
    (tmp_path / "bad.toml").write_bytes(data)
    with pytest.raises(UsageError, match="cannot read the configuration file"):
        _load(flags={"config": "bad.toml"})
    with pytest.raises(UsageError, match="cannot read the configuration file"):
        _load(flags={"config": str(tmp_path)})


def test_secrets_come_from_environment_or_file_but_not_from_flags() -> None:
    """A flag shows in the list of processes."""
    assert _load(flags={"s3_secret_key": "hush"})["s3_secret_key"] == ""
    assert _load(environ={"SEGUE_S3_SECRET_KEY": "hush"})["s3_secret_key"] == "hush"
    assert _load(file='s3_secret_key = "hush"')["s3_secret_key"] == "hush"


def test_keys_of_tokens_are_hexadecimal_and_long_enough() -> None:
    """The first signs; what is refused is not repeated."""
    both = _load(environ={"SEGUE_TOKEN_KEY": f"{HUSH}, {'ff' * 16}"})
    assert both["token_key"] == (TokenKey(secret=bytes.fromhex(HUSH)), TokenKey(secret=b"\xff" * 16))
    named = _load(environ={"SEGUE_TOKEN_KEY": f"2024-b:{HUSH},old:{'ff' * 16},{'ee' * 16}"})
    assert [key.key_id for key in named["token_key"]] == ["2024-b", "old", ""]
    assert HUSH not in repr(named["token_key"]) and bytes.fromhex(HUSH) == named["token_key"][0].secret
    twice = f"a:{HUSH},a:{HUSH}"
    for bad in ("hush-hush" * 4, HUSH[:30], f"{HUSH},", HUSH[:-1], f":{HUSH}", f"a b:{HUSH}", f"a:b:{HUSH}", twice):
        with pytest.raises(UsageError, match="bad value for SEGUE_TOKEN_KEY") as caught:
            _load(environ={"SEGUE_TOKEN_KEY": bad})
        assert bad not in str(caught.value) + caught.value.hint


def test_names_of_aws_tools_are_understood_after_our_own() -> None:
    """For keys only."""
    aws = {"AWS_ACCESS_KEY_ID": "theirs", "AWS_SECRET_ACCESS_KEY": "theirs too"}
    assert _origin(_load(environ=aws), "s3_access_key") == ("theirs", "environment (AWS_ACCESS_KEY_ID)")
    assert _load(environ=aws | {"SEGUE_S3_SECRET_KEY": "ours"})["s3_secret_key"] == "ours"


@pytest.mark.parametrize("as_json", [False, True])
def test_secrets_are_never_shown(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """`segue config` says whether they are set; no text that a config makes of itself holds them."""
    config = _load(environ={f"SEGUE_{key.upper()}": HUSH for key in SECRETS})
    assert command.run(config, argparse.Namespace(), Output(as_json=as_json)) == 0
    shown = capsys.readouterr().out
    said = shown + repr(config) + str(config) + repr(config.values)
    assert HUSH not in said and repr(bytes.fromhex(HUSH)) not in said
    assert shown.count("(set)") == len(SECRETS)
    assert "(not set)" in _shown(_load(), capsys)


def _shown(config: Config, capsys: pytest.CaptureFixture[str]) -> str:
    command.run(config, argparse.Namespace(), Output(as_json=True))
    return capsys.readouterr().out


@pytest.mark.parametrize("url", [f"postgresql://me:{HUSH}@host/d", f"postgresql://me@host/d?password={HUSH}"])
def test_a_password_that_stands_in_a_url_is_not_shown(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It is refused where the URL is used; the rest of it helps to find the mistake."""
    shown = _shown(_load(environ={"SEGUE_LISTENERS": url}), capsys)
    assert HUSH not in shown and "(hidden)" in shown and "@host/d" in shown
    store = "s3://music/tracks?endpoint=http://127.0.0.1:9000"
    assert store in _shown(_load(environ={"SEGUE_STORE": store}), capsys)


def test_every_setting_is_shown_with_its_origin(capsys: pytest.CaptureFixture[str]) -> None:
    """One line each, in JSON as for people."""
    lines = [json.loads(line) for line in _shown(_load(environ={"SEGUE_JOBS": "2"}), capsys).splitlines()]
    assert [line["key"] for line in lines] == [setting.key for setting in SETTINGS]
    (jobs,) = [line for line in lines if line["key"] == "jobs"]
    assert jobs == {
        "event": "setting", "key": "jobs", "value": "2", "origin": "environment (SEGUE_JOBS)", "env": "SEGUE_JOBS",
    }  # fmt: skip


def test_each_store_has_a_catalog_of_its_own(tmp_path: Path) -> None:
    """In the user's state folder, unless one is named; a relative path is the same store as the absolute one."""

    def catalog(store: str) -> Path:
        return _load(flags={"store": store}, environ={"XDG_STATE_HOME": "/state"}).catalog_path

    assert catalog("file:one").parent == Path("/state/segue")
    assert catalog("file:one") == catalog(f"file:{tmp_path}/one") != catalog("file:two")
    assert _load(flags={"store": "file:one", "catalog": "x.sqlite3"}).catalog_path == Path("x.sqlite3")


def test_listeners_are_kept_beside_the_catalog() -> None:
    """Of its own name, so that stores do not share listeners; unless a file is named."""
    beside = _load(flags={"store": "file:one", "catalog": "there/x.sqlite3"})
    assert beside.listeners_address == "there/x-listeners.sqlite3"
    assert beside.models_path == Path("there/x-listeners-models")
    named = _load(flags={"store": "file:one", "listeners": "there/l.sqlite3"})
    assert (named.listeners_address, named.models_path) == ("there/l.sqlite3", Path("there/l-models"))


def test_models_are_where_they_were_when_listeners_move_into_a_server() -> None:
    """There is nothing beside a server."""
    url = "postgresql://segue@host/database"
    moved = _load(flags={"store": "file:one", "catalog": "there/x.sqlite3", "listeners": url})
    assert (moved.listeners_address, moved.models_path) == (url, Path("there/x-listeners-models"))
