"""`segue config`: every setting, its value, and where that came from."""

import argparse
import re

from segue.config import SETTINGS as ALL
from segue.config import Config, Value
from segue.output import Output

HELP = "show every setting, its value and where it came from"
SETTINGS = tuple(setting.key for setting in ALL if not setting.secret)
EXAMPLE = "segue config"
_PASSWORD = re.compile(r"(//[^/@:\s]*:)[^/@\s]+(?=@)|(password=)[^&\s]+")  # in a URL, where none belongs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has settings only."""


def run(config: Config, arguments: argparse.Namespace, output: Output) -> int:
    """Show the settings; secrets only whether they are set."""
    for setting in ALL:
        value = config.values[setting.key]
        shown = _shown(value, secret=setting.secret)
        output.data(
            {"event": "setting", "key": setting.key, "value": shown, "origin": value.origin, "env": setting.env}
        )
        output.text(f"{setting.key:14} {shown:36} {value.origin:28} {setting.help}")
    return 0


def _shown(value: Value, *, secret: bool) -> str:
    if secret:
        return "(set)" if value.value else "(not set)"
    shown = ",".join(map(str, value.value)) if isinstance(value.value, tuple) else str(value.value)
    return _PASSWORD.sub(r"\1\2(hidden)", shown)
