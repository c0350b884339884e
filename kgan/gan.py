"""The generative adversarial network of Goodfellow et al. (2014), and its Algorithm 1."""

from __future__ import annotations

import contextlib
import operator
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from kgan import latent, losses
from kgan._backend import keras, tf
from kgan.data import batches, from_uint8
from kgan.normalization import ReferenceBatch


class Fakes(NamedTuple):
    """A minibatch that the generator drew, with the tape that watched it draw."""

    codes: tf.Tensor
    images: tf.Tensor
    tape: tf.GradientTape


class Judgement(NamedTuple):
    """What the discriminator says of a minibatch."""

    logits: tf.Tensor
    codes: tf.Tensor | None = None  # read from the images, by a discriminator that can (`kgan.CodeGAN`)


@keras.saving.register_keras_serializable(package="kgan")
class GAN(keras.Model):
    """A generator and a discriminator, trained against each other by `fit`.

    Knows nothing of images: real samples are whatever the discriminator takes, vectors included.

    Args:
        generator: a built model, codes (batch, latent_dim) → fake images.
        discriminator: a built model, images → logits (batch, 1). Logits, not probabilities: end it without a
            sigmoid.
        d_steps: discriminator steps before each generator step, k in Algorithm 1. The batch that `fit` delivers
            is split into this many minibatches.
        reuse_fakes: whether the generator's step uses the fakes that the discriminator has just been shown
            (cheaper: one generator pass less) or draws fresh codes, as Algorithm 1 does.
        prior: distribution of the codes, "normal" N(0, 1) or "uniform" U(-1, 1).
        seed: the codes of a step, and the order of arrays given to `fit`, are pure functions of (seed, step).
            Layers that draw random numbers of their own, such as Dropout, go by a state of theirs, which a
            checkpoint keeps and `save` does not.

    Raises:
        ValueError: where the two networks do not fit each other, or an argument is out of range.

    Metrics of an epoch, means over all its examples:
        d_loss, g_loss: what each network descends.
        d_real, d_fake: probability of being real that the discriminator gives to real and to fake images.

    Example:
        >>> generator = kgan.networks.dense_generator((28, 28, 1), latent_dim=100)
        >>> discriminator = kgan.networks.dense_discriminator((28, 28, 1))
        >>> model = kgan.GAN(generator, discriminator)
        >>> model.compile()
        >>> history = model.fit(kgan.data.load("digits"), batch_size=128, epochs=1, verbose=0)
        >>> model.generate(16).shape
        (16, 28, 28, 1)
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        *,
        d_steps: int = 1,
        reuse_fakes: bool = False,
        prior: str = "normal",
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _check_shapes(generator, discriminator)
        self.check_heads(discriminator, generator.input_shape[-1])
        if d_steps < 1:
            raise ValueError(f"d_steps is {d_steps}: the discriminator needs at least 1 step before the generator's")
        if prior not in latent.PRIORS:
            raise ValueError(f"unknown prior {prior!r}: choose one of {', '.join(latent.PRIORS)}")
        self.generator = generator
        self.discriminator = discriminator
        self.d_steps = d_steps
        self.reuse_fakes = reuse_fakes
        self.prior = prior
        self.seed = int(seed)
        # A weight, so that it is saved: a model that is loaded again draws the codes it would have drawn.
        self.step = self.add_weight(name="step", shape=(), dtype="int64", initializer="zeros", trainable=False)
        self.d_loss_metric = keras.metrics.Mean(name="d_loss")
        self.g_loss_metric = keras.metrics.Mean(name="g_loss")
        self.d_real_metric = keras.metrics.Mean(name="d_real")
        self.d_fake_metric = keras.metrics.Mean(name="d_fake")
        self.built = True  # otherwise Keras builds it by calling it, on images where `call` takes codes

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """What an epoch reports; without Keras' own `loss`, which would always be 0."""
        return [self.d_loss_metric, self.g_loss_metric, self.d_real_metric, self.d_fake_metric]

    @property
    def latent_dim(self) -> int:
        """Units of a code."""
        return self.generator.input_shape[-1]

    @property
    def training_state(self) -> list[keras.Variable]:
        """All that training changes: both networks, both optimizers, the step, the epoch's metrics, Dropout's seeds."""
        optimizers = *self.d_optimizer.variables, *self.g_optimizer.variables
        each = *self.variables, *self.metrics_variables, *optimizers
        return list({id(variable): variable for variable in each}.values())

    # Algorithm 1

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """k discriminator steps, then one generator step: Goodfellow et al. (2014), Algorithm 1."""
        for k, real_images in enumerate(self.minibatches(data)):  # for k steps do
            fakes = self.draw_fakes(tf.shape(real_images)[0], draw=k)
            self.discriminator_step(real_images, fakes)
        if not self.reuse_fakes:
            fakes = self.draw_fakes(tf.shape(real_images)[0], draw=self.d_steps)
        self.generator_step(fakes)
        self.step.assign_add(1)
        return self.get_metrics_result()

    def minibatches(self, data: Any) -> list[tf.Tensor]:
        """Split the batch that `fit` delivers into `d_steps` minibatches of real images; labels are left aside."""
        real_images, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        whole = tf.debugging.assert_equal(
            tf.shape(real_images)[0] % self.d_steps,
            0,
            f"a batch cannot be split into {self.d_steps} minibatches (d_steps): batch with drop_remainder=True",
        )
        with tf.control_dependencies([whole]):
            return tf.split(real_images, self.d_steps)

    def draw_fakes(self, count: int | tf.Tensor, draw: int) -> Fakes:
        """Fresh codes, a function of (seed, step, draw), and what the generator makes of them."""
        codes = self.sample_codes(count, seed=(self.seed, self.step, draw))
        with tf.GradientTape() as tape:
            images = self.generator(codes, training=True)
        return Fakes(codes, images, tape)

    def discriminator_step(self, real_images: tf.Tensor, fakes: Fakes) -> None:
        """Ascend log D(x) + log(1 - D(G(z))) by the discriminator's weights alone."""
        with tf.GradientTape() as tape:
            # In two passes: BatchNormalization over a mixture would tell real from fake by itself.
            real, fake = self.judge(real_images), self.judge(fakes.images)
            d_loss = self.discriminator_objective(real, fake, fakes.codes)
            scaled_loss = self.d_optimizer.scale_loss(d_loss)
        weights = self.discriminator.trainable_weights
        self.d_optimizer.apply(tape.gradient(scaled_loss, weights), weights)
        self.d_loss_metric.update_state(d_loss, sample_weight=tf.shape(real_images)[0])
        self.d_real_metric.update_state(tf.sigmoid(real.logits))
        self.d_fake_metric.update_state(tf.sigmoid(fake.logits))

    def generator_step(self, fakes: Fakes) -> None:
        """Descend the generator's loss by the generator's weights alone."""
        # The fakes' tape goes on where it stopped. The scope keeps the discriminator's moving averages, which
        # training=True would change, as its own steps left them.
        with fakes.tape, keras.StatelessScope():
            g_loss = self.generator_objective(self.judge(fakes.images), fakes.codes)
            scaled_loss = self.g_optimizer.scale_loss(g_loss)
        weights = self.generator.trainable_weights
        self.g_optimizer.apply(fakes.tape.gradient(scaled_loss, weights), weights)
        self.g_loss_metric.update_state(g_loss, sample_weight=tf.shape(fakes.codes)[0])

    # What a variant of the GAN changes

    def judge(self, images: tf.Tensor, training: bool = True) -> Judgement:
        """What the discriminator says of these images."""
        return Judgement(self.discriminator(images, training=training))

    def discriminator_objective(self, real: Judgement, fake: Judgement, codes: tf.Tensor) -> tf.Tensor:
        """What the discriminator descends; `codes` are those that the fakes were drawn from."""
        return self.discriminator_loss(real.logits, fake.logits)

    def generator_objective(self, fake: Judgement, codes: tf.Tensor) -> tf.Tensor:
        """What the generator descends."""
        return self.generator_loss(fake.logits)

    def check_heads(self, discriminator: keras.Model, latent_dim: int) -> None:
        """Raise ValueError where the discriminator does not give what `judge` takes from it."""
        if discriminator.output_shape[1:] != (1,):
            shape = discriminator.output_shape
            raise ValueError(f"the discriminator's output has shape {shape}: it is logits, (batch, 1)")

    # Generating

    def sample_codes(self, count: int | tf.Tensor, seed: int | Sequence[int | tf.Tensor] = 0) -> tf.Tensor:
        """Codes for this generator from its prior: see `kgan.latent.sample_codes`.

        Example:
            >>> model.sample_codes(3, seed=1).shape
            TensorShape([3, 100])
        """
        return latent.sample_codes(count, self.latent_dim, self.prior, seed)

    def call(self, codes: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """The generator's images for these codes."""
        return self.generator(codes, training=training)

    def generate(self, codes: int | np.ndarray | tf.Tensor, *, seed: int = 0, batch_size: int = 256) -> np.ndarray:
        """Fake images, in inference mode.

        Args:
            codes: codes of shape (count, latent_dim), or a count of codes to draw from the prior.
            seed: which codes, where a count is given: the same seed gives the same codes.
            batch_size: how many go through the generator at a time.

        Returns:
            Images of shape (count, …), float32, in [-1, 1] where the generator ends in tanh.

        Raises:
            ValueError: for a count below 1, or codes of another width than `latent_dim`.

        Example:
            >>> model.generate(3, seed=1).shape
            (3, 28, 28, 1)
        """
        if np.ndim(codes) == 0:
            if codes < 1:
                raise ValueError(f"cannot generate {codes} images: ask for 1 or more")
            codes = self.sample_codes(operator.index(codes), seed)
        codes = np.asarray(codes, np.float32)
        if codes.ndim != 2 or codes.shape[1] != self.latent_dim or not len(codes):
            raise ValueError(f"codes have shape {codes.shape}: this generator takes (count, {self.latent_dim})")
        return np.concatenate(
            [self(codes[i : i + batch_size], training=False).numpy() for i in range(0, len(codes), batch_size)]
        )

    def score(self, images: np.ndarray | tf.Tensor, *, batch_size: int = 256) -> np.ndarray:
        """How real the discriminator finds each image, in inference mode.

        Args:
            images: (count, …), in [-1, 1].
            batch_size: how many go through the discriminator at a time.

        Returns:
            Logits of shape (count,), float32: the higher, the more real. Not probabilities, which are all 1 where the
            discriminator is sure.

        Raises:
            ValueError: for images of another shape than the discriminator's, or outside [-1, 1].

        Example:
            >>> model.score(model.generate(3)).shape
            (3,)
        """
        self._check_images(images)
        each = [images[i : i + batch_size] for i in range(0, len(images), batch_size)]
        return np.concatenate([self.judge(batch, training=False).logits.numpy()[:, 0] for batch in each])

    # Keras: compile, fit, save

    def compile(
        self,
        d_optimizer: keras.optimizers.Optimizer | str | None = None,
        g_optimizer: keras.optimizers.Optimizer | str | None = None,
        loss: str | tuple[Callable, Callable] = "non_saturating",
        label_smoothing: float = 0.0,
        **kwargs: Any,
    ) -> None:
        """Choose the optimizers and the loss.

        Args:
            d_optimizer, g_optimizer: one for each network; by default Adam with learning rate 2e-4 and β1 0.5
                (Radford et al. 2016, section 4).
            loss: "non_saturating" or "minimax" (`kgan.losses`), or two functions
                (discriminator_loss, generator_loss) with the signatures of those.
            label_smoothing: one-sided: the discriminator is asked for 1 - label_smoothing on real images.
            **kwargs: Keras' own: jit_compile, run_eagerly, steps_per_execution.

        Raises:
            ValueError: for an unknown loss, label_smoothing outside [0, 0.5], or one optimizer for both networks.
            TypeError: for the argument `optimizer`.

        Example:
            >>> model.compile(g_optimizer=keras.optimizers.Adam(1e-4, beta_1=0.5), label_smoothing=0.1)
        """
        if "optimizer" in kwargs:
            raise TypeError("a GAN has two optimizers: pass d_optimizer and g_optimizer instead of optimizer")
        if d_optimizer is g_optimizer and isinstance(d_optimizer, keras.optimizers.Optimizer):
            raise ValueError("d_optimizer and g_optimizer are one object: each network needs an optimizer of its own")
        # None: otherwise Keras installs an RMSprop that trains nothing and that callbacks would act upon.
        super().compile(optimizer=None, loss=None, **kwargs)
        self.d_optimizer = _built_optimizer(d_optimizer, self.discriminator)
        self.g_optimizer = _built_optimizer(g_optimizer, self.generator)
        self.discriminator_loss, self.generator_loss = losses.get(loss, label_smoothing)
        self._compile_arguments = {"loss": loss, "label_smoothing": label_smoothing, **kwargs}

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Any = None,
        *,
        shuffle: bool = True,
        steps_per_epoch: int | None = None,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Keras' `fit`, with the images checked first.

        An array is shuffled anew each epoch, by a pure function of (seed, step), and cut into whole batches. A
        dataset comes in its own order (`kgan.data.batches` makes one that is such a function too).

        Args:
            x: real images, float, in [-1, 1]: an array, a `tf.data.Dataset` of batches, a `keras.utils.PyDataset`.
            y: labels, left aside, as are labels in a dataset.
            batch_size: images in a batch, 32 by default, for arrays. The batch holds `d_steps` minibatches.
            epochs: how many; with a `Checkpoint` that resumes, counted from the beginning of the run.
            callbacks: Keras' and kgan's own. At most one `Checkpoint` among them.
            verbose: Keras' own; in a notebook pass 0, or a `LivePlot`, beside which "auto" shows no progress bar.
            shuffle, steps_per_epoch, **kwargs: Keras' own.

        Raises:
            ValueError: before training: images of another shape than the discriminator's or outside [-1, 1] (of
                a dataset the first batch is checked), a batch that `d_steps` does not divide, an endless dataset
                without `steps_per_epoch`, a checkpoint of another run.

        Example:
            >>> history = model.fit(images, batch_size=64, epochs=2, verbose=0)
            >>> sorted(history.history)
            ['d_fake', 'd_loss', 'd_real', 'g_loss']
        """
        self._assert_compile_called("fit")
        if isinstance(x, list):
            x = np.asarray(x)
        is_array = isinstance(x, (np.ndarray, tf.Tensor))
        if is_array:
            batch_size = batch_size or 32
            self._check_batch(x, batch_size)
            if shuffle:
                steps_per_epoch = steps_per_epoch or len(x) // batch_size
        elif isinstance(x, tf.data.Dataset):
            if x.cardinality() == tf.data.INFINITE_CARDINALITY and not steps_per_epoch:
                raise ValueError("the dataset is endless: say with steps_per_epoch how long an epoch is")
            for batch in x.take(1):
                self._check_first_batch(batch)
        elif isinstance(x, keras.utils.PyDataset):
            self._check_first_batch(x[0])
        self._choose_references(x)

        watchers = keras.tree.flatten(getattr(callbacks, "callbacks", callbacks) or [])
        pace = {"batch_size": batch_size, "steps_per_epoch": steps_per_epoch, "shuffle": shuffle}
        checkpoint, *others = [each for each in watchers if hasattr(each, "taken_up")] or [None]
        if others:
            raise ValueError("there are several checkpoints among the callbacks: a run has one")
        for live in [each for each in watchers if hasattr(each, "beside")]:  # callbacks.LivePlot
            live.beside = watchers
            verbose = 0 if verbose == "auto" else verbose  # it shows how far training is
        with checkpoint.taken_up(self, watchers, x, pace, epochs) if checkpoint else contextlib.nullcontext() as begun:
            done = 0  # steps of the first epoch, when a checkpoint was taken up in the middle of it
            if begun:
                done, self.history = begun.steps, begun.history
                callbacks = [*watchers, self.history]
                kwargs["initial_epoch"] = begun.epochs or kwargs.get("initial_epoch", 0)
            if is_array and shuffle:  # by seed and step: it need not be told where to go on
                x = batches(tf.cast(x, tf.float32), batch_size, seed=self.seed, step=int(self.step) - done)
                y, batch_size = None, None
            elif is_array:
                x = tf.data.Dataset.from_tensor_slices(tf.cast(x, tf.float32)).batch(batch_size)
                y, batch_size = None, None
            if begun and steps_per_epoch and isinstance(x, tf.data.Dataset) and not (is_array and shuffle):
                x = _from_epoch(begun.of_data, x, steps_per_epoch)
            if isinstance(x, tf.data.Dataset):
                shuffle = False  # or Keras warns that it cannot shuffle a dataset
            together = self.steps_per_execution
            self._execute_together(self._most_steps_together(steps_per_epoch, done, watchers))
            try:
                with self._left_out(done):
                    return super().fit(
                        x,
                        y,
                        batch_size,
                        epochs,
                        verbose,
                        callbacks,
                        shuffle=shuffle,
                        steps_per_epoch=steps_per_epoch,
                        **kwargs,
                    )
            finally:
                self._execute_together(together)

    def _most_steps_together(self, steps_per_epoch: int | None, done: int, callbacks: Any) -> int:
        """At most steps_per_execution, but so that no chosen iteration, nor the end of an epoch, is stepped over."""
        if any(getattr(callback, "iterations", None) for callback in callbacks):
            return 1
        wanted = range(self.steps_per_execution, 0, -1)
        return next(steps for steps in wanted if (steps_per_epoch or 0) % steps == 0 and done % steps == 0)

    def _execute_together(self, steps: int) -> None:
        if steps != self.steps_per_execution:
            self.steps_per_execution, self.train_function = steps, None

    @contextlib.contextmanager
    def _left_out(self, done: int) -> Iterator[None]:
        """Let `fit` pass over the steps of its first epoch that were done before it was taken up again.

        Their batches are fetched and not trained on. So Keras' loop, its progress bar and all callbacks see a whole
        epoch, and count right.
        """
        if not done:
            yield
            return
        self.make_train_function()
        train, together = self.train_function, self.steps_per_execution
        left_out = iter(range(0, done, together))

        def train_function(iterator: Any) -> dict[str, tf.Tensor]:
            if next(left_out, None) is None:
                return train(iterator)
            for _ in range(together):
                next(iterator)
            return self.get_metrics_result()

        self.train_function = train_function
        try:
            yield
        finally:
            self.train_function = train

    def _choose_references(self, x: Any) -> None:
        """Reference and virtual batch normalisation go by one batch of real images, or of codes, chosen once."""
        for layer in _references(self.discriminator):
            layer.adapt(_some_images(x, layer.size, self.seed))
        for layer in _references(self.generator):
            never = np.iinfo(np.int64).max  # the number of a step that will not come
            layer.adapt(self.sample_codes(layer.size, seed=(self.seed, never)))

    def _check_first_batch(self, batch: Any) -> None:
        images, _, _ = keras.utils.unpack_x_y_sample_weight(batch)
        if not hasattr(images, "shape"):
            raise ValueError(f"the dataset gives a {type(images).__name__}: it gives images, or (images, labels)")
        self._check_batch(images, len(images))

    def _check_batch(self, images: np.ndarray | tf.Tensor, batch_size: int) -> None:
        low, high = self._check_images(images)
        if low >= 0:
            warnings.warn(f"images range from {low:g} to {high:g}: black is -1, not 0", stacklevel=4)
        if batch_size % self.d_steps:
            raise ValueError(f"a batch of {batch_size} cannot be split into {self.d_steps} equal minibatches (d_steps)")

    def _check_images(self, images: np.ndarray | tf.Tensor) -> tuple[float, float]:
        """Raise ValueError for what the discriminator cannot take; give their range (of vectors -1 to 1)."""
        expected, shape = self.discriminator.input_shape[1:], tuple(images.shape)
        if shape[1:] != expected or not shape[0]:
            raise ValueError(f"images have shape {shape[1:]}: this discriminator takes {expected}")
        if len(expected) != 3:  # vectors, not images
            return -1.0, 1.0
        low, high = float(np.min(images)), float(np.max(images))
        if not (low >= -1 and high <= 1):  # so put that NaN is caught as well
            raise ValueError(f"images range from {low:g} to {high:g}: scale them to [-1, 1]")
        return low, high

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "generator": keras.saving.serialize_keras_object(self.generator),
            "discriminator": keras.saving.serialize_keras_object(self.discriminator),
            "d_steps": self.d_steps,
            "reuse_fakes": self.reuse_fakes,
            "prior": self.prior,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> GAN:
        return cls(**_deserialized(config, "generator", "discriminator"))

    def get_compile_config(self) -> dict[str, Any] | None:
        if not self.compiled:
            return None
        arguments = {"d_optimizer": self.d_optimizer, "g_optimizer": self.g_optimizer, **self._compile_arguments}
        return {name: keras.saving.serialize_keras_object(value) for name, value in arguments.items()}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        self.compile(**_deserialized(config, *config))


def _from_epoch(epoch: int, dataset: tf.data.Dataset, steps_per_epoch: int) -> tf.data.Dataset:
    """The data set as it goes on after so many epochs, by which Keras' iterator would have moved on."""
    count = int(dataset.cardinality())
    if count > 0 and count % steps_per_epoch:
        raise ValueError(
            f"a data set of {count} batches cannot be resumed in epochs of {steps_per_epoch} steps: repeat() it"
        )
    return (dataset if count == tf.data.INFINITE_CARDINALITY else dataset.repeat()).skip(epoch * steps_per_epoch)


def _references(network: keras.Model) -> Iterator[ReferenceBatch]:
    """The reference batches of a network that are not chosen yet."""
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _references(layer)
        elif isinstance(layer, ReferenceBatch) and not layer.chosen.numpy():
            yield layer


def _some_images(x: Any, count: int, seed: int) -> np.ndarray | tf.Tensor:
    """Real images for a reference batch: of an array, or what `batches` draws from, any; of other data the first."""
    is_array = isinstance(x, (np.ndarray, tf.Tensor))
    images = x if is_array else getattr(x, "images", None)
    if images is not None and len(images) >= count:
        rows = np.random.default_rng(seed).choice(len(images), count, replace=False)
        chosen = np.asarray(images[rows] if isinstance(images, np.ndarray) else tf.gather(images, rows))
        return from_uint8(chosen) if chosen.dtype == np.uint8 and not is_array else np.float32(chosen)
    found: list[tf.Tensor] = []
    if images is None and isinstance(x, (tf.data.Dataset, keras.utils.PyDataset)):
        for batch in x if isinstance(x, tf.data.Dataset) else (x[i] for i in range(x.num_batches or 0)):
            found.append(tf.cast(keras.utils.unpack_x_y_sample_weight(batch)[0], tf.float32))
            if sum(map(len, found)) >= count:
                return tf.concat(found, axis=0)[:count]
    raise ValueError(
        f"reference and virtual batch normalisation need {count} images to go by, in an array or a dataset"
    )


def _deserialized(config: dict[str, Any], *names: str) -> dict[str, Any]:
    return {**config, **{name: keras.saving.deserialize_keras_object(config[name]) for name in names}}


def _built_optimizer(
    optimizer: keras.optimizers.Optimizer | str | None, network: keras.Model
) -> keras.optimizers.Optimizer:
    """Built at once, because an unbuilt optimizer loses its state when it is loaded, with only a warning."""
    optimizer = keras.optimizers.get(optimizer or keras.optimizers.Adam(2e-4, beta_1=0.5))
    if network.dtype_policy.name == "mixed_float16" and not hasattr(optimizer, "inner_optimizer"):
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(network.trainable_weights)
    return optimizer


def _check_shapes(generator: keras.Model, discriminator: keras.Model) -> None:
    if len(generator.input_shape) != 2:
        raise ValueError(f"the generator takes inputs of shape {generator.input_shape}: codes are (batch, latent_dim)")
    if generator.output_shape[1:] != discriminator.input_shape[1:]:
        raise ValueError(
            f"the generator makes images of shape {generator.output_shape[1:]}, "
            f"but the discriminator takes {discriminator.input_shape[1:]}"
        )
