import pytest

from penstock_tiny_models import NAMES, path


def test_every_name_has_a_directory_inside_the_package():
    assert {path(name).name for name in NAMES} == set(NAMES)


def test_an_unknown_name_is_refused_with_the_names_that_exist():
    with pytest.raises(KeyError, match="tiny-chat, tiny-embed, tiny-draw"):
        path("huge-chat")
