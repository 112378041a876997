"""What OpenAI's API promises, checked from outside, on any server that says it speaks it.

This package is a client. It knows nothing of Penstock's own server, and judges by OpenAI's
published schemas and documented behaviour. It needs the extra `penstock[conformance]`.
"""
