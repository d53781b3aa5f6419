"""The tables of a search index in a PostgreSQL server, and how they are filled from nothing."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from catalog.postgres import Connection
from catalog.search_fill import Filling
from catalog.search_postings import Group, SearchRow, TextRules
from catalog.search_ranks import Gathering, Sizes, in_buckets

LAYOUT = 3
POSTINGS: Mapping[Group, str] = MappingProxyType({group: f"{group}_postings" for group in Group})
# In the order in which whoever reads or writes several takes them: so whoever replaces all waits for nobody who waits.
LOCKED = ("tracks", "artists", "albums", *POSTINGS.values(), "spellings", "terms")
_POSTINGS = """
    CREATE TABLE {name} (term text COLLATE "C" NOT NULL, start integer NOT NULL, ranks bytea NOT NULL)
        WITH (toast_tuple_target = 8160);
    ALTER TABLE {name} ALTER ranks SET STORAGE EXTERNAL;
"""
TABLES = """
    CREATE TABLE made (version text NOT NULL);
    CREATE TABLE tracks (
        state bigint NOT NULL, id integer NOT NULL, artist integer NOT NULL, album integer NOT NULL,
        track_id text COLLATE "C" NOT NULL, title text NOT NULL
    );
    CREATE TABLE artists (
        id integer NOT NULL, tracks integer NOT NULL, name text COLLATE "C" NOT NULL, track_id text NOT NULL
    );
    CREATE TABLE albums (
        id integer NOT NULL, tracks integer NOT NULL,
        name text COLLATE "C" NOT NULL, artist text COLLATE "C" NOT NULL, track_id text NOT NULL
    );
    CREATE TABLE terms (id integer NOT NULL, uses integer NOT NULL, term text COLLATE "C" NOT NULL);
    CREATE TABLE spellings (bucket integer NOT NULL, pairs bytea NOT NULL);
    CREATE TABLE meanwhile (
        number integer GENERATED ALWAYS AS IDENTITY, removed boolean NOT NULL,
        track_id text NOT NULL, title text NOT NULL, artist text NOT NULL, album text NOT NULL,
        album_artist text NOT NULL
    );
""" + "".join(_POSTINGS.format(name=name) for name in POSTINGS.values())
INDEXES = """
    ALTER TABLE tracks ADD PRIMARY KEY (id), ADD UNIQUE (track_id);
    ALTER TABLE artists ADD PRIMARY KEY (id), ADD UNIQUE (name);
    ALTER TABLE albums ADD PRIMARY KEY (id), ADD UNIQUE (name, artist);
    ALTER TABLE terms ADD PRIMARY KEY (id), ADD UNIQUE (term);
    CREATE INDEX ON tracks (artist);
    CREATE INDEX ON tracks (album);
    CREATE INDEX ON albums (artist);
    ALTER TABLE spellings ADD PRIMARY KEY (bucket);
""" + "".join(f"ALTER TABLE {name} ADD PRIMARY KEY (term, start);" for name in POSTINGS.values())


def fill(db: Connection, rules: TextRules, rows: Iterable[SearchRow], sizes: Sizes) -> int:
    """Put rows into empty tables without indexes, and make those; how many there were."""
    filling = Filling(rules)
    lists = {group: Gathering() for group in Group}
    for batch in filling.batches(rows):
        lists[Group.TRACK].add(batch[0][0], (values[-1] for values in batch))
        kept = ((state, rank, artist, album, one, title) for rank, one, title, artist, album, state, _ in batch)
        _copy(db, "tracks", ("int8", "int4", "int4", "int4", "text", "text"), kept)
    artists, albums = list(filling.artists()), list(filling.albums())
    lists[Group.ARTIST].add(1, (values[-1] for values in artists))
    lists[Group.ALBUM].add(1, (values[-1] for values in albums))
    singers = ((rank, tracks, name, one) for rank, name, one, tracks, _ in artists)
    _copy(db, "artists", ("int4", "int4", "text", "text"), singers)
    records = ((rank, tracks, name, artist, one) for rank, name, artist, one, tracks, _ in albums)
    _copy(db, "albums", ("int4", "int4", "text", "text", "text"), records)
    _copy(db, "terms", ("int4", "int4", "text"), ((number, uses, term) for number, term, uses in filling.words()))
    _copy(db, "spellings", ("int4", "bytea"), in_buckets(filling.spellings()))
    for group, name in POSTINGS.items():
        _copy(db, name, ("text", "int4", "bytea"), lists.pop(group).rows(sizes))
    db.execute(INDEXES)
    return filling.count


def _copy(db: Connection, table: str, types: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    with db.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)
