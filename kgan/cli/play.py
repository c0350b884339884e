"""`kgan play`: a trained model as a page with sliders, on this machine."""

from __future__ import annotations

import contextlib
import time
from typing import Annotated

import typer

from kgan.cli.console import one_sentence, say
from kgan.cli.trained import Pretrained, Run, Source


def play(
    run: Run = None,
    pretrained: Pretrained = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on. With 0.0.0.0, other machines can open the page and upload files.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Default: the first free port from 7860 on.")
    ] = None,
) -> None:
    """Open a playground: sliders through the latent space, paths, classes; draw an image and see it rebuilt."""
    with one_sentence():
        source = Source(run, pretrained)

        from kgan.play import playground, server

        server.gradio_module()  # first: TensorFlow takes seconds to start
        model = source.model
        page = playground(model, str(run or pretrained), source.class_names, source.is_digits)
        address = server.launch(page, host, port)
    say(f"{address} (Ctrl-C ends it)")
    if host in server.LOOPBACK:
        say("only this machine can open it; with --host 0.0.0.0 others can, too")
    else:
        say(f"other machines that can reach {host if host != '0.0.0.0' else 'this machine'} can open it by that name")
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)
    page.close(verbose=False)
