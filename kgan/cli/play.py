"""`kgan play`: a trained model as a page with sliders, on this machine."""

from __future__ import annotations

import contextlib
import time
from typing import Annotated

import typer

from kgan.cli.console import one_sentence, say
from kgan.cli.trained import Pretrained, Run, Source

HERE = "127.0.0.1"


def play(
    run: Run = None,
    pretrained: Pretrained = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in, with whatever they upload.")
    ] = HERE,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="The first free one from 7860 on unless given.")
    ] = None,
) -> None:
    """Open a playground: sliders through the latent space, paths, classes; draw an image and see it rebuilt."""
    with one_sentence():
        source = Source(run, pretrained)

        from kgan import play as playgrounds

        playgrounds.gradio_module()  # or its absence is told only after TensorFlow has started
        model = source.model
        page = playgrounds.playground(model, str(run or pretrained), source.class_names, source.is_digits)
        address = playgrounds.launch(page, host, port)
    say(f"{address} (Ctrl-C ends it)")
    if host == HERE:
        say("only this machine can open it: --host 0.0.0.0 lets others in")
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)
    page.close(verbose=False)
