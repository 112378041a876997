"""`penstock draw`: a prompt in, a picture out."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import click

from penstock.cli.remote import connected, server_flags

FORMATS = {".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}


@click.command()
@click.argument("prompt")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("picture.png"),
    show_default=True,
    help="Where the picture goes: a PNG, or as .jpg, .jpeg and .webp say.",
)
@click.option("--model", "-m", help="Model. [default: the server's image_model]")
@click.option("--size", default="512x512", show_default=True, help="WIDTHxHEIGHT, in pixels.")
@click.option("--seed", type=int, help="The same seed gives the same picture.")
@server_flags
def draw(
    prompt: str,
    output: Path,
    model: str | None,
    size: str,
    seed: int | None,
    url: str,
    key: str | None,
) -> None:
    """Draw PROMPT and write the picture to a file."""
    wanted = {
        "prompt": prompt,
        "model": model,
        "size": size,
        "seed": seed,
        "output_format": FORMATS.get(output.suffix.lower()),
    }
    body = {name: value for name, value in wanted.items() if value is not None}
    picture = asyncio.run(_draw(body, url, key))
    try:
        output.write_bytes(picture)
    except OSError as error:
        raise click.ClickException(f"Cannot write {output}: {error.strerror}.") from None
    click.echo(f"{output} ({size}, {len(picture):,} bytes)")


async def _draw(body: dict[str, Any], url: str, key: str | None) -> bytes:
    async with connected(url, key) as server:
        answer = await server.post("/images/generations", body)
    return base64.b64decode(answer["data"][0]["b64_json"])
