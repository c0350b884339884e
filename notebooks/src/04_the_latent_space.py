# %% [markdown]
# # The latent space
#
# **What you will see:** what lies between two codes, and two ways to go from one to the other; what a single number
# of a code does; the digits that the discriminator finds most and least real; and generated next to real digits: can
# you see which are which?
#
# **How long it takes:** 10 to 15 minutes to read, about two minutes to run on two CPU cores, offline.
#
# Interpolations and the best of many are in the anonymous *Generating Images Using a DCGAN*; traversals, and generated
# beside real images, in Stiff, von Keyserlingk and Stuart, *Image Generation Using Deep Convolutional Generative
# Adversarial Networks*.

# %%
import os

import kgan
from kgan import callbacks, data, latent, plots  # first, since they start TensorFlow quietly
import numpy as np
from IPython.display import Image

SMALL = os.environ.get("KGAN_NOTEBOOKS") == "small"  # for a quick run of the whole notebook
DATA = "digits"  # or "mnist": 60,000 images, downloaded once; then 5 epochs will do
EPOCHS = 1 if SMALL else 50

images = data.load(DATA)
model = kgan.DCGAN(image_shape=images.shape[1:], filters=8 if SMALL else 32)
model.compile()
history = model.fit(images, batch_size=32, epochs=EPOCHS, callbacks=[callbacks.LivePlot()])

# %% [markdown]
# (A model of yours does as well: `model = kgan.load_model("runs/dcgan-digits")`.)
#
# ## Where codes are
#
# A code is 100 numbers, each from $N(0, 1)$. One might think that codes crowd around the origin, where the density is
# highest. They do not. The square of a code's length is a sum of 100 squares, each 1 on average:
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
# So what does the generator make of codes that it has hardly ever seen? One direction, at lengths from 0 to 20:

# %%
direction = codes[0] / lengths[0]
plots.image_grid(model.generate(np.outer(np.linspace(0, 20, 12), direction)), columns=12)

# %% [markdown]
# Only the middle of the row, near length 10, is what it was trained for. The first image, of the origin, belongs to no
# digit in particular. How soon does the digit appear, and does it still change much after that?
#
# ## From one code to another
#
# The straight line between two codes cuts through the orange: in the middle it comes nearer to the origin, $10 / \sqrt
# 2 \approx 7$ for codes at right angles, as random codes nearly are. The **spherical** path (White, *Sampling
# Generative Networks*, 2016) stays in the peel. With the angle $\theta$ between $a$ and $b$, and $t$ from 0 to 1, for
# codes of equal length:
#
# $$\text{linear: } (1 - t)\, a + t\, b \qquad
# \text{spherical: } \frac{\sin((1 - t)\,\theta)}{\sin\theta}\, a + \frac{\sin(t\,\theta)}{\sin\theta}\, b$$

# %%
start, end = codes[2], codes[7]
for path in latent.PATHS:
    walk = latent.interpolate(start, end, steps=11, path=path)
    print(f"{path:10}", " ".join(f"{length:5.1f}" for length in np.linalg.norm(walk, axis=1)))

# %% [markdown]
# Four walks, spherical, from the code at the left to the one at the right:

# %%
walks = latent.interpolate(codes[:4], codes[4:8], steps=12)
plots.image_grid(model.generate(walks.reshape(-1, 100)), columns=12)

# %% [markdown]
# And the same on straight lines. Compare the middle columns, where codes are short. How much is lost depends on the
# generator: the row of one direction, above, showed what this one makes of a length of 7.

# %%
walks = latent.interpolate(codes[:4], codes[4:8], steps=12, path="linear")
plots.image_grid(model.generate(walks.reshape(-1, 100)), columns=12)

# %% [markdown]
# If the generator had memorized its images, the walk would jump from one to the next. It does not: in between are
# shapes that no one wrote. Some are digits, some are none: where a walk goes from one digit to another it must pass
# through something. In motion, a round trip through six codes:

# %%
stops = codes[[0, 1, 2, 3, 4, 5, 0]]
walk = latent.interpolate(stops[:-1], stops[1:], steps=10)[:, :-1].reshape(-1, 100)
frames = model.generate(walk)
gif = plots.GIF("runs/walk.gif", milliseconds=80, hold=80)
for frame in frames:
    gif.append(plots.image_grid(frame[np.newaxis], zoom=6))
Image("runs/walk.gif")

# %% [markdown]
# How smooth is that in numbers? The step from frame to frame, against the distance of two images of random codes:

# %%
step = np.sqrt(np.mean(np.diff(frames, axis=0) ** 2, axis=(1, 2, 3)))
pairs = model.generate(codes[:1000]).reshape(2, 500, -1)
apart = np.sqrt(np.mean((pairs[0] - pairs[1]) ** 2, axis=1))
print(f"from frame to frame {step.mean():.2f}, at most {step.max():.2f}; two random images {apart.mean():.2f}")

# %% [markdown]
# ## One number of a code
#
# Stiff, von Keyserlingk and Stuart change one number of a code a row, and leave the other 99 as they are. Here each row
# goes from -3 to 3, beyond which a unit hardly ever goes; the whole code is that of one image.

# %%
values = np.linspace(-3, 3, 11)
units = [0, 1, 2, 3, 4, 5]
rows = latent.traverse(codes[0], units, values)
grid = plots.image_grid(model.generate(rows.reshape(-1, 100)), columns=len(values))
plots.with_row_labels(grid, [f"unit {unit}" for unit in units])

# %% [markdown]
# Look closely: one number of a hundred has little to say, and no more than its share. A GAN is not asked to give its
# units a meaning each. How much does each of them change the image, on average over some codes?

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
# The discriminator has an opinion of every image, its logit: `model.score`. Here are, of 512 samples, the 24 that it
# finds most real and the 24 that it finds least real. To show only the first is what papers call **cherry-picking**; a
# picture of such samples must say so.

# %%
samples = model.generate(512, seed=5)
ranked = samples[np.argsort(-model.score(samples))]
best, worst = (plots.image_grid(each, columns=12) for each in (ranked[:24], ranked[-24:]))
plots.stacked([plots.captioned(best, "the best 24 of 512"), plots.captioned(worst, "the worst 24 of 512")])

# %% [markdown]
# Do you agree with it? It goes by what gave fakes away in training, which may not be what you look for.
#
# ## Generated beside real
#
# 64 samples, not picked, at the left; 64 real digits at the right:

# %%
real = images[np.random.default_rng(0).choice(len(images), 64, replace=False)]
pictures = [plots.image_grid(each, columns=8, zoom=1) for each in (samples[:64], real)]
plots.side_by_side(pictures, ["generated", "real"])

# %% [markdown]
# Beside each other one sees how they differ. And mixed? Twelve of these 24 are generated. Which? Write down your guess,
# row by row, before you open the answer.

# %%
random = np.random.default_rng(7)
mixed = np.concatenate([samples[64:76], real[:12]])
shuffled = random.permutation(24)
is_generated = shuffled < 12
plots.with_row_labels(plots.image_grid(mixed[shuffled], columns=12), ["row 1", "row 2"])

# %% [markdown]
# The discriminator's guess, for comparison: it calls those generated whose logit is below the middle one of the 24. It
# has been trained for nothing else.

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
# 1. Codes from $U(-1, 1)$ have a shell as well. How long are they? Why does the *spherical* path leave what the
#    generator has seen there?
# 2. Interpolations are smooth. Does that prove that the model has memorized no image?
# 3. You show a colleague the best 24 of 512. What can they say about your model, and what not?
#
# <details><summary>Answers</summary>
#
# 1. $\mathbb{E}\,z_i^2 = 1/3$, so $\|z\| \approx \sqrt{100/3} \approx 5.8$. A spherical path can take a unit beyond ±1,
#    where no code ever is; the cube is convex, and straight lines stay inside.
# 2. No: a generator is a continuous function, and can move quickly, but continuously, from one training image to the
#    next. Look at the nearest training images, as in the first notebook.
# 3. That it can draw digits as good as these; not how often it does, nor whether it draws all ten.
#
# </details>
#
# ## Exercises
#
# 1. *Truncation*: multiply all codes by 0.7 before generating. What is gained, what is lost?
#
# <details><summary>Solution</summary>
#
# ```python
# plots.image_grid(model.generate(0.7 * codes[:64]))
# for scale in (1.0, 0.7):
#     print(scale, kgan.quality.diversity(model.generate(scale * codes[:256])))
# ```
#
# Images become more alike (`diversity` is the mean distance of two of them), and often cleaner.
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
# - `kgan interpolate`, `kgan traverse`, `kgan sample --best` and `--beside-real` draw all this for a run directory.
# - Read `kgan/latent.py`: two pages.
