"""Base URLs as people write them."""

import pytest

from codeloop.core.errors import ConfigError
from codeloop.models.endpoint import parse_endpoint
from codeloop.models.transport import Address


@pytest.mark.parametrize(
    ("url", "address", "path"),
    [
        ("http://h", Address("h", 80), "/v1"),
        ("http://h:8000/", Address("h", 8000), "/v1"),
        ("localhost:11434", Address("localhost", 11434), "/v1"),
        ("https://api.example/v1/", Address("api.example", 443, tls=True), "/v1"),
        ("https://api.example/v1/chat/completions", Address("api.example", 443, tls=True), "/v1"),
        ("https://h/openai/v1beta", Address("h", 443, tls=True), "/openai/v1beta"),
        ("http://[::1]:9/v1", Address("::1", 9), "/v1"),
        ("http://h/mod els/\u00e4%20", Address("h", 80), "/mod%20els/%C3%A4%20"),
    ],
)
def test_urls_with_and_without_v1(url: str, address: Address, path: str) -> None:
    endpoint = parse_endpoint(url)
    assert (endpoint.address, endpoint.path) == (address, path)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://",
        "ftp://h/v1",
        "http://h:99999",
        "http://h:x",
        "http://h/v1?key=1",
        "http://a..b/",
    ],
)
def test_what_is_no_base_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="no base URL"):
        parse_endpoint(url)


def test_a_login_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match="CODELOOP_API_KEY") as caught:
        parse_endpoint("https://user:hunter2@h/v1")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("key", ["a\nb", "kéy", " ", "a\r\nX-Evil: 1"])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match="API key"):
        parse_endpoint("http://h", key)


def test_the_key_is_in_no_repr() -> None:
    assert "sk-1" not in repr(parse_endpoint("http://h", "sk-1"))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_no_proxy_stands_before_loopback(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    assert parse_endpoint(f"http://{host}:8000").address.proxy is None


def test_a_proxy_that_cannot_be_used_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "socks5://proxy:1080")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(ConfigError, match="proxy"):
        parse_endpoint("https://models.example")
