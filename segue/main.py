"""`segue`: masters in, equally loud HLS out, served."""

import argparse
import gc
import logging
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from types import ModuleType

from model.errors import Interrupted, PipelineError
from segue import config as settings
from segue.logs import set_up
from segue.output import Output

_NAMES = (
    "publish", "ingest", "package", "serve", "verify", "ls", "search", "playlist", "mix",
    "recommend", "train", "show", "token", "features", "listener", "device", "events",
    "gc", "mirror", "export", "rebuild", "doctor", "config", "scheduler", "worker",
)  # fmt: skip


class Commands(Mapping[str, ModuleType]):
    """The commands by name. Each is loaded when it is asked for: to load all takes longer than most work."""

    def __getitem__(self, name: str) -> ModuleType:
        if name not in _NAMES:
            raise KeyError(name)
        return import_module(f"segue.commands.{name}")

    def __iter__(self) -> Iterator[str]:
        return iter(_NAMES)

    def __len__(self) -> int:
        return len(_NAMES)


COMMANDS = Commands()
LOGGING = ("log_level", "log_format")
_USAGE = """\
examples:
  segue publish ~/Music/album --store file:store    masters in, live tracks out
  segue serve --store file:store                    listen at http://127.0.0.1:8080/
  segue publish ~/Music --store 's3://music/tracks?endpoint=http://127.0.0.1:9000'

Settings come from flags, then SEGUE_* variables, then segue.toml, then defaults; `segue config` shows them all.
Every command takes --json: one JSON object a line on stdout, words for people on stderr.

exit status: 0 nothing failed, 1 something failed, 2 usage, 3 environment, 130 interrupted"""


class _Version(argparse.Action):
    """Looks the version up when it is asked for: that takes as long as much else of the start."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        from importlib import metadata  # noqa: PLC0415

        sys.stdout.write(f"segue {metadata.version('segue')}\n")
        parser.exit()


def parser(names: Iterable[str] = COMMANDS) -> argparse.ArgumentParser:
    """The whole command line, or as much of it as these commands need."""
    top = argparse.ArgumentParser(
        prog="segue",
        description="Masters in, equally loud multi-bitrate HLS out, served for players and CDNs.",
        epilog=_USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action=_Version, nargs=0, help="show program's version number and exit")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in names:
        module = COMMANDS[name]
        sub = commands.add_parser(
            name,
            help=module.HELP,
            description=module.__doc__.partition(": ")[2] if module.__doc__ else "",
            epilog=f"example:\n  {module.EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(sub)
        _add_settings(sub, (*module.SETTINGS, *(key for key in LOGGING if key not in module.SETTINGS)))
    return top


def _add_settings(sub: argparse.ArgumentParser, keys: tuple[str, ...]) -> None:
    known = {setting.key: setting for setting in settings.SETTINGS}
    group = sub.add_argument_group("settings")
    group.add_argument("--json", action="store_true", help="one JSON object a line on stdout")
    group.add_argument("--config", metavar="FILE", help="configuration file (default: segue.toml, if there is one)")
    for key in keys:
        setting = known[key]
        default = ",".join(map(str, setting.default)) if isinstance(setting.default, tuple) else setting.default
        shown = f"{setting.help} [{default}]" if default != "" else setting.help
        group.add_argument(setting.flag, dest=key, metavar=key.upper(), default=None, help=shown)


def _asked(words: Sequence[str]) -> Iterable[str]:
    """The commands that these words can mean."""
    if words[:1] == ["--version"]:
        return ()
    return words[:1] if words and words[0] in COMMANDS else COMMANDS


def main(argv: list[str] | None = None) -> int:
    """Run a command; its exit status."""
    words = sys.argv[1:] if argv is None else argv
    arguments = parser(_asked(words)).parse_args(words)
    output = Output(as_json=arguments.json)
    try:
        values = settings.load(vars(arguments))
        set_up(values["log_level"], values["log_format"])
        status: int = COMMANDS[arguments.command].run(values, arguments, output)
    except PipelineError as error:
        output.error(error)
        return error.exit_status
    except KeyboardInterrupt:
        return Interrupted.exit_status
    except Exception as error:
        logging.getLogger(__name__).critical("internal error", exc_info=error)
        return 1
    return status


def run() -> None:
    """The entry point of the `segue` command.

    What is loaded stays to the end: looking through it for garbage, at the end too, takes a sixth of a short command.
    """
    gc.disable()
    COMMANDS.get(sys.argv[1] if sys.argv[1:] else "")
    gc.freeze()
    gc.enable()
    status = main()
    gc.freeze()
    sys.exit(status)


if __name__ == "__main__":
    run()
