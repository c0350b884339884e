"""Adam as one operation for each weight: with Keras' dozen, a step of a small dense GAN takes a quarter longer."""

from __future__ import annotations

from kgan._backend import keras, tf


@keras.saving.register_keras_serializable(package="kgan")
class Adam(keras.optimizers.Adam):
    """Keras' Adam, by TensorFlow's own kernel: Kingma and Ba (2015), *Adam*, algorithm 1 in the order of section 2.

        m ← m + (1 - β₁)(g - m), v ← v + (1 - β₂)(g² - v), w ← w - α √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√v + ε)

    Arguments are those of `keras.optimizers.Adam`; the weights differ from Keras' in their last bits.

    Example:
        >>> model.compile(g_optimizer=kgan.optimizers.Adam(1e-4, beta_1=0.5))
    """

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        if self.amsgrad:  # rarely asked for
            super().update_step(gradient, variable, learning_rate)
            return
        number, kind = self._get_variable_index(variable), variable.dtype
        done = tf.cast(self.iterations + 1, kind)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[number].value.handle,
            v=self._velocities[number].value.handle,
            beta1_power=self.beta_1**done,
            beta2_power=self.beta_2**done,
            lr=tf.cast(learning_rate, kind),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.cast(tf.convert_to_tensor(gradient), kind),
        )
