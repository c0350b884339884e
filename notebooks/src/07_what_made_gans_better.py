# %% [markdown]
# # What made GANs better
#
# **What you will see:** a race. The same small DCGAN, the same digits, the same seconds; each time one thing that was
# found after 2016 is added: classes, an average of the generator, another loss, a penalty, augmentation. Some of it
# helps here, some does not. At the end you ask for a 7 and get one.
#
# **How long it takes:** 15 minutes to read, about seven minutes to run on two CPU cores, offline.

# %%
import os
import time

import kgan
from kgan import data, latent, plots, quality  # first, since they start TensorFlow quietly
import keras
import numpy as np

SMALL = os.environ.get("KGAN_NOTEBOOKS") == "small"  # for a quick run of the whole notebook
SECONDS = 1 if SMALL else 20  # of training for each
real = data.load_labelled("digits")  # or "mnist": 60,000 images, downloaded once
features = quality.choose_features(real)
print(features.name)

# %% [markdown]
# ## A fair race
#
# Papers compare after as many *epochs*, and so a method that does twice the work in a step looks better than it is.
# You wait in seconds. So each model here is trained for the same seconds, from the end of its first step, in which
# TensorFlow compiles.
#
# The judge is the one of `kgan evaluate`. A classifier that knows the real digits reads the samples. With the mean
# $\mu$ and the covariance $\Sigma$ of what it sees in real images ($r$) and in fakes ($f$), the **Fréchet distance**
# is
#
# $$\|\mu_r - \mu_f\|^2 + \mathrm{tr}\left(\Sigma_r + \Sigma_f - 2\,(\Sigma_r \Sigma_f)^{1/2}\right)$$
#
# and small is good. **Precision** is how many of the fakes lie among real images, **recall** how many real images lie
# among fakes: the one is quality, the other is variety. **Low confidence** is the fraction of fakes that the
# classifier is not sure of.


# %%
class StopAfter(keras.callbacks.Callback):
    """Ends training after so many seconds."""

    def on_train_begin(self, logs=None):
        self.began = None

    def on_train_batch_end(self, batch, logs=None):
        self.began = self.began or time.perf_counter()
        if time.perf_counter() - self.began > SECONDS:
            self.model.stop_training = True


results, models = {}, {}


def race(name, images=real.images, labels=real.labels, batch_size=32, compiled=None, **arguments):
    """Train a narrow DCGAN for `SECONDS`, measure it, and show some of its samples."""
    model = kgan.DCGAN((28, 28, 1), filters=16, **arguments)
    model.compile(**(compiled or {}))
    batches = data.Batches(images, batch_size, labels=labels if model.classes else None)
    model.fit(batches, epochs=10_000, verbose=0, callbacks=[StopAfter()])

    def draw(count, seed):
        return model.generate(model.sample_codes(count, seed, real.labels[:count] if model.classes else None))

    metrics = quality.evaluate(draw, real, features=features, count=500, seeds=[0]).report["metrics"]
    shown = ("frechet", "precision", "recall", "low_confidence")
    results[name] = {"steps": int(model.step), **{each: metrics[each]["value"] for each in shown}}
    models[name] = model
    print(name, *(f"{what} {value:,.4g}" for what, value in results[name].items()), sep="   ")
    return plots.image_grid(draw(40, seed=1), columns=20)


# %%
race("plain")

# %% [markdown]
# ## More steps
#
# What is a minibatch for? It makes the gradient less noisy. Half of it takes half the arithmetic. Are there twice as
# many steps in the same time? In networks as small as these much of a step is no arithmetic.

# %%
race("minibatches of 16", batch_size=16)

# %% [markdown]
# ## Say what it is
#
# The digits have labels, and the plain GAN does not look at them. A **conditional** GAN does (Mirza and Osindero
# 2014): the generator is told which digit to draw, and the discriminator is told which digit an image is meant to be.
# In kgan the discriminator is a *projection* discriminator (Miyato and Koyama 2018): it adds the product of what it
# sees in the image, $\phi(x)$, and a vector for each class, $v_y$, to its logit:
#
# $$D(x, y) = \psi(\phi(x)) + v_y^\top \phi(x)$$
#
# A fake 3 that looks like an 8 is found out at once.

# %%
race("conditional", classes=10)

# %% [markdown]
# Ask for what you like: each row is a class here, and each column a code, so that a column shows the same handwriting
# in ten digits.

# %%
conditional = models["conditional"]
codes = np.tile(latent.sample_codes(12, conditional.latent_dim, seed=3), (10, 1))
labels = np.eye(10, dtype="float32")[np.repeat(np.arange(10), 12)]
plots.image_grid(conditional.generate(latent.with_labels(codes, labels)), columns=12)

# %% [markdown]
# And a 7, eight times, each by a code of its own:

# %%
plots.image_grid(conditional.generate(labels=[7] * 8, seed=0), columns=8)

# %% [markdown]
# ## An average
#
# A GAN does not come to rest: the generator circles around what it is looking for. An average of its weights $\theta$
# over the last steps lies nearer to the middle (Yazıcı et al. 2019; Karras et al. 2018),
#
# $$\bar\theta \leftarrow \beta \bar\theta + (1 - \beta)\,\theta$$
#
# Training does not know of it: only the samples come from $\bar\theta$. With $\beta = 0.99$ it remembers about a
# hundred steps.

# %%
race("average 0.99", ema=0.99)

# %% [markdown]
# The same codes by the generator itself, and by its average:

# %%
model = models["average 0.99"]
codes = model.sample_codes(20, seed=1)
plots.image_grid(np.concatenate([model.generator(codes, training=False), model.generate(codes)]), columns=20)

# %% [markdown]
# ## Other losses
#
# Around 2017 there was a new loss every month. Four that stayed, with the logits $a = D(x)$ and $b = D(G(z))$:
#
# | | the discriminator descends | the generator descends |
# | --- | --- | --- |
# | non-saturating (2014) | $\zeta(-a) + \zeta(b)$ | $\zeta(-b)$ |
# | least squares (2017) | $(a - 1)^2 / 2 + b^2 / 2$ | $(b - 1)^2 / 2$ |
# | hinge (2017) | $\max(0, 1 - a) + \max(0, 1 + b)$ | $-b$ |
# | relativistic (2018) | $\zeta(b - a)$ | $\zeta(a - b)$ |
#
# where $\zeta(a) = \log(1 + e^a)$. The hinge is usually seen with **spectral normalization**, which divides each
# layer's weights by their largest singular value; the relativistic loss with **R1**, a penalty on the slope of the
# discriminator at real images, $\frac{1}{2} \mathbb{E}\,\|\nabla_x D(x)\|^2$ (Mescheder et al. 2018).

# %%
race("hinge, spectral", compiled={"loss": "hinge"}, d_norm="spectral")

# %%
race("relativistic, R1", compiled={"loss": "relativistic", "penalties": ["r1"]}, d_norm="none")

# %% [markdown]
# The slope is not only a matter of the loss. Of 1,797 digits, 180 a class, a discriminator that knows the class soon
# knows each image: the conditional GAN's digits are good, but there are few kinds of them. A penalty holds it back:

# %%
race("conditional, R1", classes=10, d_norm="none", compiled={"penalties": [("r1", 10.0)]})

# %% [markdown]
# Lucic et al. (2018), *Are GANs Created Equal?*, trained thousands of GANs and found hardly a difference between
# losses that was not one of luck and of learning rates. Does your table say otherwise? One seed is no answer: see
# exercise 1.
#
# ## Few images
#
# With few images the discriminator learns them by heart. It then knows every fake, not because it looks wrong but
# because it is not one of the few. **Differentiable augmentation** (Zhao et al. 2020) moves every image before the
# discriminator sees it, real and fake alike; gradients go through, so that the generator learns to draw images that
# look right *when they are moved*. Here are 150 digits:

# %%
few = {"images": real.images[:150], "labels": real.labels[:150]}
race("150 images", **few)

# %%
race("150 images, moved", **few, augment=[("translation", 0.1)])

# %% [markdown]
# ## The table

# %%
print(f"{'':22}" + "".join(f"{each:>16}" for each in next(iter(results.values()))))
for name, row in results.items():
    print(f"{name:22}" + "".join(f"{value:16,.4g}" for value in row.values()))

# %% [markdown]
# One seed, and twenty seconds: do not believe differences of a tenth. `benchmarks/ablation.py` ran the same race with
# more knobs, longer and with three seeds; what it found is in the documentation of kgan, *What each piece buys*
# (docs/toolbox.md).
#
# ## Questions to think about
#
# 1. The conditional GAN's precision is higher and its recall may be lower. Why could telling the class cost variety?
# 2. Why does the average not simply always win? Think of the first hundred steps, and of $\beta = 0.9999$.
# 3. Why must fakes be moved too, and not just the real images, as one does for classifiers?
#
# <details><summary>Answers</summary>
#
# 1. Within a class there is less to tell apart: one good 3 passes as "a 3", so there is less pressure to draw all
#    kinds of 3. And each class has a tenth of the images: the discriminator learns them by heart sooner.
# 2. The average is of the past. Early on the generator gets better with each step and the past is worse; 0.9999
#    remembers ten thousand steps, more than there were. (kgan's average begins with a shorter memory for that reason.)
# 3. Otherwise moved images would be what is real, and the generator would learn to draw moved images.
#
# </details>
#
# ## Exercises
#
# 1. Which differences in the table are luck? Train "plain" with three seeds.
#
# <details><summary>Solution</summary>
#
# ```python
# for seed in range(3):
#     race(f"plain, seed {seed}", seed=seed)
# ```
#
# </details>
#
# 2. Put together what helped. Is the whole the sum of its parts?
#
# <details><summary>Solution</summary>
#
# ```python
# r1 = {"penalties": [("r1", 10.0)]}
# race("together", classes=10, d_norm="none", compiled=r1, ema=0.99, batch_size=16)
# ```
#
# The recipe `modern-digits` is what came out of such a search: `kgan recipes modern-digits` gives the reasons.
#
# </details>
#
# 3. **Packing** (Lin et al. 2018): the discriminator sees two images at a time, so that it notices when they are
#    alike. Try `packing=2`. What happens to recall?
#
# <details><summary>Solution</summary>
#
# ```python
# race("packs of 2", packing=2)
# ```
#
# </details>
#
# ## What to try next
#
# - `kgan train`, which trains `modern-digits`, then `kgan sample runs/modern-digits --classes 7,3`.
# - [Your own images](06_your_own_images.ipynb), with `augment=["translation", "color"]`: a folder is always few
#   images.
# - Read `kgan/losses.py`, `kgan/penalties.py` and `kgan/augment.py`: each piece is one function under its formula.
