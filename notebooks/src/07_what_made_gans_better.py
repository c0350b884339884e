# %% [markdown]
# # What made GANs better
#
# **What you will see:** a race between versions of one small DCGAN, with the same digits and the same training time.
# Each version adds one thing that was found after 2016: classes, an average of the generator, another loss, a penalty,
# augmentation. Some of these help here, some do not. You also ask for a 7 and get one.
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
real = data.load_labeled("digits")  # or "mnist": 60,000 images, downloaded once
features = quality.choose_features(real)
print(features.name)

# %% [markdown]
# ## A fair race
#
# Papers compare models after the same number of *epochs*. So a method that does twice the work in each step looks
# better than it is. But your waiting time is in seconds. So each model here is trained for the same number of seconds.
# The time starts at the end of the model's first step, because TensorFlow compiles during this step.
#
# The metrics are those of `kgan evaluate`. A classifier that was trained on the real digits computes features of the
# images. With the mean $\mu$ and the covariance $\Sigma$ of these features in real images ($r$) and in fakes ($f$), the
# **Fréchet distance** is
#
# $$\|\mu_r - \mu_f\|^2 + \mathrm{tr}\left(\Sigma_r + \Sigma_f - 2\,(\Sigma_r \Sigma_f)^{1/2}\right)$$
#
# Smaller is better. **Precision** is the fraction of fakes that lie among real images; it measures quality. **Recall**
# is the fraction of real images that lie among fakes; it measures variety. **Low confidence** is the fraction of fakes
# for which the classifier is not sure of the class.


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
# What is a minibatch for? It makes the gradient less noisy. A minibatch of half the size takes half the arithmetic.
# Does this give twice as many steps in the same time? In networks as small as these, a large part of a step is not
# arithmetic.

# %%
race("minibatches of 16", batch_size=16)

# %% [markdown]
# ## Conditional GANs
#
# The digits have labels, and the plain GAN does not use them. A **conditional** GAN does (Mirza and Osindero 2014): the
# generator is told which digit to draw, and the discriminator is told which digit an image is meant to be. In kgan the
# discriminator is a *projection* discriminator (Miyato and Koyama 2018). It has a vector for each class, $v_y$, and
# adds the inner product of this vector and the features of the image, $\phi(x)$, to its logit:
#
# $$D(x, y) = \psi(\phi(x)) + v_y^\top \phi(x)$$
#
# Such a discriminator quickly recognizes a fake that is meant to be a 3 but looks like an 8.

# %%
race("conditional", classes=10)

# %% [markdown]
# You can ask for any class. In this picture each row is a class and each column is a code, so a column shows the ten
# digits in the same handwriting.

# %%
conditional = models["conditional"]
codes = np.tile(latent.sample_codes(12, conditional.latent_dim, seed=3), (10, 1))
labels = np.eye(10, dtype="float32")[np.repeat(np.arange(10), 12)]
plots.image_grid(conditional.generate(latent.with_labels(codes, labels)), columns=12)

# %% [markdown]
# Here is a 7, eight times, each time from a different code:

# %%
plots.image_grid(conditional.generate(labels=[7] * 8, seed=0), columns=8)

# %% [markdown]
# ## An average of the weights
#
# A GAN does not come to rest: the generator's weights $\theta$ keep moving around a good solution. An average of the
# weights over the last steps lies nearer to this solution (Yazıcı et al. 2019; Karras et al. 2018):
#
# $$\bar\theta \leftarrow \beta \bar\theta + (1 - \beta)\,\theta$$
#
# Training does not use this average; only the samples come from $\bar\theta$. With $\beta = 0.99$ the average covers
# about the last hundred steps.

# %%
race("average 0.99", ema=0.99)

# %% [markdown]
# Here are images of the same codes, drawn by the generator itself (above) and by its average (below):

# %%
model = models["average 0.99"]
codes = model.sample_codes(20, seed=1)
plots.image_grid(np.concatenate([model.generator(codes, training=False), model.generate(codes)]), columns=20)

# %% [markdown]
# ## Other losses
#
# Around 2017 there was a new loss every month. These are four that are still in use, with the logits $a = D(x)$ and
# $b = D(G(z))$:
#
# | | the discriminator minimizes | the generator minimizes |
# | --- | --- | --- |
# | non-saturating (2014) | $\zeta(-a) + \zeta(b)$ | $\zeta(-b)$ |
# | least squares (2017) | $(a - 1)^2 / 2 + b^2 / 2$ | $(b - 1)^2 / 2$ |
# | hinge (2017) | $\max(0, 1 - a) + \max(0, 1 + b)$ | $-b$ |
# | relativistic (2018) | $\zeta(b - a)$ | $\zeta(a - b)$ |
#
# Here $\zeta(a) = \log(1 + e^a)$. The hinge loss is usually combined with **spectral normalization**, which divides
# each layer's weights by their largest singular value. The relativistic loss is usually combined with **R1**, a penalty
# on the slope of the discriminator at real images, $\frac{1}{2} \mathbb{E}\,\|\nabla_x D(x)\|^2$ (Mescheder et al.
# 2018).

# %%
race("hinge, spectral", compiled={"loss": "hinge"}, d_norm="spectral")

# %%
race("relativistic, R1", compiled={"loss": "relativistic", "penalties": ["r1"]}, d_norm="none")

# %% [markdown]
# R1 is not tied to the relativistic loss. There are 1,797 digits, 180 in each class. A discriminator that knows the
# class soon knows each image: the digits of the conditional GAN are good, but there are few kinds of them. A penalty on
# the slope limits the discriminator:

# %%
race("conditional, R1", classes=10, d_norm="none", compiled={"penalties": [("r1", 10.0)]})

# %% [markdown]
# Lucic et al. (2018), *Are GANs Created Equal?*, trained thousands of GANs. They found that luck and learning rates
# explain almost all differences between losses. Does your table, below, say otherwise? One seed is not enough to answer
# this: see exercise 1.
#
# ## Few images
#
# When there are few images, the discriminator memorizes them. It then recognizes every fake, not because the fake looks
# wrong but because it is not one of the few images. **Differentiable augmentation** (Zhao et al. 2020) moves every
# image before the discriminator sees it, real and fake alike. Gradients pass through the augmentation, so the generator
# learns to draw images that look right *when they are moved*. The next two models train on only 150 digits:

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
# These are results of one seed and twenty seconds: do not trust differences of a tenth. `benchmarks/ablation.py` ran
# the same race with more settings, longer and with three seeds. Its results are in the documentation of kgan, *What
# each piece buys* (docs/toolbox.md).
#
# ## Questions to think about
#
# 1. The conditional GAN's precision is higher and its recall may be lower. Why could class labels reduce variety?
# 2. Why is the average not always better? Think of the first hundred steps, and of $\beta = 0.9999$.
# 3. Why must fakes be moved too, and not only the real images, as in the training of a classifier?
#
# <details><summary>Answers</summary>
#
# 1. Within a class there are fewer differences to check: one good 3 passes as "a 3", so there is less pressure to draw
#    all kinds of 3. And each class has only a tenth of the images, so the discriminator memorizes them sooner.
# 2. The average consists of past weights. Early in training the generator gets better with each step, so the past
#    weights are worse. With $\beta = 0.9999$ the average covers ten thousand steps, more than the whole training. (For
#    this reason kgan's average covers fewer steps at the beginning.)
# 3. Otherwise moved images would count as real, and the generator would learn to draw moved images.
#
# </details>
#
# ## Exercises
#
# 1. Which differences in the table are due to luck? Train "plain" with three seeds.
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
# 2. Combine the changes that helped. Do their improvements add up?
#
# <details><summary>Solution</summary>
#
# ```python
# r1 = {"penalties": [("r1", 10.0)]}
# race("together", classes=10, d_norm="none", compiled=r1, ema=0.99, batch_size=16)
# ```
#
# The recipe `modern-digits` is the result of such a search: `kgan recipes modern-digits` gives the reasons.
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
# - `run = kgan.train()` trains `modern-digits`; `run.sample(labels=[7, 3])` draws the digits that you ask for.
# - [Your own images](06_your_own_images.ipynb), with `augment=["translation", "color"]`: a folder of your own usually
#   has few images.
# - Read `kgan/losses.py`, `kgan/penalties.py` and `kgan/augment.py`: each piece is one function below its formula.
