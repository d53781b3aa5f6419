"""Protected by the command line, served by the origin, heard by ffmpeg: with a token all of it, without one nothing."""

import asyncio
import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urljoin

import imageio_ffmpeg
import m3u8
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from origin.tokens import Grant, TokenKey, mint, path_prefix
from protection.key_store import load_keys
from segue.main import main
from tests.support.command import SHORT_LADDER, Ran, environment, segue
from tests.support.cut_album import tracks_in
from tests.support.served_album import BAGATELLE, make, serving_at

TOKEN_KEY = "00112233445566778899aabbccddeeff"
RATE_HZ = 48_000
FRAME_BYTES = 4  # 16 bit, stereo


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """A protected track that is served, and the package in the clear that it was made from."""

    url: str
    home: Path
    track_id: str
    salted: str  # where everybody needs a token, of named keys and with a salt
    clear: str  # keys of the packages
    package: str

    def playlist(self, prefix: str, family: str = "index") -> str:
        """Where a listener begins."""
        return f"{self.url.rstrip('/')}{prefix}/tracks/{self.track_id}/{family}.m3u8"


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Locked]:
    home = tmp_path_factory.mktemp("locked")
    make(BAGATELLE, home / "album")
    publish = ("publish", home / "album", "--store", "file:store", *SHORT_LADDER)
    made = []
    for more in ((), ("--protect", "aes-128", "--key-store", "file:keys", "--key-rotation", "2")):
        done = segue(*publish, *more, cwd=home)
        assert done.status == 0, done.stderr
        track_id = done.outcomes["Bagatelle.flac"]["track_id"]
        (live,) = tracks_in(home / "store")
        made.append(str(live.folder.relative_to(home / "store")))
    secrets = environment(home, SEGUE_KEY_STORE=f"file:{home / 'keys'}", SEGUE_TOKEN_KEY=TOKEN_KEY)
    keys = f"new:{TOKEN_KEY},old:{'ab' * 16}"
    closed = environment(home, SEGUE_AUTH="token", SEGUE_TOKEN_KEY=keys, SEGUE_TOKEN_SALT="a-pinch")
    store = f"file:{home / 'store'}"
    with serving_at(store, secrets) as url, serving_at(store, closed) as salted:
        yield Locked(url=url, salted=salted, home=home, track_id=track_id, clear=made[0], package=made[1])


@pytest.fixture
def here(locked: Locked, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run a command that ends at once in this process: to start another takes longer than the command."""
    monkeypatch.chdir(locked.home)
    monkeypatch.setenv("HOME", str(locked.home))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)

    def run(*arguments: str, **variables: str) -> Ran:
        for name, text in variables.items():
            monkeypatch.setenv(name, text)
        status = main([*arguments, "--json"])
        said = capsys.readouterr()
        return Ran(status, [json.loads(line) for line in said.out.splitlines()], said.err)

    return run


@pytest.fixture
def token(here: Callable[..., Ran]) -> Callable[..., str]:
    """The path prefix of a token that the command line makes."""

    def made(*arguments: str, key: str = TOKEN_KEY) -> str:
        return str(here("token", *arguments, SEGUE_TOKEN_KEY=key).lines[0]["path_prefix"])

    return made


def _heard(url: str) -> tuple[int, int]:
    """How a plain ffmpeg ends, and how many frames of sound it gave."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-i", url, "-f", "s16le", "-ac", "2", "-"]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    return done.returncode, len(done.stdout) // FRAME_BYTES


@pytest.mark.parametrize("family", ["index", "opus"])
def test_with_a_token_all_of_it_is_heard(locked: Locked, token: Callable[..., str], family: str) -> None:
    """As much as of the package in the clear, across changes of keys."""
    status, frames = _heard(locked.playlist(token(), family))
    assert (status, frames) == _heard(f"{locked.home}/store/{locked.clear}/{family}.m3u8")
    assert frames >= BAGATELLE.seconds * RATE_HZ


@pytest.mark.parametrize("name", ["none", "junk", "forged", "expired", "not for keys"])
def test_without_a_token_that_fits_nothing_is_heard(locked: Locked, token: Callable[..., str], name: str) -> None:
    """Not a sample, and the player is told that it failed."""
    now_s, key = int(time.time()), TokenKey(secret=bytes.fromhex(TOKEN_KEY))
    prefix = {
        "none": "",
        "junk": "/t/junk",
        "forged": token(key="ff" * 16),
        "expired": path_prefix(mint(Grant(acl=("/*",), expires_s=now_s - 1), key)),
        "not for keys": token("--acl", "/tracks/*", "--acl", "/recordings/*"),
    }[name]
    status, frames = _heard(locked.playlist(prefix))
    assert status != 0 and frames == 0


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def test_a_token_for_a_track_is_for_all_of_it_and_no_other(locked: Locked) -> None:
    """The printed URL is what a player needs: it is heard to its end."""
    made = segue(
        *("token", "--track", locked.track_id, "--base-url", locked.url, "--store", "file:store"),
        cwd=locked.home, SEGUE_TOKEN_KEY=TOKEN_KEY,
    ).lines[0]  # fmt: skip
    assert made["url"] == locked.playlist(made["path_prefix"])
    status, frames = _heard(made["url"])
    assert status == 0 and frames >= BAGATELLE.seconds * RATE_HZ
    assert _status(f"{locked.url}{made['path_prefix'][1:]}/tracks/{'a' * 20}/index.m3u8") == 403


@pytest.mark.parametrize(
    ("arguments", "opens"),
    [
        (("--path", "/tracks/{track}/index.m3u8"), True),
        (("--url", "/tracks/{track}/index.m3u8"), True),
        (("--url", "/tracks/{track}/index.m3u8", "--escape-early", "--data", "a=b"), True),
        (("--acl", "/tracks/????????????????????/*.m3u8", "--id", "s-1"), True),
        (("--ip", "127.0.0.1", "--starts", "1000"), False),
        (("--ip", "127.0.0.1", "--expires", "9000000000", "--key-id", "new"), True),
        (("--ip", "198.51.100.7"), False),
        (("--key-id", "old"), True),
        (("--key-id", "gone"), False),
        (("--path", "/tracks/{track}/opus.m3u8"), False),
        (("--url", "/tracks/{track}/opus.m3u8"), False),
    ],
)
def test_tokens_are_good_for_what_was_asked(
    locked: Locked, here: Callable[..., Ran], arguments: tuple[str, ...], opens: bool
) -> None:
    """Minted by the command line, checked by the origin, whose keys are `new` and `old`."""
    keys = f"new:{TOKEN_KEY},old:{'ab' * 16},gone:{'cd' * 16}"
    filled = (each.replace("{track}", locked.track_id) for each in arguments)
    made = here("token", *filled, SEGUE_TOKEN_KEY=keys, SEGUE_TOKEN_SALT="a-pinch").lines[0]
    path = f"{made['path_prefix']}/tracks/{locked.track_id}/index.m3u8"
    assert _status(urljoin(locked.salted, path)) == (200 if opens else 403)
    assert made["key_id"] == (arguments[-1] if "--key-id" in arguments else "new")
    assert f"~data=kid={made['key_id']}" in unquote(made["token"])


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        ((), {"SEGUE_TOKEN_KEY": ""}),
        (("--key-id", "none"), {}),
        (("--path", "/keys/*"), {}),
        (("--url", "/a", "--path", "/b"), {}),
        (("--seconds", "60", "--expires", "9000000000"), {}),
        (("--seconds", "-60"), {}),
        (("--ip", "localhost"), {}),
        (("--acl", "/a b"), {}),
        (("--track", "nonsense", "--store", "file:store"), {}),
        (("--track", "a" * 20), {}),
    ],
)
def test_a_token_that_cannot_be_is_not_made(
    here: Callable[..., Ran], arguments: tuple[str, ...], variables: dict[str, str]
) -> None:
    """Usage, with a hint."""
    done = here("token", *arguments, **{"SEGUE_TOKEN_KEY": f"new:{TOKEN_KEY}"} | variables)
    assert (done.status, done.lines[0]["code"]) == (2, "usage") and done.lines[0]["hint"]


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return bytes(answer.read())


def test_each_segment_opens_by_hand_to_the_clear_one(locked: Locked, token: Callable[..., str]) -> None:
    """Key and IV as the playlist says them to any client: AES-CBC, PKCS#7, the number of the segment."""
    url = locked.playlist(token())
    media_url = urljoin(url, m3u8.loads(_get(url).decode()).playlists[0].uri)
    media = m3u8.loads(_get(media_url).decode())
    base = urljoin(locked.url, locked.clear)
    assert len({each.key.uri for each in media.segments if each.key}) == 2 == (len(media.segments) + 1) // 2
    for number, segment in enumerate(media.segments):
        assert segment.key is not None and segment.key.method == "AES-128" and segment.key.iv is None
        key = _get(urljoin(media_url, segment.key.uri))
        cipher = Cipher(AES(key), CBC(number.to_bytes(16, "big"))).decryptor()
        padded = cipher.update(_get(urljoin(media_url, segment.uri))) + cipher.finalize()
        assert padded[-padded[-1] :] == bytes([padded[-1]]) * padded[-1]
        assert padded[: -padded[-1]] == _get(f"{base}/aac-64/{number}.mp4")
    (section,) = media.segment_map
    assert _get(urljoin(media_url, section.uri)) == _get(f"{base}/aac-64/init.mp4")


async def test_the_byte_range_form_plays_where_one_host_has_bucket_and_keys(locked: Locked) -> None:
    """A bucket behind a CDN that sends `/keys/` to the origin: the same URIs of keys, ranges of one file."""
    ring = load_keys(locked.home / "keys")
    shown = segue("show", locked.track_id, "--store", "file:store", cwd=locked.home).lines[0]["package"]
    key_ids = {each["rendition"]["rendition_id"]: each["protection"] for each in shown["renditions"]}

    async def get_key(request: web.Request) -> web.Response:
        protection = key_ids[request.match_info["rendition"]]
        master = ring.master(protection["key_set"])
        return web.Response(body=master.content_key(protection["key_id"], int(request.match_info["period"])))

    app = web.Application()
    app.router.add_get("/keys/{recording}/{package}/{rendition}/{period}", get_key)
    app.router.add_static("/", locked.home / "store")
    async with TestServer(app) as server:
        url = str(server.make_url(f"/{locked.package}/aac-64.m3u8"))
        heard = await asyncio.to_thread(_heard, url)
    assert heard == _heard(f"{locked.home}/store/{locked.clear}/aac-64.m3u8")


def test_verify_says_whether_it_looked_inside(here: Callable[..., Ran]) -> None:
    """Sound either way; without keys it says what was left out."""
    said = []
    for more in ((), ("--key-store", "file:keys")):
        done = here("verify", "--store", "file:store", *more)
        assert done.status == 0
        said.append([each["rule"] for each in done.lines[0]["findings"]])
    assert said == [["SEGUE-unseen"], []]


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "status"),
    [
        (("publish", "album", "--protect", "aes-128"), {}, "usage", 2),
        (("publish", "album", "--protect", "aes-128", "--key-store", "file:store/keys"), {}, "key-store-unsafe", 3),
        (("verify", "--key-store", "file:no-keys"), {}, "key-missing", 3),
        (("verify", "--key-store", "file:cut"), {}, "key-malformed", 3),
        (("serve", "--key-store", "file:keys"), {}, "usage", 2),
        (("serve", "--auth", "token"), {}, "usage", 2),
        (("serve", "--auth", "edge"), {}, "usage", 2),
        (("serve",), {"SEGUE_TOKEN_KEY": "secret-that-is-no-hex"}, "usage", 2),
        (("serve",), {"SEGUE_TOKEN_KEY": "abcd"}, "usage", 2),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_done(
    locked: Locked,
    here: Callable[..., Ran],
    arguments: tuple[str, ...],
    variables: dict[str, str],
    code: str,
    status: int,
) -> None:
    """One line with a code and a hint, and no secret in it."""
    cut = locked.home / "cut"
    cut.mkdir(mode=0o700, exist_ok=True)
    (cut / "0001.key").touch(mode=0o600)
    (cut / "0001.key").write_text((locked.home / "keys" / "0001.key").read_text()[:31])
    done = here(*arguments, "--store", "file:store", **variables)
    (error,) = done.lines
    assert (error["event"], error["code"], done.status) == ("error", code, status)
    assert error["hint"]
    secrets = [*variables.values(), (locked.home / "keys" / "0001.key").read_text()[:31]]
    assert not any(each in done.stderr + str(done.lines) for each in secrets)


def test_a_dry_run_makes_no_key_store(locked: Locked, here: Callable[..., Ran]) -> None:
    """It tells that there is none."""
    asked = ("publish", "album", "--dry-run", "--store", "file:store")
    done = here(*asked, "--protect", "aes-128", "--key-store", "file:new")
    assert (done.status, done.lines[0]["code"]) == (3, "key-missing")
    assert not (locked.home / "new").exists()


def test_a_dry_run_knows_what_is_protected_in_another_manner(here: Callable[..., Ran]) -> None:
    """It is a new package; and nothing to do where it is as wanted."""
    store = ("--store", "file:store", *SHORT_LADDER, "--key-store", "file:keys")
    for more, need in (
        (("--protect", "aes-128", "--key-rotation", "2"), "known"),
        (("--protect", "aes-128"), "new ladder"),
        ((), "new ladder"),
    ):
        done = here("publish", "album", "--dry-run", *store, *more)
        assert [each["need"] for each in done.lines if each["event"] == "planned"] == [need]
