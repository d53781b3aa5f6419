"""Settings from flags, environment, file and defaults, in this order; read once, each with where it came from.

The only module that reads the environment. Secrets come from the environment or the file, never from flags, and are
never printed.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.errors import UsageError
from model.features import FeatureSet

if TYPE_CHECKING:
    from origin.tokens import TokenKey

# Read by BLAS when NumPy is first imported: threads that nobody will use cost 0.1 s of every command to start.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

ENV_PREFIX = "SEGUE_"
CONFIG_FILE = "segue.toml"
TOKEN_KEY_BYTES_LEAST = 16
_PROCESSORS = max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its key in the file, `SEGUE_` + key in the environment, `--key` on the command line."""

    key: str
    kind: Callable[[str], Any]
    default: Any
    help: str
    secret: bool = False

    @property
    def env(self) -> str:
        """The name of its environment variable."""
        return ENV_PREFIX + self.key.upper()

    @property
    def flag(self) -> str:
        """The name of its flag."""
        return "--" + self.key.replace("_", "-")


def _rates(text: str) -> tuple[int, ...]:
    """`64,96,128` -> ascending bit rates in kbit/s."""
    rates = tuple(int(part) for part in str(text).split(",") if part.strip())
    if list(rates) != sorted(set(rates)) or not all(6 <= rate <= 512 for rate in rates):
        raise ValueError("rates are ascending numbers of kbit/s, 6 to 512")
    return rates


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return text

    return parse


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not least <= int(text) <= most:
            raise ValueError(f"{least} to {most}")
        return int(text)

    return parse


def _size(text: str) -> int:
    """`20G`, `512M` or a number of bytes."""
    found = re.fullmatch(r"(\d{1,15})([KMGT]?)", str(text))
    if found is None or not int(found[1]):
        raise ValueError("a number of bytes, or one with K, M, G or T for powers of 1024")
    return int(found[1]) << 10 * " KMGT".index(found[2] or " ")


def _seconds(text: str) -> float:
    if not 0.05 <= float(text) <= 86_400:
        raise ValueError("0.05 to 86400")
    return float(text)


def _factor(text: str) -> float:
    if not 0 <= float(text) <= 1_000_000:
        raise ValueError("0 to 1000000")
    return float(text)


def _token_keys(text: str) -> "tuple[TokenKey, ...]":
    """Comma-separated, each `NAME:DIGITS` or hexadecimal digits alone."""
    keys = tuple(map(_token_key, text.split(",")))
    if any(len(key.secret) < TOKEN_KEY_BYTES_LEAST for key in keys):
        raise ValueError(f"each has at least {2 * TOKEN_KEY_BYTES_LEAST} hexadecimal digits")
    named = [key.key_id for key in keys if key.key_id]
    if len(set(named)) < len(named):
        raise ValueError("two have the same name")
    return keys


def _token_key(text: str) -> "TokenKey":
    from origin.tokens import TokenKey  # noqa: PLC0415 - few commands are given keys

    name, colon, digits = text.strip().rpartition(":")
    if colon and not name:
        raise ValueError("a name stands before the colon")
    try:
        return TokenKey(secret=bytes.fromhex(digits), key_id=name)
    except ValueError as error:
        raise ValueError("each is NAME:DIGITS, or hexadecimal digits alone") from error  # never what was written


def _visible(text: str) -> str:
    if not text.isascii() or not text.isprintable() or " " in text or "~" in text:
        raise ValueError("visible ASCII characters without ~")
    return text


def _node_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{0,64}", text):
        raise ValueError("at most 64 letters, digits, dots, dashes and underscores")
    return text


def _tcp(text: str) -> str:
    if text and not re.fullmatch(r"(tcp|tls)://[^\s/]+:\d+", text):
        raise ValueError("tcp://HOST:PORT or tls://HOST:PORT")
    return text


def _folder(text: str) -> str:
    if text and not Path(text).is_dir():
        raise ValueError("no such folder")
    return text


SETTINGS = (
    Setting("store", str, "", "where everything is kept: file:PATH or s3://bucket/prefix?endpoint=URL"),
    Setting("catalog", str, "", "the local index of the store, an SQLite file (default: in the user's state folder)"),
    Setting(
        "listeners",
        str,
        "",
        "the database of listeners: an SQLite file (default: beside the catalog) or postgresql://user@host/database",
    ),
    Setting("models", str, "", "the folder of models for recommendations (default: beside the listeners' file)"),
    Setting("search_index", str, "", "where search is indexed: file:PATH or postgresql://user@host/database"),
    Setting(
        "features",
        _one_of(*FeatureSet),
        FeatureSet.OWN,
        "whose features of recordings count; librosa: pip install 'segue[librosa]', another set of numbers",
    ),
    Setting("sync_interval", _seconds, 0.5, "seconds between looks at what changed in the store"),
    Setting("scratch", _folder, "", "folder for temporary files (default: the system's)"),
    Setting("ffmpeg", str, "", "another ffmpeg than the one that comes with Segue"),
    Setting("jobs", _whole(1, 1024), _PROCESSORS, "tracks worked on at the same time"),
    Setting("engine", _one_of("local", "dask"), "local", "local: work in this process; dask: on a scheduler's workers"),
    Setting("scheduler", _tcp, "", "where the Dask scheduler listens: tcp://HOST:PORT, or tls://HOST:PORT"),
    Setting(
        "loudness",
        _one_of("album", "track", "off"),
        "album",
        "album: bring each album to the target as a whole; track: each track by itself; off: only measure",
    ),
    Setting("target", float, -14.0, "target loudness in LUFS"),
    Setting("true_peak", float, -1.0, "true-peak ceiling in dBTP"),
    Setting("aac", _rates, (64, 96, 128, 192, 256), "AAC rungs in kbit/s, comma-separated"),
    Setting("opus", _rates, (64, 96, 128, 160), "Opus rungs in kbit/s, comma-separated"),
    Setting(
        "lossless",
        _one_of("on", "off"),
        "on",
        "on: a FLAC rung, in lossless.m3u8, where the master was lossless; off: none",
    ),
    Setting("protect", _one_of("off", "aes-128"), "off", "aes-128: encrypt what is packaged; needs a key store"),
    Setting("key_store", str, "", "where the master keys are kept: file:PATH, a folder outside the store"),
    Setting("key_rotation", _whole(0, 100_000), 0, "segments until another content key begins; 0: one key for all"),
    Setting("host", str, "127.0.0.1", "address to serve on"),
    Setting("port", _whole(0, 65_535), 8080, "port to serve on; 0: any free one"),
    Setting("workers", _whole(1, 1024), 1, "origin processes that share the port"),
    Setting(
        "disk_cache", str, "", "folder where the origin keeps media that it has read; it may be deleted (default: none)"
    ),
    Setting("disk_cache_bytes", _size, 10 << 30, "what the disk cache may take in all, such as 20G"),
    Setting(
        "sign_up",
        _one_of("loopback", "on", "off"),
        "loopback",
        "whether anybody may become a listener; loopback: where the origin serves this machine alone",
    ),
    Setting("retention_days", _whole(1, 36_500), 400, "days that play events and unused listeners are kept"),
    Setting("rate_limit", _factor, 1.0, "times the API's own rate limits; 0: none"),
    Setting("proxies", _whole(0, 16), 0, "proxies in front that write X-Forwarded-For; 0: clients come by themselves"),
    Setting("node_name", _node_name, "", "what this origin calls itself in CMSD-Static"),
    Setting("access_log_every", _whole(1, 1_000_000), 1, "one log line for so many good answers"),
    Setting("log_listeners", _one_of("off", "on"), "off", "on: log lines have clients' addresses and session ids"),
    Setting("log_level", _one_of("debug", "info", "warning", "error"), "warning", "least severity that is logged"),
    Setting("log_format", _one_of("text", "json"), "text", "how log lines are written, on stderr"),
    Setting(
        "auth",
        _one_of("none", "token", "edge"),
        "none",
        "token: whoever listens needs a token; edge: the cache in front checks them too; none: keys alone need one",
    ),
    Setting(
        "token_key",
        _token_keys,
        (),
        "keys of tokens, NAME:DIGITS or hexadecimal digits alone, comma-separated: the first signs, all count",
        secret=True,
    ),
    Setting("token_salt", _visible, "", "what is hashed into tokens besides, if a CDN's token has a salt", secret=True),
    Setting("s3_access_key", str, "", "access key of the S3 service", secret=True),
    Setting("s3_secret_key", str, "", "secret key of the S3 service", secret=True),
    Setting(
        "source_access_key", str, "", "access key of the S3 service of sources (default: s3_access_key)", secret=True
    ),
    Setting(
        "source_secret_key", str, "", "secret key of the S3 service of sources (default: s3_secret_key)", secret=True
    ),
)
_BY_KEY = {setting.key: setting for setting in SETTINGS}
# What AWS tools read is understood too, after our own names.
_ALSO = {"s3_access_key": "AWS_ACCESS_KEY_ID", "s3_secret_key": "AWS_SECRET_ACCESS_KEY"}


@dataclass(frozen=True, slots=True)
class Value:
    """The value of a setting and where it came from: flag, environment, file or default."""

    value: Any = field(repr=False)  # it may be a secret
    origin: str


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting with its value."""

    values: Mapping[str, Value]
    state_dir: Path

    def __getitem__(self, key: str) -> Any:
        return self.values[key].value

    @property
    def catalog_path(self) -> Path:
        """The catalog's file: as configured, else one per store in the user's state folder."""
        if self["catalog"]:
            return Path(self["catalog"])
        store = self["store"]
        if store.startswith("file:"):
            store = f"file:{Path(store.removeprefix('file:')).absolute()}"
        return self.state_dir / f"{hashlib.sha256(store.encode()).hexdigest()[:16]}.sqlite3"

    @property
    def listeners_address(self) -> str:
        """Where the listeners' database is: as configured, else in a file beside the catalog, named after it."""
        return self["listeners"] or str(self._listeners_path)

    @property
    def features(self) -> FeatureSet:
        """Whose features count."""
        return FeatureSet(self["features"])

    @property
    def models_path(self) -> Path:
        """The folder of models: as configured, else one beside the listeners' file, or where that would be by default,
        named after it."""
        if self["models"]:
            return Path(self["models"])
        from catalog.listener_open import is_server  # noqa: PLC0415 - few commands have to do with listeners

        kept = self["listeners"]
        path = Path(kept) if kept and not is_server(kept) else self._listeners_path
        return path.with_name(f"{path.stem}-models")

    @property
    def _listeners_path(self) -> Path:
        return self.catalog_path.with_name(f"{self.catalog_path.stem}-listeners.sqlite3")


def load(flags: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Config:
    """The settings as flags, environment (by default the process's), file and defaults give them.

    Raises UsageError for an unknown key, with the nearest known one, and for a value that cannot be.
    """
    environ = os.environ if environ is None else environ
    named = flags.get("config") or environ.get("SEGUE_CONFIG")
    file = _file(Path(named or CONFIG_FILE), required=bool(named))
    _refuse_unknown_variables(environ)
    values = {setting.key: _value(setting, flags, environ, file) for setting in SETTINGS}
    state = environ.get("XDG_STATE_HOME") or os.path.join(environ.get("HOME") or "/tmp", ".local", "state")  # noqa: PTH118
    return Config(values, Path(state) / "segue")


def _value(setting: Setting, flags: Mapping[str, Any], environ: Mapping[str, str], file: Mapping[str, Any]) -> Value:
    if not setting.secret and flags.get(setting.key) is not None:
        return Value(_parsed(setting, flags[setting.key], setting.flag), "flag")
    for name in (setting.env, _ALSO.get(setting.key, "")):
        if environ.get(name):
            return Value(_parsed(setting, environ[name], name), f"environment ({name})")
    if setting.key in file:
        raw = file[setting.key]
        text = ",".join(map(str, raw)) if isinstance(raw, list) else str(raw)
        return Value(_parsed(setting, text, setting.key), "file")
    return Value(setting.default, "default")


def _parsed(setting: Setting, text: Any, name: str) -> Any:
    try:
        return setting.kind(text)
    except ValueError as error:
        shown = "" if setting.secret else f" {str(text)!r}"
        raise UsageError(f"bad value{shown} for {name}", hint=f"{setting.help} ({error})") from error


def _file(path: Path, *, required: bool) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        if required:
            raise UsageError("no such configuration file", subject=str(path), hint="check --config") from error
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    found = _tables(path, text)
    for key, value in found.items():
        if key not in _BY_KEY:
            raise UsageError(f"unknown setting {key!r}", subject=str(path), hint=_nearest(key, _BY_KEY))
        if isinstance(value, dict):
            raise UsageError(f"{key} is a value, not a table", subject=str(path), hint=_BY_KEY[key].help)
    return found


def _tables(path: Path, text: str) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - most have no file

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> UsageError:
    return UsageError(f"cannot read the configuration file ({error})", subject=str(path))


def _refuse_unknown_variables(environ: Mapping[str, str]) -> None:
    known = {setting.env for setting in SETTINGS} | {"SEGUE_CONFIG", "SEGUE_CHROMIUM"}
    for name in environ:
        if name.startswith(ENV_PREFIX) and name not in known:
            raise UsageError(f"unknown environment variable {name}", hint=_nearest(name, known, ENV_PREFIX))


def _nearest(name: str, known: Iterable[str], prefix: str = "") -> str:
    import difflib  # noqa: PLC0415 - for mistakes only

    choices = [each.removeprefix(prefix) for each in known]
    near = difflib.get_close_matches(name.removeprefix(prefix), choices, n=1, cutoff=0.6)
    return f"did you mean {prefix}{near[0]}?" if near else "`segue config` shows every setting"
