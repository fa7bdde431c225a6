"""Where an OpenAI-compatible endpoint is: its base URL taken apart, its key, its proxy."""

import urllib.request
from dataclasses import dataclass, field
from urllib.parse import SplitResult, quote, urlsplit

from codeloop.core.errors import ConfigError
from codeloop.models.transport import PORTS, Address

_IN_PATHS = "/%:@!$&'()*+,;="  # beside letters and digits


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the requests go, and the key that opens it; the key is in no `repr`."""

    address: Address
    path: str = "/v1"
    api_key: str | None = field(default=None, repr=False)

    def describe(self, name: str) -> str:
        """Return how errors call a model that is reached here."""
        if self.address.unix:
            return name
        return f"{name} at {self.address.host}:{self.address.port}{self.path}"


def parse_endpoint(base_url: str, api_key: str | None = None) -> Endpoint:
    """Return the endpoint of a base URL, with or without /v1, with or without a slash at its end.

    Raises:
        ConfigError: it is no http(s) URL, or holds a login.
    """
    try:
        parts = urlsplit(base_url if "://" in base_url else f"http://{base_url}")
        port = parts.port or PORTS[parts.scheme]
        host = parts.hostname or ""
        host.encode("idna")
    except (ValueError, KeyError) as error:
        msg = f"no base URL: {base_url!r}; it looks like http://127.0.0.1:8000/v1"
        raise ConfigError(msg) from error
    if not host or parts.query or parts.fragment:
        msg = f"no base URL: {base_url!r}; it looks like http://127.0.0.1:8000/v1"
        raise ConfigError(msg)
    if parts.username is not None or parts.password is not None:
        msg = "the base URL holds a login: put the key into CODELOOP_API_KEY"
        raise ConfigError(msg)
    if api_key is not None and not (
        api_key.isascii() and api_key.isprintable() and api_key.strip()
    ):
        msg = "the API key holds characters that no key has"
        raise ConfigError(msg)
    path = (
        quote(parts.path, safe=_IN_PATHS).rstrip("/").removesuffix("/chat/completions").rstrip("/")
    )
    address = Address(host, port, parts.scheme == "https", _proxy(parts))
    return Endpoint(address, path or "/v1", api_key)


def _proxy(parts: SplitResult) -> tuple[str, int] | None:
    """Return the proxy that the environment sets for such a URL."""
    host = parts.hostname or ""
    setting = urllib.request.getproxies().get(parts.scheme)
    if not setting or _is_loopback(host) or urllib.request.proxy_bypass(host):
        return None
    proxy = urlsplit(setting if "://" in setting else f"http://{setting}")
    if proxy.scheme != "http" or not proxy.hostname or proxy.username:
        msg = f"cannot use a proxy like the one set for {parts.scheme}: it takes http://HOST:PORT"
        raise ConfigError(msg)
    return proxy.hostname, proxy.port or PORTS["http"]


def _is_loopback(host: str) -> bool:
    return host in {"localhost", "::1"} or host.startswith("127.")
