"""The life of a request: authenticate, resolve, admit, pick, relay, meter. `pipeline` orders it.

One module per verb. They do not import each other.
"""
