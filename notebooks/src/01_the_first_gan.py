# %% [markdown]
# # The first GAN
#
# **What you will see:** two small networks that compete with each other until one of them draws digits. First you see
# the algorithm written by hand, in a dozen lines. Then `kgan.GAN` and `model.fit` do the same and give the same
# numbers. At the end, `kgan.train` does all of it in one line, and digits appear out of noise while you watch.
#
# **How long it takes:** 10 to 15 minutes to read, about two minutes to run on two CPU cores, offline.
#
# The algorithm comes from Goodfellow et al., *Generative Adversarial Nets* (2014). The experiment comes from Ding, Shao
# and Ren, *Image Generative Models by GANs and DCGANs*, here with smaller digits.

# %%
import os
import shutil

import kgan
from kgan import data, latent, networks, plots  # first, since they start TensorFlow quietly
import keras
import numpy as np
import tensorflow as tf

SMALL = os.environ.get("KGAN_NOTEBOOKS") == "small"  # for a quick run of the whole notebook
DATA = "digits"  # or "mnist": 60,000 images, downloaded once; then 5 epochs will do
EPOCHS = 2 if SMALL else 150
BATCH = 32
CODE = 100  # units of a code

# %% [markdown]
# ## Real images
#
# These are the 1,797 handwritten digits of scikit-learn, brought to 28 × 28 pixels in the same way as the digits of
# MNIST. Pixels are numbers from -1 (black) to 1 (white), because a generator that ends in tanh outputs numbers from -1
# to 1.

# %%
images = data.load(DATA)
print(images.shape, images.dtype, images.min(), images.max())
plots.image_grid(images[:24], columns=12)

# %% [markdown]
# ## Two networks
#
# The **generator** $G$ takes a *code* $z$, 100 random numbers, and makes an image from it. The **discriminator** $D$
# takes an image and says how probable it is that the image is real. The paper compares the two to counterfeiters and
# the police. Each network is a multilayer perceptron with one hidden layer:


# %%
def two_networks():
    generator = networks.dense_generator((28, 28, 1), latent_dim=CODE, hidden_units=256, seed=0)
    discriminator = networks.dense_discriminator((28, 28, 1), hidden_units=256, seed=0)
    return generator, discriminator


generator, discriminator = two_networks()
for network in (generator, discriminator):
    print(network.name)
    for row in networks.layer_table(network):
        print(f"   {row.layer:28} → {row.shape!s:12} {row.parameters:9,} parameters")

# %% [markdown]
# The generator is not trained yet, so this is what it draws:

# %%
codes = latent.sample_codes(12, CODE, seed=0)
plots.image_grid(generator(codes).numpy(), columns=12)

# %% [markdown]
# ## Algorithm 1, by hand
#
# Both networks share one *value function*. The discriminator tries to make it high, and the generator tries to make it
# low:
#
# $$\min_G \max_D V(D, G) = \mathbb{E}_{x \sim p_{data}}[\log D(x)] + \mathbb{E}_{z \sim p_z}[\log(1 - D(G(z)))]$$
#
# They take turns. The discriminator changes its weights $\theta_d$ to increase $V$ (gradient ascent), then the
# generator changes its weights $\theta_g$ to decrease $V$ (gradient descent). The two gradients are
#
# $$\nabla_{\theta_d} \frac{1}{m} \sum_{i=1}^m \left[\log D(x^{(i)}) + \log(1 - D(G(z^{(i)})))\right]
# \qquad
# \nabla_{\theta_g} \frac{1}{m} \sum_{i=1}^m \log(1 - D(G(z^{(i)})))$$
#
# kgan's discriminators output *logits*: the probability is the sigmoid of the logit. Here is Algorithm 1, with one
# discriminator step before each generator step:


# %%
def new_optimizer(network):
    optimizer = keras.optimizers.Adam(2e-4, beta_1=0.5)
    optimizer.build(network.trainable_weights)
    return optimizer


d_optimizer, g_optimizer = new_optimizer(discriminator), new_optimizer(generator)


def D(x):
    return tf.sigmoid(discriminator(x))


@tf.function
def algorithm_1(x, step):
    z = latent.sample_codes(BATCH, CODE, seed=(0, step, 0, 0))
    with tf.GradientTape() as tape:
        d_loss = -tf.reduce_mean(tf.math.log(D(x)) + tf.math.log(1 - D(generator(z))))
    gradients = tape.gradient(d_loss, discriminator.trainable_weights)
    d_optimizer.apply(gradients, discriminator.trainable_weights)

    z = latent.sample_codes(BATCH, CODE, seed=(0, step, 0, 1))
    with tf.GradientTape() as tape:
        g_loss = tf.reduce_mean(tf.math.log(1 - D(generator(z))))
    gradients = tape.gradient(g_loss, generator.trainable_weights)
    g_optimizer.apply(gradients, generator.trainable_weights)
    return d_loss, g_loss


# %% [markdown]
# `seed=(0, step, 0, 0)` says which codes to draw: the seed, the training step, the purpose (0 is codes) and the draw
# within the step. The same four numbers always give the same codes. `data.batches` shuffles the images by seed and
# epoch in the same way. So you can compare this version with the version that uses `model.fit`, below.
#
# Train for two epochs:

# %%
steps_per_epoch = len(images) // BATCH
by_hand = []
for step, x in enumerate(data.batches(images, BATCH, seed=0).take(2 * steps_per_epoch)):
    by_hand.append([float(loss) for loss in algorithm_1(x, tf.constant(step))])
by_hand = np.reshape(by_hand, (2, steps_per_epoch, 2)).mean(axis=1)
for epoch, (d_loss, g_loss) in enumerate(by_hand, start=1):
    print(f"epoch {epoch}: d_loss {d_loss:.4f}   g_loss {g_loss:.4f}")

# %% [markdown]
# ## The same, with `model.fit`
#
# `kgan.GAN` is a Keras model whose training step is Algorithm 1. It takes the two networks. `compile` takes an
# optimizer for each network (by default Adam, as above) and the loss.

# %%
model = kgan.GAN(*two_networks())
model.compile(loss="minimax")
history = model.fit(images, batch_size=BATCH, epochs=2, verbose=0).history
for epoch, (d_loss, g_loss) in enumerate(zip(history["d_loss"], history["g_loss"], strict=True), start=1):
    print(f"epoch {epoch}: d_loss {d_loss:.4f}   g_loss {g_loss:.4f}")

with_fit = np.transpose([history["d_loss"], history["g_loss"]])
assert np.allclose(by_hand, with_fit, atol=1e-3)

# %% [markdown]
# The numbers are the same. From now on `fit` does the work, and you know what it does. The code above is `train_step`
# in `kgan/gan.py`, which is hardly longer.
#
# ## Watch it learn
#
# A *recipe* is all of this under one name: data, networks, loss, optimizers, and how long to train. The recipe
# `gan-digits` has the settings that you see above. `kgan.train` builds its model, calls `fit`, and writes samples,
# curves and the model into a directory. Meanwhile it redraws one figure in place. The figure shows the curves, and
# samples of the same 64 codes each time.

# %%
shutil.rmtree("runs/first-gan", ignore_errors=True)  # kgan never overwrites a run; now this cell can run twice
run = kgan.train("gan-digits", data=DATA, epochs=EPOCHS, sample_every=max(1, EPOCHS // 25), out="runs/first-gan")

# %% [markdown]
# The upper panel shows the losses. Do not expect a loss that goes down as in a classifier: each network's loss depends
# on how good the *other* network has become. The lower panel shows which probability of being real the discriminator
# gives to real images and to fakes. A discriminator that cannot tell real from fake gives 0.5 to both. The theory of
# the paper says that the game ends there, in its equilibrium. In practice the discriminator stays a little ahead: it
# gives real images more than 0.5 and fakes less.

# %%
last = {name: values[-1] for name, values in run.history.items()}
print(f"in the last epoch D gives real images {last['d_real']:.2f} and fakes {last['d_fake']:.2f}")
print(f"d_loss is {last['d_loss']:.2f}: it would be {2 * np.log(2):.2f} if D could not tell them apart")
print(f"g_loss is {last['g_loss']:.2f}: it would be {-np.log(2):.2f}")

# %% [markdown]
# A run shows its GIF, from the first epoch to the last:

# %%
run

# %% [markdown]
# First there is noise, then blobs in the middle, where digits are, then strokes. A dense network does not know which
# pixels are neighbors. The result shows this: the strokes are speckled. (The networks of the [next
# notebook](02_dcgan.ipynb) know which pixels are neighbors.)
#
# ## Has the generator memorized the digits?
#
# The generator never sees a real digit. It learns about digits only through the gradient of the discriminator. Can its
# digits still be copies of real images? Here are eight fakes of the trained model, `run.model`, and below each fake the
# real image that is nearest to it:

# %%
fakes = run.model.generate(8, seed=1)
distances = np.linalg.norm((fakes[:, None] - images[None, :2000]).reshape(8, -1, 28 * 28), axis=2)
plots.image_grid(np.concatenate([fakes, images[distances.argmin(axis=1)]]), columns=8)

# %% [markdown]
# Where the two images of a pair are similar, look at the strokes: a copy would be the same pixel for pixel. (Eight
# fakes are not many: look at more.)
#
# ## Questions to think about
#
# 1. The optimal discriminator gives $D(x) = p_{data}(x) / (p_{data}(x) + p_g(x))$. What does it give where real and
#    fake images are equally likely, and what are `d_loss` and `g_loss` then?
# 2. Early in training the discriminator is certain that fakes are fake: $D(G(z)) \approx 0$. How steep is
#    $\log(1 - D(G(z)))$ there, and how steep is $-\log D(G(z))$?
# 3. What would happen if the generator found one image that the discriminator always takes for real?
#
# <details><summary>Answers</summary>
#
# 1. $1/2$; `d_loss` is $2 \ln 2 \approx 1.386$ and `g_loss` is $-\ln 2 \approx -0.693$.
# 2. As functions of the logit, $\log(1 - D)$ has slope $-D \approx 0$: the generator hardly learns when it is at its
#    worst. $-\log D$ has slope $-(1 - D) \approx -1$. That is why `loss="non_saturating"` exists.
# 3. The generator would draw only that image, until the discriminator learned to recognize it. This is called *mode
#    collapse*.
#
# </details>
#
# ## Exercises
#
# 1. Train with the non-saturating loss. Are the losses the same? Are the digits the same?
#
# <details><summary>Solution</summary>
#
# Every setting of a recipe is an argument of `kgan.train`:
#
# ```python
# kgan.train("gan-digits", epochs=EPOCHS, loss="non_saturating", out="runs/non-saturating")
# ```
#
# `g_loss` is now $-\log D(G(z))$, which is positive. The digits are much the same, because in this run the
# discriminator never becomes certain. (With other settings it can become certain: see [Reading the
# curves](03_reading_the_curves.ipynb).)
#
# </details>
#
# 2. Let the discriminator take three steps for each step of the generator, this time with `fit`: `kgan.GAN(...,
#    d_steps=3)`. Each batch that `fit` gets then holds three minibatches.
#
# <details><summary>Solution</summary>
#
# ```python
# model = kgan.GAN(*two_networks(), d_steps=3)
# model.compile(loss="minimax")
# model.fit(images, batch_size=3 * BATCH, epochs=EPOCHS, callbacks=[kgan.callbacks.LivePlot()])
# ```
#
# An epoch now has a third of the generator's steps. Compare after equal numbers of steps, not of epochs.
#
# </details>
#
# 3. Algorithm 1 is not limited to images. Train a GAN on points in the plane that form eight clusters on a ring.
#
# <details><summary>Solution</summary>
#
# ```python
# angles = np.random.randint(8, size=4096) * np.pi / 4
# points = np.stack([np.cos(angles), np.sin(angles)], axis=1) + np.random.normal(scale=0.05, size=(4096, 2))
# generator = networks.dense_generator((2,), latent_dim=8, activation="linear")
# model = kgan.GAN(generator, networks.dense_discriminator((2,)))
# model.compile(keras.optimizers.Adam(1e-3, beta_1=0.5), keras.optimizers.Adam(1e-3, beta_1=0.5))
# model.fit(points.astype("float32"), batch_size=256, epochs=150, verbose=0)
#
# import matplotlib.pyplot as plt
#
# plt.scatter(*model.generate(1000).T, s=2)
# ```
#
# </details>
#
# ## What to try next
#
# - The next notebook, [DCGAN](02_dcgan.ipynb): networks that know which pixels are neighbors.
# - Read `kgan/gan.py`: Algorithm 1 in the package.
# - Set `DATA = "mnist"` above, or call `kgan.train("gan-mnist")`, which trains this GAN on MNIST for 100 epochs, as in
#   the paper. On the command line it is `kgan train gan-mnist`.
