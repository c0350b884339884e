"""The playground: a trained model as a page with sliders (extra `play`, by Gradio).

Three tabs: directions of the latent space, the path between two codes, and, of a CodeGAN, images read and rebuilt. The
page asks nobody but its own server for anything, and no usage is reported.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kgan import latent, plots
from kgan.play import drawing

if TYPE_CHECKING:
    import gradio
    from PIL import Image

    from kgan.gan import GAN

DIRECTIONS = 8
CODES, UNITS = 2000, 4000  # that the directions are found from
FURTHEST = 4.0  # standard deviations that a slider goes
PATH_STEPS = 9
SIDE = 448  # pixels of an image that is shown alone, at least
MOST_BYTES = 10_000_000  # of an upload


def playground(model: GAN, name: str, class_names: Sequence[str] = (), is_digits: bool = False) -> gradio.Blocks:
    """The page of a model, to be `launch`ed.

    Args:
        model: of images with 1 or 3 channels.
        name: what the page calls it.
        class_names: of a conditional model.
        is_digits: whether drawings are to be prepared as MNIST's images were.

    Raises:
        ImportError: where Gradio is not installed.
        ValueError: for a model of anything but images.

    Example:
        >>> page = playground(kgan.pretrained.load("dcgan-digits"), "dcgan-digits")
    """
    gr = gradio_module()
    if len(model.data_shape) != 3 or model.data_shape[2] not in (1, 3):
        raise ValueError(f"{name} makes data of shape {model.data_shape}: a playground shows images, gray or color")
    names = list(class_names) or [str(number) for number in range(model.classes)]
    with gr.Blocks(title=f"kgan: {name}", analytics_enabled=False) as page:
        gr.Markdown(f"# {name}")
        with gr.Tab("Directions"):
            _directions_tab(model, names)
        with gr.Tab("From one code to another"):
            _path_tab(model, names)
        if hasattr(model, "encode"):
            with gr.Tab("Read and rebuild"):
                _reconstruction_tab(model, is_digits)
    return page


def launch(page: gradio.Blocks, host: str, port: int | None) -> str:
    """Serve a page in the background, and give its address.

    Raises:
        OSError: where the port is in use, or this machine has no such address.
    """
    gr = gradio_module()
    # Gradio's own fonts would come from Google, and its colors have too little contrast.
    theme = gr.themes.Default(
        font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"], primary_hue="blue"
    )
    theme.set(button_primary_background_fill="*primary_700", button_primary_background_fill_dark="*primary_700")
    page.queue(default_concurrency_limit=1, max_size=64)
    try:
        _, local, _ = page.launch(
            server_name=host,
            server_port=port,
            theme=theme,
            css="[role=tab].selected, .min_value, .max_value, .or { color: var(--body-text-color) !important; }",
            share=False,
            quiet=True,
            prevent_thread_lock=True,
            max_file_size=MOST_BYTES,
            footer_links=[],
            ssr_mode=False,
            enable_monitoring=False,
            show_error=True,
        )
    except OSError:
        where = f"port {port} of {host}" if port else f"any port of {host} from 7860 to 7959"
        raise OSError(f"cannot listen on {where}: it is in use, or is none of this machine's") from None
    return local


def gradio_module() -> Any:
    """Gradio, which reports nothing home.

    Raises:
        ImportError: where it is not installed.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read as it is imported
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import gradio
    except ImportError:
        raise ImportError("the playground needs Gradio: pip install gradio, or kgan with its extra play") from None
    return gradio


def directions(model: GAN, count: int = DIRECTIONS) -> tuple[np.ndarray, np.ndarray]:
    """The directions along which the features of a model's generator vary most, within each class.

    The features are those of the generator's last hidden layer, or its images where it has none that can be asked.
    See `kgan.latent.principal_directions`.

    Returns:
        Directions of shape (count, latent_dim), and the share of the variance of each, (count,); fewer than asked
        where a code has fewer units.

    Example:
        >>> found, variance = directions(kgan.pretrained.load("dcgan-digits"), count=3)
        >>> found.shape
        (3, 100)
    """
    codes = model.sample_codes(CODES, seed=0).numpy()
    features = _features(model, codes)
    if model.classes:  # classes differ more than anything within them, and have a picker of their own
        labels = codes[:, model.latent_dim :].argmax(axis=1)
        for label in np.unique(labels):
            features[labels == label] -= features[labels == label].mean(axis=0)
    codes = codes[:, : model.latent_dim]
    return latent.principal_directions(codes, features, min(count, model.latent_dim))


def _features(model: GAN, codes: np.ndarray) -> np.ndarray:
    """What the last layer with weights is given, (count, units): evenly chosen ones, where they are many."""
    from kgan._backend import keras

    network = model.sampler
    with contextlib.suppress(AttributeError, IndexError, ValueError):  # a network of somebody's own, without a graph
        network = keras.Model(network.input, [layer for layer in network.layers if layer.weights][-1].input)
    batches = (codes[begin : begin + 256] for begin in range(0, len(codes), 256))
    flat = (np.asarray(network(batch, training=False), np.float32).reshape(len(batch), -1) for batch in batches)
    return np.concatenate([each[:, :: -(-each.shape[1] // UNITS)] for each in flat])


def _directions_tab(model: GAN, names: Sequence[str]) -> None:
    gr = gradio_module()
    found, variance = directions(model)

    def shown(seed: float, label: str | None, *places: float) -> Image.Image:
        code = _code(model, seed, names, label)
        code[: model.latent_dim] += np.float32(places) @ found
        return _alone(model, code)

    gr.Markdown(
        "A code drawn by its number, and the directions along which the generator's features vary most: their "
        f"principal components over {CODES:,} codes. 1 is one standard deviation."
    )
    with gr.Row():
        with gr.Column():
            image = gr.Image(
                value=lambda: shown(0, names[0] if names else None, *np.zeros(len(found))),
                label="Generated image",
                alt_text="The image of the code",
                elem_id="generated",
                interactive=False,
                buttons=["download"],
                format="png",
            )
        with gr.Column():
            seed = gr.Number(0, label="Number of the code", precision=0, minimum=0, maximum=2**31 - 1)
            label = _class_picker(names, "Class")
            sliders = [
                gr.Slider(-FURTHEST, FURTHEST, 0, step=0.1, label=f"Direction {number} ({share:.0%} of the variance)")
                for number, share in enumerate(variance, start=1)
            ]
            with gr.Row():
                gr.Button("Back to 0").click(lambda: [0.0] * len(sliders), None, sliders, api_visibility="private")
                gr.Button("Another code", variant="primary").click(
                    lambda number: (int(number) + 1) % 2**31, seed, seed, api_visibility="private"
                )
    _on_change([seed, label, *sliders], shown, image)


def _path_tab(model: GAN, names: Sequence[str]) -> None:
    gr = gradio_module()

    def walk(first: float, last: float, of_first: str | None, of_last: str | None, path: str, steps: int) -> np.ndarray:
        start, end = (_code(model, *each) for each in ((first, names, of_first), (last, names, of_last)))
        units = model.latent_dim
        drawn = latent.interpolate(start[:units], end[:units], steps, path)
        return np.concatenate([drawn, latent.interpolate(start[units:], end[units:], steps, "linear")], axis=1)

    def shown(*chosen: Any) -> tuple[Image.Image, Image.Image]:
        *ends, place = chosen
        codes = walk(*ends, 101)
        strip = plots.image_grid(model.generate(walk(*ends, PATH_STEPS)), PATH_STEPS)
        return _alone(model, codes[round(place)]), strip

    gr.Markdown(
        "Between two codes. Codes of N(0, 1) lie near a sphere, on which the spherical path stays; the straight path "
        "goes through its inside."
    )
    with gr.Row():
        with gr.Column():
            first = [1, 2, names[0] if names else None, names[-1] if names else None, _natural_path(model)]
            image = gr.Image(
                value=lambda: shown(*first, 50)[0],
                label="On the way",
                alt_text="The image of a code on the path",
                elem_id="on-the-way",
                interactive=False,
                buttons=["download"],
                format="png",
            )
        with gr.Column():
            ends = [
                gr.Number(value, label=f"Number of the {which} code", precision=0, minimum=0, maximum=2**31 - 1)
                for value, which in ((1, "first"), (2, "last"))
            ]
            labels = [_class_picker(names, "First class"), _class_picker(names, "Last class", -1)]
            path = gr.Radio(list(latent.PATHS), value=_natural_path(model), label="Path")
            place = gr.Slider(0, 100, 50, step=1, label="Place on the path, in percent")
    strip = gr.Image(
        value=lambda: shown(*first, 50)[1],
        label="The path",
        alt_text="Images along the path",
        interactive=False,
        buttons=["download"],
        format="png",
    )
    _on_change([*ends, *labels, path, place], shown, [image, strip])


def _reconstruction_tab(model: GAN, is_digits: bool) -> None:
    gr = gradio_module()

    def rebuilt(image: np.ndarray, steps: float) -> Image.Image:
        images = image[np.newaxis]
        stages = {"as the model gets it": images, "read and rebuilt": model.reconstruct(images)}
        if steps:
            stages[f"after {steps:.0f} gradient steps"] = model.reconstruct(images, refine=int(steps))
        zoom = max(1, SIDE // 2 // max(model.data_shape[:2]))
        return plots.side_by_side([plots.image_grid(each, zoom=zoom) for each in stages.values()], list(stages))

    def read(how: Any, given: Any, steps: float) -> Image.Image:
        try:
            return rebuilt(how(given, model.data_shape, is_digits), steps)
        except ValueError as error:
            raise gr.Error(str(error), title="This cannot be read", print_exception=False) from None

    def from_canvas(given: dict[str, Any] | None, steps: float) -> Image.Image:
        return read(drawing.from_canvas, given and given["composite"], steps)

    def from_file(given: str | None, steps: float) -> Image.Image | None:
        return read(drawing.from_file, given, steps) if given else None

    gr.Markdown(
        "The discriminator reads the code of an image, and the generator draws the code. Gradient steps on the code "
        "then bring the drawing closer to the image."
    )
    steps = gr.Slider(0, 300, 100, step=10, label="Gradient steps")
    with gr.Row():
        with gr.Column():
            canvas = gr.Sketchpad(
                label="Draw here",
                canvas_size=(400, 400),
                fixed_canvas=True,
                brush=gr.Brush(default_size=28, colors=["#000000"], color_mode="fixed"),
                placeholder="Choose the brush on the left, then draw",
                layers=False,
                transforms=(),
                elem_id="canvas",
            )
            draw = gr.Button("Read the drawing", variant="primary")
        with gr.Column():
            upload = gr.Image(
                label=f"Or an image of at most {drawing.MOST_PIXELS / 1e6:.0f} million pixels",
                type="filepath",
                image_mode=None,
                sources=["upload", "clipboard"],
                elem_id="upload",
            )
    result = gr.Image(
        value=lambda: rebuilt(model.generate(1)[0], 0),
        label="Reconstruction",
        alt_text="The image, and what the networks make of it",
        elem_id="rebuilt",
        interactive=False,
        buttons=["download"],
        format="png",
    )
    draw.click(from_canvas, [canvas, steps], result, api_visibility="private")
    upload.change(from_file, [upload, steps], result, api_visibility="private")


def _class_picker(names: Sequence[str], label: str, first: int = 0) -> Any:
    gr = gradio_module()
    return gr.Dropdown(list(names), value=names[first] if names else None, label=label, visible=bool(names))


def _on_change(inputs: Sequence[Any], shown: Any, outputs: Any) -> None:
    """Draw anew whenever an input changes; of changes that come while it draws, the last one counts."""
    gr = gradio_module()
    gr.on(
        [each.change for each in inputs],
        shown,
        list(inputs),
        outputs,
        trigger_mode="always_last",
        show_progress="hidden",
        api_visibility="private",
    )


def _code(model: GAN, seed: float | None, names: Sequence[str], label: str | None) -> np.ndarray:
    """The code of a number and a class, (code_dim,)."""
    labels = [list(names).index(label)] if names else None
    return model.sample_codes(1, int(seed or 0), labels).numpy()[0]


def _natural_path(model: GAN) -> str:
    """That which stays where codes are drawn."""
    return "linear" if model.prior == "uniform" else "spherical"


def _alone(model: GAN, code: np.ndarray) -> Image.Image:
    zoom = -(-SIDE // max(model.data_shape[:2]))
    return plots.image_grid(model.generate(code[np.newaxis]), zoom=zoom, margin=0)
