# %% [markdown]
# # Reading the curves
#
# **What you will see:** a healthy run, and a small zoo of sick ones: for each its curves, its samples, what the
# *doctor* says, and what helps. Then one run for you to diagnose.
#
# **How long it takes:** 15 to 20 minutes to read, about three minutes to run on two CPU cores, offline.
#
# What goes wrong is described by Goodfellow et al., *Generative Adversarial Nets* (2014), and by Stiff, von Keyserlingk
# and Stuart, *Image Generation Using Deep Convolutional Generative Adversarial Networks*, section 5.2.

# %%
import os

import kgan
from kgan import callbacks, data, networks  # first, since they start TensorFlow quietly
import keras

SMALL = os.environ.get("KGAN_NOTEBOOKS") == "small"  # for a quick run of the whole notebook
DATA = "digits"  # or "mnist": 60,000 images, downloaded once; then a tenth of the epochs will do
images = data.load(DATA)

# %% [markdown]
# ## What the curves are
#
# With the non-saturating loss the two networks descend
#
# $$L_D = -\,\mathbb{E}[\log D(x)] - \mathbb{E}[\log(1 - D(G(z)))] \qquad L_G = -\,\mathbb{E}[\log D(G(z))]$$
#
# | | upper panel | lower panel |
# | --- | --- | --- |
# | blue | $L_D$, `d_loss` | mean $D(x)$, `d_real` |
# | orange | $L_G$, `g_loss` | mean $D(G(z))$, `d_fake` |
# | the end of the game | $2 \ln 2 \approx 1.39$ and $\ln 2 \approx 0.69$ | both at 0.5 |
#
# The losses of a GAN do not say how good the images are: they say who is ahead. That is why one looks at samples too,
# and why kgan has a **doctor**. After each epoch it measures what curves do not show: how much fakes differ from one
# another, how much the generator's gradient weighs, how far its images moved. When something has been wrong for a while
# it says so, in one sentence. `LivePlot` sets it under the figure.
#
# Small networks, so that each run takes a few seconds:


# %%
def dense(d_rate=2e-4, g_rate=2e-4, loss="non_saturating", latent_dim=100):
    """The GAN of the first notebook, with learning rates of your choice."""
    model = kgan.GAN(
        networks.dense_generator((28, 28, 1), latent_dim=latent_dim, hidden_units=256, seed=0),
        networks.dense_discriminator((28, 28, 1), hidden_units=256, seed=0),
    )
    compile(model, d_rate, g_rate, loss, steps_per_execution=8)
    return model


def convolutional(d_rate=2e-4, g_rate=2e-4, loss="non_saturating", **network_arguments):
    """A narrow DCGAN, likewise."""
    model = kgan.DCGAN((28, 28, 1), filters=16, **network_arguments)
    compile(model, d_rate, g_rate, loss)
    return model


def compile(model, d_rate, g_rate, loss, **more):
    d_optimizer, g_optimizer = (keras.optimizers.Adam(rate, beta_1=0.5) for rate in (d_rate, g_rate))
    model.compile(d_optimizer, g_optimizer, loss=loss, **more)


def watch(model, epochs):
    """Train with a `Doctor`, and print what it finds."""
    doctor = callbacks.Doctor(images, say=None)  # LivePlot shows what it says
    model.fit(images, batch_size=32, epochs=2 if SMALL else epochs, callbacks=[callbacks.LivePlot(), doctor])
    for finding in doctor.findings:
        print(f"{finding.disease}: since epoch {finding.since}, found in epoch {finding.epoch}")
    return doctor


# %% [markdown]
# ## A healthy run

# %%
healthy = watch(dense(), epochs=100)

# %% [markdown]
# At first the discriminator runs ahead; then the curves settle, and neither network is certain: real images get more
# than 0.5, fakes less, and neither is near 1 or 0. Below the figure stands what the doctor says. There is one rule for
# reading curves: *both still have something to learn from each other*. What follows are the ways in which that ends.
#
# ## The discriminator wins
#
# A discriminator that learns fifty times as fast as usual, against a generator that is slow:

# %%
won = watch(dense(d_rate=1e-2, g_rate=2e-5), epochs=15)

# %% [markdown]
# In the end `d_real` lies at 1 and `d_fake` at 0; `d_loss` is next to nothing, and `g_loss` is high and does not come
# down. A loss that falls to zero is no success here: the generator no longer learns anything from it. The samples are
# far from digits.
#
# **What helps:** a slower discriminator, label smoothing, a narrower discriminator, noise on all images that it sees
# (`augment=[("instance_noise", 0.1)]`), or a gradient penalty (`compile(penalties=[("r1", 1.0)])`).
#
# ## Gradients that vanish
#
# The same mistake with the loss of the paper's Algorithm 1, `loss="minimax"`, hits harder. Its generator descends
# $\mathbb{E}[\log(1 - D(G(z)))]$, and as functions of the logit $a$ of a fake the two losses have the slopes
#
# $$\frac{d}{da} \log(1 - \sigma(a)) = -\sigma(a) \qquad \frac{d}{da}\left(-\log \sigma(a)\right) = -(1 - \sigma(a))$$
#
# Where the discriminator is certain of a fake, $\sigma(a) \approx 0$: the first slope is nothing, the second is all
# there is.

# %%
vanished = watch(convolutional(d_rate=2e-3, loss="minimax"), epochs=6)

# %% [markdown]
# `g_loss`, which is negative with this loss, sticks to 0 from below. In numbers, the norm of the generator's gradient
# after each epoch, and what it would be with the non-saturating loss (the doctor measures both):

# %%
for record in vanished.records:
    print(f"epoch {record.epoch}: {record.gradient_norm:.2g}, non-saturating {record.ns_gradient_norm:.2g}")

# %% [markdown]
# **What helps:** `loss="non_saturating"`, which is kgan's default for that reason.
#
# ## The generator wins
#
# It can go the other way. "Entirely certain that all are genuine" is how Stiff, von Keyserlingk and Stuart describe a
# discriminator that takes every fake for real. Here it hardly learns, and the generator learns quickly:

# %%
generator_won = watch(dense(d_rate=2e-6, g_rate=5e-3), epochs=6)

# %% [markdown]
# The lines of the lower panel have changed places: the orange one is at 1. `g_loss` is near 0. And the samples? They
# need not be digits. They only have to pass this discriminator.
#
# **What helps:** a quicker discriminator or a slower generator.
#
# ## Neither wins
#
# Both fifty times too fast. Each overshoots what the other has just done:

# %%
oscillating = watch(dense(d_rate=1e-2, g_rate=1e-2), epochs=30)

# %% [markdown]
# **The curves look better than the healthy ones**, and digits come sooner. But these curves are means over all steps of
# an epoch, and a mean of swings is calm. The doctor looks at the end of each epoch: what does the discriminator say of
# fakes *at that moment*?

# %%
print(" ".join(f"{record.d_fake_eval:.2f}" for record in oscillating.records[-20:]))
print(" ".join(f"{record.d_fake_eval:.2f}" for record in healthy.records[-20:]), "(healthy)")

# %% [markdown]
# In one epoch it takes them for real, some epochs later it knows them. So it depends on the epoch in which you stop
# what you get.
#
# **What helps:** lower learning rates, and a momentum of 0.5 (`beta_1`) rather than Adam's usual 0.9.
#
# ## Collapse
#
# The generator finds one image, or a few, that pass, and draws them whatever its code is. Here it is forced to: a code
# of a single number has not much to say.

# %%
collapsed = watch(dense(latent_dim=1), epochs=12)

# %% [markdown]
# **The curves do not show it.** Look at them again: next to those of the healthy run they look harmless.
# The samples show it, and a number does: how far is each of 128 fakes from the fake most like it? For real images, for
# the healthy run, for this one:

# %%
for name, record in (("healthy", healthy.records[-1]), ("collapsed", collapsed.records[-1])):
    print(f"{name:10} {record.nearest:.3f}   (real images {record.real_nearest:.3f})")

# %% [markdown]
# **What helps:** longer codes; a slower generator; going back to a checkpoint from before. That is one reason to keep
# some.
#
# ## Running away
#
# Plain gradient descent with a learning rate of 1:

# %%
broken = dense()
broken.compile(keras.optimizers.SGD(1.0), keras.optimizers.SGD(1.0), loss="non_saturating", steps_per_execution=8)
broken = watch(broken, epochs=6)

# %% [markdown]
# Look at the scale of the upper panel. From there it is not far to losses that are not numbers (NaN). A run directory
# is safe from those: `StopOnNaN` ends training at the first, and the last good checkpoint stays.
#
# ## One for you
#
# What is wrong with this run? The learning rate is written so that you do not read it, and the doctor is not asked.
# Look at curves and samples.

# %%
secret = float.fromhex("0x1.ad7f29abcaf48p-24")
patient = dense(d_rate=secret, g_rate=secret)
history = patient.fit(images, batch_size=32, epochs=2 if SMALL else 6, callbacks=[callbacks.LivePlot()])

# %% [markdown]
# <details><summary>Answer</summary>
#
# The curves are flat, as those of a healthy run are at its end, and near 0.5: it is the samples that give it away. They
# are still noise, and they do not move. The learning rates are 1e-7, 2,000 times too small. What would the doctor say?
#
# ```python
# watch(dense(d_rate=secret, g_rate=secret), epochs=6)
# ```
#
# It compares the images of the same codes from one epoch to the next.
#
# </details>
#
# ## Questions to think about
#
# 1. `d_loss` falls steadily towards 0. Your colleague is pleased. Should they be?
# 2. Both losses are constant to three digits. Give two explanations, and a way to find out which is true.
# 3. Which of the diseases above could you *not* find from the four curves alone?
#
# <details><summary>Answers</summary>
#
# 1. No: the discriminator recognizes all fakes, so either the generator has stopped learning or it never began.
# 2. The game has come to rest, or nobody moves (rates too small, gradients gone). Draw the same codes again some epochs
#    later.
# 3. Collapse, learning that has stopped, and swings from one epoch to the next, which the means over an epoch hide.
#    Also missing digits: for those one must look, or count.
#
# </details>
#
# ## Exercises
#
# 1. Cure the first patient. How far must the discriminator's rate go down, if the generator's stays at 2e-5? And what
#    does label smoothing do (`model.compile(..., label_smoothing=0.1)`)?
#
# <details><summary>Solution</summary>
#
# ```python
# for rate in (1e-3, 1e-4, 2e-5):
#     watch(dense(d_rate=rate, g_rate=2e-5), epochs=30)
# ```
#
# With label smoothing `d_real` aims at 0.9: the discriminator is never certain of real images, but it can still
# recognize every fake.
#
# </details>
#
# 2. Momentum: give both networks Adam with 2e-3 and `beta_1=0.9`, its usual value. What do the losses do?
#
# <details><summary>Solution</summary>
#
# ```python
# model = dense()
# model.compile(keras.optimizers.Adam(2e-3, beta_1=0.9), keras.optimizers.Adam(2e-3, beta_1=0.9), steps_per_execution=8)
# watch(model, epochs=30)
# ```
#
# Radford et al. (2016) found 0.9 to make training oscillate, and took 0.5.
#
# </details>
#
# 3. Take batch normalization away from a DCGAN, `convolutional(norm="none")`. What does the doctor say, and when?
#
# <details><summary>Solution</summary>
#
# ```python
# watch(convolutional(norm="none"), epochs=30)
# ```
#
# </details>
#
# ## What to try next
#
# - [The latent space](04_the_latent_space.ipynb).
# - `kgan train --stop-when-sick` ends a run when the doctor finds something, and says what.
# - Read `kgan/diagnosis.py`: each rule is a function of a few lines, with its threshold and its source.
