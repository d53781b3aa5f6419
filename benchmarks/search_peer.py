"""Tantivy on the catalogue and the queries of bench_search, which starts this in the environment of the benchmarks.

    .cache/bench-venv/bin/python -m benchmarks.search_peer CATALOGUE CASES FOLDER

It indexes our terms, stores the names, and gives its best hundred by its own score: every term has to match, the last
one as a beginning; where nothing matches, each with one edit. They are put in our order, so that what is compared is
how tracks are looked up.
"""

import json
import sys
import time
from pathlib import Path

import tantivy

from benchmarks.bench_search import Names, measured_all, rows_of
from catalog.search_postings import Found
from discovery.search import CANDIDATES, RULES
from discovery.search_rank import ranked
from discovery.search_text import Query, is_spelled, parsed

HEAP_BYTES = 256 << 20


class Peer:
    """An index of tantivy."""

    def __init__(self, folder: Path) -> None:
        builder = tantivy.SchemaBuilder()
        builder.add_text_field("terms", stored=False, tokenizer_name="terms", index_option="freq")
        builder.add_text_field("names", stored=True, tokenizer_name="raw", index_option="basic")
        builder.add_unsigned_field("rank", stored=True, fast=True)
        self._schema = builder.build()
        self._index = tantivy.Index(self._schema, path=str(folder))
        words = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
        self._index.register_tokenizer("terms", words)

    def fill(self, file: Path) -> int:
        """Index the catalogue; how many tracks it has."""
        writer = self._index.writer(HEAP_BYTES, 1)
        rank = 0
        for rank, row in enumerate(rows_of(file), 1):
            document = tantivy.Document()
            document.add_text("terms", " ".join(RULES.indexed_as((row.title, row.artist, row.album))))
            document.add_text("names", "\t".join((row.title, row.artist, row.album)))
            document.add_unsigned("rank", rank)
            writer.add_document(document)
        writer.commit()
        writer.wait_merging_threads()
        self._index.reload()
        return rank

    def ask(self, text: str) -> list[Names]:
        """Title and artist of the best, in order."""
        query = parsed(text)
        if not query.terms:
            return []
        found = self._found(query, edits=0) or self._found(query, edits=1)
        return [(row.found.title, row.found.artist) for row in ranked(query, found, own={})[:10]]

    def _found(self, query: Query, *, edits: int) -> list[Found]:
        clauses = []
        for term in query.terms:
            if edits and is_spelled(term.text):
                clause = tantivy.Query.fuzzy_term_query(
                    self._schema, "terms", term.text, distance=edits, transposition_cost_one=True, prefix=term.prefix
                )
            elif term.prefix:
                clause = tantivy.Query.fuzzy_term_query(self._schema, "terms", term.text, distance=0, prefix=True)
            else:
                clause = tantivy.Query.term_query(self._schema, "terms", term.text)
            clauses.append((tantivy.Occur.Must, clause))
        searcher = self._index.searcher()
        hits = searcher.search(tantivy.Query.boolean_query(clauses), CANDIDATES, count=False).hits
        rows = []
        for _, address in hits:
            document = searcher.doc(address)
            title, artist, album = document["names"][0].split("\t")
            rows.append(Found(document["rank"][0], "", title, artist, album))
        return rows


def main() -> None:
    """Print the figures as JSON."""
    file, cases, folder = map(Path, sys.argv[1:4])
    sets = json.loads(cases.read_text())
    peer = Peer(folder)
    started = time.process_time()
    tracks = peer.fill(file)
    figures: dict[str, object] = {"tracks": tracks, "build_cpu_s": round(time.process_time() - started, 1)}
    typed = {name: [(text, tuple(meant)) for text, meant in each] for name, each in sets.items()}
    figures |= measured_all(typed, peer.ask)
    figures["index_mb"] = round(sum(each.stat().st_size for each in folder.iterdir()) / 1e6, 1)
    figures["version"] = tantivy.__version__
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
