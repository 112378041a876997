"""Programs that run as replica processes. Nothing outside this package imports one of them."""
