"""Shields that check no tokens, before an origin that does: they may keep only what it lets them keep."""

import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from origin.tokens import Grant, TokenKey, mint, path_prefix
from tests.cdn.conftest import SHIELDS, Shielded, shielding
from tests.cdn.served import TOKEN_KEY, Origin, running_origin


@pytest.fixture(scope="module")
def guarded(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    """An origin that asks everybody for a token, and trusts nobody before it to do so."""
    with running_origin(folder, tmp_path_factory.mktemp("guarded"), auth="token") as running:
        yield running


@pytest.fixture(params=SHIELDS)
async def before(request: pytest.FixtureRequest, guarded: Origin, folder: Path) -> AsyncIterator[Shielded]:
    """Each shield before that origin."""
    with SHIELDS[request.param](guarded.port) as url:
        async with shielding(request.param, url, guarded, folder) as made:
            yield made


async def test_nobody_hears_by_another_ones_token(before: Shielded) -> None:
    """`auth = token`: each request reaches the origin, and without a token there is nothing, whoever came before."""
    track = await before.publish()
    grant = Grant(acl=("/*",), expires_s=int(time.time()) + 60)
    prefix = path_prefix(mint(grant, TokenKey(secret=bytes.fromhex(TOKEN_KEY))))
    for path in (f"{track.package_base}/aac-64/0.mp4", f"{track.package_base}/flac.mp4", f"{track.base}/index.m3u8"):
        for _ in range(2):
            allowed = await before.get(prefix + path)
            assert (allowed.status, allowed.hit) == (200, False)
            assert (await before.get(path)).status == 403
