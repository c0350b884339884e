"""`fit` against a hand-written loop over the same networks: medians of interleaved epochs, and their ratio.

    python benchmarks/train_step.py [gan|dcgan] [batch size]

The loop is the plainest there is: one tape for both networks, Keras' BinaryCrossentropy, a shuffle buffer.
"""

import os
import platform
import statistics
import sys
import time

import numpy as np

import kgan
from kgan._backend import keras, tf

kind = sys.argv[1] if len(sys.argv) > 1 else "dcgan"
batch_size = int(sys.argv[2]) if len(sys.argv) > 2 else 128
ROUNDS, STEPS = 7, 28 if kind == "dcgan" else 140
images = np.resize(kgan.data.load("digits"), (STEPS * batch_size, 28, 28, 1))


def new_model():
    if kind == "dcgan":
        model = kgan.DCGAN((28, 28, 1))
    else:
        generator = kgan.networks.dense_generator((28, 28, 1), hidden_units=256)
        discriminator = kgan.networks.dense_discriminator((28, 28, 1), hidden_units=256)
        model = kgan.GAN(generator, discriminator, reuse_fakes=True)
    model.compile()
    return model


def with_fit(model):
    model.fit(images, batch_size=batch_size, epochs=1, verbose=0)


hand = new_model()
dataset = (
    tf.data.Dataset.from_tensor_slices(images).shuffle(len(images)).batch(batch_size, drop_remainder=True).prefetch(2)
)
bce = keras.losses.BinaryCrossentropy(from_logits=True)


@tf.function
def step(real_images):
    with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
        fake_images = hand.generator(tf.random.normal((batch_size, 100)), training=True)
        real_logits = hand.discriminator(real_images, training=True)
        fake_logits = hand.discriminator(fake_images, training=True)
        d_loss = bce(tf.ones_like(real_logits), real_logits) + bce(tf.zeros_like(fake_logits), fake_logits)
        g_loss = bce(tf.ones_like(fake_logits), fake_logits)
    for tape, loss, network, optimizer in (
        (d_tape, d_loss, hand.discriminator, hand.d_optimizer),
        (g_tape, g_loss, hand.generator, hand.g_optimizer),
    ):
        optimizer.apply(tape.gradient(loss, network.trainable_weights), network.trainable_weights)


def by_hand():
    for real_images in dataset:
        step(real_images)


model = new_model()
runs = {"model.fit": lambda: with_fit(model), "by hand": by_hand}
milliseconds = {name: [] for name in runs}
for measured in range(-1, ROUNDS):
    for name, run in runs.items():
        began = time.perf_counter()
        run()
        if measured >= 0:  # the first compiles
            milliseconds[name].append((time.perf_counter() - began) / STEPS * 1000)
print(f"{kind}, batch {batch_size}, {platform.machine()} with {os.cpu_count()} cores, median of {ROUNDS} epochs")
for name, measured in milliseconds.items():
    print(f"{name:10} {statistics.median(measured):7.2f} ms a step")
pairs = zip(*milliseconds.values(), strict=True)
print(f"ratio      {statistics.median(fit / loop for fit, loop in pairs):7.2f}")
