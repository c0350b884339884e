"""What is drawn while a model trains: grids, the GIF, curves."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from kgan import losses, plots
from kgan.callbacks.base import Redrawn, checked_directory, checked_file
from kgan.checks import as_list, check
from kgan.errors import Mistake
from kgan.training import Callback, FitArguments

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_ROWS = 16  # of a grid with a row for each class


class Samples(Callback):
    """Draws a grid of the same codes each time, so that epochs can be compared: what the callbacks below are based on.

    The images must have 1 or 3 channels. Callbacks with the same seed share them at the end of an epoch.

    Args:
        rows, columns: size of the grid; by default 8 × 8. The grid of a conditional model has one class in each row,
            and by default as many rows as classes, at most 16.
        seed: seed of the codes.
    """

    is_for_chief = True
    usual_rows = 8

    def __init__(self, *, rows: int | None = None, columns: int = 8, seed: int = 0) -> None:
        super().__init__()
        check(rows=rows, columns=columns)
        self._rows_wanted = rows
        self.columns = columns
        self.seed = seed
        self._peers: list[Samples] = [self]  # the callbacks of this `fit` that draw the same codes
        self._at_epoch_end: tuple[int, np.ndarray] | None = None  # step and samples, kept by the first of the peers

    def before_fit(self, arguments: FitArguments) -> None:
        samples = [callback for callback in arguments.callbacks if isinstance(callback, Samples)]
        # The codes of the smaller grid are the first of the larger; with classes, they depend on the columns.
        same_rows = [peer for peer in samples if not self.model.classes or peer.columns == self.columns]
        self._peers = [peer for peer in same_rows if peer.seed == self.seed]
        self._at_epoch_end = None  # of another model, or before its weights were changed by hand
        shape = self.model.data_shape
        if len(shape) != 3 or shape[2] not in (1, 3):
            raise Mistake(
                f"{type(self).__name__} draws images of 1 or 3 channels, (height, width, channels), and this model "
                f"makes {shape}: leave it out"
            )

    def draw(self) -> Image.Image:
        """The grid, as the model draws it now."""
        return plots.image_grid(self.model.generate(self._codes(self.count)), self.columns)

    def draw_at_epoch_end(self) -> Image.Image:
        """The same grid, but the first callback that asks generates the images for all."""
        first, step = self._peers[0], int(self.model.step.numpy())
        if first._at_epoch_end is None or first._at_epoch_end[0] != step:
            codes = first._codes(max(peer.count for peer in self._peers))
            first._at_epoch_end = step, self.model.generate(codes)
        return plots.image_grid(first._at_epoch_end[1][: self.count], self.columns)

    def _codes(self, count: int) -> np.ndarray:
        classes = self.model.classes
        labels = np.arange(count) // self.columns % classes if classes else None
        return np.asarray(self.model.sample_codes(count, self.seed, labels))

    @property
    def rows(self) -> int:
        """Rows of the grid."""
        return self._rows_wanted or min(self.model.classes, MOST_ROWS) or self.usual_rows

    @property
    def count(self) -> int:
        """Images in the grid."""
        return self.rows * self.columns


class SampleGrid(Samples):
    """Saves a grid of samples: `epoch-0001.png`, …, and `iteration-000100.png` for chosen iterations.

    Args:
        directory: the directory to write to.
        every: epochs between pictures. The last epoch always has one.
        epochs: if given, `every` is ignored and there are pictures only after these epochs.
        iterations: there are also pictures after these training steps (generator updates) of the model.
        **grid: rows, columns and seed: see `Samples`.

    Example:
        >>> callback = SampleGrid("samples", epochs=(1, 10, 50, 100), iterations=(100, 200, 2400))
    """

    def __init__(
        self,
        directory: str | Path,
        *,
        every: int = 1,
        epochs: Collection[int] | None = None,
        iterations: Collection[int] = (),
        **grid: Any,
    ) -> None:
        super().__init__(**grid)
        check(every=every, epochs=epochs, iterations=iterations)
        self.directory = checked_directory(directory)
        self.every = every
        self.epochs = None if epochs is None else as_list(epochs)
        self.iterations = as_list(iterations)

    def next_iteration(self, step: int) -> int | None:
        return min((iteration for iteration in self.iterations if iteration > step), default=None)

    def on_iteration_end(self, step: int) -> None:
        plots.save(self.draw(), self.directory / f"iteration-{step:06}.png")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self._is_chosen:
            plots.save(self.draw_at_epoch_end(), self._path)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        if self.epochs is None and self.epoch and not self._is_chosen:  # whatever `every` says
            plots.save(self.draw(), self._path)

    @property
    def _is_chosen(self) -> bool:
        return self.epoch % self.every == 0 if self.epochs is None else self.epoch in self.epochs

    @property
    def _path(self) -> Path:
        return self.directory / f"epoch-{self.epoch:04}.png"


class EpochGIF(Redrawn, Samples):
    """Writes a GIF of samples that grows by a frame each epoch, with the number of the epoch; the last frame is held.

    Args:
        path: of the file.
        every: epochs between frames. The first and the newest epoch always have one.
        milliseconds: how long a frame is shown.
        hold: how long the last frame is shown, in milliseconds.
        **grid: rows, columns and seed: see `Samples`; by default 5 rows, for a small file.

    Example:
        >>> history = model.fit(images, epochs=2, verbose=0, callbacks=[EpochGIF("progress.gif")])
    """

    usual_rows = 5

    def __init__(
        self, path: str | Path, *, every: int = 1, milliseconds: int = 150, hold: int = 2500, **grid: Any
    ) -> None:
        super().__init__(**grid)
        check(every=every)
        self.path = checked_file(path, ".gif")
        self.every = every
        self.gif = plots.GIF(path, milliseconds=milliseconds, hold=hold)
        self._newest_stays = True
        self._size: list[int] | None = None  # rows and columns of the frames

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        frame = plots.captioned(self.draw_at_epoch_end(), f"epoch {self.epoch}")
        stays = self.epoch == 1 or self.epoch % self.every == 0
        self.redraw(lambda: self._append(frame, stays))
        if stays:
            self.draw_waiting()

    def _append(self, frame: Image.Image, stays: bool) -> None:
        self.gif.append(frame, instead=not self._newest_stays)
        self._newest_stays, self._size = stays, [self.rows, self.columns]

    def get_state(self) -> dict[str, Any]:
        return {"grid": self._size, "newest_stays": self._newest_stays, **self.gif.get_state()}

    def set_state(self, state: dict[str, Any]) -> None:
        if state["grid"] in (None, [self.rows, self.columns]):  # a grid of another size begins a GIF of its own
            self._size, self._newest_stays = state["grid"], state["newest_stays"]
            self.gif.set_state(state)


class ChosenEpochs(Redrawn, Samples):
    """Puts chosen epochs, and at the right end the newest, next to each other in one picture.

    Args:
        path: path of the picture, a PNG.
        epochs: the chosen epochs.
        **grid: rows, columns and seed: see `Samples`; by default 6 × 6.

    Example:
        >>> callback = ChosenEpochs("epochs.png", epochs=(1, 10, 50, 100))
    """

    usual_rows = 6

    def __init__(
        self, path: str | Path, epochs: Collection[int] = (1, 10, 50, 100), *, columns: int = 6, **grid: Any
    ) -> None:
        super().__init__(columns=columns, **grid)
        check(epochs=epochs)
        self.path = checked_file(path, ".png")
        self.epochs = epochs
        self._grids: dict[int, Image.Image] = {}  # of the chosen epochs

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        grids = {**self._grids, self.epoch: self.draw_at_epoch_end()}
        if self.epoch in self.epochs:
            self._grids = grids
        captions = [f"epoch {number}" for number in grids]
        self.redraw(lambda: plots.save(plots.side_by_side([*grids.values()], captions), self.path))

    def get_state(self) -> dict[str, Any]:
        return {str(epoch): np.asarray(grid) for epoch, grid in self._grids.items()}

    def set_state(self, state: dict[str, Any]) -> None:
        self._grids = {int(epoch): Image.fromarray(grid) for epoch, grid in state.items()}


class LossCurves(Redrawn):
    """Draws both losses, and the discriminator's probabilities with the line of 0.5, by epoch, into a PNG.

    Example:
        >>> history = model.fit(images, epochs=2, verbose=0, callbacks=[LossCurves("losses.png")])
    """

    is_for_chief = True

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.path = checked_file(path, ".png")

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        if self.epoch:  # the file may show an epoch that came after the checkpoint
            self._save()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.redraw(self._save)

    def draw(self) -> Figure:
        """The curves so far."""
        columns = self.model.recorder.columns
        return plots.loss_curves(columns, columns["epoch"], has_probabilities=self.model.has_probabilities)

    def _save(self) -> None:
        plots.save(self.draw(), self.path)


class CodeCurves(LossCurves):
    """Draws the loss of real images and the difference of codes of a `CodeGAN`, by iteration, into a PNG.

    Example:
        >>> callback = CodeCurves("codes.png")
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        self._iterations: list[int] = []  # at the end of each epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._iterations.append(int(self.model.step.numpy()))
        super().on_epoch_end(epoch, logs)

    def draw(self) -> Figure:
        model, columns = self.model, self.model.recorder.columns
        first = len(columns["epoch"]) - len(self._iterations)  # the epoch with which this callback began
        guessing = losses.code_loss_of_guessing(model.latent_dim, model.prior, model.code_loss)
        return plots.code_curves({name: column[first:] for name, column in columns.items()}, self._iterations, guessing)

    def get_state(self) -> dict[str, Any]:
        return {"iterations": self._iterations}

    def set_state(self, state: dict[str, Any]) -> None:
        self._iterations = list(state["iterations"])


class CodeColumns(Samples):
    """Draws how a `CodeGAN` generates and reads codes, after each epoch: figure 6 of Shao, Li and Jiang.

    The columns are: the code as a small image; the image generated from it; the code that is read from this image; the
    image rebuilt from the code that was read; and an image rebuilt once more, from the code of the rebuilt image.

    Args:
        path: path of the picture, a PNG.
        **grid: rows, of a code each, and the seed of the codes.

    Example:
        >>> callback = CodeColumns("reconstructions.png")
    """

    def __init__(self, path: str | Path, **grid: Any) -> None:
        super().__init__(columns=1, **grid)
        self.path = checked_file(path, ".png")

    def draw(self) -> Image.Image:
        model, codes = self.model, self._codes(self.rows)
        generated = model.generate(codes)
        read = model.encode(generated)
        rebuilt = model.generate(read)
        shape = generated.shape[1:]
        code_columns = plots.code_images(codes, *shape), plots.code_images(read, *shape)
        columns = code_columns[0], generated, code_columns[1], rebuilt, model.reconstruct(rebuilt)
        zoom = -(-80 // shape[1])  # wide enough for the captions
        grids = [plots.image_grid(images, 1, zoom=zoom) for images in columns]
        return plots.side_by_side(grids, ["code", "generated", "code read", "rebuilt", "once more"])

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        plots.save(self.draw(), self.path)
