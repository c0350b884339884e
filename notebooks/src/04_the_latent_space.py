# %% [markdown]
# # The latent space
#
# **What you will see:** the images between two codes, on two different paths; what a single number of a code does; the
# digits that the discriminator finds most real and least real; and generated digits next to real digits: can you see
# which are which?
#
# **How long it takes:** 10 to 15 minutes to read, less than a minute to run on two CPU cores, offline. The notebook
# loads a model that is already trained.
#
# Interpolations and the best of many samples are in the anonymous *Generating Images Using a DCGAN*. Traversals, and
# generated images next to real ones, are in Stiff, von Keyserlingk and Stuart, *Image Generation Using Deep
# Convolutional Generative Adversarial Networks*.

# %%
import kgan
from kgan import data, latent, plots  # first, since they start TensorFlow quietly
import numpy as np
from IPython.display import Image

DATA = "digits"  # or "mnist": 60,000 images, downloaded once
images = data.load(DATA)
model = kgan.pretrained.load(f"dcgan-{DATA}")
plots.image_grid(model.generate(36, seed=0), columns=12)

# %% [markdown]
# This DCGAN comes with kgan, already trained. (You can use a model of your own instead:
# `model = kgan.load_model("runs/dcgan-digits")`.)
#
# ## Where codes are
#
# A code is 100 numbers, each from $N(0, 1)$. You might expect most codes to be close to the origin, where the density
# is highest. They are not. The square of a code's length is a sum of 100 squares, each 1 on average:
#
# $$\mathbb{E}\,\|z\|^2 = 100, \qquad \|z\| \approx 10 \pm 0.7$$
#
# Nearly all codes lie in a thin shell around the origin, like the peel of an orange:

# %%
codes = model.sample_codes(10_000, seed=1).numpy()
lengths = np.linalg.norm(codes, axis=1)
print(f"lengths: mean {lengths.mean():.2f}, standard deviation {lengths.std():.2f}")
print(f"the shortest of 10,000 is {lengths.min():.2f} long, the longest {lengths.max():.2f}")

# %% [markdown]
# What does the generator draw from codes of other lengths, which it has hardly ever seen? Here is one direction, at
# lengths from 0 to 20:

# %%
direction = codes[0] / lengths[0]
plots.image_grid(model.generate(np.outer(np.linspace(0, 20, 12), direction)), columns=12)

# %% [markdown]
# The generator was trained only for the middle of the row, near length 10. The first image, at the origin, belongs to
# no digit in particular. At which length does the digit appear, and does it still change much after that?
#
# ## From one code to another
#
# The straight line between two codes leaves the shell. The code in the middle of the line is shorter: its length is
# $10 / \sqrt 2 \approx 7$ if the two codes are at right angles, and random codes nearly are. The **spherical** path
# (White, *Sampling Generative Networks*, 2016) stays in the shell. With the angle $\theta$ between $a$ and $b$, and $t$
# from 0 to 1, the paths between two codes of equal length are
#
# $$\text{linear: } (1 - t)\, a + t\, b \qquad
# \text{spherical: } \frac{\sin((1 - t)\,\theta)}{\sin\theta}\, a + \frac{\sin(t\,\theta)}{\sin\theta}\, b$$

# %%
start, end = codes[2], codes[7]
for path in latent.PATHS:
    walk = latent.interpolate(start, end, steps=11, path=path)
    print(f"{path:10}", " ".join(f"{length:5.1f}" for length in np.linalg.norm(walk, axis=1)))

# %% [markdown]
# Here are four spherical walks, from the code on the left to the code on the right:

# %%
walks = latent.interpolate(codes[:4], codes[4:8], steps=12)
plots.image_grid(model.generate(walks.reshape(-1, 100)), columns=12)

# %% [markdown]
# Here are the same walks on straight lines. Compare the middle columns, where the codes are short. How much the images
# lose there depends on the generator: the row of images at lengths from 0 to 20, above, shows what this generator draws
# at a length of 7.

# %%
walks = latent.interpolate(codes[:4], codes[4:8], steps=12, path="linear")
plots.image_grid(model.generate(walks.reshape(-1, 100)), columns=12)

# %% [markdown]
# If the generator had memorized its images, a walk would jump from one image to the next. It does not: in between are
# shapes that nobody wrote. Some of these shapes are digits and some are not, because a walk from one digit to another
# must pass through something in between. The GIF shows a round trip through six codes:

# %%
stops = codes[[0, 1, 2, 3, 4, 5, 0]]
walk = latent.interpolate(stops[:-1], stops[1:], steps=10)[:, :-1].reshape(-1, 100)
frames = model.generate(walk)
gif = plots.GIF("runs/walk.gif", milliseconds=80, hold=80)
for frame in frames:
    gif.append(plots.image_grid(frame[np.newaxis], zoom=6))
Image("runs/walk.gif")

# %% [markdown]
# How smooth is this walk, in numbers? Compare the difference between one frame and the next with the difference between
# the images of two random codes:

# %%
step = np.sqrt(np.mean(np.diff(frames, axis=0) ** 2, axis=(1, 2, 3)))
pairs = model.generate(codes[:1000]).reshape(2, 500, -1)
apart = np.sqrt(np.mean((pairs[0] - pairs[1]) ** 2, axis=1))
print(f"from frame to frame {step.mean():.2f}, at most {step.max():.2f}; two random images {apart.mean():.2f}")

# %% [markdown]
# ## One number of a code
#
# Stiff, von Keyserlingk and Stuart change one number of a code in each row, and leave the other 99 as they are. Here
# this number goes from -3 to 3, a range that it hardly ever leaves. The other numbers are the same in all rows: they
# come from the code of one image.

# %%
values = np.linspace(-3, 3, 11)
units = [0, 1, 2, 3, 4, 5]
rows = latent.traverse(codes[0], units, values)
grid = plots.image_grid(model.generate(rows.reshape(-1, 100)), columns=len(values))
plots.with_row_labels(grid, [f"unit {unit}" for unit in units])

# %% [markdown]
# Look closely: one number of a hundred changes the image only a little. Nothing in the training of a GAN gives each
# unit a meaning of its own. How much does each unit change the image, on average over some codes?

# %%
change = []
for unit in range(100):
    low, high = (np.where(np.arange(100) == unit, value, codes[:32]) for value in (-1, 1))
    change.append(np.sqrt(np.mean((model.generate(high) - model.generate(low)) ** 2)))
order = np.argsort(change)
print(f"the strongest is unit {order[-1]} ({max(change):.3f}), the weakest unit {order[0]} ({min(change):.3f})")
rows = latent.traverse(codes[0], [order[-1], order[0]], values)
grid = plots.image_grid(model.generate(rows.reshape(-1, 100)), columns=len(values))
plots.with_row_labels(grid, ["strongest", "weakest"])

# %% [markdown]
# ## The best of many
#
# The discriminator rates every image by its logit, which `model.score` returns. Out of 512 samples, here are the 24
# that it finds most real and the 24 that it finds least real. To show only the best samples is called
# **cherry-picking**. A picture of cherry-picked samples must say so.

# %%
samples = model.generate(512, seed=5)
ranked = samples[np.argsort(-model.score(samples))]
best, worst = (plots.image_grid(each, columns=12) for each in (ranked[:24], ranked[-24:]))
plots.stacked([plots.captioned(best, "the best 24 of 512"), plots.captioned(worst, "the worst 24 of 512")])

# %% [markdown]
# Do you agree with the discriminator? It looks for what distinguished fakes from real images in training. You may look
# for something else.
#
# ## Generated next to real
#
# On the left are 64 samples, not cherry-picked; on the right are 64 real digits:

# %%
real = images[np.random.default_rng(0).choice(len(images), 64, replace=False)]
pictures = [plots.image_grid(each, columns=8, zoom=1) for each in (samples[:64], real)]
plots.side_by_side(pictures, ["generated", "real"])

# %% [markdown]
# When the two sets are next to each other, you can see how they differ. Can you also tell the digits apart when they
# are mixed? Twelve of these 24 are generated. Which ones? Write down your guess, row by row, before you open the
# answer.

# %%
random = np.random.default_rng(7)
mixed = np.concatenate([samples[64:76], real[:12]])
shuffled = random.permutation(24)
is_generated = shuffled < 12
plots.with_row_labels(plots.image_grid(mixed[shuffled], columns=12), ["row 1", "row 2"])

# %% [markdown]
# For comparison, here is the discriminator's guess. It calls an image generated if its logit is below the median of the
# 24 logits. The discriminator was trained for exactly this task.

# %%
score = model.score(mixed[shuffled])
right = np.mean((score < np.median(score)) == is_generated)
print(f"the discriminator is right on {right:.0%}; a coin is right on 50%")

# %% [markdown]
# <details><summary>The answer, as code to run</summary>
#
# ```python
# for row in is_generated.reshape(2, 12):
#     print(*np.where(row, "generated", "real"))
# ```
#
# </details>
#
# ## Questions to think about
#
# 1. Codes from $U(-1, 1)$ also lie in a shell. How long are they? Why can the *spherical* path contain codes that
#    training never uses?
# 2. Interpolations are smooth. Does that prove that the model has memorized no image?
# 3. You show a colleague the best 24 of 512. What can they conclude about your model, and what can they not conclude?
#
# <details><summary>Answers</summary>
#
# 1. $\mathbb{E}\,z_i^2 = 1/3$, so $\|z\| \approx \sqrt{100/3} \approx 5.8$. On a spherical path a unit can go beyond
#    ±1, where no code ever is. The codes fill a cube; a cube is convex, so straight lines stay inside.
# 2. No: a generator is a continuous function. It can move quickly, but continuously, from one training image to the
#    next. Look at the nearest training images, as in the first notebook.
# 3. They can conclude that it can draw digits as good as these, but not how often it does, nor whether it draws all
#    ten.
#
# </details>
#
# ## Exercises
#
# 1. *Truncation*: multiply all codes by 0.7 before generating. What do the images gain, and what do they lose?
#
# <details><summary>Solution</summary>
#
# ```python
# plots.image_grid(model.generate(0.7 * codes[:64]))
# for scale in (1.0, 0.7):
#     print(scale, kgan.quality.diversity(model.generate(scale * codes[:256])))
# ```
#
# The images become more similar (`diversity` is the mean distance between two of them), and often cleaner.
#
# </details>
#
# 2. *Arithmetic*: Radford et al. add and subtract mean codes. Choose three samples that show the same digit and take
#    the mean of their codes. What does the generator draw?
#
# <details><summary>Solution</summary>
#
# ```python
# display(plots.image_grid(model.generate(codes[:64]), columns=8))
# chosen = [0, 1, 2]  # counted from 0, row by row: put yours here
# mean = codes[chosen].mean(axis=0)
# mean *= 10 / np.linalg.norm(mean)  # back into the shell: a mean of three is too short
# plots.image_grid(model.generate(np.stack([*codes[chosen], mean])), columns=4)
# ```
#
# </details>
#
# 3. Find the two most different of 512 samples, and walk from one to the other.
#
# <details><summary>Solution</summary>
#
# ```python
# z = model.sample_codes(512, seed=5).numpy()
# flat = model.generate(z).reshape(512, -1)
# squares = (flat**2).sum(axis=1)
# distance = squares[:, None] + squares - 2 * flat @ flat.T
# a, b = np.unravel_index(distance.argmax(), distance.shape)
# plots.image_grid(model.generate(latent.interpolate(z[a], z[b], steps=12)), columns=12)
# ```
#
# </details>
#
# ## What to try next
#
# - [Codes and reconstruction](05_codes_and_reconstruction.ipynb): from an image back to its code.
# - `kgan interpolate`, `kgan traverse`, `kgan sample --best` and `kgan sample --beside-real` draw all these pictures
#   for a run directory.
# - Read `kgan/latent.py`: it is two pages long.
