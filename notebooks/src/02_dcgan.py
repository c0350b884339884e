# %% [markdown]
# # DCGAN, layer by layer
#
# **What you will see:** what a transposed convolution is, written as a matrix; the two networks of a DCGAN, with the
# shape of every layer; and how one code becomes an image, layer by layer. You also compare a DCGAN with the dense GAN
# of the [first notebook](01_the_first_gan.ipynb), which trains for twice as many epochs: which digits are better, which
# model takes more work, and whether either model leaves some digits out.
#
# **How long it takes:** 15 to 20 minutes to read, about three minutes to run on two CPU cores, offline.
#
# The networks come from Radford, Metz and Chintala, *Unsupervised Representation Learning with Deep Convolutional
# Generative Adversarial Networks* (2016). Two reports compare the two models: Ding, Shao and Ren, *Image Generative
# Models by GANs and DCGANs*, and a laboratory report on GANs and DCGANs in TensorFlow with CUDA.

# %%
import os
import time

import kgan
from kgan import callbacks, data, networks, plots  # first, since they start TensorFlow quietly
import keras
import numpy as np
from IPython.display import display
from PIL import Image

SMALL = os.environ.get("KGAN_NOTEBOOKS") == "small"  # for a quick run of the whole notebook
DATA = "digits"  # or "mnist": 60,000 images, downloaded once; then 10 and 5 epochs will do
GAN_EPOCHS, DCGAN_EPOCHS = (2, 1) if SMALL else (100, 50)  # as Ding, Shao and Ren trained
BATCH = 32
FILTERS = 8 if SMALL else 32

real = data.load_labeled(DATA)
images = data.from_uint8(real.images)
plots.image_grid(images[:24], columns=12)

# %% [markdown]
# ## A convolution that shrinks
#
# A dense layer connects every pixel to every unit. A **convolution** slides one small window of weights (the *kernel*)
# over the image and applies the same weights everywhere. So it responds to a stroke in the same way wherever the stroke
# is, and it needs few weights. With a *stride* of 2 the window moves two pixels at a time and halves the size. For a
# line of 8 pixels and a window $(w_1, w_2, w_3, w_4)$:
#
# $$y_i = w_1 x_{2i-1} + w_2 x_{2i} + w_3 x_{2i+1} + w_4 x_{2i+2}
# \qquad \text{or} \qquad y = C x, \quad C \in \mathbb{R}^{4 \times 8}$$
#
# Each row of $C$ is the window, two places further to the right than in the row above (and cut off at the edges):

# %%
window = np.array([1.0, 2.0, 3.0, 4.0])
C = np.zeros((4, 8))
for i in range(4):
    for k, weight in enumerate(window):
        if 0 <= 2 * i - 1 + k < 8:
            C[i, 2 * i - 1 + k] = weight
print(C.astype(int))

# %% [markdown]
# ## A convolution that grows
#
# The generator must go the other way, from 4 numbers to 8. Transpose the matrix: $C^\top$ takes 4 numbers and gives 8.
# This is all that a **transposed convolution** is. Each of the 4 numbers puts a copy of the window, multiplied by this
# number, into the larger line, two places further to the right than the copy before. Where copies overlap, they add up.
# (A transposed convolution is not an inverse: $C^\top C x$ is not $x$.) The layers of Keras do exactly this:

# %%
x, y = np.arange(8.0), np.array([1.0, 0.0, -1.0, 2.0])
shrink = keras.layers.Conv1D(1, 4, strides=2, padding="same", use_bias=False)
grow = keras.layers.Conv1DTranspose(1, 4, strides=2, padding="same", use_bias=False)
for layer, line in ((shrink, x), (grow, y)):
    layer.build((None, len(line), 1))
    layer.set_weights([window.reshape(4, 1, 1)])

print("C x  ", C @ x, "  Conv1D         ", shrink(x.reshape(1, 8, 1)).numpy().ravel())
print("Cᵀ y ", C.T @ y)
print("                           Conv1DTranspose", grow(y.reshape(1, 4, 1)).numpy().ravel())
assert np.allclose(C @ x, shrink(x.reshape(1, 8, 1)).numpy().ravel())
assert np.allclose(C.T @ y, grow(y.reshape(1, 4, 1)).numpy().ravel())

# %% [markdown]
# ## The two networks
#
# Radford et al. give these rules: strided convolutions instead of pooling; batch normalization everywhere except next
# to the image; ReLU in the generator and tanh at its end; leaky ReLU in the discriminator; all weights drawn from
# $N(0, 0.02^2)$.
#
# Batch normalization sets the mean of each channel over the batch to 0 and its variance to 1. Then it scales the
# channel by $\gamma$ and shifts it by $\beta$, two numbers that the layer learns. This keeps signals from fading over
# many layers:
#
# $$\hat{x} = \gamma \frac{x - \mu_{batch}}{\sqrt{\sigma_{batch}^2 + \epsilon}} + \beta$$

# %%
dcgan = kgan.DCGAN(image_shape=images.shape[1:], filters=FILTERS, seed=0)
for network in (dcgan.generator, dcgan.discriminator):
    print(network.name)
    for row in networks.layer_table(network):
        shape = " × ".join(str(size) for size in row.shape)
        print(f"   {row.layer:58} → {shape:12} {row.parameters:9,} parameters")
    print()

# %% [markdown]
# Read the generator's shapes from the top. A code becomes a stack of many small maps, 7 × 7 each. Then each transposed
# convolution doubles the height and the width and reduces the number of channels. At the end one channel is left, the
# image. The discriminator goes the other way, 28 → 14 → 7, and ends in one number, the logit.
#
# Where are most of the weights? In the generator they are in the dense layer, which connects the 100 units of a code to
# all 7 × 7 × channels values of the stack. The convolutions need few weights.
#
# ## Train both
#
# The GAN trains for 100 epochs and the DCGAN for half as many, as Ding, Shao and Ren did. To compare the work that each
# model takes, the code counts processor seconds, which depend little on what else the computer does.


# %%
def train(model, epochs, name, **compile_arguments):
    model.compile(**compile_arguments)
    began = time.process_time()
    pictures = [callbacks.LivePlot(), callbacks.ChosenEpochs(f"runs/{name}.png", (1, 10, 50, 100), rows=4, columns=4)]
    model.fit(images, batch_size=BATCH, epochs=epochs, callbacks=pictures)
    return time.process_time() - began


shape = images.shape[1:]
gan = kgan.GAN(
    networks.dense_generator(shape, latent_dim=100, hidden_units=256, seed=0),
    networks.dense_discriminator(shape, hidden_units=256, seed=0),
)
gan_seconds = train(gan, GAN_EPOCHS, "gan", loss="minimax", steps_per_execution=8)

# %%
dcgan_seconds = train(dcgan, DCGAN_EPOCHS, "dcgan")

# %% [markdown]
# The laboratory report shows samples of both models at epochs 1, 10, 50 and 100. Here are the same epochs, up to the
# last epoch of each model: the GAN above, the DCGAN below:

# %%
plots.stacked([Image.open("runs/gan.png"), Image.open("runs/dcgan.png")])

# %% [markdown]
# ## Is the DCGAN better?
#
# Here are samples of both models, not cherry-picked, and real images on the right:

# %%
samples = {"GAN": gan.generate(1000, seed=1), "DCGAN": dcgan.generate(1000, seed=1), "real": images[:1000]}
plots.side_by_side([plots.image_grid(each[:36], 6, zoom=1) for each in samples.values()], list(samples))

# %% [markdown]
# Ding, Shao and Ren see "clearer edges". Where edges are clear, neighboring pixels are nearly equal except for a few
# jumps. So you can measure *speckle*, the mean difference between a pixel and the pixel to its right:
#
# $$s = \frac{1}{N} \sum |x_{i, j+1} - x_{i, j}|$$
#
# How far are the samples from real images as a whole? kgan measures the *Fréchet distance* (Heusel et al., 2017). A
# small classifier, trained on the real digits, describes each image by 128 numbers, its features. The distance compares
# the means and the covariances of these features. Smaller is better. Two halves of the real images give the baseline.

# %%
extractor = kgan.quality.classifier(real)
described = {name: extractor.features(each) for name, each in samples.items()}
half = len(images) // 2
others = extractor.features(images[half : half + 797])
print(extractor.name)
print("        speckle   Fréchet distance")
for name, each in samples.items():
    speckle = np.abs(np.diff(each, axis=2)).mean()
    print(f"{name:6} {speckle:8.3f} {kgan.quality.frechet_distance(others, described[name][:797]):12.0f}")

# %% [markdown]
# The row of the real images is the best result that you can expect. Which of the two models is nearer to it, in each
# column? And how much more work does it take?

# %%
steps = {"GAN": GAN_EPOCHS, "DCGAN": DCGAN_EPOCHS}
for name, seconds in (("GAN", gan_seconds), ("DCGAN", dcgan_seconds)):
    milliseconds = 1000 * seconds / (steps[name] * (len(images) // BATCH))
    print(f"{name:6} {seconds:6.0f} processor seconds, {milliseconds:5.1f} milliseconds a step")

# %% [markdown]
# The laboratory report finds the same: the GAN trains faster, and the DCGAN draws better digits.
#
# ## Does the DCGAN leave digits out?
#
# The report also finds that its DCGAN drew only the digits 3, 5 and 8. Our classifier can count how often each model
# draws each digit. (The classifier assigns a class to every image, even to one that is not a digit, so read small
# fractions with care.)

# %%
print("digit  " + "".join(f"{name:>6}" for name in real.names))
for name, each in samples.items():
    frequencies = np.bincount(extractor.probabilities(each).argmax(axis=1), minlength=len(real.names)) / len(each)
    print(f"{name:6} " + "".join(f"{each:6.0%}" for each in frequencies))

# %% [markdown]
# Look at the DCGAN's row. Is a digit missing? Are only three digits left? A collapse as in the report may happen with
# other settings or with another seed: a result of one run is true only for that run.
#
# ## One code, layer by layer
#
# What do the layers of the trained generator do? The pictures show what one code becomes after each layer: the first
# eight channels of each stack of maps (dark is small, bright is large), and at the end the image:

# %%
kinds = keras.layers.ReLU, keras.layers.Activation
stages = [layer.output for layer in dcgan.generator.layers if isinstance(layer, kinds)]
maps = keras.Model(dcgan.generator.inputs, stages)(dcgan.sample_codes(1, seed=3))
for stage in maps[:-1]:
    stage = np.transpose(stage.numpy(), (3, 1, 2, 0))[:8]
    low, high = stage.min(axis=(1, 2, 3), keepdims=True), stage.max(axis=(1, 2, 3), keepdims=True)
    print(" × ".join(str(size) for size in stage.shape[1:3]))
    display(plots.image_grid(2 * (stage - low) / (high - low + 1e-6) - 1, columns=8, zoom=56 // stage.shape[1]))
print(" × ".join(str(size) for size in maps[-1].shape[1:3]))
plots.image_grid(maps[-1].numpy(), columns=1)

# %% [markdown]
# First there is a rough plan of where the ink will be, then there are parts of strokes, then the digit.
#
# ## Questions to think about
#
# 1. How many weights does a dense layer have from a 14 × 14 × 32 stack to a 28 × 28 × 1 image? How many weights does a
#    transposed convolution with a 4 × 4 window have?
# 2. With a window of 5 and a stride of 2, how many copies of the window overlap on each pixel of the larger line? How
#    many with a window of 4? Which of the two windows leaves a checkerboard pattern?
# 3. Why is there no batch normalization at the generator's end, and none at the discriminator's beginning?
#
# <details><summary>Answers</summary>
#
# 1. $14 \cdot 14 \cdot 32 \cdot 28 \cdot 28 \approx 4.9$ million, and $4 \cdot 4 \cdot 32 = 512$ (plus a few biases in
#    each layer).
# 2. With a window of 5 it is 3 and 2 in turn; with a window of 4 it is 2 everywhere except at the edges. A window of 5
#    can leave a checkerboard, so kgan's default is 4.
# 3. It would fix the mean and the variance of the *images*: the generator could not choose how much ink there is, and
#    the discriminator could not see how much there is.
#
# </details>
#
# ## Exercises
#
# 1. Replace the transposed convolutions by "repeat each pixel 2 × 2, then convolve", as Stiff, von Keyserlingk and
#    Stuart do (*Image Generation Using Deep Convolutional Generative Adversarial Networks*). What happens to the
#    shapes?
#
# <details><summary>Solution</summary>
#
# ```python
# model = kgan.DCGAN(shape, filters=FILTERS, upsampling="nearest", activation="leaky_relu")
# for row in networks.layer_table(model.generator):
#     print(row)
# model.compile()
# model.fit(images, batch_size=BATCH, epochs=DCGAN_EPOCHS, callbacks=[callbacks.LivePlot()])
# ```
#
# The doubling and the convolution now have a row each. A step takes longer, because the window slides over the larger
# image.
#
# </details>
#
# 2. Remove batch normalization (`norm="none"`). How do the curves change?
#
# <details><summary>Solution</summary>
#
# ```python
# model = kgan.DCGAN(shape, filters=FILTERS, norm="none")
# model.compile()
# model.fit(images, batch_size=BATCH, epochs=DCGAN_EPOCHS, callbacks=[callbacks.LivePlot()])
# ```
#
# </details>
#
# 3. The report says that the DCGAN needs fewer steps than the GAN. Give the DCGAN only as many processor seconds as the
#    GAN had. Which model is better then?
#
# <details><summary>Solution</summary>
#
# ```python
# epochs = max(1, round(DCGAN_EPOCHS * gan_seconds / dcgan_seconds))
# model = kgan.DCGAN(shape, filters=FILTERS)
# train(model, epochs, "short")
# kgan.quality.frechet_distance(others, extractor.features(model.generate(797, seed=1)))
# ```
#
# </details>
#
# ## What to try next
#
# - [Reading the curves](03_reading_the_curves.ipynb): how training goes wrong, and how you can see it.
# - `kgan recipes dcgan-mnist` draws the networks of the recipe, layer by layer; `kgan train dcgan-mnist` trains them.
# - Read `kgan/networks.py`.
