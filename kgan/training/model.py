"""What Keras requires of a model with two networks and two optimizers."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kgan import latent, losses
from kgan import penalties as penalty_terms
from kgan._backend import keras, tf
from kgan.errors import Mistake
from kgan.latent import Stream
from kgan.layers import Packing
from kgan.training import datasets, engine, inputs, workers
from kgan.training.averaging import Average, copied
from kgan.training.callback import Recorder
from kgan.training.replicas import position
from kgan.training.sampling import SamplingModel
from kgan.training.steps import Steps, executor
from kgan.training.updates import OptimizerPair, Updater, built_optimizer


class AdversarialModel(SamplingModel):
    """A generator and a discriminator as one Keras model: shapes, optimizers, saving, and Keras' methods.

    Args:
        generator: a built model, codes (batch, latent_dim) → fake images.
        discriminator: a built model, images → logits (batch, 1).
        ema: decay of the generator's average; 0: there is no average.
        classes: number of classes of a conditional model; 0: it is not conditional.
        **keywords: Keras' own: name, dtype.

    Raises:
        ValueError: if a network is not built, or the two do not fit each other; for an ema outside [0, 1).
    """

    # `kgan.GAN` sets these.
    d_steps: int
    reuse_fakes: bool
    augment: Sequence[Any]
    seed: int

    def __init__(
        self, generator: keras.Model, discriminator: keras.Model, ema: float, classes: int, **keywords: Any
    ) -> None:
        super().__init__(**keywords)
        if not 0 <= ema < 1:
            raise Mistake(f"ema is {ema}: it is 0 or more, and less than 1")
        if classes < 0 or classes == 1:
            raise Mistake(f"classes is {classes}: a conditional model has 2 or more, any other 0")
        codes, images = _input_shape(generator, "generator"), _input_shape(discriminator, "discriminator", classes)
        if len(codes) != 2:
            raise Mistake(f"the generator takes inputs of shape {codes}: codes are (batch, latent_dim)")
        if codes[1] <= classes:
            raise Mistake(f"the generator takes codes of {codes[1]} units: {classes} classes leave none for z")
        made = _output_shape(generator, codes)
        if made[1:] != images[1:]:
            raise Mistake(f"the generator makes images of shape {made[1:]}, but the discriminator takes {images[1:]}")
        self.check_heads(_output_shape(discriminator, [images, (None, classes)] if classes else images), codes[1])
        self.generator = generator
        self.discriminator = discriminator
        self.ema = ema
        self.average_generator = copied(generator) if ema else None
        self.classes = classes
        self.code_dim = codes[1]
        self.latent_dim = codes[1] - classes
        self.data_shape = images[1:]
        # A weight, so that it is saved: a loaded model draws the codes that the saved model would have drawn.
        self.step = self.add_weight(
            name="step", shape=(), dtype="int64", initializer="zeros", trainable=False, aggregation="only_first_replica"
        )
        self.recorder = Recorder()
        self.steps: Steps | None = None  # of the `fit` that is running
        self.d_loss_metric = keras.metrics.Mean(name="d_loss")
        self.g_loss_metric = keras.metrics.Mean(name="g_loss")
        self.d_real_metric = keras.metrics.Mean(name="d_real")
        self.d_fake_metric = keras.metrics.Mean(name="d_fake")
        self.d_penalty_metric = keras.metrics.Mean(name="d_penalty")
        self.built = True  # otherwise Keras builds it by calling it on images, but `call` takes codes

    def check_heads(self, output_shape: Any, latent_dim: int) -> None:
        """Raise ValueError if the discriminator's output does not fit this model."""
        if isinstance(output_shape, list) or output_shape[1:] != (1,):
            raise Mistake(f"the discriminator's output has shape {output_shape}: it is logits, (batch, 1)")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The metrics of an epoch: all of the model's, except Keras' own `loss`, which would always be 0."""
        left_out = [getattr(self, "_loss_tracker", None)]
        if not getattr(self, "penalties", None):
            left_out.append(self.d_penalty_metric)
        return [metric for metric in super().metrics if not any(metric is other for other in left_out)]

    @property
    def training_state(self) -> list[keras.Variable]:
        """All that training changes: both networks, both optimizers, the step, the epoch's metrics, Dropout's seeds."""
        each = *self.variables, *self.metrics_variables, *self.optimizer.variables
        return list({id(variable): variable for variable in each}.values())

    # compile

    def compile(
        self,
        d_optimizer: keras.optimizers.Optimizer | str | None = None,
        g_optimizer: keras.optimizers.Optimizer | str | None = None,
        loss: str | tuple[Callable, Callable] = "non_saturating",
        label_smoothing: float = 0.0,
        top_k: float = 1.0,
        penalties: Sequence[str | Callable | tuple[str | Callable, float]] = (),
        penalty_every: int = 1,
        **keywords: Any,
    ) -> None:
        """Choose the optimizers, the loss and the penalties.

        Args:
            d_optimizer, g_optimizer: one for each network; by default Adam with learning rate 2e-4 and β1 0.5
                (Radford et al. 2016, section 4).
            loss: a name in `kgan.losses.LOSSES`, or two functions (discriminator_loss, generator_loss) of
                (real_logits, fake_logits).
            label_smoothing: one-sided: the discriminator's target for real images is 1 - label_smoothing.
            top_k: fraction of the fakes that the generator learns from: those that look most real to the discriminator.
            penalties: terms that are added to the discriminator's loss, such as `[("r1", 10.0)]`: see `kgan.penalties`.
            penalty_every: with 16, the penalties are computed in one of 16 steps and count 16 times, which is cheaper
                and nearly as good.
            **keywords: Keras' own: jit_compile, run_eagerly, steps_per_execution.

        Raises:
            ValueError: for an unknown loss or penalty, label_smoothing outside [0, 0.5], top_k outside (0, 1],
                penalty_every below 1, penalties of a discriminator that packs images, one optimizer for both networks,
                or an argument of Keras that a GAN has no use for.
            TypeError: for the argument `optimizer`.

        Example:
            >>> model.compile(g_optimizer=keras.optimizers.Adam(1e-4, beta_1=0.5), penalties=[("r1", 1.0)])
        """
        if "optimizer" in keywords:
            raise TypeError("a GAN has two optimizers: pass d_optimizer and g_optimizer instead of optimizer")
        if keywords.get("loss_weights"):
            raise Mistake("compile does not take loss_weights: the losses of the two networks are never added up")
        for name in ("metrics", "weighted_metrics"):
            if keywords.get(name):
                raise Mistake(f"compile does not take {name}: measure in a callback, as kgan.callbacks.Quality does")
        if d_optimizer is g_optimizer and isinstance(d_optimizer, keras.optimizers.Optimizer):
            raise Mistake("d_optimizer and g_optimizer are one object: each network needs an optimizer of its own")
        pair, terms = losses.get(loss, label_smoothing, top_k), penalty_terms.get(penalties)
        penalty_every = operator.index(penalty_every)
        if penalty_every < 1:
            raise Mistake(f"penalty_every is {penalty_every}: it is 1 or more")
        if terms and any(isinstance(layer, Packing) for layer in self.discriminator.layers):
            raise Mistake(
                "penalties need single images, but with packing the discriminator sees packs of them: leave one out"
            )
        # None: otherwise Keras installs an RMSprop that trains nothing.
        super().compile(optimizer=None, loss=None, **{"auto_scale_loss": False, **keywords})
        self.discriminator_loss, self.generator_loss = pair
        self.penalties = terms
        self.penalty_every = penalty_every
        # Whether σ(logits) are probabilities.
        self.has_probabilities = losses.name_of(loss) not in losses.WITHOUT_PROBABILITIES
        self.d_optimizer = built_optimizer(d_optimizer, self.discriminator, "discriminator")
        self.g_optimizer = built_optimizer(g_optimizer, self.generator, "generator")
        self._settings = {"loss": loss, "label_smoothing": label_smoothing, "penalties": penalties, **keywords}
        self._settings |= {"top_k": top_k, "penalty_every": penalty_every}
        self._execute: Callable | None = None

    @property
    def d_updater(self) -> Updater:
        """Changes the discriminator's weights by its gradients."""
        return Updater(self.discriminator, self.d_optimizer)

    @property
    def g_updater(self) -> Updater:
        """Changes the generator's weights by its gradients."""
        average = Average(self.average_generator, self.ema, self.step) if self.ema else None
        return Updater(self.generator, self.g_optimizer, average)

    @property
    def optimizer(self) -> OptimizerPair | None:
        """Both optimizers, for Keras' callbacks."""
        return OptimizerPair(self.d_updater, self.g_updater) if getattr(self, "compiled", False) else None

    @optimizer.setter
    def optimizer(self, optimizer: None) -> None:
        """Does nothing: Keras sets it to the `optimizer` of its own `compile`, which is None."""

    def check_trainable(self) -> None:
        """Raise ValueError if `trainable` was changed since `compile`; warn if a network is frozen."""
        for name, updater in (("discriminator", self.d_updater), ("generator", self.g_updater)):
            weights = updater.network.trainable_weights
            known = {id(weight) for weight in updater.optimizer._trainable_variables}
            if {id(weight) for weight in weights} != known:
                raise Mistake(f"trainable was changed in the {name} since compile: compile the model again")
            if not weights:
                warnings.warn(f"the {name} has no trainable weights, so it does not learn", stacklevel=4)

    # train

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Any = None,
        *arguments: Any,
        **keywords: Any,
    ) -> keras.callbacks.History:
        """Keras' `fit`, with everything checked first.

        An array is shuffled anew in each epoch, by a pure function of (seed, epoch), and split into whole batches;
        epochs are counted from step 0. A dataset keeps its own order. `kgan.data.Batches` is for images that do not fit
        into memory.

        Args:
            x: real images, float, in [-1, 1]: an array, a `tf.data.Dataset` of batches, a `keras.utils.PyDataset`,
                a generator of batches, a `kgan.data.Batches`.
            y: labels, for a conditional model. Other models ignore them, and the labels in a dataset too.
            batch_size: images in a batch, 32 by default, for arrays. The batch holds `d_steps` minibatches.
            epochs: how many; with a `Checkpoint` that resumes, counted from the beginning of the run.
            callbacks: Keras' and kgan's own. At most one `Checkpoint` among them.
            verbose: Keras' own; with a `LivePlot`, "auto" shows no progress bar.
            *arguments, **keywords: Keras' own, such as validation_data; class_weight and sample_weight are refused.

        Raises:
            ValueError: before training, if images, data, callbacks or arguments cannot be right.

        Example:
            >>> history = model.fit(images, batch_size=64, epochs=2, verbose=0)
            >>> sorted(history.history)
            ['d_fake', 'd_loss', 'd_real', 'g_loss']
        """
        return engine.fit(self, x, y, batch_size, epochs, verbose, callbacks, *arguments, **keywords)

    def make_train_function(self, force: bool = False) -> None:
        """Keras calls it when `fit` begins; the function trains with `kgan.training.steps`."""
        if self._execute is None or force:
            self._execute = executor(self)
        self.train_function = self.steps or (lambda iterator: self._execute(iterator, self.steps_per_execution))

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Does nothing: all is built. Keras would average a batch over replicas here, which several workers cannot."""

    @property
    def execute(self) -> Callable:
        """A function of an iterator and a number of steps; it trains this many steps."""
        return self._execute

    def random(self, count: int | tf.Tensor, *stream: int) -> Callable[[int, str], tf.Tensor]:
        """Random numbers of a training step: for the same seed, step and stream they are always the same.

        Args:
            count: number of rows, one for each image of this replica.
            *stream: whole numbers that identify this use among all others.

        Returns:
            A function (units, prior) → (count, units).
        """
        place, total = position(count)  # among the images of all replicas

        def numbers(units: int, prior: str) -> tf.Tensor:
            return latent.sample_codes(total, units, prior, seed=(self.seed, self.step, *stream))[place : place + count]

        return numbers

    # evaluate, predict, export

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """The metrics of a training step for held-out images, in inference mode: for `evaluate` and validation."""
        real_images, labels = inputs.images_of(data), inputs.labels_of(data, self.classes)
        count, before = tf.shape(real_images)[0], tf.cast(self.d_loss_metric.count, tf.int64)
        codes = latent.sample_codes(count, self.latent_dim, self.prior, (self.seed, Stream.EVALUATION, before))
        codes = latent.with_labels(codes, labels)
        real, fake = (self.discriminate(each, False, labels) for each in (real_images, self(codes, training=False)))
        self.d_loss_metric.update_state(self.discriminator_objective(real, fake, codes), sample_weight=count)
        self.g_loss_metric.update_state(self.generator_objective(real, fake, codes), sample_weight=count)
        self.d_real_metric.update_state(tf.sigmoid(real.logits))
        self.d_fake_metric.update_state(tf.sigmoid(fake.logits))
        found = {name: value for name, value in self.get_metrics_result().items() if name != "d_penalty"}
        if workers.count(self.distribute_strategy) > 1:  # Keras then reduces them over an axis
            return {name: tf.reshape(value, (1,)) for name, value in found.items()}
        return found

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        *arguments: Any,
        **keywords: Any,
    ) -> Any:
        """Like Keras' `evaluate`: the metrics of `fit`, for real images and as many fakes of fixed codes.

        The networks run in inference mode.

        Penalties are left out, since they are for training: d_loss is the loss alone.

        Args:
            x: real images, in any form that `fit` takes.
            y: labels: see `fit`.
            batch_size, verbose, steps, *arguments, **keywords: Keras' own; sample_weight is refused.

        Raises:
            ValueError: see `fit`.

        Example:
            >>> sorted(model.evaluate(images, verbose=0, return_dict=True))
            ['d_fake', 'd_loss', 'd_real', 'g_loss']
        """
        if keywords.get("_use_cached_eval_dataset"):  # validation in `fit`: the images are checked already
            return super().evaluate(x, y, batch_size, verbose, sample_weight, steps, *arguments, **keywords)
        self._assert_compile_called("evaluate")
        inputs.check_no_weights(sample_weight=sample_weight)
        workers.check_evaluation(self.distribute_strategy, self.steps_per_execution)
        data = datasets.evaluation_data(x, y, self.data_shape, batch_size, steps, self.classes)
        return super().evaluate(data, None, None, verbose, None, steps, *arguments, **keywords)

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Like Keras' `train_on_batch`: one training step on a batch of real images, checked as in `fit`."""
        self._assert_compile_called("train_on_batch")
        inputs.check_no_weights(sample_weight=sample_weight, class_weight=class_weight)
        batch = self._checked_batch(x, y, self.d_steps)
        self.check_trainable()
        engine.choose_references(self, batch)
        self.make_train_function()
        self.reset_metrics()
        labels = inputs.checked_labels(y, len(batch), self.classes)
        logs = self.execute(iter(tf.data.Dataset.from_tensors(batch if labels is None else (batch, labels))), 1)
        return self._as_asked(logs, return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Like Keras' `test_on_batch`: the metrics of `evaluate` for one batch of real images."""
        self._assert_compile_called("test_on_batch")
        inputs.check_no_weights(sample_weight=sample_weight)
        batch = self._checked_batch(x, y)
        labels = inputs.checked_labels(y, len(batch), self.classes)
        return super().test_on_batch(batch, labels, return_dict=return_dict)

    def _checked_batch(self, x: Any, y: Any, d_steps: int = 1) -> np.ndarray:
        x = inputs.as_array(x)
        inputs.check_source(x, "a step")
        inputs.check_first_batch(x, self.data_shape, d_steps)
        inputs.check_labels(y, len(x))
        return np.asarray(x, np.float32)

    def _as_asked(self, logs: dict[str, tf.Tensor], return_dict: bool) -> Any:
        logs = {name: float(value) for name, value in logs.items()}
        return logs if return_dict else list(logs.values())

    # save, load

    def save(self, filepath: Any, *arguments: Any, **keywords: Any) -> None:
        """Like Keras' `save`: save networks, optimizers and step in a file that ends in .keras.

        With several workers all of them must call it, and the chief writes the file.
        """
        if str(filepath).endswith((".h5", ".hdf5")):
            raise Mistake(
                f"{filepath} is of Keras' old format, which knows models of one optimizer: end the name in .keras"
            )
        if workers.is_chief(self.distribute_strategy):
            super().save(filepath, *arguments, **keywords)
        else:
            with workers.replacing(self.distribute_strategy, filepath) as thrown_away:
                super().save(thrown_away, *arguments, **keywords)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "generator": keras.saving.serialize_keras_object(self.generator),
            "discriminator": keras.saving.serialize_keras_object(self.discriminator),
            **{name: getattr(self, name) for name in ("d_steps", "reuse_fakes", "prior", "ema", "classes", "seed")},
            "augment": keras.saving.serialize_keras_object(list(self.augment)),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> AdversarialModel:
        networks = ("generator", "discriminator")
        return cls(**deserialized(config, *(name for name in networks if name in config), "augment"))

    def get_compile_config(self) -> dict[str, Any] | None:
        if not self.compiled:
            return None
        arguments = {"d_optimizer": self.d_optimizer, "g_optimizer": self.g_optimizer, **self._settings}
        return {name: keras.saving.serialize_keras_object(value) for name, value in arguments.items()}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        self.compile(**deserialized(config, *config))


def deserialized(config: dict[str, Any], *names: str) -> dict[str, Any]:
    """A config in which the values under these names are deserialized to objects."""
    return {**config, **{name: keras.saving.deserialize_keras_object(config[name]) for name in names if name in config}}


def _input_shape(network: keras.Model, name: str, classes: int = 0) -> tuple[int | None, ...]:
    """The input shape (None, …) of a built network; for a conditional discriminator, that of its images."""
    shape = getattr(network, "input_shape", None) if network.built else None
    if classes:
        if not isinstance(shape, list) or [each[1:] for each in shape[1:]] != [(classes,)]:
            raise Mistake(
                f"the {name} takes {shape}: that of {classes} classes takes [images, labels (batch, {classes})]"
            )
        shape = shape[0]
    if isinstance(shape, list):
        raise Mistake(f"the {name} takes {len(shape)} inputs, {shape}: for a conditional model pass classes")
    if shape is None and network.built:  # a subclass of keras.Model, which has been called
        shape = (network.get_build_config() or {}).get("input_shape")
    if not isinstance(shape, (tuple, list)) or not all(isinstance(size, int) for size in shape[1:]):
        example = "codes, (1, latent_dim)" if name == "generator" else "images"
        raise Mistake(
            f"the {name}'s input shape is not known: begin it with keras.Input, or call it once on a batch of {example}"
        )
    return (None, *shape[1:])


def _output_shape(network: keras.Model, input_shape: Sequence[int | None]) -> Any:
    """The output shape (None, …) of a network for its input, or a list of such shapes."""
    shape = getattr(network, "output_shape", None)
    if shape is not None:
        return shape
    outputs = network.compute_output_spec(keras.KerasTensor(input_shape, dtype="float32"))
    shapes = [tuple(each.shape) for each in keras.tree.flatten(outputs)]
    return shapes if isinstance(outputs, (list, tuple)) else shapes[0]
