"""A training step of kgan's `fit` beside that of others: the same networks, the same batch, the same precision.

    pip install -e '.[bench]'
    python benchmarks/peers.py [--networks dense dcgan-28 …] [--precisions float32 bfloat16] [--rounds 5] [--gpu]

Each peer is a process of its own that loads one framework. They train in turns, so whatever else the machine does slows
all alike; while one trains, the others wait. The table shows the median and the least milliseconds of a step over the
rounds, the cores that were busy, and the share of this machine's rate of multiplying matrices: by the multiply-adds
that kgan needs, so that arithmetic that need not be done does not count.

The peers are written here from what their authors published:

- pytorch: the loop of its DCGAN tutorial; channels-last and compile are the same with a line more.
- keras.io: the pattern of Keras' own GAN examples. Real and fake images go through the discriminator as one batch, and
  the generator's step draws new fakes.
- tutorial: TensorFlow's DCGAN tutorial, a compiled function with two tapes over the same fakes. Both networks change at
  once, which is one pass of the fakes less; "kgan simultaneous" is kgan in that order.

With --gpu they train on CUDA, and "kgan xla" is kgan with jit_compile=True, which is left out on a CPU.
"""

import argparse
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import time

import numpy as np

# A network has what `kgan.networks` gives it, unless it is said here.
NETWORKS = {
    "dense": {"shape": (28, 28, 1), "batch": 128},
    "dcgan-28": {"shape": (28, 28, 1), "batch": 128, "filters": 64, "kernel_size": 4},
    "dcgan-64": {"shape": (64, 64, 3), "batch": 64, "filters": 64, "kernel_size": 4},
    "upsampling-128": {"shape": (128, 128, 3), "batch": 64, "filters": 16, "kernel_size": 5, "upsampling": "nearest"},
    "radford-64": {"shape": (64, 64, 3), "batch": 128, "filters": 128, "kernel_size": 5},
    "codegan": {"shape": (64, 64, 1), "batch": 64, "filters": 32, "kernel_size": 4},
}
DEPTHS = {"upsampling-128": 4, "codegan": 2}
LATENT, HIDDEN, CODE_WEIGHT, NOISE = 100, 128, 0.012, 0.1
PEERS = (
    "kgan",
    "kgan simultaneous",
    "kgan xla",
    "pytorch",
    "pytorch channels-last",
    "pytorch compile",
    "keras.io",
    "tutorial",
)
SECONDS = 2.0  # that a turn should take; a step may take longer


def random_images(name):
    """An epoch of them: 100 batches, 8 of large images."""
    spec = NETWORKS[name]
    batches = 100 if spec["shape"][0] < 64 else 8
    return np.random.default_rng(0).uniform(-1, 1, (batches * spec["batch"], *spec["shape"])).astype("float32")


# kgan


def kgan_networks(name):
    from kgan import networks

    spec = {**NETWORKS[name], "depth": DEPTHS.get(name)}
    shape, _ = spec.pop("shape"), spec.pop("batch")
    if name == "dense":
        return networks.dense_generator(shape, LATENT, HIDDEN), networks.dense_discriminator(shape, HIDDEN)
    activation = "leaky_relu" if spec.pop("upsampling", "") else "relu"
    upsampling = "nearest" if activation == "leaky_relu" else "transposed"
    generator = networks.dcgan_generator(shape, LATENT, **spec, upsampling=upsampling, activation=activation)
    return generator, networks.dcgan_discriminator(shape, **spec, code_units=LATENT if name == "codegan" else None)


def kgan_peer(name, **compiled):
    import kgan

    if name == "codegan":
        spec = {**NETWORKS[name], "depth": DEPTHS[name]}
        shape, _ = spec.pop("shape"), spec.pop("batch")
        noise = [("instance_noise", NOISE)]
        model = kgan.CodeGAN(shape, LATENT, **spec, reuse_fakes=False, augment=noise, code_weight=CODE_WEIGHT)
    else:
        model = kgan.GAN(*kgan_networks(name), reuse_fakes=True)
    model.compile(**compiled, steps_per_execution=10 if name == "dense" else 1)
    return fitted(model, kgan.data.Batches(random_images(name), NETWORKS[name]["batch"]))


def fitted(model, batches):
    """A function that trains so many steps by `fit`, and gives the seconds of its epoch."""
    from kgan._backend import keras

    class Watch(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.began = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            self.seconds = time.perf_counter() - self.began

    def train(steps):
        watch = Watch()
        model.fit(batches, steps_per_epoch=steps, verbose=0, callbacks=[watch])
        return watch.seconds

    return train


# keras.io and TensorFlow's tutorial: layers of Keras' own alone


def plain_networks(name):
    from kgan._backend import keras
    from kgan.layers import FusedBatchNormalization, UpsampledConv2D

    def plain(network):
        layers = [keras.Input(network.input_shape[1:])]
        for layer in network.layers:
            config = layer.get_config()
            if isinstance(layer, UpsampledConv2D):
                layers += [keras.layers.UpSampling2D(2), keras.layers.Conv2D.from_config(config)]
            elif isinstance(layer, FusedBatchNormalization):
                layers.append(keras.layers.BatchNormalization.from_config(config))
            else:
                layers.append(type(layer).from_config(config))
        return keras.Sequential(layers)

    return [plain(network) for network in kgan_networks(name)]


def adam():
    from kgan._backend import keras

    return keras.optimizers.Adam(2e-4, beta_1=0.5)


def keras_io_peer(name):
    from kgan._backend import keras, tf

    class Pattern(keras.Model):
        def __init__(self):
            super().__init__()
            self.generator, self.discriminator = plain_networks(name)
            self.d_metric, self.g_metric = keras.metrics.Mean(name="d_loss"), keras.metrics.Mean(name="g_loss")
            self.built = True

        def compile(self, **keywords):
            super().compile(**keywords)
            self.d_optimizer, self.g_optimizer = adam(), adam()
            self.loss_function = keras.losses.BinaryCrossentropy(from_logits=True)

        def train_step(self, real_images):
            batch = tf.shape(real_images)[0]
            fakes = self.generator(tf.random.normal((batch, LATENT)), training=True)
            images = tf.concat([fakes, real_images], axis=0)
            labels = tf.concat([tf.zeros((batch, 1)), tf.ones((batch, 1))], axis=0)
            with tf.GradientTape() as tape:
                d_loss = self.loss_function(labels, self.discriminator(images, training=True))
            weights = self.discriminator.trainable_weights
            self.d_optimizer.apply_gradients(zip(tape.gradient(d_loss, weights), weights, strict=True))
            with tf.GradientTape() as tape:
                fakes = self.generator(tf.random.normal((batch, LATENT)), training=True)
                g_loss = self.loss_function(tf.ones((batch, 1)), self.discriminator(fakes, training=True))
            weights = self.generator.trainable_weights
            self.g_optimizer.apply_gradients(zip(tape.gradient(g_loss, weights), weights, strict=True))
            self.d_metric.update_state(d_loss)
            self.g_metric.update_state(g_loss)
            return {"d_loss": self.d_metric.result(), "g_loss": self.g_metric.result()}

    model = Pattern()
    model.compile()
    return fitted(model, shuffled(name))


def shuffled(name):
    """The images as both have them."""
    from kgan._backend import tf

    images = tf.data.Dataset.from_tensor_slices(random_images(name)).shuffle(4096)
    return images.batch(NETWORKS[name]["batch"], drop_remainder=True).repeat().prefetch(2)


def tutorial_peer(name):
    from kgan._backend import keras, tf

    batch = NETWORKS[name]["batch"]
    generator, discriminator = plain_networks(name)
    d_optimizer, g_optimizer = adam(), adam()
    loss = keras.losses.BinaryCrossentropy(from_logits=True)

    @tf.function
    def train_step(images):
        noise = tf.random.normal([batch, LATENT])
        with tf.GradientTape() as g_tape, tf.GradientTape() as d_tape:
            fakes = generator(noise, training=True)
            real_output, fake_output = discriminator(images, training=True), discriminator(fakes, training=True)
            g_loss = loss(tf.ones_like(fake_output), fake_output)
            d_loss = loss(tf.ones_like(real_output), real_output) + loss(tf.zeros_like(fake_output), fake_output)
        g_gradients = g_tape.gradient(g_loss, generator.trainable_variables)
        d_gradients = d_tape.gradient(d_loss, discriminator.trainable_variables)
        g_optimizer.apply_gradients(zip(g_gradients, generator.trainable_variables, strict=True))
        d_optimizer.apply_gradients(zip(d_gradients, discriminator.trainable_variables, strict=True))
        return d_loss

    batches = iter(shuffled(name))

    def train(steps):
        began = time.perf_counter()
        for _ in range(steps):
            d_loss = train_step(next(batches))
        float(d_loss)
        return time.perf_counter() - began

    return train


# PyTorch


def torch_networks(name):
    from torch import nn

    height, _, channels = NETWORKS[name]["shape"]
    if name == "dense":
        units = height * height * channels
        generator = nn.Sequential(
            nn.Linear(LATENT, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, units), nn.Tanh(),
            nn.Unflatten(1, (channels, height, height)),
        )  # fmt: skip
        return generator, nn.Sequential(nn.Flatten(), nn.Linear(units, HIDDEN), nn.LeakyReLU(0.2), nn.Linear(HIDDEN, 1))
    filters, kernel = NETWORKS[name]["filters"], NETWORKS[name]["kernel_size"]
    is_upsampling, widths, size = "upsampling" in NETWORKS[name], [], height
    while size % 2 == 0 and size >= 8 and len(widths) != DEPTHS.get(name):
        size //= 2
        widths.append(filters * min(2 ** len(widths), 8))

    def activated():
        return nn.LeakyReLU(0.2) if is_upsampling else nn.ReLU()

    def doubled(inputs, outputs, bias):
        if is_upsampling:
            return [nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, kernel, 1, kernel // 2, bias=bias)]
        return [nn.ConvTranspose2d(inputs, outputs, kernel, 2, (kernel - 1) // 2, kernel % 2, bias=bias)]

    generator = [
        nn.Linear(LATENT, size * size * widths[-1], bias=False), nn.Unflatten(1, (widths[-1], size, size)),
        nn.BatchNorm2d(widths[-1]), activated(),
    ]  # fmt: skip
    for inputs, outputs in zip(widths[::-1], widths[-2::-1], strict=False):
        generator += [*doubled(inputs, outputs, False), nn.BatchNorm2d(outputs), activated()]
    generator += [*doubled(widths[0], channels, True), nn.Tanh()]

    def halved(inputs, outputs, bias):
        return nn.Conv2d(inputs, outputs, kernel, 2, (kernel - 1) // 2, bias=bias)

    discriminator = [halved(channels, widths[0], True), nn.LeakyReLU(0.2)]
    for inputs, outputs in itertools.pairwise(widths):
        discriminator += [halved(inputs, outputs, False), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2)]
    heads = 1 + LATENT if name == "codegan" else 1
    discriminator += [nn.Flatten(), nn.Linear(size * size * widths[-1], heads)]
    return nn.Sequential(*generator), nn.Sequential(*discriminator)


def torch_peer(name, precision, device, how):
    import torch
    from torch.nn import functional

    batch, is_codegan = NETWORKS[name]["batch"], name == "codegan"
    generator, discriminator = (network.to(device) for network in torch_networks(name))
    images = torch.tensor(random_images(name).transpose(0, 3, 1, 2).copy(), device=device)
    if how == "channels-last":
        images = images.to(memory_format=torch.channels_last)
        generator, discriminator = (each.to(memory_format=torch.channels_last) for each in (generator, discriminator))
    d_optimizer, g_optimizer = (
        torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999)) for network in (discriminator, generator)
    )
    if how == "compile":
        generator, discriminator = torch.compile(generator), torch.compile(discriminator)
    ones, zeros = torch.ones(batch, 1, device=device), torch.zeros(batch, 1, device=device)
    mixed = torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16")

    def seen(shown):
        return shown + NOISE * torch.randn_like(shown) if is_codegan else shown

    def objective(outputs, labels, codes=None):
        loss = functional.binary_cross_entropy_with_logits(outputs[:, :1].float(), labels)
        if not is_codegan:
            return loss
        distance = 0.0 if codes is None else (outputs[:, 1:].float() - codes).square().sum(1).mean()
        return CODE_WEIGHT * distance + (1 - CODE_WEIGHT) * loss

    def drawn():
        codes = torch.randn(batch, LATENT, device=device)
        with mixed:
            return codes, seen(generator(codes).float())

    def step(real_images):
        discriminator.zero_grad()
        with mixed:
            outputs = discriminator(seen(real_images))
        d_loss = objective(outputs, ones)
        d_loss.backward()
        codes, fakes = drawn()
        with mixed:
            outputs = discriminator(fakes.detach())
        fake_loss = objective(outputs, zeros, codes)
        fake_loss.backward()
        d_optimizer.step()
        generator.zero_grad()
        if is_codegan:
            codes, fakes = drawn()
        with mixed:
            outputs = discriminator(fakes)
        objective(outputs, ones, codes).backward()
        g_optimizer.step()
        return d_loss + fake_loss

    def train(steps):
        began = time.perf_counter()
        order = torch.randperm(len(images), device=device)
        for number in range(steps):
            first = number * batch % len(images)
            loss = step(images[order[first : first + batch]])
        loss.item()
        return time.perf_counter() - began

    return train


# The race


def peer(name, network, precision, device):
    """Be one of the peers: train as many steps as stdin says, and say on stdout how long it took."""
    if name.startswith("pytorch"):
        train = torch_peer(network, precision, "cuda" if device == "gpu" else "cpu", name.partition(" ")[2])
    else:
        from kgan._backend import keras

        keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
        compiled = {"kgan simultaneous": {"simultaneous": True}, "kgan xla": {"jit_compile": True}}
        makers = {"keras.io": keras_io_peer, "tutorial": tutorial_peer}
        train = makers[name](network) if name in makers else kgan_peer(network, **compiled.get(name, {}))
    for line in sys.stdin:
        busy, began = time.process_time(), time.perf_counter()
        seconds = train(int(line))
        cores = (time.process_time() - busy) / (time.perf_counter() - began)
        print(json.dumps({"seconds": seconds, "cores": cores}), flush=True)


def race(network, precision, rounds, device, names):
    """Milliseconds of a step in each round, and the cores that were busy, of each peer."""
    command = [sys.executable, __file__, "--gpu"] if device == "gpu" else [sys.executable, __file__]
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    running = {
        name: subprocess.Popen([*command, "--peer", name, network, precision], **options)
        for name in names
        if not (network == "codegan" and name in ("keras.io", "tutorial"))  # they have no such model
    }

    def turn(name, steps):
        running[name].stdin.write(f"{steps}\n")
        running[name].stdin.flush()
        answer = running[name].stdout.readline()
        return json.loads(answer) if answer else None  # None: it ended, such as a framework that is not installed

    steps = {}
    for name in running:
        count, answer = 2, turn(name, 2)  # the first compiles
        for _ in range(3):  # the more steps, the less it matters how an epoch begins
            if answer and (answer := turn(name, count)):
                count = max(2, round(SECONDS * count / answer["seconds"]))
        if answer:
            steps[name] = count
    found = {name: [] for name in steps}
    for _ in range(rounds):
        for name, turns in found.items():
            turns.append(turn(name, steps[name]))
    for process in running.values():
        process.stdin.close()
        process.wait()
    return {
        name: ([1000 * each["seconds"] / steps[name] for each in turns], statistics.median(e["cores"] for e in turns))
        for name, turns in found.items()
    }


PEAK = """
import time
from kgan._backend import tf
for kind in ("float32", "bfloat16"):
    a = tf.cast(tf.random.normal((2048, 2048)), kind)
    product = tf.function(lambda: tf.cast(tf.reduce_sum(tf.matmul(a, a)), "float32"))
    times = []
    for _ in range(20):
        began = time.perf_counter()
        float(product())
        times.append(time.perf_counter() - began)
    print(2 * 2048**3 / min(times))
"""


def work(network):
    """Additions and multiplications of a step: forward 1, and backward 1 each for weights and for what goes in."""
    from kgan.networks import multiply_adds

    generator, discriminator = map(multiply_adds, kgan_networks(network))
    passes = (4 if network == "codegan" else 3) * generator + 8 * discriminator
    return 2 * NETWORKS[network]["batch"] * passes


def main(arguments):
    peaks = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True).stdout.split()
    peaks = dict(zip(("float32", "bfloat16"), map(float, peaks), strict=True))
    rates = ", ".join(f"{peak / 1e9:,.0f} GFLOP/s in {name}" for name, peak in peaks.items())
    print(f"{platform.machine()}, {os.cpu_count()} cores, matrices multiplied at {rates}; {arguments.rounds} rounds\n")
    print("| network | precision | peer | ms a step | least | as long as kgan | cores | of the peak |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    names = [name for name in arguments.peers if arguments.gpu or name != "kgan xla"]
    device = "gpu" if arguments.gpu else "cpu"
    for network in arguments.networks:
        operations = work(network)
        for precision in arguments.precisions:
            results = race(network, precision, arguments.rounds, device, names)
            ours = statistics.median(results["kgan"][0])
            for name, (milliseconds, cores) in results.items():
                median = statistics.median(milliseconds)
                share = operations / (median / 1000) / peaks[precision]
                row = (network, precision, name, f"{median:,.1f}", f"{min(milliseconds):,.1f}", f"{median / ours:.2f}")
                print("|", " | ".join((*row, f"{cores:.1f}", f"{share:.0%}")), "|", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--precisions", nargs="+", choices=("float32", "bfloat16"), default=["float32", "bfloat16"])
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--peer", nargs=3, metavar=("NAME", "NETWORK", "PRECISION"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        peer(*arguments.peer, "gpu" if arguments.gpu else "cpu")
    else:
        main(arguments)
