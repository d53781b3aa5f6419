"""`tls://`: scheduler, workers and batches that show each other certificates, made as docs/operations.md says."""

import subprocess
from pathlib import Path

from tests.e2e.test_batches import song
from tests.support.cluster import cluster, free_port
from tests.support.command import SHORT_LADDER, segue

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def certificates(folder: Path) -> dict[str, str]:
    """A certificate authority and a certificate of it, as settings of a machine that plays all roles."""
    folder.mkdir()

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=60)

    openssl("req", "-x509", *CURVE, "-days", "30", "-subj", "/CN=ca", "-keyout", "ca-key.pem", "-out", "ca.pem")
    openssl("req", *CURVE, "-subj", "/CN=segue", "-keyout", "key.pem", "-out", "request.pem")
    signed = ("-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-days", "30", "-out", "cert.pem")
    openssl("x509", "-req", "-in", "request.pem", *signed)
    found = {"CA_FILE": str(folder / "ca.pem")}
    for role in ("SCHEDULER", "WORKER", "CLIENT"):
        found |= {f"{role}__CERT": str(folder / "cert.pem"), f"{role}__KEY": str(folder / "key.pem")}
    return {f"DASK_DISTRIBUTED__COMM__TLS__{name}": value for name, value in found.items()}


def test_machines_show_each_other_certificates(tmp_path: Path) -> None:
    """A batch is done by those that do; who has another certificate, or none, is told why it cannot take part."""
    ours, another = certificates(tmp_path / "ours"), certificates(tmp_path / "another")
    song(tmp_path / "music" / "song.flac", seed=1, title="Song")
    words = ("publish", "music", "--store", "file:store", "--catalog", "catalog.sqlite3", *SHORT_LADDER[:-2])
    with cluster(tmp_path, protocol="tls", **ours) as machines:
        machines.scheduler()
        machines.worker()
        done = segue(*words, *machines.engine, cwd=tmp_path, **ours)
        assert done.summary == {"done": 1, "skipped": 0, "failed": 0}, done.stderr
        quick = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "10s"}
        stranger = segue("worker", "--scheduler", machines.address, cwd=tmp_path, **another, **quick)
        assert (stranger.status, stranger.lines[-1]["code"]) == (3, "engine-unavailable")
        nobody = segue(*words, *machines.engine, cwd=tmp_path)
        assert (nobody.status, nobody.lines[-1]["code"]) == (2, "usage")
        assert "CA_FILE" in str(nobody.lines[-1]["message"])


def test_a_scheduler_tells_why_it_cannot_listen(tmp_path: Path) -> None:
    """Its port is taken; or it has no certificate."""
    with cluster(tmp_path) as machines:
        machines.scheduler()
        taken = segue("scheduler", "--scheduler", machines.address, cwd=tmp_path)
        assert (taken.status, taken.lines[-1]["code"]) == (3, "engine-unavailable")
    bare = segue("scheduler", "--scheduler", f"tls://127.0.0.1:{free_port()}", cwd=tmp_path)
    assert (bare.status, bare.lines[-1]["code"]) == (2, "usage")


def test_a_batch_says_how_long_it_waited_for_a_scheduler(tmp_path: Path) -> None:
    """Dask's own setting is how long."""
    words = ("package", "--store", "file:store", "--engine", "dask", "--scheduler", f"tcp://127.0.0.1:{free_port()}")
    alone = segue(*words, cwd=tmp_path, DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT="1s")
    assert (alone.status, alone.lines[-1]["code"]) == (3, "engine-unavailable")
    assert "no scheduler answered in 1s" in str(alone.lines[-1]["message"])
