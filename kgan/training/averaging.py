"""An average of a network over its last steps, which is steadier than the network itself.

Yazıcı et al. (2019), *The Unusual Effectiveness of Averaging in GAN Training*: a generator circles around the solution,
and the mean of a circle is its center.
"""

from __future__ import annotations

from typing import NamedTuple

from kgan._backend import keras, tf
from kgan.errors import Mistake


class Average(NamedTuple):
    """A copy of a network. Its weights w̄ follow the weights w of the network:

        w̄ ← β w̄ + (1 - β) w, β = min(decay, (1 + t) / (10 + t))

    after step t = 0, 1, …. So the average covers about the last 1 / (1 - decay) steps. In the beginning it covers about
    a ninth of all steps so far, so that it is never far behind the network.
    """

    network: keras.Model  # the copy: see `copied`
    decay: float
    step: keras.Variable  # t

    def follow(self, network: keras.Model) -> None:
        """Move the copy's weights, and its batch normalization's averages, toward those of the network."""
        step = tf.cast(self.step, tf.float32)
        decay = tf.minimum(self.decay, (1 + step) / (10 + step))
        for average, weight in zip(self.network.weights, network.weights, strict=True):
            # All other weights, such as a reference batch, are copied.
            is_averaged = weight.trainable or weight.name.startswith("moving_")
            average.assign(decay * average + (1 - decay) * weight if is_averaged else weight)


def copied(network: keras.Model) -> keras.Model:
    """A copy of a network with the same weights, which no optimizer trains.

    Raises:
        ValueError: if Keras cannot build the copy.
    """
    try:
        copy = keras.models.clone_model(network)
        copy.set_weights(network.get_weights())
    except Exception as error:  # of any class: the network may have layers of the user's own
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise Mistake(f"ema needs a copy of the generator, which Keras cannot build: {reason}") from None
    copy.name, copy.trainable = f"average_{network.name}", False
    return copy
