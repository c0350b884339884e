"""What Keras asks of a model with two networks and two optimizers."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kgan import latent, losses
from kgan import penalties as penalty_terms
from kgan._backend import keras, tf
from kgan.training import datasets, engine, inputs
from kgan.training.replicas import position
from kgan.training.steps import Steps, executor
from kgan.training.updates import OptimizerPair, Updater, built_optimizer

EVALUATION = 2**20  # marks the codes of `evaluate`: those of training have more numbers in their stream


class AdversarialModel(keras.Model):
    """A generator and a discriminator as one Keras model: shapes, optimizers, saving, and every door of Keras.

    Args:
        generator: a built model, codes (batch, latent_dim) → fake images.
        discriminator: a built model, images → logits (batch, 1).
        **keywords: Keras' own: name, dtype.

    Raises:
        ValueError: where a network is not built, or the two do not fit each other.
    """

    # `kgan.GAN` sets them.
    d_steps: int
    reuse_fakes: bool
    prior: str
    augment: Sequence[Any]
    seed: int

    def __init__(self, generator: keras.Model, discriminator: keras.Model, **keywords: Any) -> None:
        super().__init__(**keywords)
        codes, images = _input_shape(generator, "generator"), _input_shape(discriminator, "discriminator")
        if len(codes) != 2:
            raise ValueError(f"the generator takes inputs of shape {codes}: codes are (batch, latent_dim)")
        made = _output_shape(generator, codes)
        if made[1:] != images[1:]:
            raise ValueError(
                f"the generator makes images of shape {made[1:]}, but the discriminator takes {images[1:]}"
            )
        self.check_heads(_output_shape(discriminator, images), codes[1])
        self.generator = generator
        self.discriminator = discriminator
        self.latent_dim: int = codes[1]  # units of a code
        self.data_shape: tuple[int, ...] = images[1:]  # of one image
        # A weight, so that it is saved: a model that is loaded again draws the codes it would have drawn.
        self.step = self.add_weight(
            name="step", shape=(), dtype="int64", initializer="zeros", trainable=False, aggregation="only_first_replica"
        )
        self.steps: Steps | None = None  # of a `fit` that is training
        self.d_loss_metric = keras.metrics.Mean(name="d_loss")
        self.g_loss_metric = keras.metrics.Mean(name="g_loss")
        self.d_real_metric = keras.metrics.Mean(name="d_real")
        self.d_fake_metric = keras.metrics.Mean(name="d_fake")
        self.d_penalty_metric = keras.metrics.Mean(name="d_penalty")
        self.built = True  # otherwise Keras builds it by calling it, on images where `call` takes codes

    def check_heads(self, output_shape: Any, latent_dim: int) -> None:
        """Raise ValueError where the discriminator's output is not what this model takes from it."""
        if isinstance(output_shape, list) or output_shape[1:] != (1,):
            raise ValueError(f"the discriminator's output has shape {output_shape}: it is logits, (batch, 1)")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """What an epoch reports: all metrics of the model, but Keras' own `loss`, which would always be 0."""
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
        penalties: Sequence[str | Callable | tuple[str | Callable, float]] = (),
        **keywords: Any,
    ) -> None:
        """Choose the optimizers, the loss and the penalties.

        Args:
            d_optimizer, g_optimizer: one for each network; by default Adam with learning rate 2e-4 and β1 0.5
                (Radford et al. 2016, section 4).
            loss: a name in `kgan.losses.LOSSES`, or two functions (discriminator_loss, generator_loss) of
                (real_logits, fake_logits).
            label_smoothing: one-sided: the discriminator is asked for 1 - label_smoothing on real images.
            penalties: what is added to the discriminator's loss, such as `[("r1", 10.0)]`: see `kgan.penalties`.
            **keywords: Keras' own: jit_compile, run_eagerly, steps_per_execution.

        Raises:
            ValueError: for an unknown loss or penalty, label_smoothing outside [0, 0.5], one optimizer for both
                networks, or an argument of Keras that a GAN has no use for.
            TypeError: for the argument `optimizer`.

        Example:
            >>> model.compile(g_optimizer=keras.optimizers.Adam(1e-4, beta_1=0.5), penalties=[("r1", 1.0)])
        """
        if "optimizer" in keywords:
            raise TypeError("a GAN has two optimizers: pass d_optimizer and g_optimizer instead of optimizer")
        if keywords.get("loss_weights"):
            raise ValueError("compile does not take loss_weights: the losses of the two networks are never added up")
        for name in ("metrics", "weighted_metrics"):
            if keywords.get(name):
                raise ValueError(f"compile does not take {name}: measure in a callback, as kgan.callbacks.Quality does")
        if d_optimizer is g_optimizer and isinstance(d_optimizer, keras.optimizers.Optimizer):
            raise ValueError("d_optimizer and g_optimizer are one object: each network needs an optimizer of its own")
        pair, terms = losses.get(loss, label_smoothing), penalty_terms.get(penalties)
        # None: otherwise Keras installs an RMSprop that trains nothing.
        super().compile(optimizer=None, loss=None, **{"auto_scale_loss": False, **keywords})
        self.discriminator_loss, self.generator_loss = pair
        self.penalties = terms
        self.d_optimizer = built_optimizer(d_optimizer, self.discriminator, "discriminator")
        self.g_optimizer = built_optimizer(g_optimizer, self.generator, "generator")
        self._settings = {"loss": loss, "label_smoothing": label_smoothing, "penalties": penalties, **keywords}
        self._execute: Callable | None = None

    @property
    def d_updater(self) -> Updater:
        """Makes new weights of the discriminator's gradients."""
        return Updater(self.discriminator, self.d_optimizer)

    @property
    def g_updater(self) -> Updater:
        """Makes new weights of the generator's gradients."""
        return Updater(self.generator, self.g_optimizer)

    @property
    def optimizer(self) -> OptimizerPair | None:
        """Both optimizers, for Keras' callbacks."""
        return OptimizerPair(self.d_updater, self.g_updater) if getattr(self, "compiled", False) else None

    @optimizer.setter
    def optimizer(self, optimizer: None) -> None:
        """Keras sets it to what `compile` is given, which is None."""

    def check_trainable(self) -> None:
        """Raise ValueError where `trainable` was changed since `compile`; say which network is frozen."""
        for name, updater in (("discriminator", self.d_updater), ("generator", self.g_updater)):
            weights = updater.network.trainable_weights
            known = {id(weight) for weight in updater.optimizer._trainable_variables}
            if {id(weight) for weight in weights} != known:
                raise ValueError(f"trainable was changed in the {name} since compile: compile the model again")
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

        An array is shuffled anew each epoch, counted from step 0, by a pure function of (seed, epoch), and cut into
        whole batches. A dataset
        comes in its own order; `kgan.data.Batches` makes one of what does not fit into an array.

        Args:
            x: real images, float, in [-1, 1]: an array, a `tf.data.Dataset` of batches, a `keras.utils.PyDataset`,
                a generator of batches, a `kgan.data.Batches`.
            y: labels, left aside, as are labels in a dataset.
            batch_size: images in a batch, 32 by default, for arrays. The batch holds `d_steps` minibatches.
            epochs: how many; with a `Checkpoint` that resumes, counted from the beginning of the run.
            callbacks: Keras' and kgan's own. At most one `Checkpoint` among them.
            verbose: Keras' own; beside a `LivePlot` "auto" shows no progress bar.
            *arguments, **keywords: Keras' own, such as validation_data; class_weight and sample_weight are refused.

        Raises:
            ValueError: before training, where images, data, callbacks or arguments cannot be right.

        Example:
            >>> history = model.fit(images, batch_size=64, epochs=2, verbose=0)
            >>> sorted(history.history)
            ['d_fake', 'd_loss', 'd_real', 'g_loss']
        """
        return engine.fit(self, x, y, batch_size, epochs, verbose, callbacks, *arguments, **keywords)

    def make_train_function(self, force: bool = False) -> None:
        """Keras calls it as `fit` begins; the function trains by `kgan.training.steps`."""
        if self._execute is None or force:
            self._execute = executor(self)
        self.train_function = self.steps or (lambda iterator: self._execute(iterator, self.steps_per_execution))

    @property
    def execute(self) -> Callable:
        """A function of an iterator and a number of steps, which it trains."""
        return self._execute

    @functools.cached_property
    def draws(self) -> Callable[[np.ndarray], tf.Tensor]:
        """`call` in inference mode, compiled: a small generator spends most of its time between layers."""
        codes = tf.TensorSpec((None, self.latent_dim))
        return tf.function(lambda codes: self(codes, training=False), [codes], autograph=False)

    def random(self, count: int | tf.Tensor, *stream: int) -> Callable[[int, str], tf.Tensor]:
        """Random numbers of a training step: the same for the same seed, step and stream, whoever draws them and when.

        Args:
            count: rows, one for each image of this replica.
            *stream: whole numbers that tell this use from all others.

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
        real_images = inputs.images_of(data)
        count, before = tf.shape(real_images)[0], tf.cast(self.d_loss_metric.count, tf.int64)
        codes = latent.sample_codes(count, self.latent_dim, self.prior, (self.seed, EVALUATION, before))
        real, fake = (self.discriminate(each, False) for each in (real_images, self(codes, training=False)))
        self.d_loss_metric.update_state(self.discriminator_objective(real, fake, codes), sample_weight=count)
        self.g_loss_metric.update_state(self.generator_objective(real, fake, codes), sample_weight=count)
        self.d_real_metric.update_state(tf.sigmoid(real.logits))
        self.d_fake_metric.update_state(tf.sigmoid(fake.logits))
        return {name: value for name, value in self.get_metrics_result().items() if name != "d_penalty"}

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
        """The metrics of `fit` for real images, and for as many fakes of fixed codes, in inference mode; as Keras' own.

        Without penalties, which are for training: d_loss is the loss alone.

        Args:
            x: real images, in whatever form `fit` takes them.
            y: labels, left aside.
            batch_size, verbose, steps, *arguments, **keywords: Keras' own; sample_weight is refused.

        Raises:
            ValueError: see `fit`.

        Example:
            >>> sorted(model.evaluate(images, verbose=0, return_dict=True))
            ['d_fake', 'd_loss', 'd_real', 'g_loss']
        """
        if keywords.get("_use_cached_eval_dataset"):  # `fit` validates: its images are checked
            return super().evaluate(x, y, batch_size, verbose, sample_weight, steps, *arguments, **keywords)
        self._assert_compile_called("evaluate")
        inputs.check_no_weights(sample_weight=sample_weight)
        data = datasets.evaluation_data(x, y, self.data_shape, batch_size, steps)
        return super().evaluate(data, None, None, verbose, None, steps, *arguments, **keywords)

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """One training step on a batch of real images, checked as in `fit`; as Keras' own."""
        self._assert_compile_called("train_on_batch")
        inputs.check_no_weights(sample_weight=sample_weight, class_weight=class_weight)
        batch = self._checked_batch(x, y, self.d_steps)
        self.check_trainable()
        engine.choose_references(self, batch)
        self.make_train_function()
        self.reset_metrics()
        logs = self.execute(iter(tf.data.Dataset.from_tensors(batch)), 1)
        return self._as_asked(logs, return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """The metrics of `evaluate` for one batch of real images; as Keras' own."""
        self._assert_compile_called("test_on_batch")
        inputs.check_no_weights(sample_weight=sample_weight)
        return super().test_on_batch(self._checked_batch(x, y), return_dict=return_dict)

    def _checked_batch(self, x: Any, y: Any, d_steps: int = 1) -> np.ndarray:
        x = inputs.as_array(x)
        inputs.check_source(x, "a step")
        inputs.check_first_batch(x, self.data_shape, d_steps)
        inputs.check_labels(y, len(x))
        return np.asarray(x, np.float32)

    def _as_asked(self, logs: dict[str, tf.Tensor], return_dict: bool) -> Any:
        logs = {name: float(value) for name, value in logs.items()}
        return logs if return_dict else list(logs.values())

    def predict(self, x: Any, *arguments: Any, **keywords: Any) -> np.ndarray:
        """The generator's images for codes; as Keras' own.

        Args:
            x: codes, (count, latent_dim), or a dataset of batches of them.
            *arguments, **keywords: Keras' own.

        Raises:
            ValueError: for anything but codes.

        Example:
            >>> model.predict(model.sample_codes(5), verbose=0).shape
            (5, 28, 28, 1)
        """
        x = inputs.as_array(x, "codes")
        first = x
        if isinstance(x, tf.data.Dataset):
            first = inputs.images_of(x.element_spec)
        shape = tuple(getattr(first, "shape", (None, self.latent_dim)))
        if len(shape) != 2 or shape[1] not in (None, self.latent_dim):
            raise ValueError(
                f"predict takes codes, (count, {self.latent_dim}), and was given shape {shape}: for the logits of "
                "images call score(images)"
            )
        return super().predict(x, *arguments, **keywords)

    def export(
        self,
        filepath: Any,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: Any = None,
        **keywords: Any,
    ) -> None:
        """Save the generator for serving, as Keras' own: a function of codes, (count, latent_dim)."""
        signature = input_signature or [keras.InputSpec(shape=(None, self.latent_dim), dtype="float32")]
        super().export(filepath, format, verbose, signature, **keywords)

    # save, load

    def save(self, filepath: Any, *arguments: Any, **keywords: Any) -> None:
        """Save the model, as Keras' own: networks, optimizers and step in a file that ends in .keras."""
        if str(filepath).endswith((".h5", ".hdf5")):
            raise ValueError(
                f"{filepath} is of Keras' old format, which knows models of one optimizer: end the name in .keras"
            )
        super().save(filepath, *arguments, **keywords)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "generator": keras.saving.serialize_keras_object(self.generator),
            "discriminator": keras.saving.serialize_keras_object(self.discriminator),
            **{name: getattr(self, name) for name in ("d_steps", "reuse_fakes", "prior", "seed")},
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
    """A config with the objects of these names in place of what was saved of them."""
    return {**config, **{name: keras.saving.deserialize_keras_object(config[name]) for name in names if name in config}}


def _input_shape(network: keras.Model, name: str) -> tuple[int | None, ...]:
    """(None, …), of a network of any kind that is built."""
    shape = getattr(network, "input_shape", None) if network.built else None
    if shape is None and network.built:  # a subclass of keras.Model, which has been called
        shape = (network.get_build_config() or {}).get("input_shape")
    if not isinstance(shape, (tuple, list)) or not all(isinstance(size, int) for size in shape[1:]):
        example = "codes, (1, latent_dim)" if name == "generator" else "images"
        raise ValueError(
            f"the {name}'s input shape is not known: begin it with keras.Input, or call it once on a batch of {example}"
        )
    return (None, *shape[1:])


def _output_shape(network: keras.Model, input_shape: Sequence[int | None]) -> Any:
    """(None, …), or a list of such, as the network gives for its input."""
    shape = getattr(network, "output_shape", None)
    if shape is not None:
        return shape
    outputs = network.compute_output_spec(keras.KerasTensor(input_shape, dtype="float32"))
    shapes = [tuple(each.shape) for each in keras.tree.flatten(outputs)]
    return shapes if isinstance(outputs, (list, tuple)) else shapes[0]
