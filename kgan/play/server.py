"""Serves a playground with Gradio: on this machine, to its own pages only, without reporting usage to anybody."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import socket
import tempfile
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kgan.play.drawing import MOST_PIXELS

if TYPE_CHECKING:
    import gradio

LOOPBACK = ("127.0.0.1", "localhost", "::1")
PORTS = range(7860, 7960)  # the ports that Gradio tries
# Gradio's colors have too little contrast.
CSS = "[role=tab].selected, .min_value, .max_value, .or { color: var(--body-text-color) !important; }"


@functools.cache
def gradio_module() -> Any:
    """Gradio, set up to report nothing and to leave no files behind."""
    directory = tempfile.TemporaryDirectory(prefix="kgan-play-", ignore_cleanup_errors=True)
    atexit.register(directory.cleanup)
    os.environ["GRADIO_TEMP_DIR"] = directory.name
    os.environ["GRADIO_ANALYTICS_ENABLED"] = os.environ["GRADIO_RUN_HISTORY"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    for name in ("no_proxy", "NO_PROXY"):  # when it starts, Gradio sends requests to its own server
        os.environ[name] = ",".join([*filter(None, [os.environ.get(name)]), *LOOPBACK])
    try:
        import gradio
    except ImportError:
        raise ImportError("the playground needs Gradio: pip install 'kgan[play]', or 'gradio>=6'") from None
    return gradio


def launch(page: gradio.Blocks, host: str = LOOPBACK[0], port: int | None = None) -> str:
    """Serve a page in the background, on the first free port from 7860 on if none is given; return its address."""
    from PIL import Image
    from starlette.middleware import Middleware

    gr = gradio_module()
    port = _free_port(host, port)
    # Gradio's own fonts would come from Google.
    theme = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace"], primary_hue="blue")
    theme.set(button_primary_background_fill="*primary_700", button_primary_background_fill_dark="*primary_700")
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS // 2  # Pillow raises beyond twice as many: Gradio decodes drawings itself
    page.queue(default_concurrency_limit=1, max_size=64)
    options = {"share": False, "ssr_mode": False, "mcp_server": False, "enable_monitoring": False}
    looks = {"theme": theme, "css": CSS, "footer_links": [], "quiet": True, "show_error": True}
    _, address, _ = page.launch(
        server_name=f"[{host}]" if ":" in host else host,
        server_port=port,
        prevent_thread_lock=True,
        max_file_size=10_000_000,
        app_kwargs={"middleware": [Middleware(OwnPagesOnly, is_local=host in LOOPBACK)]},
        **options,
        **looks,
    )
    return address


class OwnPagesOnly:
    """ASGI middleware that refuses requests which a browser sends for pages of other sites.

    A server of this machine only (`is_local`) answers to loopback names alone: with any other name, a foreign page
    could reach it (DNS rebinding).
    """

    def __init__(self, app: Any, is_local: bool) -> None:
        self.app, self.is_local = app, is_local

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        from starlette.responses import PlainTextResponse

        headers = {name: value.decode("latin-1") for name, value in scope.get("headers", ())}
        host, origin = headers.get(b"host", ""), headers.get(b"origin")
        is_foreign = self.is_local and urlsplit(f"//{host}").hostname not in LOOPBACK
        if scope["type"] != "lifespan" and (is_foreign or (origin and urlsplit(origin).netloc != host)):
            await PlainTextResponse("this server answers only its own pages", 403)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _free_port(host: str, port: int | None) -> int:
    """The given port, or the first free one. It is tried here because Gradio would wait for each port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for number in [port] if port else PORTS:
        with contextlib.suppress(OSError), socket.create_server((host, number), family=family):
            return number
    where = f"port {port} of {host}" if port else f"any port of {host} from {PORTS[0]} to {PORTS[-1]}"
    raise OSError(f"cannot listen on {where}: it is in use, or is not of this machine")
