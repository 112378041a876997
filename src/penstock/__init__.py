"""Penstock: a self-hosted inference cloud."""

__version__ = "0.1.0"
