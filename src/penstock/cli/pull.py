"""`penstock pull`: fetch a model now, to serve it later, offline."""

import click

from penstock.config.load import home
from penstock.domain.source import BadSource, HubReference, parse_source

INTERRUPTED = "Interrupted. What has come is kept: the same command goes on from there."


@click.command()
@click.argument("model")
def pull(model: str) -> None:
    """Fetch MODEL from the hub: org/repo, org/repo:QUANT or org/repo@revision.

    An interrupted download goes on where it was. HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE are
    honoured. Without QUANT, the best quantisation that fits into free memory is chosen.
    """
    from penstock.cli.progress import download_progress
    from penstock.control.fetch_error import FetchError
    from penstock.control.machine import free_memory_bytes
    from penstock.control.weights import fetch

    try:
        reference = parse_source(model).source
        if not isinstance(reference, HubReference):
            raise click.ClickException(f"{model} is not on the hub: there is nothing to fetch.")
        path = fetch(
            reference,
            cache_dir=home() / "weights",
            free_memory_bytes=free_memory_bytes(),
            progress=download_progress(),
        )
    except (BadSource, FetchError) as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        raise click.ClickException(INTERRUPTED) from None
    click.echo(f"{path}\n\nServe it: penstock serve {model}")
