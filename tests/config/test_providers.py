"""costspan.config.providers: base URLs."""

import pytest
from pydantic import ValidationError

from costspan.config.providers import Provider, is_loopback

GOOD = {
    "https://api.openai.com/v1": "https://api.openai.com/v1",
    "https://api.openai.com/v1/": "https://api.openai.com/v1",
    "https://10.0.0.1:8443": "https://10.0.0.1:8443",
    "http://127.0.0.1:11434/v1": "http://127.0.0.1:11434/v1",
    "http://[::1]:8080": "http://[::1]:8080",
    "http://localhost": "http://localhost",
    "http://ollama:11434": "http://ollama:11434",
    "http://vllm.models.svc": "http://vllm.models.svc",
    "http://vllm.models.svc.cluster.local:8000/v1": "http://vllm.models.svc.cluster.local:8000/v1",
    "http://host.docker.internal:11434": "http://host.docker.internal:11434",
}


@pytest.mark.parametrize(("url", "expected"), GOOD.items(), ids=GOOD.keys())
def test_addresses_of_providers_are_accepted(url: str, expected: str) -> None:
    assert Provider(base_url=url).base_url == expected


BAD = {
    "http://api.openai.com": "use https://",
    "http://10.0.0.1": "use https://",
    "http://169.254.169.254": "use https://",
    "http://2130706433": "use https://",
    "http://[fe80::1]": "use https://",
    "http://localhost.example.com": "use https://",
    "ftp://example.com": "begins with https://",
    "api.openai.com": "begins with https://",
    "https://": "begins with https://",
    "https://[::1": "not a URL",
    "https://a:99999": "not a URL",
    "https://user:pass@example.com": "must not hold user or password",
    "https://@example.com": "must not hold user or password",
    "https://example.com/?": "no query and no fragment",
    "https://example.com/?a=b": "no query and no fragment",
    "https://example.com/#x": "no query and no fragment",
    "https://exämple.com": "ASCII",
    "https://example.com/a b": "ASCII",
}


@pytest.mark.parametrize(("url", "reason"), BAD.items(), ids=BAD.keys())
def test_c23_c24_other_addresses_are_refused(url: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Provider(base_url=url)


@pytest.mark.parametrize("url", [None, "https://example.com", "http://127.0.0.1.example.com", "http://0.0.0.0"])
def test_other_hosts_are_not_loopback(url: str | None) -> None:
    assert not is_loopback(url)
