"""App passwords: one for each device that only knows names and passwords, so that each can be withdrawn alone.

The passwords themselves are nowhere: they come from a master key and the id of their row (`protection/keys.py`).
"""

import time
from dataclasses import dataclass

from catalog.listener_database import ListenerDatabase, Migrations, new_id
from model.errors import UsageError

OF_ONE_MAX = 50  # devices of one listener; each costs a hash at every login
DEVICE_CHARS_MAX = 100

APP_PASSWORDS = Migrations(
    name="app passwords",
    steps=(
        """CREATE TABLE app_passwords (
            password_id TEXT PRIMARY KEY, listener_id TEXT NOT NULL REFERENCES listeners ON DELETE CASCADE,
            device TEXT NOT NULL, key_set TEXT NOT NULL, created_s INTEGER NOT NULL
        ) WITHOUT ROWID""",
        "CREATE INDEX app_passwords_of_listener ON app_passwords (listener_id)",
    ),
)


@dataclass(frozen=True, slots=True)
class AppPassword:
    """What is known of an app password: its id, what device it is for, and the name of the master key it came from."""

    password_id: str
    device: str
    key_set: str
    created_s: int


class AppPasswords:
    """The app passwords of all listeners. Calls block for a moment. Raises CatalogError."""

    def __init__(self, database: ListenerDatabase) -> None:
        database.migrate(APP_PASSWORDS)
        self._database = database

    def add(self, listener_id: str, device: str, key_set: str) -> AppPassword:
        """A new one. Raises UsageError if the name of the device is not a line of text, or there are too many."""
        device = " ".join(device.split())
        if not 0 < len(device) <= DEVICE_CHARS_MAX or not device.isprintable():
            raise UsageError(f"a device has a name of at most {DEVICE_CHARS_MAX} characters", subject="device")
        made = AppPassword(new_id(), device, key_set, int(time.time()))
        with self._database.writing(listener_id) as db:
            count = db.execute("SELECT count(*) FROM app_passwords WHERE listener_id = ?", (listener_id,)).fetchone()[0]
            if count >= OF_ONE_MAX:
                raise UsageError(f"a listener has at most {OF_ONE_MAX} app passwords", hint="remove one of them")
            values = (made.password_id, listener_id, made.device, made.key_set, made.created_s)
            db.execute("INSERT INTO app_passwords VALUES (?, ?, ?, ?, ?)", values)
        return made

    def of(self, listener_id: str) -> list[AppPassword]:
        """All of one listener, the oldest first."""
        found = self._database.select(
            "SELECT password_id, device, key_set, created_s FROM app_passwords WHERE listener_id = ? "
            "ORDER BY created_s, password_id",
            (listener_id,),
        )
        return [AppPassword(*each) for each in found]

    def remove(self, listener_id: str, password_id: str) -> bool:
        """Withdraw one; whether there was one."""
        with self._database.writing(listener_id) as db:
            values = (listener_id, password_id)
            gone = db.execute("DELETE FROM app_passwords WHERE listener_id = ? AND password_id = ?", values)
            return gone.rowcount > 0
