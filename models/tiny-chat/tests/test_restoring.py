"""Training goes on from the file: what is read out of it is what was written into it."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

from tiny_chat import tokenizer
from tiny_chat.export import export
from tiny_chat.places import GGUF
from tiny_chat.restoring import restored_decoder


def test_a_restored_file_is_written_as_it_was(tmp_path: Path) -> None:
    if not GGUF.exists():
        pytest.skip("no model has been made")
    again = tmp_path / "again.gguf"
    export(restored_decoder(GGUF), tokenizer.restored(GGUF), again)
    assert again.read_bytes() == GGUF.read_bytes()
