"""The files that weights come in, read without the libraries that load them."""
