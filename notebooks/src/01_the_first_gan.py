# %% [markdown]
# # The first GAN
#
# **What you will see:** two small networks that play against each other until one of them draws digits. First the
# algorithm by hand, in a dozen lines; then the same with `kgan.GAN` and `model.fit`, giving the same numbers; then
# digits that grow out of noise while you watch.
#
# **How long it takes:** 10 to 15 minutes to read, about two minutes to run on two CPU cores, offline.
#
# The algorithm is that of Goodfellow et al., *Generative Adversarial Nets* (2014). The experiment is that of Ding,
# Shao and Ren, *Image Generative Models by GANs and DCGANs*, on smaller digits.

# %%
import os

import kgan
from kgan import callbacks, data, latent, networks, plots  # first, since they start TensorFlow quietly
import keras
import numpy as np
import tensorflow as tf
from IPython.display import Image

SMALL = os.environ.get("KGAN_NOTEBOOKS") == "small"  # for a quick run of the whole notebook
DATA = "digits"  # or "mnist": 60,000 images, downloaded once; then 5 epochs will do
EPOCHS = 2 if SMALL else 150
BATCH = 32
CODE = 100  # units of a code

# %% [markdown]
# ## Real images
#
# scikit-learn's 1,797 handwritten digits, brought to 28 × 28 pixels as MNIST was. Images are numbers from -1 (black) to
# 1 (white), because a generator that ends in tanh makes numbers from -1 to 1.

# %%
images = data.load(DATA)
print(images.shape, images.dtype, images.min(), images.max())
plots.image_grid(images[:24], columns=12)

# %% [markdown]
# ## Two networks
#
# The **generator** $G$ takes a *code* $z$, 100 random numbers, and makes an image of it. The **discriminator** $D$
# takes an image and says how probable it is that the image is real. Counterfeiters and police, in the words of the
# paper. Each is a multilayer perceptron with one hidden layer:


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
# Nobody has taught the generator anything yet, so this is what it draws:

# %%
codes = latent.sample_codes(12, CODE, seed=0)
plots.image_grid(generator(codes).numpy(), columns=12)

# %% [markdown]
# ## Algorithm 1, by hand
#
# Both play for the same *value function*, which the discriminator wants high and the generator low:
#
# $$\min_G \max_D V(D, G) = \mathbb{E}_{x \sim p_{data}}[\log D(x)] + \mathbb{E}_{z \sim p_z}[\log(1 - D(G(z)))]$$
#
# They take turns. The discriminator climbs on $V$ by its own weights $\theta_d$, then the generator descends by its
# own, $\theta_g$:
#
# $$\nabla_{\theta_d} \frac{1}{m} \sum_{i=1}^m \left[\log D(x^{(i)}) + \log(1 - D(G(z^{(i)})))\right]
# \qquad
# \nabla_{\theta_g} \frac{1}{m} \sum_{i=1}^m \log(1 - D(G(z^{(i)})))$$
#
# kgan's discriminators end in *logits*: the probability is the sigmoid of the logit. Here is Algorithm 1, with one
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
# epoch in the same way. That is why the two versions can be compared.
#
# Two epochs:

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
# `kgan.GAN` is a Keras model whose training step is Algorithm 1. It takes two networks; `compile` takes an optimizer
# for each (Adam, as above, unless told otherwise) and the loss.

# %%
model = kgan.GAN(*two_networks())
model.compile(loss="minimax")
history = model.fit(images, batch_size=BATCH, epochs=2, verbose=0).history
for epoch, (d_loss, g_loss) in enumerate(zip(history["d_loss"], history["g_loss"], strict=True), start=1):
    print(f"epoch {epoch}: d_loss {d_loss:.4f}   g_loss {g_loss:.4f}")

with_fit = np.transpose([history["d_loss"], history["g_loss"]])
assert np.allclose(by_hand, with_fit, atol=1e-3)

# %% [markdown]
# The same numbers. From now on `fit` does the work, and you know what it does. The code you have just read is
# `train_step` in `kgan/gan.py`, which is hardly longer.
#
# ## Watch it learn
#
# Callbacks draw while `fit` trains. `LivePlot` redraws one figure in place: samples of the same 64 codes each time, and
# curves. `EpochGIF` writes a GIF, a frame for every few epochs. (`steps_per_execution` starts several of these very
# short steps at once, which is quicker and changes no number.)

# %%
model = kgan.GAN(*two_networks())
model.compile(loss="minimax", steps_per_execution=8)
gif = callbacks.EpochGIF("runs/first-gan.gif", every=max(1, EPOCHS // 25), rows=3, columns=8)
history = model.fit(images, batch_size=BATCH, epochs=EPOCHS, callbacks=[callbacks.LivePlot(), gif]).history

# %% [markdown]
# The upper curves are the losses. Do not look for a loss that goes down as in a classifier: each network's loss depends
# on how good the *other* has become. Look at the lower panel. A discriminator that cannot tell real from fake says 0.5
# to both, and the theory of the paper says that this is where the game ends. In practice it stays a little ahead: above
# 0.5 for real images, below for fakes.

# %%
last = {name: values[-1] for name, values in history.items()}
print(f"in the last epoch D gives real images {last['d_real']:.2f} and fakes {last['d_fake']:.2f}")
print(f"d_loss is {last['d_loss']:.2f}: it would be {2 * np.log(2):.2f} if D could not tell them apart")
print(f"g_loss is {last['g_loss']:.2f}: it would be {-np.log(2):.2f}")

# %% [markdown]
# And the GIF, from the first epoch to the last:

# %%
Image("runs/first-gan.gif")

# %% [markdown]
# Noise first, then blobs in the middle where digits are, then strokes. A dense network does not know which pixels are
# neighbors, and it shows: the strokes are speckled. (The networks of the [next notebook](02_dcgan.ipynb) do.)
#
# ## Has it memorized them?
#
# The generator has never seen a digit. It knows them only from what the discriminator objected to. So are its digits
# copies all the same? Here are eight fakes, and below each the real image that is nearest to it:

# %%
fakes = model.generate(8, seed=1)
distances = np.linalg.norm((fakes[:, None] - images[None, :2000]).reshape(8, -1, 28 * 28), axis=2)
plots.image_grid(np.concatenate([fakes, images[distances.argmin(axis=1)]]), columns=8)

# %% [markdown]
# Where a pair is alike, look at the strokes: a copy would be the same pixel for pixel. (Eight are not many: look at
# more.)
#
# ## Questions to think about
#
# 1. At its very best the discriminator gives $D(x) = p_{data}(x) / (p_{data}(x) + p_g(x))$. What does it give where
#    real and fake images are equally likely, and what are `d_loss` and `g_loss` then?
# 2. Early on the discriminator is certain that fakes are fake: $D(G(z)) \approx 0$. How steep is $\log(1 - D(G(z)))$
#    there, and how steep is $-\log D(G(z))$?
# 3. What would happen if the generator found one image that the discriminator always takes for real?
#
# <details><summary>Answers</summary>
#
# 1. $1/2$; `d_loss` is $2 \ln 2 \approx 1.386$ and `g_loss` is $-\ln 2 \approx -0.693$.
# 2. As functions of the logit, $\log(1 - D)$ has slope $-D \approx 0$: the generator hardly learns when it is worst.
#    $-\log D$ has slope $-(1 - D) \approx -1$. That is why `loss="non_saturating"` exists.
# 3. It would draw only that image, until the discriminator caught on: *mode collapse*.
#
# </details>
#
# ## Exercises
#
# 1. Train with the non-saturating loss. Are the losses the same? Are the digits?
#
# <details><summary>Solution</summary>
#
# ```python
# model = kgan.GAN(*two_networks())
# model.compile(loss="non_saturating", steps_per_execution=8)
# model.fit(images, batch_size=BATCH, epochs=EPOCHS, callbacks=[callbacks.LivePlot()])
# ```
#
# `g_loss` is $-\log D(G(z))$ now, and positive; the digits are much the same, because
# in this run the discriminator never becomes certain. (It can, with other settings: see
# [Reading the curves](03_reading_the_curves.ipynb).)
#
# </details>
#
# 2. Give the discriminator three steps for each of the generator: `kgan.GAN(..., d_steps=3)`. The batch that `fit`
#    gets holds three minibatches then.
#
# <details><summary>Solution</summary>
#
# ```python
# model = kgan.GAN(*two_networks(), d_steps=3)
# model.compile()
# model.fit(images, batch_size=3 * BATCH, epochs=EPOCHS, callbacks=[callbacks.LivePlot()])
# ```
#
# An epoch has a third of the generator's steps now: compare at equal steps, not at equal epochs.
#
# </details>
#
# 3. Nothing in Algorithm 1 speaks of images. Train a GAN on points in the plane, eight clusters on a ring.
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
# - `DATA = "mnist"` above, or `kgan train gan-mnist`, which trains this GAN on MNIST for 100 epochs, as in the paper.
