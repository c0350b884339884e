# %% [markdown]
# # Your own images
#
# **What you will see:** a folder of pictures goes in, a GIF comes out. The pictures here are small colored fish that
# this notebook draws itself, so that it runs offline. Put the name of your own folder in one line, and the model
# learns your pictures.
#
# **How long it takes:** 10 minutes to read, about three minutes to run on two CPU cores, offline.
#
# Ding, Shao and Ren, *Image Generative Models by GANs and DCGANs*, end with a plan: "to apply GANs to colored cartoon
# figure images". This notebook follows it.

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
# Each fish has a color, a shape, a tail, an eye, a place and a few stripes, all chosen at random. Each picture is drawn
# large and then reduced, so that the edges are smooth.


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
# Real folders are never that tidy. The next cell adds what they often contain: a photograph of another size and format,
# a picture with a transparent background, a broken file, and a file that is not an image.

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
# Broken files are skipped and listed. Files that are not images are ignored. All other images are cropped to their
# central square and resized, and transparent images get a white background. (`crop="letterbox"` keeps the whole
# picture, and `background="black"` makes the background black.)
#
# `data.load` does all this for any folder in one call, and maps 0…255 to -1…1:

# %%
images = data.load(FOLDER, image_size=SIZE)
print(images.shape, images.dtype, images.min(), images.max())
plots.image_grid(images[:24], columns=12, zoom=2)

# %% [markdown]
# **Look before you train.** Are these the pictures that you want? Is the important part in the middle, and not cut off?
# Do all pictures show the same kind of thing, the same way up? From a few hundred pictures that are all different, a
# model learns only colored shapes. From a thousand pictures of one kind it learns more.
#
# ## Color changes little
#
# A color image has three channels instead of one. So the generator's last layer has three filters, and the windows of
# the discriminator's first layer are three channels deep. kgan derives both networks from the image shape:

# %%
model = kgan.DCGAN(image_shape=images.shape[1:], filters=8 if SMALL else 32)
for row in kgan.networks.layer_table(model.generator):
    print(f"{row.layer:58} → {' × '.join(map(str, row.shape))}")

# %% [markdown]
# A small set of pictures is a risk: the discriminator may memorize them, and then it recognizes everything that the
# generator draws as fake. The recipe `dcgan-folder` does two things against this. First, it gives the discriminator a
# lower learning rate, $10^{-4}$ instead of $2 \cdot 10^{-4}$. Second, it uses *one-sided label smoothing* (Salimans et
# al., 2016), which Ding, Shao and Ren name as a next step. The discriminator's target for real images is then 0.9
# instead of 1, and the discriminator minimizes
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
# First the place of the fish in the water appears, the same for all codes and in one color. Then the colors begin to
# differ from fish to fish. Fins and eyes come last. With label smoothing the target of `d_real` is 0.9, not 1.
#
# Here are generated pictures next to real ones. Which of the two have smoother colors? Which have sharper stripes? Do
# the generated fish have any stripes at all?

# %%
samples = model.generate(36, seed=1)
pictures = [plots.image_grid(each, columns=6, zoom=2) for each in (samples, images[:36])]
plots.side_by_side(pictures, ["generated", "real"])

# %% [markdown]
# ## Are they new?
#
# With only a thousand pictures, this is the first question that you will be asked. Here are eight generated fish, not
# cherry-picked, and below each fish the training picture that is nearest to it:

# %%
flat, flat_samples = images.reshape(len(images), -1), samples[:8].reshape(8, -1)
distances = np.linalg.norm(flat_samples[:, np.newaxis] - flat, axis=2)
plots.image_grid(np.concatenate([samples[:8], images[distances.argmin(axis=1)]]), columns=8, zoom=2)

# %% [markdown]
# The two are near in color and place, because the distance here compares pixels. A copy would agree in every stripe.
#
# Do the generated fish vary as much as the real ones? Compare the mean distance between two pictures:

# %%
for name, each in (("real", images[:256]), ("generated", model.generate(256, seed=2))):
    print(f"{name:10} {kgan.quality.diversity(each):.2f}")

# %% [markdown]
# ## Save the model
#
# You can save a model in one file. After you load it, it generates images, and you can train it further from where it
# stopped:

# %%
model.save("runs/fish.keras")
again = kgan.load_model("runs/fish.keras")
assert np.array_equal(again.generate(4, seed=3), model.generate(4, seed=3))
plots.image_grid(again.generate(12, seed=3), columns=12, zoom=2)

# %% [markdown]
# ## Questions to think about
#
# 1. Half of your pictures look to the left and half to the right. Would you mirror some of them? When would mirroring
#    be wrong?
# 2. Why must all pictures have the same size? Why do the codes not depend on this size?
# 3. What would the generator draw if a third of the folder were screenshots?
#
# <details><summary>Answers</summary>
#
# 1. If you mirror pictures so that all look the same way, the task is easier. If you mirror at random, you double the
#    data. With letters or digits mirroring is wrong: the generator would learn mirrored ones.
# 2. The discriminator's last layer has a weight for each place in the last stack of maps, so the size is fixed. A code
#    is only the input of the generator.
# 3. It would draw screenshots, a third of the time: the discriminator compares with what is in the folder, not with
#    what you meant.
#
# </details>
#
# ## Exercises
#
# 1. Use your own folder: set `FOLDER`, and run all cells again. (The notebook still draws the fish into a folder of
#    their own, but does not use them.)
#
# <details><summary>Solution</summary>
#
# ```python
# FOLDER = Path("/where/your/pictures/are")
# ```
#
# With fewer than a thousand images, train for more epochs (`EPOCHS = 200`).
#
# </details>
#
# 2. Train on only 50 of the pictures. What does the GIF show, and what do the nearest pictures show?
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
# 3. Remove the label smoothing and give both networks a learning rate of $2 \cdot 10^{-4}$. Look at the lower panel of
#    the curves.
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
# - `kgan.train("dcgan-folder", data="path/to/folder")` does all this in a run directory, and can be stopped and
#   resumed. On the command line it is `kgan train dcgan-folder --data path/to/folder`.
# - Photographs at 128 × 128 (`dcgan-flowers`, `dcgan-cats`) need a GPU, or a night.
# - [The latent space](04_the_latent_space.ipynb) of your own model: `model = kgan.load_model("runs/fish.keras")`.
