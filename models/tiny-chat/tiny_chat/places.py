"""Where things lie in the repository."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1]
DATA = FOLDER / "data"
REPOSITORY = FOLDER.parents[1]
FACTS_FILE = REPOSITORY / "docs" / "facts.toml"
FAQ_PAGE = REPOSITORY / "docs" / "faq.md"
MODELS = REPOSITORY / "packages/penstock-tiny-models/src/penstock_tiny_models"
GGUF = MODELS / "tiny-chat" / "tiny-chat.gguf"
EMBEDDER = MODELS / "tiny-embed"
