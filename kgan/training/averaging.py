"""An average of a network over its last steps, which is steadier than the network itself.

Yazıcı et al. (2019), *The Unusual Effectiveness of Averaging in GAN Training*: a generator circles around what it is
looking for, and the mean of a circle is its center.
"""

from __future__ import annotations

from typing import NamedTuple

from kgan._backend import keras, tf


class Average(NamedTuple):
    """A copy of a network that follows it, with the weights w̄:

        w̄ ← β w̄ + (1 - β) w, β = min(decay, (1 + t) / (10 + t))

    after step t = 0, 1, …. So it reaches back over 1 / (1 - decay) steps, and in the beginning over a ninth of all so
    far: it never lags behind by much.

    Attributes:
        network: the copy: see `copied`.
        decay: from 0 to, but not, 1.
        step: how many steps there were.
    """

    network: keras.Model
    decay: float
    step: keras.Variable

    def follow(self, network: keras.Model) -> None:
        """Move the copy's weights, and its batch normalization's averages, toward those of the network."""
        step = tf.cast(self.step, tf.float32)
        decay = tf.minimum(self.decay, (1 + step) / (10 + step))
        for average, weight in zip(self.network.weights, network.weights, strict=True):
            # Whatever else there is, such as a reference batch, is the network's own.
            is_averaged = weight.trainable or weight.name.startswith("moving_")
            average.assign(decay * average + (1 - decay) * weight if is_averaged else weight)


def copied(network: keras.Model) -> keras.Model:
    """A copy of a network with the same weights, which no optimizer trains.

    Raises:
        ValueError: where Keras cannot build it anew.
    """
    try:
        copy = keras.models.clone_model(network)
        copy.set_weights(network.get_weights())
    except Exception as error:  # of a class of somebody else's
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise ValueError(f"ema needs a copy of the generator, which Keras cannot build: {reason}") from None
    copy.name, copy.trainable = f"average_{network.name}", False
    return copy
