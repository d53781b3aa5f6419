"""Which addresses an inspection may ask: what is on the internet must not lead it into the network it runs in."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from model.errors import OutOfReach

_NAT64 = IPv6Network("64:ff9b::/96")


class Reach:
    """The first host decides: if it has a public address, only public ones may follow.

    So another's playlist, or a redirect, leads to no service of this machine or its network. Whoever asks for a stream
    at home may follow it wherever it goes.
    """

    def __init__(self) -> None:
        self._public: bool | None = None

    def check(self, host: str, addresses: Iterable[str]) -> None:
        """The addresses of a host, before it is connected to. Raises OutOfReach."""
        public = [_is_public(each) for each in addresses]
        if self._public is None:
            self._public = any(public)
        if self._public and not all(public):
            hint = "name public hosts, or verify it from its private address"
            raise OutOfReach("a public stream leads to a private address", subject=host, hint=hint)


def _is_public(address: str) -> bool:
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        if found in _NAT64:  # RFC 6052: a gateway takes it to the IPv4 address in its last 32 bits
            found = IPv4Address(int(found) & 0xFFFF_FFFF)
        else:
            found = found.ipv4_mapped or found.sixtofour or found
    return found.is_global and not found.is_multicast
