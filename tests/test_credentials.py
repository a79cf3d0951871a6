"""Passwords and tokens are masked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jstackmagic.model.credentials import mask, secrets_of


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("https://me:s3cret@h.example/simple", "https://****@h.example/simple"),
        ("https://tok3n@h.example/simple", "https://****@h.example/simple"),
        ("git+https://me:s3cret@h.example/r.git@v1", "git+https://****@h.example/r.git@v1"),
        ("https://h.example/t/tk-1/c/noarch", "https://h.example/t/****/c/noarch"),
        ("https://h.example/x.whl?token=abc&v=1", "https://h.example/x.whl?token=****&v=1"),
        ("git+ssh://git@h.example/r.git", "git+ssh://git@h.example/r.git"),
        ("https://${USER}:${TOKEN}@h.example/simple", "https://${USER}:${TOKEN}@h.example/simple"),
        ("/data/t/project/x.whl", "/data/t/project/x.whl"),
        ("file:///data/t/project/x.whl", "file:///data/t/project/x.whl"),
        ("six @ https://h.example/six.whl", "six @ https://h.example/six.whl"),
        ("me@h.example", "me@h.example"),
    ],
)
def test_what_is_masked_and_what_is_not(text: str, masked: str) -> None:
    assert mask(text) == masked
    assert mask(masked) == masked


def test_secrets_are_what_is_masked_and_no_user_name() -> None:
    assert secrets_of("https://jovyan:p%40ss@h.example/t/tk-1/c/") == (
        "jovyan:p%40ss",
        "jovyan:p@ss",
        "p%40ss",
        "p@ss",
        "tk-1",
    )
    assert secrets_of("https://h.example/simple") == ()


WORD = st.text("abcXYZ019%-_.~", min_size=4, max_size=20)


@given(WORD, WORD, st.sampled_from(["https", "http", "git+https"]))
def test_no_password_survives(user: str, password: str, scheme: str) -> None:
    url = f"--index-url {scheme}://{user}:{password}@h.example/simple six"
    assert f"{password}@" not in mask(url)
    assert password in secrets_of(url)
