# %% [markdown]
# # Codes and reconstruction
#
# **What you will see:** a discriminator that not only says how real an image is but also reads the code that it was
# drawn from; real digits turned into codes and drawn again; damaged digits drawn again; and a walk from one *real*
# digit to another.
#
# **How long it takes:** 10 to 15 minutes to read, about three minutes to run on two CPU cores, offline.
#
# The model is that of Shao, Li and Jiang, *A Survey of DCGAN based Unsupervised Decoding and Image Generation*.

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
# A generator goes from code to image, $x = G(z)$. There is no way back in a GAN: nobody knows which code would give the
# digit that *you* wrote. Shao, Li and Jiang give the discriminator a second head that reads a code $\hat z$ from the
# image, beside the first, which says how real it is. Both heads share all layers before.
#
# For fakes the right answer is known, since they were drawn from a known code. So the second head learns by
#
# $$l_{code} = \|z - \hat z\|^2, \qquad l_{total} = w \cdot l_{code} + (1 - w) \cdot l_{DCGAN}, \qquad w = 0.012$$
#
# (equations 2 and 3), and *both* networks descend it: the discriminator by reading better, the generator by drawing
# images whose codes can be read. $w$ is small because $l_{code}$ is a sum over all units of a code. A head that always
# answers 0 has the loss

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
# (`augment` lists what happens to every image that the discriminator is trained on, real and fake alike. Here it adds
# Gaussian noise with a standard deviation of 0.1. The paper adds noise to the real images.)
#
# ## Train

# %%
model.compile()
curves = callbacks.CodeCurves("runs/codes.png")
history = model.fit(images, batch_size=32, epochs=EPOCHS, callbacks=[callbacks.LivePlot(), curves]).history

# %% [markdown]
# The losses now hold both parts. Here they are apart, as in figure 4 of the paper: above the loss of real images,
# below the difference of codes. The dashed line is the difference of codes when the head always answers 0.

# %%
first, last = history["code_loss"][0], history["code_loss"][-1]
print(f"difference of codes: {first:.0f} in the first epoch, {last:.0f} in the last")
Image.open("runs/codes.png").resize((560, 480), Image.Resampling.LANCZOS)

# %% [markdown]
# ## Code, image, code, image
#
# Figure 6 of the paper. In columns: a code, drawn as 6 × 6 squares; what is generated from it; the code that the
# discriminator reads from that; what is generated from the code that was read; and what comes of reading and drawing
# once more.

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
# How near is the code read to the code? By the angle between the two: 0° is the same direction, and two random codes
# are at about 90°.


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
# Where the head is uncertain it answers something near 0, the mean of the prior. So codes that were read are shorter
# than codes that were drawn.
#
# ## Real digits, there and back
#
# A real image has no code that it was drawn from. The discriminator reads one all the same, $\hat z = E(x)$, and the
# generator draws it, $G(E(x))$. The second row is that. No loss ever compared a real image with its
# reconstruction, so the model was never trained for this.
#
# The code can be refined by gradient descent on the difference of the images:
#
# $$z \leftarrow z - \eta \, \nabla_z \|G(z) - x\|^2$$
#
# `model.encode(images, refine=100)` takes 100 such steps (with Adam). The third row:

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
# The generator can draw only what it has learned to draw. So a damaged image, read and drawn again, becomes an image
# like the training images, if not always the same digit. Noise and blur are read and drawn without refining, which
# would fit the damaged pixels too. With the mask, `known` says which pixels count. The refinement uses only those, and
# the generator fills in the rest.

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
# The discriminator has seen noise in training, but not blur and gray squares: what it reads there is a guess. How far
# is each image from the real digit, before and after? Where the second number is larger, the reconstruction is worse
# than the damaged image.

# %%
for how, (before, after) in zip(data.DEGRADATIONS, distances, strict=True):
    print(f"{how:6} {before:.2f} → {after:.2f}")

# %% [markdown]
# ## From one real digit to another
#
# With codes for real images, walks can begin and end at *your* digits: encode both, go from code to code.

# %%
ends = model.encode(shown[:8], refine=REFINE)
walks = latent.interpolate(ends[:4], ends[4:], steps=10)
pictures = model.generate(walks.reshape(-1, CODE)).reshape(4, 10, 28, 28, 1)
with_ends = np.concatenate([shown[:4, None], pictures, shown[4:8, None]], axis=1)
plots.image_grid(with_ends.reshape(-1, 28, 28, 1), columns=12)

# %% [markdown]
# The first and the last column are the real digits; what stands between is generated.
#
# ## Questions to think about
#
# 1. With $w = 1$ the adversarial loss is gone. What would the two networks learn to do?
# 2. Why does only the code of *fakes* count in $l_{code}$, not that of real images?
# 3. An autoencoder is trained to rebuild real images. What is the difference to a CodeGAN, and which would you use
#    to compress images?
#
# <details><summary>Answers</summary>
#
# 1. To hand codes over through pictures, in any encoding that works: nothing would make the pictures look like
#    digits.
# 2. Nobody knows the code of a real image: there is no right answer to compare with.
# 3. An autoencoder descends the difference of pixels, and blurs where it is uncertain; a CodeGAN is never asked about a
#    real image's pixels, draws sharp images, and may draw another digit. To compress, the autoencoder.
#
# </details>
#
# ## Exercises
#
# 1. Encode without refining, then with 10, 100 and 1,000 steps. When is it no longer worth the time?
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
# 2. Train with `code_weight=0`, a plain DCGAN, and with 0.2. What happens to the digits, and to what is read?
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
# Without the code's loss the second head is never trained: about 90°.
#
# </details>
#
# 3. Reconstruct something that is no digit, such as a cross. What does the model make of it?
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
# - `kgan train codegan-digits`, then `kgan reconstruct runs/codegan-digits --degrade mask`.
# - Read `kgan/codegan.py`: a second head, one term in the loss, and how images are encoded.
