"""What a public stream must not lead to."""

import pytest

from inspector.reach import Reach
from model.errors import OutOfReach

PUBLIC, PUBLIC_6 = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
PRIVATE = [
    "127.0.0.1", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "::1", "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1", "::",
    "64:ff9b::169.254.169.254", "2002:7f00:1::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_a_public_stream_leads_to_no_private_address(address: str) -> None:
    """However it is written, and also where a host has a public address beside it."""
    reach = Reach()
    reach.check("stream.example", [PUBLIC])
    reach.check("cdn.example", [PUBLIC_6, PUBLIC])
    with pytest.raises(OutOfReach, match="private address"):
        reach.check("inside.example", [PUBLIC, address])


@pytest.mark.parametrize("address", PRIVATE)
def test_who_asks_at_home_may_follow(address: str) -> None:
    """From a private address to any other."""
    reach = Reach()
    reach.check("home.example", [address])
    for other in (*PRIVATE, PUBLIC):
        reach.check("elsewhere.example", [other])


def test_one_private_address_makes_no_home_of_a_public_host() -> None:
    """The host that was asked for first, with one of each: it could name the next one as it likes."""
    with pytest.raises(OutOfReach):
        Reach().check("stream.example", ["127.0.0.1", PUBLIC])
