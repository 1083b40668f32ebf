"""What an example has for its reader to change is valid, and warned of until it is changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from moorage.deployment_file import IncludeRules, load_file

TEXT = """\
version: "0.1"
services:
  web:
    image: IMAGE
    host: [HOST]
    expose: [{port: 80, to: {global: true}}]
deployment:
  datacenters:
    dock: {region: local, profiles: {small: {pricing: {max-price: 5}}}}
  services:
    web: {dock: {profile: small}}
notifications:
  - {name: chat, type: webhook, url: "URL"}
  - {name: a, type: email, to: ONE}
  - {name: b, type: email, to: [ops@moorage.test, MANY]}
"""
MINE = {"IMAGE": "nginx", "HOST": "a.test", "URL": "https://a.test/", "ONE": "a@a.test", "MANY": "b@a.test"}


def warnings_of(directory: Path, text: str, files: dict[str, str] | None = None, **changed: str) -> list[str]:
    """Return the warnings of a file as `file:line:column: message`."""
    for place, value in (MINE | changed).items():
        text = text.replace(place, value)
    for name, content in {"moorage.yml": text, **(files or {})}.items():
        (directory / name).write_text(content)
    rules = IncludeRules(is_remote_allowed=True, fetch=lambda _: b'version: "0.1"\nservices: {} # <- theirs\n')
    warnings = load_file(directory / "moorage.yml", rules).warnings
    assert all(warning.is_warning for warning in warnings)
    return [
        f"{Path(each.position.source.name).name}{str(each).split('.yml')[1].split(chr(10))[0]}" for each in warnings
    ]


@pytest.mark.parametrize(
    ("place", "value", "where", "named"),
    [
        ("IMAGE", "ghcr.io/your-name/app:1", "4:12", "your-name"),
        ("IMAGE", "your-name/app", "4:12", "your-name"),
        ("HOST", "www.example.com", "5:12", "example.com"),
        ("HOST", "example.org", "5:12", "example.org"),
        ("URL", "https://hooks.example.org/x", "13:38", "example.org"),
        ("URL", "http://example.net:80", "13:38", "example.net"),
        ("ONE", "ops@example.com", "14:32", "example.com"),
        ("MANY", "ops@mail.example.com", "15:51", "example.com"),
    ],
)
def test_load__what_stands_for_something_else__is_warned_of_at_its_place(
    tmp_path: Path, place: str, value: str, where: str, named: str
) -> None:
    expected = f"moorage.yml:{where}: warning: '{named}' stands for what is yours: put your own in its place"

    assert warnings_of(tmp_path, TEXT, **{place: value}) == [expected]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("IMAGE", "ghcr.io/my-your-name/app"),
        ("IMAGE", "ghcr.io/me/your-name"),
        ("HOST", "example.community"),
        ("HOST", "notexample.org"),
        ("HOST", "example.com.test"),
        ("URL", "https://a.test/example-org"),
        ("ONE", "example.com@a.test"),
    ],
)
def test_load__what_only_looks_like_it__is_not_warned_of(tmp_path: Path, place: str, value: str) -> None:
    assert warnings_of(tmp_path, TEXT, **{place: value}) == []


def test_load__marks_of_an_example__are_one_warning_of_each_file_that_is_here(tmp_path: Path) -> None:
    text = TEXT.replace("services:", "include: [a.yml, 'https://a.test/b.yml'] # <-\n# # <- talks of it\nservices:", 1)
    part = 'version: "0.1"\n# <- talks of it\nservices: # <-- no mark\n  web: # <-\n    read-only: true # <- yours\n'

    assert warnings_of(tmp_path, text, {"a.yml": part}) == [
        "a.yml:4:8: warning: marked with '# <-' in lines 4, 5: change or agree to what stands there, "
        "then take the mark away",
        "moorage.yml:2:42: warning: marked with '# <-' in line 2: change or agree to what stands there, "
        "then take the mark away",
    ]
