"""Who can reach an address, and whether one may serve there. Light: asked before the model is loaded."""

import ipaddress

from ...errors import InputError


def check_address(host: str, api_key: str | None) -> None:
    """Raises InputError for an address that others can reach while there is no key."""
    if api_key is None and not is_local(host):
        raise InputError(
            f"{host} can be reached from other machines: set a key (--api-key or SACCADE_API_KEY), "
            "or serve at 127.0.0.1"
        )
    if api_key is not None and not api_key.strip():
        raise InputError("the API key is empty: give a secret of your own")


def is_local(host: str) -> bool:
    """Whether a host's name or address is this machine's own."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
