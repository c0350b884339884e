"""The CodeGAN of Shao, Li and Jiang: a DCGAN whose discriminator reads the code back from the image."""

from __future__ import annotations

from typing import Any

import numpy as np

from kgan import losses, training
from kgan._backend import keras, tf
from kgan.batched import in_batches
from kgan.checks import check, check_choice
from kgan.dcgan import DCGAN
from kgan.errors import Mistake
from kgan.gan import DiscriminatorOutput
from kgan.latent import Stream


@keras.saving.register_keras_serializable(package="kgan")
class CodeGAN(DCGAN):
    """A DCGAN whose discriminator has a second head, which reads the code that a fake image was drawn from.

        l_total = w · l_code + (1 - w) · l_DCGAN

    Both networks minimize it: Shao, Li, Jiang, *A Survey of DCGAN based Unsupervised Decoding and Image Generation*,
    equation 2. So the discriminator encodes images, and the generator decodes them.

    Args:
        *arguments, **keywords: see `DCGAN`. The paper's noise on the images is `augment=[("instance_noise", 0.1)]`.
        code_weight: w, from 0 (a DCGAN) to 1 (pure regression of codes).
        code_loss: "l1" or "l2", summed over the units of a code (`kgan.losses`).
        stages: how many times a code is read in a training step; the paper uses 1. With 2, the generator also draws an
            image from the code that was read, and the discriminator reads that, and so on.

    Raises:
        ValueError: for an argument out of range, classes, packing, or a discriminator without a code head.

    Metrics of an epoch besides those of `GAN`, all measured in the discriminator's steps:
        adversarial_loss, code_loss: the parts of d_loss before they are weighted; the first is the d_loss of a DCGAN.
        real_loss: -log D(x), the mean over real images, without label smoothing.

    Example:
        >>> model = kgan.CodeGAN(image_shape=(28, 28, 1), filters=4)
        >>> model.compile()
        >>> history = model.fit(images, batch_size=64, epochs=1, verbose=0)
        >>> model.reconstruct(images[:3]).shape
        (3, 28, 28, 1)
    """

    has_code_head = True

    def __init__(
        self,
        *arguments: Any,
        code_weight: float = 0.012,
        code_loss: str = "l2",
        stages: int = 1,
        classes: int = 0,
        **keywords: Any,
    ) -> None:
        check(code_weight=code_weight, stages=stages)
        check_choice("code_loss", code_loss, losses.CODE_LOSSES)
        if classes:
            raise Mistake(f"classes is {classes}: a CodeGAN, which reads codes back, knows no classes")
        super().__init__(*arguments, **keywords)
        self.code_weight = code_weight
        self.code_loss = code_loss
        self.stages = stages
        self.adversarial_loss_metric = keras.metrics.Mean(name="adversarial_loss")
        self.code_loss_metric = keras.metrics.Mean(name="code_loss")
        self.real_loss_metric = keras.metrics.Mean(name="real_loss")

    def get_config(self) -> dict[str, Any]:
        own = "code_weight", "code_loss", "stages"
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}

    def discriminate(
        self, images: tf.Tensor, training: bool = True, labels: tf.Tensor | None = None
    ) -> DiscriminatorOutput:
        return DiscriminatorOutput(*self.discriminator(images, training=training), training)

    def check_heads(self, output_shape: Any, latent_dim: int) -> None:
        if not isinstance(output_shape, list) or [shape[1:] for shape in output_shape] != [(1,), (latent_dim,)]:
            raise Mistake(
                f"the discriminator's output has shape {output_shape}: a CodeGAN's has two heads, "
                f"[logits (batch, 1), codes (batch, {latent_dim})]"
            )

    def discriminator_objective(
        self, real: DiscriminatorOutput, fake: DiscriminatorOutput, codes: tf.Tensor
    ) -> tf.Tensor:
        adversarial_loss = super().discriminator_objective(real, fake, codes)
        code_loss = self.code_objective(fake, codes)
        count = tf.shape(codes)[0]  # a partial batch counts by its images
        self.adversarial_loss_metric.update_state(adversarial_loss, sample_weight=count)
        self.code_loss_metric.update_state(code_loss, sample_weight=count)
        self.real_loss_metric.update_state(tf.nn.softplus(-real.logits))
        return self.weighted(adversarial_loss, code_loss)

    def generator_objective(self, real: DiscriminatorOutput, fake: DiscriminatorOutput, codes: tf.Tensor) -> tf.Tensor:
        return self.weighted(super().generator_objective(real, fake, codes), self.code_objective(fake, codes))

    def weighted(self, adversarial_loss: tf.Tensor, code_loss: tf.Tensor) -> tf.Tensor:
        """l_total, equation 2."""
        return self.code_weight * code_loss + (1 - self.code_weight) * adversarial_loss

    def code_objective(self, fake: DiscriminatorOutput, codes: tf.Tensor) -> tf.Tensor:
        """l_code, equation 3. With several stages: the mean over them, each compared with the original codes."""
        distance, read = losses.CODE_LOSSES[self.code_loss], fake.codes
        total = distance(codes, read)
        for stage in range(1, self.stages):
            with training.statistics_kept(self.generator, self.discriminator):  # which only the first stage updates
                rebuilt = self.generator(read, training=fake.training)
                if fake.training:
                    rebuilt = self.augmented(rebuilt, Stream.STAGES, stage)
                read = self.discriminate(rebuilt, fake.training).codes
            total += distance(codes, read)
        return total / self.stages

    def encode(
        self,
        images: np.ndarray | tf.Tensor,
        *,
        refine: int = 0,
        known: np.ndarray | None = None,
        learning_rate: float = 0.05,
        batch_size: int = 256,
    ) -> np.ndarray:
        """The codes that the discriminator reads from images, real or fake: (count, latent_dim), float32.

        Args:
            images: (count, height, width, channels), in [-1, 1].
            refine: steps of Adam on the codes afterwards, which bring the generator's images closer to `images`.
            known: which pixels count in their squared difference, (count, height, width, 1), 1 or 0; default: all.
            learning_rate: of these steps.
            batch_size: how many images are encoded at a time.

        Raises:
            ValueError: for images of another shape than the model's, or outside [-1, 1].

        Example:
            >>> kgan.CodeGAN((28, 28, 1), filters=4).encode(images[:3]).shape
            (3, 100)
        """
        images = np.asarray(images, np.float32)
        training.check_images(images, self.data_shape)

        def codes(rows: np.ndarray) -> tf.Tensor:
            read = self.discriminate(images[rows], training=False).codes
            if not refine:
                return read
            return self._refined(read, images[rows], 1 if known is None else known[rows], refine, learning_rate)

        return in_batches(codes, np.arange(len(images)), batch_size)

    def reconstruct(self, images: np.ndarray | tf.Tensor, **how: Any) -> np.ndarray:
        """The images that the generator draws from the codes of `images`, in the same form; `how`: see `encode`.

        Example:
            >>> kgan.CodeGAN((28, 28, 1), filters=4).reconstruct(images[:3], refine=2).shape
            (3, 28, 28, 1)
        """
        return self.generate(self.encode(images, **how))

    def _refined(self, codes: tf.Tensor, images: np.ndarray, known: Any, steps: int, learning_rate: float) -> tf.Tensor:
        """Invert the generator by gradient descent, starting from the codes that were read."""
        codes, optimizer = keras.Variable(codes), keras.optimizers.Adam(learning_rate)
        optimizer.build([codes])

        @tf.function
        def step() -> None:
            with tf.GradientTape() as tape:
                difference = tf.square(self.sampler(codes.value, training=False) - images) * known
                error = tf.reduce_sum(difference)  # a sum: the step of an image does not depend on the others
            optimizer.apply([tape.gradient(error, codes.value)], [codes])

        for _ in range(steps):
            step()
        return codes.value
