"""How a model draws images and scores them: in inference mode, in batches, with checks."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kgan import latent
from kgan._backend import keras, tf
from kgan.errors import Mistake
from kgan.training.inputs import as_array, check_images, checked_labels, images_of, in_batches


class SamplingModel(keras.Model):
    """A model with a generator that draws images from codes, and a discriminator that says how real they look."""

    # `AdversarialModel` sets these.
    generator: keras.Model
    average_generator: keras.Model | None
    data_shape: tuple[int, ...]  # of one image
    latent_dim: int  # units of a code that are drawn from the prior
    code_dim: int  # all units of a code; the last ones say its class, if there are classes
    classes: int
    prior: str

    @property
    def sampler(self) -> keras.Model:
        """The network that generates images: the generator, or its average."""
        return self.average_generator or self.generator

    def call(self, codes: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """The images that the generator draws from these codes, or its average if there is one (`ema`)."""
        return self.sampler(codes, training=training)

    def sample_codes(
        self, count: int | tf.Tensor, seed: int | Sequence[int | tf.Tensor] = 0, labels: Sequence[int] | None = None
    ) -> tf.Tensor:
        """Codes for this generator from its prior: see `kgan.latent.sample_codes`.

        Args:
            count, seed: see there.
            labels: (count,), classes for a conditional model; default: drawn at random, with equal probability.

        Raises:
            ValueError: see there; for labels that are not classes of the model, or that are given to a model without
                classes.

        Example:
            >>> model.sample_codes(3, seed=1).shape
            TensorShape([3, 100])
        """
        codes = latent.sample_codes(count, self.latent_dim, self.prior, seed)
        if not self.classes:
            self._refuse_labels(labels)
            return codes
        if labels is None:
            seeds = seed if isinstance(seed, (tuple, list)) else (seed,)
            drawn = latent.sample_codes(count, 1, "uniform", (*seeds, latent.Stream.LABELS))
            labels = tf.cast((drawn[:, 0] + 1) / 2 * self.classes, tf.int32)
        else:
            labels = checked_labels(labels, int(count), self.classes)
        return latent.with_labels(codes, tf.one_hot(labels, self.classes))

    def generate(
        self,
        codes: int | np.ndarray | tf.Tensor | None = None,
        *,
        labels: Sequence[int] | None = None,
        seed: int = 0,
        batch_size: int = 256,
    ) -> np.ndarray:
        """Fake images, in inference mode.

        Args:
            codes: codes of shape (count, latent_dim), or how many codes to draw from the prior; the default is one for
                each label. The codes of a conditional model include their classes: see `sample_codes`.
            labels: classes to draw, for a conditional model: whole numbers from 0, one for each image.
            seed: seed of the codes, if a count is given: the same seed gives the same codes.
            batch_size: how many go through the generator at a time.

        Returns:
            Images of shape (count, …), float32, in [-1, 1] where the generator ends in tanh.

        Raises:
            ValueError: for a count or a batch size below 1, codes of another width, labels that are not classes of the
                model, or that are given to a model without classes.

        Example:
            >>> model.generate(3, seed=1).shape
            (3, 28, 28, 1)
        """
        self._refuse_labels(labels)
        if codes is None:
            if labels is None:
                raise Mistake("generate was given neither codes nor labels: say how many images to draw")
            codes = len(labels)
        if np.ndim(codes) == 0:
            if codes < 1:
                raise Mistake(f"cannot generate {codes} images: ask for 1 or more")
            codes = self.sample_codes(operator.index(codes), seed, labels)
        elif labels is not None:
            raise Mistake("generate was given codes and labels: the codes have their classes already")
        codes = np.asarray(codes, np.float32)
        if codes.ndim != 2 or codes.shape[1] != self.code_dim or not len(codes):
            raise Mistake(f"codes have shape {codes.shape}: this generator takes (count, {self.code_dim})")
        return in_batches(self.draws, codes, batch_size)

    def score(
        self, images: np.ndarray | tf.Tensor, *, labels: Sequence[int] | None = None, batch_size: int = 256
    ) -> np.ndarray:
        """How real the discriminator finds each image, in inference mode.

        Args:
            images: (count, …), in [-1, 1].
            labels: their classes, for a conditional model.
            batch_size: how many go through the discriminator at a time.

        Returns:
            Logits of shape (count,), float32: the higher, the more real. They are not probabilities, which would all be
            1 for images that the discriminator is certain of.

        Raises:
            ValueError: for images of another shape than the discriminator's, or outside [-1, 1]; for labels that are
                missing, that are not classes of the model, or that are given to a model without classes.

        Example:
            >>> model.score(model.generate(3)).shape
            (3,)
        """
        images = np.asarray(images, np.float32)
        check_images(images, self.data_shape)
        self._refuse_labels(labels)
        labels = checked_labels(labels, len(images), self.classes)
        rows = np.arange(len(images))[:, np.newaxis]

        def logits(rows: np.ndarray) -> tf.Tensor:
            each = rows[:, 0]
            classes = None if labels is None else tf.one_hot(labels[each], self.classes)
            return self.discriminate(tf.constant(images[each]), False, classes).logits[:, 0]

        return in_batches(logits, rows, batch_size)

    def _refuse_labels(self, labels: Sequence[int] | None) -> None:
        if labels is not None and not self.classes:
            raise Mistake("this model is not conditional, so it knows no classes: leave labels out")

    @functools.cached_property
    def draws(self) -> Callable[[np.ndarray], tf.Tensor]:
        """`call` in inference mode, compiled: otherwise a small generator spends most of its time between layers."""
        codes = tf.TensorSpec((None, self.code_dim))
        # Concrete: TensorFlow would mistake the functions of several models for one that is traced again, and warn.
        return tf.function(lambda codes: self(codes, training=False), [codes], autograph=False).get_concrete_function()

    def predict(self, x: Any, *arguments: Any, **keywords: Any) -> np.ndarray:
        """Like Keras' `predict`: the generator's images for codes.

        Args:
            x: codes, (count, latent_dim), or a dataset of batches of them.
            *arguments, **keywords: Keras' own.

        Raises:
            ValueError: for anything but codes.

        Example:
            >>> model.predict(model.sample_codes(5), verbose=0).shape
            (5, 28, 28, 1)
        """
        x = as_array(x, "codes")
        first = x
        if isinstance(x, tf.data.Dataset):
            first = images_of(x.element_spec)
        shape = tuple(getattr(first, "shape", (None, self.code_dim)))
        if len(shape) != 2 or shape[1] not in (None, self.code_dim):
            raise Mistake(
                f"predict takes codes, (count, {self.code_dim}), and was given shape {shape}: for the logits of "
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
        """Like Keras' `export`: save the generator for serving, as a function of codes, (count, latent_dim)."""
        signature = input_signature or [keras.InputSpec(shape=(None, self.code_dim), dtype="float32")]
        super().export(filepath, format, verbose, signature, **keywords)
