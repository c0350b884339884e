"""How a network's gradients become new weights, and what a step of the other network must leave alone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from kgan._backend import keras, tf
from kgan.errors import Mistake
from kgan.optimizers import Adam
from kgan.training import replicas


class Average(NamedTuple):
    """A copy of a network, whose weights w̄ follow the weights w of the network in step t = 0, 1, …:

        w̄ ← β w̄ + (1 - β) w, β = min(decay, (1 + t) / (10 + t))

    It covers about the last 1 / (1 - decay) steps, and in the beginning a ninth of all, so as not to lag behind. It is
    steadier than a generator, which circles around the solution: Yazıcı et al. (2019), *The Unusual Effectiveness of
    Averaging in GAN Training*.
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
    """A copy of a network with the same weights, which no optimizer trains."""
    try:
        copy = keras.models.clone_model(network)
        copy.set_weights(network.get_weights())
    except Exception as error:  # of any class: the network may have layers of the user's own
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise Mistake(f"ema needs a copy of the generator, which Keras cannot build: {reason}") from None
    copy.name, copy.trainable = f"average_{network.name}", False
    return copy


class Updater:
    """One network's updates: gradients, loss scale, replicas, optimizer, and its average if there is one."""

    def __init__(
        self, network: keras.Model, optimizer: keras.optimizers.Optimizer, average: Average | None = None
    ) -> None:
        self.network = network
        self.optimizer = optimizer
        self.average = average

    def descend(self, tape: tf.GradientTape, loss: tf.Tensor, batch_size: int | tf.Tensor) -> None:
        """Lower a loss, the mean over this replica's `batch_size` images, by one step of the network's weights."""
        weights = self.network.trainable_weights
        if not weights:  # trainable = False
            return
        # Scaled like this, the loss need not be scaled within the tape.
        scale = tf.cast(self.optimizer.scale_loss(replicas.share(batch_size)), loss.dtype)
        gradients = tape.gradient(loss, weights, output_gradients=scale)
        # TensorFlow's graph optimizer can lose the order of reading a bias and updating it. R1 does not depend smoothly
        # on the biases, so once in thousands of steps its forward pass read biases that were updated already.
        with tf.control_dependencies([loss]):
            self.optimizer.apply(gradients, weights)
        if self.average:
            self.average.follow(self.network)


def in_some_steps(step: tf.Tensor, every: int, term: Callable[[], tf.Tensor]) -> tf.Tensor:
    """A term of a loss, computed in one of `every` steps and counted `every` times: lazy regularization.

    Karras et al. (2020), *Analyzing and Improving the Image Quality of StyleGAN*, appendix B.
    """
    if every == 1:
        return term()
    return tf.cond(step % every == 0, lambda: every * term(), lambda: tf.zeros(()))


def layer_losses(network: keras.Model) -> tf.Tensor | float:
    """The sum of what the layers of a network added in its last pass: regularizers and `add_loss`."""
    return sum(tf.cast(loss, tf.float32) for loss in network.losses)


def built_optimizer(
    optimizer: keras.optimizers.Optimizer | str | None, network: keras.Model, name: str
) -> keras.optimizers.Optimizer:
    """The optimizer of a network, by default Adam(2e-4, β1 0.5); under mixed_float16 it scales the loss.

    It is built at once: an unbuilt optimizer loses its state when a model is loaded, with only a warning.
    """
    optimizer = keras.optimizers.get(optimizer or Adam(2e-4, beta_1=0.5))
    inner = inner_optimizer(optimizer)
    if inner.built and not optimizes(inner, network):
        raise Mistake(f"the optimizer of the {name} was built for other weights: make a new one")
    inner.name = name  # otherwise both are called "adam"
    if network.dtype_policy.name == "mixed_float16" and inner_optimizer(optimizer) is optimizer:
        if replicas.count() > 1:
            raise Mistake(
                "mixed_float16 does not work under a tf.distribute strategy, as Keras' loss scaling does not: "
                "use mixed_bfloat16"
            )
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(network.trainable_weights)
    return optimizer


def inner_optimizer(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer itself, without a LossScaleOptimizer around it."""
    return optimizer.inner_optimizer if isinstance(optimizer, keras.optimizers.LossScaleOptimizer) else optimizer


def optimizes(optimizer: keras.optimizers.Optimizer, network: keras.Model) -> bool:
    """Whether an optimizer was built for the weights of a network; Keras has no public name for its weights."""
    return {id(weight) for weight in optimizer._trainable_variables} == set(map(id, network.trainable_weights))


class OptimizerPair:
    """Both optimizers as Keras' own callbacks take them from `model.optimizer`: they act on each of `optimizers`."""

    built = True

    def __init__(self, *updaters: Updater) -> None:
        self.updaters = updaters

    @property
    def optimizers(self) -> list[keras.optimizers.Optimizer]:
        return [inner_optimizer(updater.optimizer) for updater in self.updaters]

    @property
    def variables(self) -> list[keras.Variable]:
        return [variable for updater in self.updaters for variable in updater.optimizer.variables]

    @property
    def iterations(self) -> keras.Variable:
        """Updates of the last network, the generator: the training steps."""
        return self.optimizers[-1].iterations

    @property
    def learning_rate(self) -> Any:
        """The generator's, for callbacks that log one number. Set, it is that of both."""
        return self.optimizers[-1].learning_rate

    @learning_rate.setter
    def learning_rate(self, rate: Any) -> None:
        for optimizer in self.optimizers:
            optimizer.learning_rate = rate

    def get_config(self) -> dict[str, Any]:
        """The settings of both optimizers, by name."""
        return {optimizer.name: optimizer.get_config() for optimizer in self.optimizers}

    def finalize(self) -> None:
        """If an optimizer keeps a moving average of the weights (use_ema), put it into the network."""
        for updater in self.updaters:
            inner_optimizer(updater.optimizer).finalize_variable_values(updater.network.trainable_weights)


@contextlib.contextmanager
def statistics_kept(*networks: keras.Model) -> Iterator[None]:
    """Within the block, the moving averages of these networks do not change, although they run in training mode."""
    # The states of Dropout do change: otherwise the next step would draw the same mask again. For Keras they are
    # variables of the network, but not weights.
    states = [state for network in networks for state in network.non_trainable_variables]
    seeds = [state for state in states if state.name == "seed_generator_state"]
    # The scope starts from the present values, so that a block within a block continues from the outer one.
    with keras.StatelessScope([(seed, seed.value) for seed in seeds]) as scope:
        yield
    for seed in seeds:
        seed.assign(scope.get_current_value(seed))
