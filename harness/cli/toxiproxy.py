"""`harness toxiproxy`: a server that passes for Toxiproxy."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from harness.errors import UsageError
from harness.toxiproxy.serve import Options, serve


@click.command()
@click.option("--listen", default="127.0.0.1:8474", show_default=True, metavar="HOST:PORT",
              help="Where the HTTP API is; port 0 takes a free one.")  # fmt: skip
@click.option("--config", type=click.Path(path_type=Path), metavar="FILE",
              help="A JSON list of proxies to begin with, as for POST /populate.")  # fmt: skip
@click.option("--seed", type=int, help="Draws jitter, slices and toxicity the same each time.")
@click.option("--proxy-metrics", is_flag=True, help="Bytes of each proxy at /metrics.")
@click.option("--runtime-metrics", is_flag=True, help="What this process takes, at /metrics.")
def toxiproxy(
    listen: str, config: Path | None, seed: int | None, proxy_metrics: bool, runtime_metrics: bool
) -> None:
    """Serve Toxiproxy's HTTP API until SIGINT or SIGTERM, and more under /v1 (docs/toxiproxy.md).

    Prints the address of the API once it is there.
    """
    options = Options(listen, _text(config), seed, proxy_metrics, runtime_metrics)
    asyncio.run(serve(options, lambda address: click.echo(f"toxiproxy API on {address}")))


def _text(config: Path | None) -> bytes:
    if config is None:
        return b"[]"
    try:
        return config.read_bytes()
    except OSError as error:
        raise UsageError(f"--config {config}: {error.strerror}") from None
