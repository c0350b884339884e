# %% [markdown]
# # Your own images
#
# **What you will see:** a folder of pictures goes in, a GIF comes out. The pictures here are small colored fish that
# this notebook draws itself, so that it runs offline. Put the name of your own folder in one line, and the model
# learns your pictures.
#
# **How long it takes:** 10 minutes to read, about three minutes to run on two CPU cores, offline.
#
# "Next, we are planning to apply GANs to colored cartoon figure images": so end Ding, Shao and Ren, *Image Generative
# Models by GANs and DCGANs*. Let us do it.

# %%
import os
from pathlib import Path

import kgan
from kgan import callbacks, data, plots  # first, since they start TensorFlow quietly
import keras
import numpy as np
from IPython.display import Image as Picture
from PIL import Image, ImageDraw

SMALL = os.environ.get("KGAN_NOTEBOOKS") == "small"  # for a quick run of the whole notebook
COUNT = 128 if SMALL else 1000
EPOCHS = 1 if SMALL else 60
FISH = Path("runs/pictures")  # where this notebook draws
FOLDER = FISH  # or Path("/where/your/pictures/are")
SIZE = 32  # pixels; a network for 64 takes four times as long

# %% [markdown]
# ## A folder of pictures
#
# Each fish has a color, a shape, a tail, an eye, a place and a few stripes, all drawn at random. They are drawn large
# and made small, so that edges are smooth.


# %%
def fish(random):
    """One fish, 256 × 256, looking to the left."""
    color, second = (tuple(int(c) for c in random.integers(40, 230, 3)) for _ in range(2))
    picture = Image.new("RGB", (256, 256), (205, 232, 245))
    draw = ImageDraw.Draw(picture)
    x, y = 118 + random.integers(-10, 11), 128 + random.integers(-18, 19)
    length, height, tail = random.integers(62, 88), random.integers(34, 64), random.integers(30, 56)
    root = x + length - 14
    draw.polygon([(root, y), (root + 58, y - tail), (root + 42, y), (root + 58, y + tail)], fill=second)
    draw.polygon([(x - 20, y - height + 10), (x + 34, y - height - 24), (x + 44, y - height + 16)], fill=second)
    draw.ellipse([x - length, y - height, x + length, y + height], fill=color)
    for stripe in range(random.integers(0, 4)):
        left, half = x + 2 + 22 * stripe, int(height * (0.86 - 0.17 * stripe))
        draw.line([(left, y - half), (left, y + half)], fill=second, width=9)
    eye = x - int(0.6 * length)
    draw.ellipse([eye - 15, y - 27, eye + 15, y + 3], fill="white")
    draw.ellipse([eye - 9, y - 20, eye + 5, y - 5], fill="black")
    return picture


FISH.mkdir(parents=True, exist_ok=True)
random = np.random.default_rng(0)
for number in range(COUNT):
    fish(random).resize((64, 64), Image.Resampling.LANCZOS).save(FISH / f"fish-{number:04}.png")
print(len(list(FISH.iterdir())), "files")

# %% [markdown]
# Folders of real people are never that tidy. Let us add what they hold: a photograph of another size and format, a
# picture with a transparent background, a file that is broken, and one that is no image at all.

# %%
fish(random).crop((0, 20, 256, 236)).save(FISH / "wide.jpg")
see_through = fish(random).convert("RGBA")
see_through.putalpha(Image.new("L", see_through.size, 128))
see_through.save(FISH / "see-through.png")
(FISH / "broken.png").write_bytes((FISH / "fish-0000.png").read_bytes()[:100])
(FISH / "notes.txt").write_text("remember to feed them")

found = data.folders.load(FOLDER, SIZE)
print(f"{len(found.images)} images of {found.images.shape[1:]}")
print("skipped:", found.skipped)

# %% [markdown]
# What is broken is skipped and named; what is not an image is ignored; the rest is cut to its central square, resized
# and set on white where it is transparent. (`crop="letterbox"` keeps the whole picture, `background="black"` sets it on
# black.)
#
# In short, `data.load` does all that for any folder, and maps 0…255 to -1…1:

# %%
images = data.load(FOLDER, image_size=SIZE)
print(images.shape, images.dtype, images.min(), images.max())
plots.image_grid(images[:24], columns=12, zoom=2)

# %% [markdown]
# **Look before you train.** Are these the pictures that you meant? Is what matters in the middle, and not cut off? Do
# they show the same kind of thing, the same way up? A few hundred pictures that are all different give colored shapes;
# a thousand of one kind give more.
#
# ## Color changes little
#
# Three channels instead of one: the generator's last layer has three filters, the discriminator's first has a window
# three channels deep. The networks follow from the shape:

# %%
model = kgan.DCGAN(image_shape=images.shape[1:], filters=8 if SMALL else 32)
for row in kgan.networks.layer_table(model.generator):
    print(f"{row.layer:58} → {' × '.join(map(str, row.shape))}")

# %% [markdown]
# Few pictures are a danger: the discriminator may memorize them, and then it recognizes everything that the generator
# draws as fake. The recipe `dcgan-folder` does two things against it. A slower discriminator, $10^{-4}$ instead of $2
# \cdot 10^{-4}$; and *one-sided label smoothing* (Salimans et al., 2016), which Ding, Shao and Ren name as a next step:
# the discriminator is asked to say 0.9, not 1, of real images,
#
# $$-\,[\,0.9 \log D(x) + 0.1 \log(1 - D(x))\,] - \log(1 - D(G(z)))$$
#
# so that it never becomes certain.

# %%
model.compile(d_optimizer=keras.optimizers.Adam(1e-4, beta_1=0.5), label_smoothing=0.1)
gif = callbacks.EpochGIF("runs/fish.gif", every=max(1, EPOCHS // 12), rows=3, columns=8)
history = model.fit(images, batch_size=32, epochs=EPOCHS, callbacks=[callbacks.LivePlot(), gif])

# %% [markdown]
# ## The GIF

# %%
Picture("runs/fish.gif")

# %% [markdown]
# First comes the place of the fish in the water, the same for all codes and in one color; then colors that differ
# from fish to fish; fins and eyes come last. With label smoothing `d_real` aims at 0.9, not at 1.
#
# Generated next to real. Which of the two has smoother colors, which has sharper stripes, and are there any stripes at
# all?

# %%
samples = model.generate(36, seed=1)
pictures = [plots.image_grid(each, columns=6, zoom=2) for each in (samples, images[:36])]
plots.side_by_side(pictures, ["generated", "real"])

# %% [markdown]
# ## Are they new?
#
# With a thousand pictures this is the first question that you will be asked. Eight fish, not picked, and below each the
# training picture that is nearest to it:

# %%
flat, flat_samples = images.reshape(len(images), -1), samples[:8].reshape(8, -1)
distances = np.linalg.norm(flat_samples[:, np.newaxis] - flat, axis=2)
plots.image_grid(np.concatenate([samples[:8], images[distances.argmin(axis=1)]]), columns=8, zoom=2)

# %% [markdown]
# Near in color and place, of course: that is what nearest means here. A copy would agree in every stripe.
#
# And do they vary as much? The mean distance of two pictures:

# %%
for name, each in (("real", images[:256]), ("generated", model.generate(256, seed=2))):
    print(f"{name:10} {kgan.quality.diversity(each):.2f}")

# %% [markdown]
# ## Keep it
#
# A model is one file. It generates, and can be trained further from where it stopped:

# %%
model.save("runs/fish.keras")
again = kgan.load_model("runs/fish.keras")
assert np.array_equal(again.generate(4, seed=3), model.generate(4, seed=3))
plots.image_grid(again.generate(12, seed=3), columns=12, zoom=2)

# %% [markdown]
# ## Questions to think about
#
# 1. Half of your pictures look to the left and half to the right. Would you mirror some of them? When would it be wrong
#    to?
# 2. Why do the pictures have to be of one size, and the codes not depend on it?
# 3. What would the generator draw if a third of the folder were screenshots?
#
# <details><summary>Answers</summary>
#
# 1. Mirroring all one way makes the task easier; mirroring at random doubles the data. With letters or digits it is
#    wrong: the generator would learn mirrored ones.
# 2. The discriminator's last layer has a weight for each place of the last stack of maps; the code is only where the
#    generator begins.
# 3. Screenshots, a third of the time: the discriminator asks for what is in the folder, not for what you meant.
#
# </details>
#
# ## Exercises
#
# 1. Your own folder: set `FOLDER`, and run all again. (The fish are drawn into a folder of their own, and ignored.)
#
# <details><summary>Solution</summary>
#
# ```python
# FOLDER = Path("/where/your/pictures/are")
# ```
#
# With less than a thousand images take more epochs (`EPOCHS = 200`).
#
# </details>
#
# 2. Train on only 50 of the pictures. What does the GIF show, and what the nearest pictures?
#
# <details><summary>Solution</summary>
#
# ```python
# few = images[:50]
# model = kgan.DCGAN(images.shape[1:], filters=32)
# model.compile(d_optimizer=keras.optimizers.Adam(1e-4, beta_1=0.5), label_smoothing=0.1)
# model.fit(few, batch_size=25, epochs=600, callbacks=[callbacks.LivePlot()])
# ```
#
# </details>
#
# 3. Take the label smoothing away and give both networks $2 \cdot 10^{-4}$. Look at the lower panel of the curves.
#
# <details><summary>Solution</summary>
#
# ```python
# model = kgan.DCGAN(images.shape[1:], filters=32)
# model.compile()
# model.fit(images, batch_size=32, epochs=EPOCHS, callbacks=[callbacks.LivePlot()])
# ```
#
# </details>
#
# ## What to try next
#
# - `kgan train dcgan-folder --data path/to/folder` does all this in a run directory, and can be stopped and resumed.
# - Photographs at 128 × 128 (`dcgan-flowers`, `dcgan-cats`) take a GPU, or a night.
# - [The latent space](04_the_latent_space.ipynb) of your own model: `model = kgan.load_model("runs/fish.keras")`.
