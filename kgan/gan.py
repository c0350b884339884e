"""The generative adversarial network of Goodfellow et al. (2014), and its Algorithm 1."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from kgan import augment as augmentations
from kgan import latent, sampling, training
from kgan._backend import keras, tf
from kgan.checks import check, check_choice, listed, whole_numbers
from kgan.errors import Mistake
from kgan.latent import Stream
from kgan.training import images_of, in_some_steps, labels_of, layer_losses, split, statistics_kept


class Fakes(NamedTuple):
    """A minibatch of fakes, as the discriminator sees it."""

    codes: tf.Tensor
    images: tf.Tensor
    tape: tf.GradientTape  # which recorded the generator's pass
    draw: int = 0  # which minibatch of the step it is
    labels: tf.Tensor | None = None  # for a conditional model: the labels of the real images
    regularization: tf.Tensor | float = 0.0  # of the generator's layers


class DiscriminatorOutput(NamedTuple):
    """The output of the discriminator for a minibatch."""

    logits: tf.Tensor
    codes: tf.Tensor | None = None  # read from the images, if the discriminator has a code head (`kgan.CodeGAN`)
    training: bool = True  # whether it ran in training mode


@keras.saving.register_keras_serializable(package="kgan")
class GAN(training.KerasGAN):
    """A generator and a discriminator of images, or of vectors, trained against each other by `fit`.

    Args:
        generator: a built model, codes (batch, latent_dim) → fake images.
        discriminator: a built model, images → logits (batch, 1). Logits, not probabilities: end it without a sigmoid.
        d_steps: discriminator steps before each generator step, k in Algorithm 1. A batch is split into k minibatches.
        reuse_fakes: whether the generator's step uses the fakes that the discriminator has just seen, which is cheaper,
            or draws fresh codes, as Algorithm 1 does.
        prior: distribution of the codes, "normal" N(0, 1) or "uniform" U(-1, 1).
        augment: augmentations of all images that the discriminator is trained on: see `kgan.augment`.
        classes: of a conditional model, which draws the class that you ask for (Mirza and Osindero 2014, *Conditional
            Generative Adversarial Nets*); 0: the model is not conditional. The generator's codes then have `classes`
            more units, and the discriminator takes [images, labels].
        ema: decay of an average of the generator's weights, which then draws all images; 0: no average. With 0.999 it
            is over about the last thousand steps: see `kgan.training.updates`.
        seed: the random numbers of a step depend only on (seed, step), and the order of an array only on (seed, epoch).
            Layers such as Dropout have a random state of their own: a checkpoint keeps it, `save` does not.

    Raises:
        ValueError: if the two networks do not fit each other, or an argument is out of range.

    Metrics of an epoch, means over all its examples:
        d_loss, g_loss: the loss that each network minimizes, with the regularizers of its layers.
        d_real, d_fake: σ(logits) for real and for fake images; with most losses the probability of being real.
        d_penalty: the weighted penalties in d_loss, if there are any.

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
        augment: Sequence[str | Callable | tuple[str | Callable, float]] = (),
        classes: int = 0,
        ema: float = 0.0,
        seed: int = 0,
        **keywords: Any,
    ) -> None:
        super().__init__(**keywords)
        d_steps, classes, seed = whole_numbers(d_steps=d_steps, classes=classes, seed=seed)
        check(ema=ema)
        check_choice("prior", prior, latent.PRIORS)
        code_dim, data_shape, output_shape = training.fitting_shapes(generator, discriminator, classes)
        self.check_heads(output_shape, code_dim)
        self.generator = generator
        self.discriminator = discriminator
        self.average_generator = training.copied(generator) if ema else None
        self.data_shape = data_shape  # of one image
        self.code_dim = code_dim  # units of a code; the last ones say its class, if there are classes
        self.latent_dim = code_dim - classes  # units that are drawn from the prior
        self.classes = classes
        self.prior = prior
        self.d_steps = d_steps
        self.reuse_fakes = reuse_fakes
        self.augment = listed(augment)
        self.augmentations = augmentations.get(self.augment, self.data_shape)
        self.ema = ema
        self.seed = seed
        # A weight, so that it is saved: a loaded model draws the codes that the saved model would have drawn.
        self.step = self.add_weight(
            name="step", shape=(), dtype="int64", initializer="zeros", trainable=False, aggregation="only_first_replica"
        )
        self.d_loss_metric = keras.metrics.Mean(name="d_loss")
        self.g_loss_metric = keras.metrics.Mean(name="g_loss")
        self.d_real_metric = keras.metrics.Mean(name="d_real")
        self.d_fake_metric = keras.metrics.Mean(name="d_fake")
        self.d_penalty_metric = keras.metrics.Mean(name="d_penalty")

    def get_config(self) -> dict[str, Any]:
        plain = "d_steps", "reuse_fakes", "prior", "classes", "ema", "seed"
        return {
            **super().get_config(),
            "generator": keras.saving.serialize_keras_object(self.generator),
            "discriminator": keras.saving.serialize_keras_object(self.discriminator),
            "augment": keras.saving.serialize_keras_object(list(self.augment)),
            **{name: getattr(self, name) for name in plain},
        }

    # Algorithm 1

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """k discriminator steps, then one generator step: Goodfellow et al. (2014), Algorithm 1."""
        for draw, (real_images, labels) in enumerate(self.minibatches(data)):  # for k steps do
            fakes = self.draw_fakes(tf.shape(real_images)[0], draw, labels)
            self.discriminator_step(real_images, fakes)
        if not self.simultaneous:  # otherwise both networks have changed together
            if not self.reuse_fakes:
                fakes = self.draw_fakes(tf.shape(real_images)[0], self.d_steps, labels)
            self.generator_step(real_images, fakes)
        self.step.assign_add(1)
        return self.get_metrics_result()

    def minibatches(self, data: Any) -> list[tuple[tf.Tensor, tf.Tensor | None]]:
        """`d_steps` minibatches of real images, as the discriminator sees them, with labels for a conditional model."""
        images = split(images_of(data), self.d_steps)
        images = [self.augmented(minibatch, Stream.REAL_IMAGES, draw) for draw, minibatch in enumerate(images)]
        labels = labels_of(data, self.classes)
        labels = [None] * self.d_steps if labels is None else split(labels, self.d_steps)
        return list(zip(images, labels, strict=True))

    def draw_fakes(self, count: int | tf.Tensor, draw: int, labels: tf.Tensor | None = None) -> Fakes:
        """Fakes number `draw` of a step: fresh codes and the generator's images, as the discriminator sees them."""
        random = self.random(count, Stream.CODES, draw)
        codes = latent.with_labels(random(self.latent_dim, self.prior), labels)
        with tf.GradientTape() as tape:
            images = self.augmented(self.generator(codes, training=True), Stream.FAKE_IMAGES, draw)
            return Fakes(codes, images, tape, draw, labels, layer_losses(self.generator))

    def discriminator_step(self, real_images: tf.Tensor, fakes: Fakes) -> None:
        """Change the discriminator alone: with the paper's loss, ascend log D(x) + log(1 - D(G(z)))."""
        count = tf.shape(real_images)[0]
        with tf.GradientTape() as tape:
            # Two passes: in a mixed batch, the statistics of BatchNormalization would tell real from fake.
            real = self.discriminate(real_images, labels=fakes.labels)  # fakes have the classes of the real images
            regularization = layer_losses(self.discriminator) / 2  # half of each: both passes have those of the weights
            with fakes.tape if self.simultaneous else contextlib.nullcontext():
                fake = self.discriminate(fakes.images, labels=fakes.labels)
            regularization += layer_losses(self.discriminator) / 2
            d_loss = self.discriminator_objective(real, fake, fakes.codes) + self.penalty(real_images, fakes)
            d_loss += regularization
        if self.simultaneous:
            self.descend_generator(real, fake, fakes)
        self.d_updater.descend(tape, d_loss, count)
        self.d_loss_metric.update_state(d_loss, sample_weight=count)
        self.d_real_metric.update_state(tf.sigmoid(real.logits))
        self.d_fake_metric.update_state(tf.sigmoid(fake.logits))

    def generator_step(self, real_images: tf.Tensor, fakes: Fakes) -> None:
        """Change the generator alone: with the paper's loss, descend log(1 - D(G(z)))."""
        with statistics_kept(self.discriminator):  # only its own steps update its moving averages
            # For losses that compare real with fake; for other losses the graph leaves it out.
            real = self.discriminate(real_images, labels=fakes.labels)
            # This tape has recorded G(z) in `draw_fakes`. Entered again, it records D(G(z)) and, below, the loss: one
            # gradient leads from the loss to the generator. D(x) stays outside: it does not depend on the generator.
            with fakes.tape:
                fake = self.discriminate(fakes.images, labels=fakes.labels)
        self.descend_generator(real, fake, fakes)

    def descend_generator(self, real: DiscriminatorOutput, fake: DiscriminatorOutput, fakes: Fakes) -> None:
        """Change the generator by what the discriminator said of its fakes, recorded on their tape."""
        count = tf.shape(fakes.codes)[0]
        with fakes.tape:
            g_loss = self.generator_objective(real, fake, fakes.codes) + fakes.regularization
        self.g_updater.descend(fakes.tape, g_loss, count)
        self.g_loss_metric.update_state(g_loss, sample_weight=count)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """The metrics of a training step for held-out images, in inference mode: for `evaluate` and validation."""
        real_images, labels = images_of(data), labels_of(data, self.classes)
        count = tf.shape(real_images)[0]
        _, evaluated = training.position(tf.cast(self.d_loss_metric.count, tf.int32))  # images before, of all replicas
        place, total = training.position(count)
        codes = latent.sample_codes(total, self.latent_dim, self.prior, (self.seed, Stream.EVALUATION, evaluated))
        codes = latent.with_labels(codes[place : place + count], labels)
        real = self.discriminate(real_images, False, labels)
        fake = self.discriminate(self(codes, training=False), False, labels)
        self.d_loss_metric.update_state(self.discriminator_objective(real, fake, codes), sample_weight=count)
        self.g_loss_metric.update_state(self.generator_objective(real, fake, codes), sample_weight=count)
        self.d_real_metric.update_state(tf.sigmoid(real.logits))
        self.d_fake_metric.update_state(tf.sigmoid(fake.logits))
        return self.evaluation_result()

    sample_codes = sampling.sample_codes
    generate = sampling.generate
    score = sampling.score

    # The methods that a variant overrides

    def check_heads(self, output_shape: Any, latent_dim: int) -> None:
        """Refuse a discriminator whose output does not fit this model."""
        if isinstance(output_shape, list) or output_shape[1:] != (1,):
            raise Mistake(f"the discriminator's output has shape {output_shape}: it is logits, (batch, 1)")

    def discriminate(
        self, images: tf.Tensor, training: bool = True, labels: tf.Tensor | None = None
    ) -> DiscriminatorOutput:
        """The output of the discriminator. Training mode, the default, updates moving averages."""
        inputs = images if labels is None else [images, labels]
        return DiscriminatorOutput(self.discriminator(inputs, training=training), training=training)

    def discriminator_objective(
        self, real: DiscriminatorOutput, fake: DiscriminatorOutput, codes: tf.Tensor
    ) -> tf.Tensor:
        """The loss that the discriminator minimizes; `codes` are the codes of the fakes."""
        return tf.reduce_mean(self.discriminator_loss(real.logits, fake.logits))  # it may have a value for each image

    def generator_objective(self, real: DiscriminatorOutput, fake: DiscriminatorOutput, codes: tf.Tensor) -> tf.Tensor:
        """The loss that the generator minimizes."""
        return tf.reduce_mean(self.generator_loss(real.logits, fake.logits))

    def penalty(self, real_images: tf.Tensor, fakes: Fakes) -> tf.Tensor | float:
        """The weighted sum of the penalties, a part of the discriminator's loss."""
        if not self.penalties:
            return 0.0
        count = tf.shape(real_images)[0]
        # Not within the branch below: here replicas exchange their sizes, which TensorFlow forbids within a branch.
        numbers = [self.random(count, Stream.PENALTIES, fakes.draw, number) for number in range(len(self.penalties))]

        def logits(images: tf.Tensor) -> tf.Tensor:
            return self.discriminate(images, labels=fakes.labels).logits

        def weighted_sum() -> tf.Tensor:
            with statistics_kept(self.discriminator):
                pairs = zip(self.penalties, numbers, strict=True)
                return sum(penalty(logits, real_images, fakes.images, random) for penalty, random in pairs)

        total = in_some_steps(self.step, self.penalty_every, weighted_sum)
        self.d_penalty_metric.update_state(total, sample_weight=count)
        return total

    def augmented(self, images: tf.Tensor, purpose: int, draw: int) -> tf.Tensor:
        """The images as the discriminator is trained on them."""
        for number, augmentation in enumerate(self.augmentations):
            images = augmentation(images, self.random(tf.shape(images)[0], purpose, draw, number))
        return images
