"""Callbacks for `fit`: what to draw and when. How is the business of `kgan.plots`.

Each leaves its files whole after every epoch, so a run that ends early, by Ctrl-C or by an exception, has the
pictures and curves of all it trained. Epochs are counted from 1, and on through further calls of `fit` with the same
callback, and on again in another process with a `Checkpoint` that resumes. They work with any model that has
`generate`, `compile` and `fit` like `kgan.GAN`.
"""

from __future__ import annotations

import contextlib
import csv
import math
import operator
import time
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from kgan import losses, plots, runs
from kgan._backend import keras, tf

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class EpochCounter(keras.callbacks.Callback):
    """Counts finished epochs in `self.epoch`, from 1, and on where `fit` is called again and Keras starts over."""

    def __init__(self) -> None:
        super().__init__()
        self.epoch = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epoch = max(self.epoch, epoch) + 1

    def get_state(self) -> dict[str, Any]:
        """What a checkpoint keeps of this callback, by name: arrays, and whatever JSON can hold."""
        return {"epoch": self.epoch}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from what `get_state` gave."""
        self.epoch = state["epoch"]


class Samples(EpochCounter):
    """Draws the same codes each time, so that pictures of different epochs compare.

    Args:
        rows, columns: of the grid.
        seed: which codes.
    """

    def __init__(self, *, rows: int = 8, columns: int = 8, seed: int = 0) -> None:
        super().__init__()
        _check_at_least_1(rows=rows, columns=columns)
        self.rows = rows
        self.columns = columns
        self.seed = seed

    def draw(self) -> Image.Image:
        """The grid, as the model draws it now."""
        return plots.image_grid(self.model.generate(self.rows * self.columns, seed=self.seed), self.columns)


class SampleGrid(Samples):
    """Saves a grid of samples: `epoch-0001.png`, …, and `iteration-000100.png` for chosen iterations.

    Args:
        directory: where to.
        every: a picture every so many epochs.
        epochs: or just after these epochs.
        iterations: also after these training steps (generator updates) of the model.
        rows, columns, seed: see `Samples`.

    Raises:
        ValueError: for an epoch, iteration or number below 1.

    Example:
        >>> watcher = SampleGrid("samples", epochs=(1, 10, 50, 100), iterations=(100, 200, 2400))
    """

    def __init__(
        self,
        directory: str | Path,
        *,
        every: int = 1,
        epochs: Collection[int] | None = None,
        iterations: Collection[int] = (),
        rows: int = 8,
        columns: int = 8,
        seed: int = 0,
    ) -> None:
        super().__init__(rows=rows, columns=columns, seed=seed)
        epochs = (epochs,) if isinstance(epochs, int) else epochs
        iterations = (iterations,) if isinstance(iterations, int) else iterations
        _check_at_least_1(every=every, epochs=epochs, iterations=iterations)
        self.directory = Path(directory)
        self.every = every
        self.epochs = epochs
        self.iterations = iterations
        self._drawn = 0

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if self.iterations and (step := int(self.model.step)) in self.iterations and step != self._drawn:
            self._save(f"iteration-{step:06}.png")
            self._drawn = step

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        if self.epoch in self.epochs if self.epochs is not None else self.epoch % self.every == 0:
            self._save(f"epoch-{self.epoch:04}.png")

    def _save(self, name: str) -> None:
        with runs.replacing(self.directory / name) as temporary:
            self.draw().save(temporary)


class EpochGIF(Samples):
    """Grows a GIF of samples, a frame an epoch with its number on it; the last frame is held.

    The first and the newest epoch are always in it, whatever `every` says.

    Args:
        path: of the file.
        every: a frame every so many epochs.
        milliseconds: that a frame is shown.
        hold: milliseconds that the last frame is shown.
        rows, columns, seed: see `Samples`; by default the upper 5 rows of what `SampleGrid` shows, for a small file.

    Example:
        >>> history = model.fit(images, epochs=2, verbose=0, callbacks=[EpochGIF("progress.gif")])
    """

    def __init__(
        self,
        path: str | Path,
        *,
        every: int = 1,
        milliseconds: int = 150,
        hold: int = 2500,
        rows: int = 5,
        columns: int = 8,
        seed: int = 0,
    ) -> None:
        super().__init__(rows=rows, columns=columns, seed=seed)
        _check_at_least_1(every=every, milliseconds=milliseconds, hold=hold)
        self.path = Path(path)
        self.every = every
        self.gif = plots.GIF(path, milliseconds=milliseconds, hold=hold)
        self._newest_stays = True

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        frame = plots.captioned(self.draw(), f"epoch {self.epoch}")
        self.gif.append(frame, instead=not self._newest_stays)
        self._newest_stays = self.epoch == 1 or self.epoch % self.every == 0

    def get_state(self) -> dict[str, Any]:
        of_gif = {"grid": [self.rows, self.columns], **self.gif.get_state()}
        return {**super().get_state(), "newest_stays": self._newest_stays, **of_gif}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        if state["grid"] == [self.rows, self.columns]:  # frames of another size begin a GIF of their own
            self._newest_stays = state["newest_stays"]
            self.gif.set_state(state)


class ChosenEpochs(Samples):
    """Sets chosen epochs beside each other in one picture, as the report on GANs and DCGANs in TensorFlow does.

    The newest epoch stands at the right end, so the picture is right whenever training stops.

    Args:
        path: of the picture.
        epochs: which.
        rows, columns, seed: see `Samples`.

    Example:
        >>> watcher = ChosenEpochs("epochs.png", epochs=(1, 10, 50, 100))
    """

    def __init__(
        self,
        path: str | Path,
        epochs: Collection[int] = (1, 10, 50, 100),
        *,
        rows: int = 6,
        columns: int = 6,
        seed: int = 0,
    ) -> None:
        super().__init__(rows=rows, columns=columns, seed=seed)
        _check_at_least_1(epochs=epochs)
        self.path = Path(path)
        self.epochs = epochs
        self._chosen: dict[int, Image.Image] = {}

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        shown = {**self._chosen, self.epoch: self.draw()}
        with runs.replacing(self.path) as temporary:
            plots.side_by_side(list(shown.values()), [f"epoch {number}" for number in shown]).save(temporary)
        if self.epoch in self.epochs:
            self._chosen = shown

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), **{f"epoch {n}": np.asarray(each) for n, each in self._chosen.items()}}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        chosen = {name.split()[1]: each for name, each in state.items() if name.startswith("epoch ")}
        self._chosen = {int(number): Image.fromarray(each) for number, each in chosen.items()}


class LossCurves(EpochCounter):
    """Draws both losses, and the discriminator's probabilities with the line of 0.5, by epoch; anew each epoch.

    Args:
        path: of the picture, a PNG.

    Example:
        >>> history = model.fit(images, epochs=2, verbose=0, callbacks=[LossCurves("losses.png")])
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.path = Path(path)
        self._epochs: list[int] = []
        self._history: dict[str, list[float]] = {}

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        self._epochs.append(self.epoch)
        for key, value in (logs or {}).items():
            self._history.setdefault(key, []).append(float(value))
        self._save()

    def draw(self) -> Figure:
        """The curves so far."""
        return plots.loss_curves(self._history, self._epochs)

    def _save(self) -> None:
        with runs.replacing(self.path) as temporary:
            self.draw().savefig(temporary, dpi=100)

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "epochs": self._epochs, "history": self._history}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self._epochs, self._history = state["epochs"], state["history"]
        if self._epochs:  # the file may be of an epoch that was lost
            self._save()


class CodeCurves(LossCurves):
    """Draws the loss of real images and the difference of codes of a `CodeGAN`, by iteration; anew each epoch.

    Args:
        path: of the picture, a PNG.

    Example:
        >>> watcher = CodeCurves("codes.png")
    """

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._history.setdefault("iterations", []).append(int(self.model.step))
        super().on_epoch_end(epoch, logs)

    def draw(self) -> Figure:
        guessing = losses.code_loss_of_guessing(self.model.latent_dim, self.model.prior, self.model.code_loss)
        return plots.code_curves(self._history, self._history["iterations"], guessing)


class CodeColumns(Samples):
    """Draws what a `CodeGAN` makes of codes, after each epoch: figure 6 of Shao, Li and Jiang.

    In columns: the code, as a small image; what is generated from it; the code that is read from that; what is
    generated from the code that was read; and what from the code read once more.

    Args:
        path: of the picture, a PNG.
        rows: how many codes.
        seed: which codes.

    Example:
        >>> watcher = CodeColumns("reconstructions.png")
    """

    def __init__(self, path: str | Path, *, rows: int = 8, seed: int = 0) -> None:
        super().__init__(rows=rows, columns=1, seed=seed)
        self.path = Path(path)

    def draw(self) -> Image.Image:
        model = self.model
        codes = model.sample_codes(self.rows, self.seed)
        generated = model.generate(codes)
        read = model.encode(generated)
        rebuilt = model.generate(read)
        again = model.reconstruct(rebuilt)
        shape = generated.shape[1:]
        columns = {
            "code": plots.code_images(codes, *shape),
            "generated": generated,
            "code read": plots.code_images(read, *shape),
            "rebuilt": rebuilt,
            "once more": again,
        }
        zoom = -(-80 // shape[1])  # wide enough for the captions
        grids = [plots.image_grid(images, 1, zoom=zoom) for images in columns.values()]
        return plots.side_by_side(grids, list(columns))

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        with runs.replacing(self.path) as temporary:
            self.draw().save(temporary)


class HistoryCSV(EpochCounter):
    """Writes a line an epoch: its number, the metrics, and its seconds (without those that a crash lost).

    Args:
        path: of the file.

    Example:
        >>> history = model.fit(images, epochs=2, verbose=0, callbacks=[HistoryCSV("history.csv")])
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.path = Path(path)
        self._rows: list[dict[str, Any]] = []
        self._began = 0.0
        self._elapsed = 0.0  # seconds of an epoch that was begun in another process

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._began = time.perf_counter() - self._elapsed
        self._elapsed = 0.0

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        seconds = round(time.perf_counter() - self._began, 3)
        self._began = time.perf_counter()
        figures = {name: float(value) for name, value in (logs or {}).items()}
        self._rows.append({"epoch": self.epoch, **figures, "seconds": seconds})
        self._write()

    def _write(self) -> None:
        with runs.replacing(self.path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(dict.fromkeys(key for row in self._rows for key in row)))
            writer.writeheader()
            writer.writerows(self._rows)

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), "rows": self._rows, "elapsed": time.perf_counter() - self._began}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self._rows, self._elapsed = state["rows"], state["elapsed"]
        if self._rows:  # the file may have an epoch that was lost
            self._write()


class StopOnNaN(EpochCounter):
    """Ends training as soon as a loss is NaN or infinite, or a weight at the end of an epoch.

    Keras' TerminateOnNaN reads only `loss`, which a GAN has not.

    Raises:
        FloatingPointError: from `fit`, naming the loss or the weight, the epoch and the step.

    Example:
        >>> history = model.fit(images, epochs=2, verbose=0, callbacks=[StopOnNaN()])
    """

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        for name, value in sorted((logs or {}).items(), key=lambda item: "loss" not in item[0]):
            if not math.isfinite(value):
                raise FloatingPointError(f"{name} is {float(value)} {self._moment()}")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        for weight in self.model.weights:  # a moving average can be NaN while no loss is
            _check_finite(weight, weight.numpy(), self._moment())
        super().on_epoch_end(epoch, logs)

    def _moment(self) -> str:
        return f"in epoch {self.epoch + 1}, step {self.model.step.numpy()}"


class TakenUp(NamedTuple):
    """Where `fit` begins."""

    epochs: int  # finished
    steps: int  # done of the one after
    of_data: int  # epochs since the data set was at its beginning
    history: keras.callbacks.History


class Checkpoint(EpochCounter):
    """Keeps what it takes to go on after a crash as if there had been none, bit for bit on a CPU.

    That is all the model's training state (see `GAN.training_state`), the history, and the states of kgan's own
    callbacks beside it: GIF, curves, table. The last two checkpoints are kept, each with a checksum; where the newest
    is damaged the one before is used, with a warning. Beside arrays and JSON there is nothing in them.

    Exact are runs on arrays, on datasets of `kgan.data.batches`, and on others that give the same batches in the same
    order each time. Keras' own callbacks, such as EarlyStopping, begin anew.

    Args:
        directory: where to; for checkpoints alone.
        every: a checkpoint after every so many epochs.
        minutes: and, in the middle of an epoch too, as soon as the last is so many minutes old. None: never.
        resume: go on from the newest checkpoint in `directory`, if there is one. `epochs` of `fit` then counts
            from the beginning of the run, so that the same script, started again, ends where it would have ended.

    Raises:
        ValueError: from `fit`, before training: where the model, its optimizers or loss, the images or the batch
            size are not those of the checkpoint, or all checkpoints are damaged.
        FileExistsError: from `fit`: `directory` holds checkpoints of another run, and `resume` is not set.
        BlockingIOError: from `fit`: another process is training in `directory`.
        FloatingPointError: from `fit`: a weight is NaN or infinite; the last good checkpoint is kept.
        OSError: from `fit`: a checkpoint cannot be written, as on a full disk; the one before is kept.

    Example:
        >>> watchers = [EpochGIF("progress.gif"), Checkpoint("checkpoint", resume=True)]
        >>> history = model.fit(images, epochs=2, verbose=0, callbacks=watchers)
    """

    def __init__(
        self, directory: str | Path, *, every: int = 1, minutes: float | None = 10, resume: bool = False
    ) -> None:
        super().__init__()
        _check_at_least_1(every=every)
        if minutes is not None and not minutes > 0:
            raise ValueError(f"minutes is {minutes}: it must be above 0, or None")
        self.directory = Path(directory)
        self.every = every
        self.minutes = minutes
        self.resume = resume
        self.steps = 0  # done of the epoch at hand
        self._began = 0  # the epoch after which the data set was at its beginning
        self._run: dict[str, Any] = {}  # what is trained
        self._described: tuple[keras.Model, dict[str, Any]] | None = None  # a model, as it was when first seen
        self._history: dict[str, list[float]] = {}
        self._watchers: dict[str, EpochCounter] = {}
        self._kept: list[int] = []  # numbers of the good checkpoints that are there, the newest last
        self._up_to_date = False  # whether the model stands where the newest does
        self._written = 0.0  # when the newest was
        self._metrics: list[np.ndarray] = []  # sums of a half-done epoch that was taken up

    @contextlib.contextmanager
    def taken_up(
        self,
        model: keras.Model,
        watchers: Sequence[keras.callbacks.Callback],
        data: Any,
        pace: dict[str, Any],
        epochs: int,
    ) -> Iterator[TakenUp]:
        """Keep the directory to this process while `fit` trains, and take up the run in it. For `GAN.fit` to call.

        Args:
            model: compiled.
            watchers: all callbacks of this `fit`.
            data: the real images.
            pace: batch_size, steps_per_epoch and shuffle.
            epochs: that `fit` is to train.
        """
        with runs.lock(self.directory):
            runs.sweep(self.directory)
            if self._described is None or self._described[0] is not model:
                self._described, self._up_to_date = (model, runs.describe_model(model)), False
            self.set_model(model)
            self._watchers = _named(each for each in watchers if isinstance(each, EpochCounter) and each is not self)
            run = {**runs.describe_data(data), **pace, **self._described[1]}
            if not self.resume:
                if not self._kept and runs.next_number(self.directory) > 1:
                    raise FileExistsError(
                        f"{self.directory} holds checkpoints: go on from them with resume=True, or name another"
                    )
                self.steps, self._began, self._run = 0, self.epoch, run
            elif self._up_to_date:  # `fit` again: what was changed by hand since stays so
                runs.check_same(run, self._run)
                _check_epochs(self.epoch, self.steps, epochs)
            elif not self._take_up(run, epochs):
                self._run = run
                self.save()  # at its very beginning, so that there always is one
            self._metrics = [variable.numpy() for variable in model.metrics_variables]
            self._up_to_date, self._written = False, time.monotonic()
            history = keras.callbacks.History()
            if self.resume:
                history.history = {name: list(values) for name, values in self._history.items()}
            yield TakenUp(self.epoch if self.resume else 0, self.steps, self.epoch - self._began, history)
            if self.resume:
                history.epoch = list(range(self.epoch))

    # The moments to save are those at which all callbacks are done with what they have seen: an epoch is saved when
    # the next begins, a step likewise.

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self.steps:  # Keras has just set the sums to zero
            for variable, value in zip(self.model.metrics_variables, self._metrics, strict=True):
                variable.assign(value)
        elif self.epoch and self.epoch % self.every == 0:
            self.save()

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if self.minutes and batch >= self.steps > 0 and time.monotonic() - self._written > self.minutes * 60:
            self.save()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.steps = max(self.steps, batch + 1)  # steps that were done before pass by again
        self._up_to_date = False

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        self.steps, self._up_to_date = 0, False
        for name, value in (logs or {}).items():
            self._history.setdefault(name, []).append(float(value))

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.save()

    def save(self) -> None:
        """Write a checkpoint now, between two steps, unless the newest is of this very step."""
        if self._up_to_date:
            return
        arrays, states = {}, {}
        for number, variable in enumerate(self.model.training_state):
            arrays[f"{number:05}"] = value = variable.numpy()
            _check_finite(variable, value, f"after step {self.model.step.numpy()}")
        for name, watcher in self._watchers.items():
            state = watcher.get_state()
            arrays |= {f"{name}/{key}": value for key, value in state.items() if isinstance(value, np.ndarray)}
            states[name] = {key: value for key, value in state.items() if not isinstance(value, np.ndarray)}
        state = {"format": FORMAT, "epochs": self.epoch, "steps": self.steps, "history": self._history}
        state |= {"began": self._began, "run": self._run, "callbacks": states, "versions": _versions()}
        number = runs.next_number(self.directory)
        runs.write_checkpoint(self.directory, number, arrays, state)
        self._kept = [*self._kept[-1:], number]
        runs.keep_checkpoints(self.directory, self._kept)
        self._up_to_date, self._written = True, time.monotonic()

    def restore(self, model: keras.Model | None = None) -> bool:
        """Take a model, and it alone, back to the newest good checkpoint, as after weights that became NaN.

        Args:
            model: compiled; by default that of the last `fit`.

        Returns:
            Whether there was a checkpoint.

        Raises:
            ValueError: where it is of another model, or all are damaged.
        """
        if model is not None:
            self.set_model(model)
        if self.model is None:
            raise ValueError("there is no model to restore: name one")
        saved = runs.read_checkpoint(self.directory)
        if saved:
            for variable, value in zip(self.model.training_state, self._values(saved), strict=True):
                variable.assign(value)
            self.epoch, self.steps, self._up_to_date = saved.state["epochs"], saved.state["steps"], False
        return saved is not None

    def _take_up(self, run: dict[str, Any], wanted: int) -> bool:
        """Go on from the newest good checkpoint, if there is one: model, history and callbacks."""
        saved = runs.read_checkpoint(self.directory)
        if saved is None:
            runs.keep_checkpoints(self.directory, ())  # half of one, at most
            return False
        state, where = saved.state, f"checkpoint {saved.number} in {self.directory} cannot be gone on with"
        try:
            if state["format"] != FORMAT:
                raise ValueError(f"its format is {state['format']}, that of another version of kgan, not {FORMAT}")
            runs.check_same(run, state["run"])
            values = self._values(saved)
            epochs, steps, began = (operator.index(state[name]) for name in ("epochs", "steps", "began"))
            if min(epochs, steps, began) < 0 or began > epochs:
                raise ValueError(f"it has {epochs} epochs since {began}, and {steps} steps")
            _check_epochs(epochs, steps, wanted)
            history = {str(name): [float(value) for value in each] for name, each in state["history"].items()}
            for name, watcher in self._watchers.items():
                arrays = {
                    key.removeprefix(f"{name}/"): each
                    for key, each in saved.arrays.items()
                    if key.startswith(f"{name}/")
                }
                if name in state["callbacks"]:
                    watcher.set_state({**state["callbacks"][name], **arrays})
                else:  # new to the run
                    watcher.epoch = epochs
            if state["versions"] != _versions():
                made_with = ", ".join(f"{name} {version}" for name, version in state["versions"].items())
                warnings.warn(f"{where} bit for bit: it was made with {made_with}", stacklevel=4)
        except (KeyError, TypeError, AttributeError, IndexError, OverflowError, ValueError) as error:
            raise ValueError(f"{where}: {error}") from None
        for variable, value in zip(self.model.training_state, values, strict=True):
            variable.assign(value)
        self.epoch, self.steps, self._began = epochs, steps, began
        self._history, self._run = history, state["run"]
        self._kept = [saved.number]
        return True

    def _values(self, saved: runs.Saved) -> list[np.ndarray]:
        """The arrays of a checkpoint in the order of the model's variables, if they fit."""
        variables = self.model.training_state
        values = [value for name, value in sorted(saved.arrays.items()) if "/" not in name]
        if len(values) != len(variables):
            raise ValueError(f"it holds {len(values)} arrays for a model of {len(variables)}")
        return [_as_dtype(value, variable) for value, variable in zip(values, variables, strict=True)]


FORMAT = 1  # of checkpoints


def _versions() -> dict[str, str]:
    return {"keras": keras.__version__, "tensorflow": tf.__version__}


def _check_epochs(epochs: int, steps: int, wanted: int) -> None:
    if epochs + bool(steps) > wanted:
        has = f"is in epoch {epochs + 1}" if steps else f"has {epochs}"
        raise ValueError(f"epochs is {wanted}, but the run {has} already")


def _named(watchers: Iterable[EpochCounter]) -> dict[str, EpochCounter]:
    """By class and file, which are the same in the process that goes on."""
    named: dict[str, EpochCounter] = {}
    for watcher in watchers:
        target = getattr(watcher, "path", getattr(watcher, "directory", None))
        name = type(watcher).__name__ + (f" {target.name}" if isinstance(target, Path) else "")
        count = sum(each.split("#")[0] == name for each in named)
        named[f"{name}#{count + 1}" if count else name] = watcher
    return named


def _as_dtype(value: np.ndarray, variable: keras.Variable) -> np.ndarray:
    current = variable.numpy()
    if value.dtype.kind == "V":  # how NumPy stores bfloat16
        value = value.view(current.dtype)
    if (value.shape, value.dtype) != (current.shape, current.dtype):
        raise ValueError(f"it holds {value.dtype} {value.shape} for {variable.path}, {current.dtype} {current.shape}")
    return value


def _check_finite(variable: keras.Variable, value: np.ndarray, moment: str) -> None:
    if value.dtype.kind in "fV" and not np.isfinite(value).all():
        raise FloatingPointError(f"{variable.path} is not finite {moment}")


def _check_at_least_1(**arguments: int | Collection[int] | None) -> None:
    for name, value in arguments.items():
        numbers = () if value is None else value if isinstance(value, Collection) else (value,)
        for number in numbers:
            if number < 1:
                raise ValueError(f"{name} is {value}: it is counted from 1")
