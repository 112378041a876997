"""What a picture is: what a classifier is asked, and what it answers."""

import msgspec


class ClassificationCall(msgspec.Struct, frozen=True, kw_only=True):
    """Which of the labels fits the picture (PNG, JPEG or WebP) best."""

    picture: bytes
    labels: tuple[str, ...]


class Likelihoods(msgspec.Struct, frozen=True):
    """`values` are from 0 to 1, one per label, in order. Their sum is 1 unless each label is judged
    by itself, which is the model's way."""

    values: tuple[float, ...]
    prompt_tokens: int
