"""Lets the tests import tiny_chat, which is a folder of scripts and not an installed package."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
