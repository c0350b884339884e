# %% [markdown]
# # Codes and reconstruction
#
# **What you will see:** a discriminator that says how real an image is, and also reads the code from which the image
# was drawn; real digits that are turned into codes and drawn again; damaged digits that are drawn again; and a walk
# from one *real* digit to another.
#
# **How long it takes:** 10 to 15 minutes to read, about three minutes to run on two CPU cores, offline.
#
# The model comes from Shao, Li and Jiang, *A Survey of DCGAN based Unsupervised Decoding and Image Generation*.

# %%
import os

import kgan
from kgan import callbacks, data, latent, losses, plots  # first, since they start TensorFlow quietly
import numpy as np
from PIL import Image

SMALL = os.environ.get("KGAN_NOTEBOOKS") == "small"  # for a quick run of the whole notebook
DATA = "digits"  # or "mnist": 60,000 images, downloaded once; then 5 epochs will do
EPOCHS = 1 if SMALL else 50
REFINE = 5 if SMALL else 100
CODE = 36  # units of a code: a small drawing does not show 100 numbers

all_images = data.load(DATA)
shown, images = all_images[:10], all_images[10:]  # ten are kept from training
plots.image_grid(shown, columns=10)

# %% [markdown]
# ## A second head
#
# A generator goes from a code to an image, $x = G(z)$. A GAN has no way back: nobody knows which code would give the
# digit that *you* wrote. Shao, Li and Jiang give the discriminator two heads. The first head says how real the image
# is. The second head reads a code $\hat z$ from the image. Both heads share all layers before them.
#
# For a fake the right answer is known: it is the code from which the fake was drawn. So the second head can learn with
# the losses
#
# $$l_{code} = \|z - \hat z\|^2, \qquad l_{total} = w \cdot l_{code} + (1 - w) \cdot l_{DCGAN}, \qquad w = 0.012$$
#
# (equations 2 and 3 of the paper). *Both* networks minimize $l_{total}$: the discriminator by reading codes better, the
# generator by drawing images whose codes can be read. $w$ is small because $l_{code}$ is a sum over all units of a
# code. Here is the loss of a head that always answers 0:

# %%
guessing = losses.code_loss_of_guessing(CODE, "normal", "l2")
print(f"l_code of guessing 0: {guessing:.0f}; times w: {0.012 * guessing:.1f}")
print(f"l_DCGAN of a discriminator that only guesses: {2 * np.log(2):.1f}")

# %%
model = kgan.CodeGAN(
    image_shape=images.shape[1:],
    latent_dim=CODE,
    filters=8 if SMALL else 32,
    code_weight=0.012,
    augment=[("instance_noise", 0.1)],
)
print("outputs of the discriminator:", [shape[1:] for shape in model.discriminator.output_shape])
print("weights in the two heads:", [model.discriminator.layers[i].count_params() for i in (-2, -1)])

# %% [markdown]
# (`augment` lists what happens to every image on which the discriminator is trained, real and fake alike. Here it adds
# Gaussian noise with a standard deviation of 0.1. The paper adds noise to the real images.)
#
# ## Train

# %%
model.compile()
curves = callbacks.CodeCurves("runs/codes.png")
history = model.fit(images, batch_size=32, epochs=EPOCHS, callbacks=[callbacks.LivePlot(), curves]).history

# %% [markdown]
# Each of the losses above combines both parts. The next figure shows the parts separately, as figure 4 of the paper
# does: above, the loss of real images; below, the difference between codes. The dashed line is the difference between
# codes when the head always answers 0.

# %%
first, last = history["code_loss"][0], history["code_loss"][-1]
print(f"difference of codes: {first:.0f} in the first epoch, {last:.0f} in the last")
Image.open("runs/codes.png").resize((560, 480), Image.Resampling.LANCZOS)

# %% [markdown]
# ## Code, image, code, image
#
# This picture follows figure 6 of the paper. Its columns are: a code, drawn as 6 × 6 squares; the image that is
# generated from it; the code that the discriminator reads from this image; the image that is generated from the code
# that was read; and the image after reading and drawing once more.

# %%
codes = model.sample_codes(6, seed=1).numpy()
generated = model.generate(codes)
read = model.encode(generated)
columns = {
    "code": plots.code_images(codes, 28, 28),
    "generated": generated,
    "code read": plots.code_images(read, 28, 28),
    "rebuilt": model.generate(read),
    "once more": model.reconstruct(model.generate(read)),
}
plots.side_by_side([plots.image_grid(each, 1, zoom=3) for each in columns.values()], list(columns))

# %% [markdown]
# How close is the code that was read to the original code? Measure the angle between the two: 0° is the same direction,
# and two random codes are at about 90°.


# %%
def angle(a, b):
    cosine = (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    return np.degrees(np.arccos(cosine))


z = model.sample_codes(500, seed=2).numpy()
z_read = model.encode(model.generate(z))
print(f"code and code read: {angle(z, z_read).mean():.0f}°")
print(f"code and the code read from another image: {angle(z, np.roll(z_read, 1, axis=0)).mean():.0f}°")
print(f"lengths: {np.linalg.norm(z, axis=1).mean():.1f} and, as read, {np.linalg.norm(z_read, axis=1).mean():.1f}")

# %% [markdown]
# Where the head is uncertain, it answers something near 0, the mean of the prior. So the codes that it reads are
# shorter than the original codes.
#
# ## Real digits, there and back
#
# A real image was not drawn from a code. The discriminator still reads a code from it, $\hat z = E(x)$, and the
# generator draws this code, $G(E(x))$. The second row of the picture below shows the results. The model was never
# trained for this: no loss compared a real image with its reconstruction.
#
# Gradient descent on the difference between the two images can refine the code:
#
# $$z \leftarrow z - \eta \, \nabla_z \|G(z) - x\|^2$$
#
# `model.encode(images, refine=100)` takes 100 such steps (with Adam). The third row shows the results:

# %%
rebuilt = model.reconstruct(shown)
refined = model.reconstruct(shown, refine=REFINE)
grid = plots.image_grid(np.concatenate([shown, rebuilt, refined]), columns=10)
plots.with_row_labels(grid, ["real", "rebuilt", "refined"])

# %%
other = np.roll(shown, 1, axis=0)
for name, each in (("rebuilt", rebuilt), ("refined", refined), ("another digit", other)):
    print(f"{name:14} differs from the real one by {np.sqrt(np.mean((each - shown) ** 2)):.2f}")

# %% [markdown]
# ## Damaged digits
#
# The generator can draw only what it has learned to draw. So when a damaged image is read and drawn again, the result
# looks like the training images, but it is not always the same digit. Images with noise or blur are read and drawn
# without refinement, because refinement would fit the damaged pixels too. For images with a mask, `known` says which
# pixels are not under the mask. The refinement uses only these pixels, and the generator fills in the rest.

# %%
rows, labels, distances = [shown], ["real"], []
for how in data.DEGRADATIONS:
    degraded, known = data.degrade(shown, how)
    rebuilt = model.reconstruct(degraded, refine=REFINE, known=known) if how == "mask" else model.reconstruct(degraded)
    rows += [degraded, rebuilt]
    labels += [how, "rebuilt"]
    distances.append([np.sqrt(np.mean((each - shown) ** 2)) for each in (degraded, rebuilt)])
plots.with_row_labels(plots.image_grid(np.concatenate(rows), columns=10), labels)

# %% [markdown]
# The discriminator has seen noise in training, but no blur and no gray squares: the codes that it reads from such
# images are guesses. How far is each image from the real digit, before and after the reconstruction? Where the second
# number is larger, the reconstruction is worse than the damaged image.

# %%
for how, (before, after) in zip(data.DEGRADATIONS, distances, strict=True):
    print(f"{how:6} {before:.2f} → {after:.2f}")

# %% [markdown]
# ## From one real digit to another
#
# Because real images now have codes, a walk can begin and end at *your* digits: encode both digits, and interpolate
# between the two codes.

# %%
ends = model.encode(shown[:8], refine=REFINE)
walks = latent.interpolate(ends[:4], ends[4:], steps=10)
pictures = model.generate(walks.reshape(-1, CODE)).reshape(4, 10, 28, 28, 1)
with_ends = np.concatenate([shown[:4, None], pictures, shown[4:8, None]], axis=1)
plots.image_grid(with_ends.reshape(-1, 28, 28, 1), columns=12)

# %% [markdown]
# The first and the last column are the real digits; the columns between them are generated.
#
# ## Questions to think about
#
# 1. With $w = 1$ there is no adversarial loss. What would the two networks learn to do?
# 2. Why does $l_{code}$ count only the codes of *fakes*, and not those of real images?
# 3. An autoencoder is trained to rebuild real images. How does a CodeGAN differ from it, and which of the two would you
#    use to compress images?
#
# <details><summary>Answers</summary>
#
# 1. They would learn to pass codes to each other through pictures, in any encoding that works: nothing would make the
#    pictures look like digits.
# 2. Nobody knows the code of a real image: there is no right answer to compare with.
# 3. An autoencoder minimizes the difference between pixels, and its images are blurred where it is uncertain. A CodeGAN
#    is not trained to match the pixels of real images: it draws sharp images, but may draw another digit. To compress
#    images, use the autoencoder.
#
# </details>
#
# ## Exercises
#
# 1. Encode without refinement, then with 10, 100 and 1,000 steps. When is refinement no longer worth the time?
#
# <details><summary>Solution</summary>
#
# ```python
# for steps in (0, 10, 100, 1000):
#     difference = np.sqrt(np.mean((model.reconstruct(shown, refine=steps) - shown) ** 2))
#     print(f"{steps:5} steps: {difference:.3f}")
# ```
#
# </details>
#
# 2. Train with `code_weight=0`, a plain DCGAN, and with 0.2. What happens to the digits, and to the codes that are
#    read?
#
# <details><summary>Solution</summary>
#
# ```python
# for weight in (0, 0.2):
#     other = kgan.CodeGAN(images.shape[1:], CODE, filters=32, code_weight=weight, augment=[("instance_noise", 0.1)])
#     other.compile()
#     other.fit(images, batch_size=32, epochs=EPOCHS, callbacks=[callbacks.LivePlot()])
#     z_read = other.encode(other.generate(z))
#     print(weight, f"{angle(z, z_read).mean():.0f}°")
# ```
#
# Without $l_{code}$ the second head is never trained: the angle is about 90°.
#
# </details>
#
# 3. Reconstruct an image that is not a digit, such as a cross. What does the model draw?
#
# <details><summary>Solution</summary>
#
# ```python
# cross = -np.ones((1, 28, 28, 1), np.float32)
# cross[0, 12:16, 6:22] = cross[0, 6:22, 12:16] = 1
# plots.image_grid(np.concatenate([cross, model.reconstruct(cross), model.reconstruct(cross, refine=100)]), columns=3)
# ```
#
# </details>
#
# ## What to try next
#
# - [Your own images](06_your_own_images.ipynb).
# - `kgan.train("codegan-digits")` (or `kgan train codegan-digits`), then, on the command line, `kgan reconstruct
#   runs/codegan-digits --degrade mask`.
# - Read `kgan/codegan.py`: a second head, one term in the loss, and how images are encoded.
