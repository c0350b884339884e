"""The playground: a trained model as a page with sliders, which talks to its own server only (extra `play`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from kgan import latent, plots
from kgan._backend import keras
from kgan.batched import in_batches
from kgan.errors import Mistake
from kgan.play import drawing
from kgan.play.server import gradio_module, launch

if TYPE_CHECKING:
    import gradio

    from kgan.gan import GAN

DIRECTIONS = 8
CODES, UNITS = 2000, 4000  # numbers of codes, and at most of features, that the directions are found from
FURTHEST = 4.0  # the ends of a slider, in standard deviations
PATH_STEPS = 9
SIDE = 448  # the least size of an image that is shown alone, in pixels


def playground(model: GAN, name: str, class_names: Sequence[str] = (), is_digits: bool = False) -> gradio.Blocks:
    """The page of a model; `launch` serves it.

    Args:
        model: it draws images with 1 or 3 channels.
        name: the title of the page.
        class_names: the names of the classes of a conditional model; default: their numbers.
        is_digits: whether to prepare drawings in the same way as the images of MNIST.

    Example:
        >>> page = playground(kgan.pretrained.load("dcgan-digits"), "dcgan-digits")
    """
    gr = gradio_module()
    if len(model.data_shape) != 3 or model.data_shape[2] not in (1, 3):
        raise Mistake(f"{name} draws data of shape {model.data_shape}: a playground shows images, gray or color")
    names = list(class_names) or [str(number) for number in range(model.classes)]
    with gr.Blocks(title=f"kgan: {name}", analytics_enabled=False, delete_cache=(3600, 3600)) as page:
        gr.Markdown(f"# {name}")
        with gr.Tab("Directions"):
            _directions_tab(model, names)
        with gr.Tab("From one code to another"):
            _path_tab(model, names)
        if hasattr(model, "encode"):
            with gr.Tab("Read and rebuild"):
                _reconstruction_tab(model, is_digits)
    return page


def directions(model: GAN, count: int = DIRECTIONS) -> tuple[np.ndarray, np.ndarray]:
    """The directions (count, latent_dim) along which the generator's last hidden layer varies most, within each class.

    And the fraction of the variance that each explains, (count,): see `kgan.latent.principal_directions`. There are
    fewer than `count` if a code or the layer has fewer units.

    Example:
        >>> found, variance = directions(kgan.pretrained.load("dcgan-digits"), count=3)
        >>> found.shape
        (3, 100)
    """
    codes = model.sample_codes(CODES, seed=0).numpy()
    features = _features(model, codes)
    codes, classes = codes[:, : model.latent_dim], codes[:, model.latent_dim :]
    for is_class in classes.T > 0:  # classes differ more than images within one, and the page has a picker for them
        features[is_class] -= features[is_class].mean(axis=0)
    return latent.principal_directions(codes, features, min(count, model.latent_dim, features.shape[1]))


def _features(model: GAN, codes: np.ndarray) -> np.ndarray:
    """The input of the generator's last layer with weights, (count, units); without a graph of layers, the images."""
    network = model.sampler
    with_weights = [layer for layer in network.layers if layer.weights]
    if getattr(network, "inputs", None) and with_weights:
        network = keras.Model(network.inputs[0], with_weights[-1].input)

    def some_units(batch: np.ndarray) -> np.ndarray:  # evenly spaced ones
        rows = np.asarray(network(batch, training=False), np.float32).reshape(len(batch), -1)
        return rows[:, :: -(-rows.shape[1] // UNITS)]

    return in_batches(some_units, codes, 64)


def _directions_tab(model: GAN, names: Sequence[str]) -> None:
    gr = gradio_module()
    found, variance = directions(model)

    def image_at(seed: float | None, label: str | None, *steps: float) -> Image.Image:
        code = _code(model, seed, names, label)
        code[: model.latent_dim] += np.float32(steps) @ found
        return _large(model, code)

    gr.Markdown(
        "A seed draws a code. The sliders move it in the directions along which the activations of the generator's "
        f"last hidden layer vary most (principal components over {CODES:,} codes), in standard deviations."
    )
    with gr.Row():
        with gr.Column():
            first = image_at(0, names[0] if names else None, *np.zeros(len(found)))
            image = _picture(first, "Generated image", "The image of the code", "generated")
        with gr.Column():
            seed = _seed_field(0, "Seed of the code")
            label = _class_picker(names, "Class")
            sliders = [
                gr.Slider(-FURTHEST, FURTHEST, 0, step=0.1, label=f"Direction {number} ({part:.0%} of the variance)")
                for number, part in enumerate(variance, start=1)
            ]
            with gr.Row():
                _on([gr.Button("Back to 0").click], lambda: [0.0] * len(sliders), None, sliders)
                another = gr.Button("Another code", variant="primary")
                _on([another.click], lambda number: (int(number or 0) + 1) % 2**31, seed, seed)
    inputs = [seed, label, *sliders]
    _on([field.change for field in inputs], image_at, inputs, image)


def _path_tab(model: GAN, names: Sequence[str]) -> None:
    gr = gradio_module()

    def walk(steps: int, first_seed: Any, last_seed: Any, first_class: Any, last_class: Any, path: str) -> np.ndarray:
        start, end = _code(model, first_seed, names, first_class), _code(model, last_seed, names, last_class)
        return latent.interpolate(start, end, steps, path, classes=model.classes)

    def image_at(*values: Any) -> Image.Image:
        *ends, place = values
        return _large(model, walk(101, *ends)[round(place)])

    def strip_at(*ends: Any) -> Image.Image:
        return plots.image_grid(model.generate(walk(PATH_STEPS, *ends)), PATH_STEPS)

    natural = latent.natural_path(model.prior)
    begin = [1, 2, names[0] if names else None, names[-1] if names else None, natural]
    gr.Markdown("Codes of N(0, 1) lie near a sphere. The spherical path stays near it, the linear one goes inside.")
    with gr.Row():
        with gr.Column():
            image = _picture(image_at(*begin, 50), "On the way", "The image of a code on the path", "on-the-way")
        with gr.Column():
            ends = [_seed_field(1, "Seed of the first code"), _seed_field(2, "Seed of the last code")]
            ends += [_class_picker(names, "First class"), _class_picker(names, "Last class", -1)]
            ends.append(gr.Radio(list(latent.PATHS), value=natural, label="Path"))
            place = gr.Slider(0, 100, 50, step=1, label="Place on the path, in percent")
    strip = _picture(strip_at(*begin), "The path", "Images along the path", "path")
    _on([field.change for field in (*ends, place)], image_at, [*ends, place], image)
    _on([field.change for field in ends], strip_at, ends, strip)


def _reconstruction_tab(model: GAN, is_digits: bool) -> None:
    gr = gradio_module()

    def rebuilt(image: np.ndarray, steps: float) -> Image.Image:
        stages = {"as the model gets it": image[np.newaxis], "read and rebuilt": model.reconstruct(image[np.newaxis])}
        if steps:
            stages[f"after {steps:.0f} gradient steps"] = model.reconstruct(image[np.newaxis], refine=int(steps))
        zoom = max(1, SIDE // 2 // max(model.data_shape[:2]))
        return plots.side_by_side([plots.image_grid(stage, zoom=zoom) for stage in stages.values()], list(stages))

    def read(prepare: Callable[..., np.ndarray], image: Any, steps: float) -> Image.Image:
        try:
            return rebuilt(prepare(image, model.data_shape, is_digits), steps)
        except Mistake as error:
            raise gr.Error(str(error), title="This cannot be read", print_exception=False) from None

    def from_canvas(layers: dict[str, Any] | None, steps: float) -> Image.Image:
        return read(drawing.from_canvas, layers and layers["composite"], steps)

    def from_file(path: str | None, steps: float) -> Any:
        return read(drawing.from_file, path, steps) if path else gr.skip()

    gr.Markdown(
        "The discriminator reads the code of an image, and the generator draws it. Gradient steps refine the code."
    )
    steps = gr.Slider(0, 300, 100, step=10, label="Gradient steps")
    with gr.Row():
        with gr.Column():
            brush = gr.Brush(default_size=28, colors=["#000000"], color_mode="fixed")
            hint = "Choose the brush on the left, then draw"
            plain = {"canvas_size": (400, 400), "fixed_canvas": True, "layers": False, "transforms": ()}
            canvas = gr.Sketchpad(label="Draw here", brush=brush, placeholder=hint, elem_id="canvas", **plain)
            button = gr.Button("Read the drawing", variant="primary")
        with gr.Column():
            label = f"Or an image file of at most {drawing.MOST_PIXELS / 1e6:.0f} million pixels"
            # Not an Image, which Gradio would decode before its size is checked.
            upload = gr.File(label=label, file_types=["image"], type="filepath", elem_id="upload")
    first = rebuilt(model.generate(1)[0], 0)
    result = _picture(first, "Reconstruction", "The image, and what the networks make of it", "rebuilt")
    button.click(from_canvas, [canvas, steps], result, api_visibility="private")
    upload.change(from_file, [upload, steps], result, api_visibility="private")


def _picture(value: Image.Image, label: str, alt_text: str, elem_id: str) -> Any:
    texts = {"label": label, "alt_text": alt_text, "elem_id": elem_id}
    return gradio_module().Image(value, **texts, interactive=False, buttons=["download"], format="png")


def _seed_field(value: int, label: str) -> Any:
    return gradio_module().Number(value, label=label, precision=0, minimum=0, maximum=2**31 - 1)


def _class_picker(names: Sequence[str], label: str, first: int = 0) -> Any:
    value = names[first] if names else None
    return gradio_module().Dropdown(list(names), value=value, label=label, visible=bool(names))


def _on(events: Sequence[Any], function: Callable[..., Any], inputs: Any, outputs: Any) -> None:
    """Call the function after an event. Of several events while it runs, only the last counts."""
    how = {"trigger_mode": "always_last", "show_progress": "hidden", "api_visibility": "private"}
    gradio_module().on(events, function, inputs, outputs, **how)


def _code(model: GAN, seed: float | None, names: Sequence[str], label: str | None) -> np.ndarray:
    """The code of a seed and a class, (code_dim,)."""
    labels = [list(names).index(label)] if names else None
    return model.sample_codes(1, int(seed or 0), labels).numpy()[0]


def _large(model: GAN, code: np.ndarray) -> Image.Image:
    zoom = -(-SIDE // max(model.data_shape[:2]))
    return plots.image_grid(model.generate(code[np.newaxis]), zoom=zoom, margin=0)
