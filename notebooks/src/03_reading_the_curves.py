# %% [markdown]
# # Reading the curves
#
# **What you will see:** one healthy run and several runs that go wrong. For each run you see the curves, the samples,
# what the *doctor* says, and what helps. At the end there is one run for you to diagnose.
#
# **How long it takes:** 15 to 20 minutes to read, about three minutes to run on two CPU cores, offline.
#
# Two papers describe what goes wrong: Goodfellow et al., *Generative Adversarial Nets* (2014), and Stiff, von
# Keyserlingk and Stuart, *Image Generation Using Deep Convolutional Generative Adversarial Networks*, section 5.2.

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
# With the non-saturating loss the two networks minimize
#
# $$L_D = -\,\mathbb{E}[\log D(x)] - \mathbb{E}[\log(1 - D(G(z)))] \qquad L_G = -\,\mathbb{E}[\log D(G(z))]$$
#
# | | upper panel | lower panel |
# | --- | --- | --- |
# | blue | $L_D$, `d_loss` | mean $D(x)$, `d_real` |
# | orange | $L_G$, `g_loss` | mean $D(G(z))$, `d_fake` |
# | at the equilibrium | $2 \ln 2 \approx 1.39$ and $\ln 2 \approx 0.69$ | both at 0.5 |
#
# The losses of a GAN do not say how good the images are. They say which network is ahead. That is why you should look
# at samples too, and why kgan has a **doctor**. After each epoch the doctor measures what the curves do not show: how
# much the fakes differ from one another, how large the generator's gradient is, and how much its images changed since
# the previous epoch. When something has been wrong for a while, the doctor says so in one sentence. `LivePlot` shows
# this sentence under the figure.
#
# The networks here are small, so that each run takes only a few seconds:


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
# At first the discriminator is ahead. Then the curves settle, and neither network is certain: real images get more than
# 0.5, fakes get less, and neither value is near 1 or 0. The sentence below the figure is what the doctor says. There is
# one rule for reading curves: in a healthy run *both networks still have something to learn from each other*. The next
# sections show how this can end.
#
# ## The discriminator wins
#
# Here the discriminator learns fifty times as fast as usual, and the generator learns slowly:

# %%
won = watch(dense(d_rate=1e-2, g_rate=2e-5), epochs=15)

# %% [markdown]
# In the end `d_real` is at 1 and `d_fake` is at 0. `d_loss` is almost 0, and `g_loss` is high and does not come down. A
# `d_loss` that falls to zero is not a success: the generator no longer learns anything from this discriminator. The
# samples are far from digits.
#
# **What helps:** a lower learning rate for the discriminator, label smoothing, a narrower discriminator, noise on all
# images that the discriminator sees (`augment=[("instance_noise", 0.1)]`), or a gradient penalty
# (`compile(penalties=[("r1", 1.0)])`).
#
# ## Gradients that vanish
#
# The same mistake is worse with the loss of the paper's Algorithm 1, `loss="minimax"`. With this loss the generator
# minimizes $\mathbb{E}[\log(1 - D(G(z)))]$. As functions of the logit $a$ of a fake, the minimax loss and the
# non-saturating loss have the slopes
#
# $$\frac{d}{da} \log(1 - \sigma(a)) = -\sigma(a) \qquad \frac{d}{da}\left(-\log \sigma(a)\right) = -(1 - \sigma(a))$$
#
# Where the discriminator is certain that an image is fake, $\sigma(a) \approx 0$: the first slope is nearly 0, and the
# second is nearly -1.

# %%
vanished = watch(convolutional(d_rate=2e-3, loss="minimax"), epochs=6)

# %% [markdown]
# `g_loss`, which is negative with this loss, stays just below 0. The doctor measures the norm of the generator's
# gradient after each epoch, and also the norm that the gradient would have with the non-saturating loss:

# %%
for record in vanished.records:
    print(f"epoch {record.epoch}: {record.gradient_norm:.2g}, non-saturating {record.ns_gradient_norm:.2g}")

# %% [markdown]
# **What helps:** `loss="non_saturating"`, which is kgan's default for this reason.
#
# ## The generator wins
#
# The game can also go the other way. Stiff, von Keyserlingk and Stuart describe a discriminator that is "entirely
# certain" that all fakes are genuine. Here the discriminator hardly learns, and the generator learns quickly:

# %%
generator_won = watch(dense(d_rate=2e-6, g_rate=5e-3), epochs=6)

# %% [markdown]
# The lines of the lower panel have changed places: the orange line, `d_fake`, is at 1. `g_loss` is near 0. Do the
# samples look like digits? They do not have to. They only have to pass this discriminator.
#
# **What helps:** a higher learning rate for the discriminator or a lower one for the generator.
#
# ## Neither wins
#
# Here both learning rates are fifty times too high. Each network overreacts to what the other has just done:

# %%
oscillating = watch(dense(d_rate=1e-2, g_rate=1e-2), epochs=30)

# %% [markdown]
# **The curves look better than the curves of the healthy run**, and digits appear sooner. But each point of a curve is
# a mean over all steps of an epoch, and a mean hides oscillation. The doctor measures at the end of each epoch: which
# probability does the discriminator give to fakes *at that moment*?

# %%
print(" ".join(f"{record.d_fake_eval:.2f}" for record in oscillating.records[-20:]))
print(" ".join(f"{record.d_fake_eval:.2f}" for record in healthy.records[-20:]), "(healthy)")

# %% [markdown]
# In one epoch the discriminator takes the fakes for real; some epochs later it recognizes them. So your result depends
# on the epoch in which you stop.
#
# **What helps:** lower learning rates, and a momentum of 0.5 (`beta_1`) instead of Adam's usual 0.9.
#
# ## Collapse
#
# The generator finds one image, or a few images, that the discriminator takes for real. It draws only these, whatever
# its code is. Here it has no choice: a code of a single number carries little information.

# %%
collapsed = watch(dense(latent_dim=1), epochs=12)

# %% [markdown]
# **The curves do not show the collapse.** Look at them again: next to the curves of the healthy run they look harmless.
# The samples show the collapse, and so does one number: the mean distance from each of 128 fakes to the fake that is
# most similar to it. Here is this number for the healthy run and for the collapsed run, and in parentheses for real
# images:

# %%
for name, record in (("healthy", healthy.records[-1]), ("collapsed", collapsed.records[-1])):
    print(f"{name:10} {record.nearest:.3f}   (real images {record.real_nearest:.3f})")

# %% [markdown]
# **What helps:** longer codes, a lower learning rate for the generator, or a return to a checkpoint from before the
# collapse. This is one reason to keep several checkpoints.
#
# ## Divergence
#
# Here both networks train with plain gradient descent and a learning rate of 1:

# %%
broken = dense()
broken.compile(keras.optimizers.SGD(1.0), keras.optimizers.SGD(1.0), loss="non_saturating", steps_per_execution=8)
broken = watch(broken, epochs=6)

# %% [markdown]
# Look at the scale of the upper panel. Losses as large as these soon become NaN (not a number). `kgan train` protects
# its run directory from NaN: the callback `StopOnNaN` ends training at the first one, and the last good checkpoint
# stays.
#
# ## One for you
#
# What is wrong with this run? The learning rate is written in a form that hides its value, and the doctor does not
# watch. Look at the curves and the samples.

# %%
secret = float.fromhex("0x1.ad7f29abcaf48p-24")
patient = dense(d_rate=secret, g_rate=secret)
history = patient.fit(images, batch_size=32, epochs=2 if SMALL else 6, callbacks=[callbacks.LivePlot()])

# %% [markdown]
# <details><summary>Answer</summary>
#
# The curves are flat and near 0.5, like the curves of a healthy run at its end. Only the samples show what is wrong:
# they are still noise, and they do not change. The learning rates are 1e-7, which is 2,000 times too small. What would
# the doctor say?
#
# ```python
# watch(dense(d_rate=secret, g_rate=secret), epochs=6)
# ```
#
# The doctor compares the images of the same codes from one epoch to the next.
#
# </details>
#
# ## Questions to think about
#
# 1. `d_loss` falls steadily toward 0. Your colleague is pleased. Is this a good sign?
# 2. Both losses are constant to three digits. Give two explanations, and a way to find out which is true.
# 3. Which of the diseases above could you *not* find from the four curves alone?
#
# <details><summary>Answers</summary>
#
# 1. No: the discriminator recognizes all fakes, so either the generator has stopped learning or it never began.
# 2. Either the game has reached its equilibrium, or the networks no longer change (the learning rates are too small, or
#    the gradients have vanished). Draw images of the same codes again some epochs later, and compare.
# 3. Collapse, learning that has stopped, and oscillation from one epoch to the next, which the means over an epoch
#    hide. The curves do not show missing digits either: look at the samples, or count.
#
# </details>
#
# ## Exercises
#
# 1. Repair the first run that goes wrong, the one in which the discriminator wins. How low must the discriminator's
#    learning rate be, if the generator's stays at 2e-5? And what does label smoothing do
#    (`model.compile(..., label_smoothing=0.1)`)?
#
# <details><summary>Solution</summary>
#
# ```python
# for rate in (1e-3, 1e-4, 2e-5):
#     watch(dense(d_rate=rate, g_rate=2e-5), epochs=30)
# ```
#
# With label smoothing the target of `d_real` is 0.9: the discriminator is never certain of real images, but it can
# still recognize every fake.
#
# </details>
#
# 2. Momentum: train both networks with Adam, a learning rate of 2e-3 and `beta_1=0.9`, Adam's usual value. What do the
#    losses do?
#
# <details><summary>Solution</summary>
#
# ```python
# model = dense()
# model.compile(keras.optimizers.Adam(2e-3, beta_1=0.9), keras.optimizers.Adam(2e-3, beta_1=0.9), steps_per_execution=8)
# watch(model, epochs=30)
# ```
#
# Radford et al. (2016) found that 0.9 makes training oscillate, and used 0.5.
#
# </details>
#
# 3. Remove batch normalization from a DCGAN, `convolutional(norm="none")`. What does the doctor say, and when?
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
# - `kgan train --stop-when-sick` ends a run when the doctor finds something, and says what it found.
# - Read `kgan/diagnosis.py`: each rule has its symptom, its threshold and its source.
