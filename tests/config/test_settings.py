"""Settings as people see them."""

import pytest

from penstock.config.settings import without_password


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("", ""),
        ("postgresql:///penstock", "postgresql:///penstock"),
        ("postgresql://me@host:5432/x", "postgresql://me@host:5432/x"),
        ("postgresql://me:hush@host:5432/x", "postgresql://me:***@host:5432/x"),
        ("postgresql://me:hu@s:h@host/x", "postgresql://me:***@host/x"),
        ("postgresql://me:h/u?sh@host/x", "postgresql://me:***@host/x"),
        ("postgresql:///x?password=hush&a=b", "postgresql:///x?password=***&a=b"),
    ],
)
def test_the_password_of_a_database_is_not_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown
