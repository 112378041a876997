"""Where the server is that a client in an environment of its own is pointed at."""

import os

BASE_URL = os.environ["BASE_URL"]
API_KEY = os.environ["API_KEY"]
CHAT = "penstock/tiny-chat"
EMBED = "penstock/tiny-embed"
CHAT_FILE = os.environ["CHAT_FILE"]
#: Where the model `scripted` is, which gives the answers of `script.json`.
SCRIPTED_URL = os.environ["SCRIPTED_URL"]
