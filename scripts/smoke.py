"""Does what we ship work? Build the wheel, install it with its locked dependencies alone, and use every part once.

    python -m scripts.smoke

Needs the development environment to build with; what is tried has nothing of it.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.segue_process import CommandFailed, publish, serving
from scripts.stream_walk import StreamBroken, live_tracks, walk_track

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".cache/smoke"
STEP_TIMEOUT_S = 300
DEVELOPMENT_ONLY = ("pytest", "mypy", "hypothesis", "playwright")


def main() -> int:
    """Run every step; 0 if all worked."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=FOLDER) as scratch:
            python = _installed(_built_wheel(Path(scratch)), FOLDER / "venv")
            _use(python, Path(scratch))
    except (CommandFailed, StreamBroken) as error:
        _say(f"error: {error}")
        return 1
    _say("smoke: the wheel works by itself")
    return 0


def _built_wheel(folder: Path) -> Path:
    """The wheel of this checkout, from clean build folders: what was deleted here must not be in it."""
    shutil.rmtree(ROOT / "build", ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
    _run([*pip, "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)])
    shutil.rmtree(ROOT / "build", ignore_errors=True)
    return next(folder.glob("segue-*.whl"))


def _installed(wheel: Path, venv: Path) -> Path:
    """The Python of a fresh environment that has the wheel and requirements/run.txt, and nothing else."""
    _run([sys.executable, "-m", "venv", "--clear", str(venv)])
    python = venv / "bin/python"
    install = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    locked = str(ROOT / "requirements/run.txt")
    _run([*install, "--require-hashes", "--only-binary", ":all:", "--requirement", locked])
    _run([*install, "--no-index", str(wheel)])
    _run([str(python), "-m", "pip", "--disable-pip-version-check", "check"])
    absent = f"import importlib.util as u, sys; sys.exit(any(u.find_spec(n) for n in {DEVELOPMENT_ONLY!r}))"
    _run([str(python), "-c", absent])
    return python


def _use(python: Path, scratch: Path) -> None:
    """Every everyday command once, away from the checkout so that only the installed packages are found."""
    segue, store, tone = python.with_name("segue"), f"file:{scratch}/store", scratch / "tone.wav"
    _run([str(segue), "--help"], cwd=scratch)
    _run([str(segue), "doctor", "--store", store], cwd=scratch)
    ffmpeg = _run([str(python), "-c", "import imageio_ffmpeg as i; print(i.get_ffmpeg_exe())"], cwd=scratch).strip()
    _run([ffmpeg, "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", "sine=440:r=48000:d=3", f"file:{tone}"])
    if (status := publish(segue, [tone], store, jobs=1)[0]["status"]) != "done":
        raise CommandFailed(f"segue publish says: {status}")
    if (status := publish(segue, [tone], store, jobs=1)[0]["status"]) != "skipped":
        raise CommandFailed(f"segue publish did its work twice, and says: {status}")
    _run([str(segue), "verify", "--store", store], cwd=scratch)
    with serving(segue, store, port=0, log=scratch / "serve.log", cwd=scratch) as url:
        tracks = live_tracks(url)
        if len(tracks) != 1:
            raise CommandFailed(f"segue serve lists {len(tracks)} tracks")
        _say(f"smoke: {walk_track(url, tracks[0])} renditions answer")


def _run(command: list[str], cwd: Path | None = None) -> str:
    """The program's output. Raises CommandFailed with all that it said if it fails."""
    done = subprocess.run(
        command, cwd=cwd, timeout=STEP_TIMEOUT_S, input="", capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = done.stdout + done.stderr
        raise CommandFailed(f"status {done.returncode}: {' '.join(command)}\n{said}")
    return done.stdout


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
