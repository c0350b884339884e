"""How a network's gradients become new weights, and what a step of the other network must leave alone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from kgan._backend import keras, tf
from kgan.errors import Mistake
from kgan.training import replicas
from kgan.training.averaging import Average


class Updater:
    """One network's updates: gradients, loss scale, replicas, optimizer, and its average if there is one."""

    def __init__(
        self, network: keras.Model, optimizer: keras.optimizers.Optimizer, average: Average | None = None
    ) -> None:
        self.network = network
        self.optimizer = optimizer
        self.average = average

    def descend(self, tape: tf.GradientTape, loss: tf.Tensor, batch_size: int | tf.Tensor) -> None:
        """Change the network's weights in one gradient step that lowers a loss.

        Args:
            tape: the tape that recorded the loss.
            loss: a scalar, the mean over this replica's images.
            batch_size: the number of these images.
        """
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
    """A term of a loss, computed in one of `every` steps and multiplied by `every`: on average it is the same.

    Karras et al. (2020), *Analyzing and Improving the Image Quality of StyleGAN*, appendix B: lazy regularization.
    """
    if every == 1:
        return term()
    return tf.cond(step % every == 0, lambda: every * term(), lambda: tf.zeros(()))


def built_optimizer(
    optimizer: keras.optimizers.Optimizer | str | None, network: keras.Model, name: str
) -> keras.optimizers.Optimizer:
    """The optimizer of a network, under a name for callbacks that log the learning rate; default: Adam(2e-4, β1 0.5).

    It is built at once: an unbuilt optimizer loses its state when a model is loaded, with only a warning. Under
    mixed_float16 it scales the loss.
    """
    optimizer = keras.optimizers.get(optimizer or keras.optimizers.Adam(2e-4, beta_1=0.5))
    inner = inner_optimizer(optimizer)
    if inner.built and optimized_weights(inner) != {id(weight) for weight in network.trainable_weights}:
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


def optimized_weights(optimizer: keras.optimizers.Optimizer) -> set[int]:
    """The ids of the weights for which an optimizer was built; Keras has no public name for them."""
    return {id(weight) for weight in optimizer._trainable_variables}


class OptimizerPair:
    """Both optimizers as Keras' own callbacks take them from `model.optimizer`: like a `MultiOptimizer`.

    LearningRateScheduler, ReduceLROnPlateau, SwapEMAWeights and TensorBoard act on each of `optimizers`.
    """

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

    def finalize(self) -> None:
        """If an optimizer keeps a moving average of the weights (use_ema), put it into the network."""
        for updater in self.updaters:
            inner_optimizer(updater.optimizer).finalize_variable_values(updater.network.trainable_weights)


@contextlib.contextmanager
def statistics_kept(*networks: keras.Model) -> Iterator[None]:
    """Within the block, these networks run in training mode, but their moving averages do not change.

    The states of random layers such as Dropout do change: otherwise the next step would draw the same mask again.
    """
    seeds = [seed for network in networks for seed in random_states(network)]
    # The scope starts from the present values, so that a block within a block continues from the outer one.
    with keras.StatelessScope([(seed, seed.value) for seed in seeds]) as scope:
        yield
    for seed in seeds:
        seed.assign(scope.get_current_value(seed))


def random_states(network: keras.Model) -> list[keras.Variable]:
    """The states of a network's random layers: for Keras they are variables of the network, but not weights."""
    return [state for state in network.non_trainable_variables if state.name == "seed_generator_state"]
