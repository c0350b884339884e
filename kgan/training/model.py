"""`KerasGAN`: two networks and two optimizers as one Keras model."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from kgan import latent, losses
from kgan import penalties as penalty_terms
from kgan._backend import abstract_build, keras, tf
from kgan.checks import whole_numbers
from kgan.data.checks import as_array, check_no_weights
from kgan.errors import Mistake
from kgan.layers import Packing, ReferenceBatch
from kgan.training import steps as training_steps
from kgan.training import workers
from kgan.training.callback import Callback, FitArguments, Recorder
from kgan.training.data import RealImages, real_images, split_for_validation
from kgan.training.replicas import position
from kgan.training.steps import Steps, executor, images_of, made_for
from kgan.training.updates import Average, OptimizerPair, Updater, built_optimizer, inner_optimizer, optimizes


class KerasGAN(keras.Model):
    """What Keras needs of a GAN: compile, fit, evaluate, predict, save, export, and checks before the first step.

    The constructor of `kgan.GAN` sets the networks, their sizes, the step and the metrics.
    """

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.recorder = Recorder()  # the history
        self._execute: Callable | None = None
        self._draws: Callable | None = None
        self.built = True  # otherwise Keras builds it by calling it on images, but `call` takes codes

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The metrics of an epoch: all of the model's, except Keras' own `loss`, which would always be 0."""
        # By its private name, since a subclass may have another metric that is called loss.
        left_out = [getattr(self, "_loss_tracker", None)]
        if not getattr(self, "penalties", None):
            left_out.append(self.d_penalty_metric)
        return [metric for metric in super().metrics if not any(metric is other for other in left_out)]

    @property
    def training_state(self) -> list[keras.Variable]:
        """All that training changes: both networks, all optimizers, the step, the epoch's metrics, Dropout's seeds."""
        variables = [*self.variables, *self.metrics_variables]
        for optimizer in self._optimizers().values():
            variables += optimizer.variables
        return list({id(variable): variable for variable in variables}.values())

    def _optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """All optimizers by the names of their attributes: a subclass may have more than the two."""
        return {name: value for name, value in vars(self).items() if isinstance(value, keras.optimizers.Optimizer)}

    def random(self, count: int | tf.Tensor, *stream: int) -> Callable[[int, str], tf.Tensor]:
        """A function (units, prior) → random numbers (count, units), the same for the same seed, step and stream."""
        place, total = position(count)  # among the images of all replicas

        def numbers(units: int, prior: str) -> tf.Tensor:
            return latent.sample_codes(total, units, prior, seed=(self.seed, self.step, *stream))[place : place + count]

        return numbers

    # compile

    def compile(
        self,
        d_optimizer: keras.optimizers.Optimizer | str | None = None,
        g_optimizer: keras.optimizers.Optimizer | str | None = None,
        loss: str | tuple[Callable, Callable] = "non_saturating",
        label_smoothing: float = 0.0,
        top_k: float = 1.0,
        penalties: Sequence[str | Callable | tuple[str | Callable, float]] = (),
        penalty_every: int = 1,
        simultaneous: bool = False,
        **keywords: Any,
    ) -> None:
        """Choose the optimizers, the loss and the penalties.

        Args:
            d_optimizer, g_optimizer: one for each network; by default Adam with learning rate 2e-4 and β1 0.5
                (Radford et al. 2016, section 4).
            loss: a name in `kgan.losses.LOSSES`, or a pair of functions (discriminator's, generator's) of
                (real_logits, fake_logits).
            label_smoothing: one-sided: the discriminator's target for real images is 1 - label_smoothing.
            top_k: fraction of the fakes that the generator learns from: those that look most real to the discriminator.
            penalties: terms that are added to the discriminator's loss, such as `[("r1", 10.0)]`: see `kgan.penalties`.
            penalty_every: with 16, penalties are computed in one of 16 steps and count 16 times, which is cheaper.
            simultaneous: both networks change at once, by gradients from one pass of the fakes, which is cheaper:
                simultaneous instead of alternating gradient descent (Mescheder, Geiger, Nowozin 2018, *Which Training
                Methods for GANs do actually Converge?*). As in TensorFlow's DCGAN tutorial; d_steps has to be 1.
            **keywords: Keras' own, such as steps_per_execution.

        Raises:
            ValueError: for what cannot be right, and arguments of Keras that a GAN has no use for.
            TypeError: for the argument `optimizer`.

        Example:
            >>> model.compile(g_optimizer=keras.optimizers.Adam(1e-4, beta_1=0.5), penalties=[("r1", 1.0)])
        """
        if "optimizer" in keywords:
            raise TypeError("a GAN has two optimizers: pass d_optimizer and g_optimizer instead of optimizer")
        if keywords.get("loss_weights"):
            raise Mistake("compile does not take loss_weights: the losses of the two networks are never added up")
        for name in ("metrics", "weighted_metrics"):
            if keywords.get(name):
                raise Mistake(f"compile does not take {name}: measure in a callback, as kgan.callbacks.Quality does")
        if d_optimizer is g_optimizer and isinstance(d_optimizer, keras.optimizers.Optimizer):
            raise Mistake("d_optimizer and g_optimizer are one object: each network needs an optimizer of its own")
        loss_pair, penalty_pairs = losses.get(loss, label_smoothing, top_k), penalty_terms.get(penalties)
        [penalty_every] = whole_numbers(penalty_every=penalty_every)
        if simultaneous and self.d_steps > 1:
            raise Mistake(f"simultaneous is one step of each network, but d_steps is {self.d_steps}: leave one out")
        if isinstance(loss, str) and _ends_in_sigmoid(self.discriminator):
            warnings.warn(
                f"the discriminator ends in a sigmoid, but the loss {loss} takes logits: leave the sigmoid out",
                stacklevel=2,
            )
        if penalty_pairs and any(isinstance(layer, Packing) for layer in self.discriminator.layers):
            raise Mistake(
                "penalties need single images, but with packing the discriminator sees packs of them: leave one out"
            )
        # None: otherwise Keras installs an RMSprop that trains nothing.
        super().compile(optimizer=None, loss=None, **{"auto_scale_loss": False, **keywords})
        self.discriminator_loss, self.generator_loss = loss_pair
        self.penalties = penalty_pairs
        self.penalty_every = penalty_every
        self.simultaneous = simultaneous
        # Whether σ(logits) are probabilities.
        self.has_probabilities = losses.name_of(loss) not in losses.WITHOUT_PROBABILITIES
        self.d_optimizer = built_optimizer(d_optimizer, self.discriminator, "discriminator")
        self.g_optimizer = built_optimizer(g_optimizer, self.generator, "generator")
        self._settings = {"loss": loss, "label_smoothing": label_smoothing, "penalties": penalties, **keywords}
        self._settings |= {"top_k": top_k, "penalty_every": penalty_every, "simultaneous": simultaneous}
        self._execute = None

    @property
    def d_updater(self) -> Updater:
        """Changes the discriminator's weights by its gradients."""
        return Updater(self.discriminator, self.d_optimizer)

    @property
    def g_updater(self) -> Updater:
        """Changes the generator's weights by its gradients."""
        average = Average(self.average_generator, self.ema, self.step) if self.ema else None
        return Updater(self.generator, self.g_optimizer, average)

    @property
    def optimizer(self) -> OptimizerPair | None:
        """Both optimizers, for Keras' callbacks."""
        return OptimizerPair(self.d_updater, self.g_updater) if getattr(self, "compiled", False) else None

    @optimizer.setter
    def optimizer(self, optimizer: None) -> None:
        """Does nothing: Keras sets it to the `optimizer` of its own `compile`, which is None."""

    def _check_trainable(self) -> None:
        """Build optimizers assigned since `compile`; refuse other weights than then; warn if a network is frozen."""
        for name, attribute in (("discriminator", "d_optimizer"), ("generator", "g_optimizer")):
            network, optimizer = getattr(self, name), getattr(self, attribute)
            if not inner_optimizer(optimizer).built:
                setattr(self, attribute, built_optimizer(optimizer, network, name))
            elif not optimizes(inner_optimizer(optimizer), network):
                raise Mistake(
                    f"the {name}, or what is trainable in it, was changed since compile: compile the model again"
                )
            if not network.trainable_weights:
                warnings.warn(f"the {name} has no trainable weights, so it does not learn", stacklevel=4)

    # fit

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
    ) -> keras.callbacks.History:
        """Keras' `fit`, with everything checked first.

        An array is shuffled anew in each epoch, by a pure function of (seed, epoch), and split into whole batches;
        epochs are counted from step 0. A dataset keeps its own order.

        Args:
            x: real images, float, in [-1, 1]: an array, a `tf.data.Dataset` of batches, a `keras.utils.PyDataset`,
                a generator of batches, whose end ends training, or `kgan.data.Batches` of images on the disk.
            y: labels, for a conditional model; other models ignore labels, those of a dataset too.
            batch_size: images in a batch, 32 by default, for arrays. The batch holds `d_steps` minibatches.
            epochs: how many; with a `Checkpoint` that resumes, counted from the beginning of the run.
            callbacks: Keras' and kgan's own. At most one `Checkpoint` among them.
            verbose: Keras' own; with a `LivePlot`, "auto" shows no progress bar.
            validation_split, …: Keras' own; class_weight and sample_weight are refused.

        Raises:
            ValueError: before training, if images, data, callbacks or arguments cannot be right.

        Example:
            >>> history = model.fit(images, batch_size=64, epochs=2, verbose=0)
            >>> sorted(history.history)
            ['d_fake', 'd_loss', 'd_real', 'g_loss']
        """
        self._check_call("fit", class_weight=class_weight, sample_weight=sample_weight)
        self._check_trainable()
        strategy = self.distribute_strategy
        x = as_array(x)
        if validation_split and validation_data is None:
            x, y, validation_data = split_for_validation(x, y, validation_split)
        data = real_images(x, y, self, "fit", batch_size=batch_size, steps=steps_per_epoch, shuffle=shuffle)
        if validation_data is not None:
            size = validation_batch_size or data.batch_size
            held_out = real_images(validation_data, None, self, "validate", batch_size=size, steps=validation_steps)
            validation_data = held_out.open(strategy)
        self._choose_references(data)

        given = keras.tree.flatten(getattr(callbacks, "callbacks", callbacks) or [])
        absent = [call for call in given if getattr(call, "is_for_chief", False) and not workers.is_chief(strategy)]
        present = [call for call in given if call not in absent]
        self._check_callbacks(present)
        arguments = FitArguments(data, present, epochs, data.batch_size, data.steps_per_epoch, shuffle)
        own = [callback for callback in present if isinstance(callback, Callback)]
        for callback in own:
            callback.set_model(self)
            callback.before_fit(arguments)
        if verbose == "auto" and any(callback.shows_progress for callback in own):
            verbose = 0
        resuming = [callback for callback in own if type(callback).resume is not Callback.resume]
        if len(resuming) > 1:
            raise Mistake("there are several checkpoints among the callbacks: a run has one")
        for name, optimizer in self._optimizers().items() if resuming else ():
            if not optimizer.built:
                raise Mistake(f"{name} is not built, so a checkpoint would lack its state: build it in compile")
        with contextlib.ExitStack() as held:
            point = held.enter_context(resuming[0].resume(arguments)) if resuming else None
            for callback in reversed(own):
                held.callback(callback.after_fit)
            initial_epoch = (point and point.epochs) or initial_epoch
            steps = Steps(self, present, absent, point.steps if point else 0, initial_epoch)
            epochs_before = point.epochs_since_data_start if point else 0

            def first_batch() -> int:
                if data.batches:  # counted from step 0; steps that are done pass again, untrained
                    return int(self.step.numpy()) - steps.done
                return (epochs_before + steps.restored_epochs) * (data.steps_per_epoch or 0)

            self.train_function = steps
            try:
                history = super().fit(
                    data.open(strategy, first_batch),
                    epochs=epochs,
                    verbose=verbose,
                    callbacks=[steps, self.recorder, *present, *([point.history] if point else [])],
                    validation_data=validation_data,
                    shuffle=False,
                    initial_epoch=initial_epoch,
                    steps_per_epoch=data.steps_per_epoch,
                    validation_steps=validation_steps and int(validation_steps),
                    validation_freq=validation_freq,
                )
            except training_steps.DataEnded:
                ended = f"the data ended, so training ends with epoch {self.recorder.epoch}"
                warnings.warn(f"{ended}: for more epochs pass data that can be read again", stacklevel=2)
                history = self.history
                for callback in present:
                    callback.on_train_end({})
            except tf.errors.InvalidArgumentError as error:
                for sentence in (training_steps.NOT_DIVISIBLE.format(self.d_steps), training_steps.TOO_SMALL):
                    if sentence in str(error):
                        raise Mistake(sentence) from None
                raise
            finally:
                self.train_function = None
        self.optimizer.finalize()
        return history

    # Methods, not properties: Keras asks a model for all of its properties while it loads the weights.

    def step_function(self) -> Callable[[Any, int], dict[str, tf.Tensor]]:
        """See `executor`. It is made for the first step, since `run_eagerly` may be set after `compile`."""
        self._execute = made_for(self.training_state, self._execute, lambda: executor(self))
        return self._execute

    def make_train_function(self, force: bool = False) -> None:
        """Does nothing: `fit` has set `train_function` to `Steps`, which Keras' loop calls."""

    # A private name of Keras, which builds a model here by a call on real images, averaged over all replicas.
    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Does nothing: all is built."""

    def _check_call(self, method: str, **weights: Any) -> None:
        """Refuse a call before `compile`, or with weights of images or classes."""
        if not self.compiled:
            raise Mistake(f"the model is not compiled: call compile() before {method}()")
        check_no_weights(**weights)

    def _check_callbacks(self, callbacks: Sequence[Any]) -> None:
        """Refuse callbacks of Keras that would wait for a metric that a GAN lacks, or fail later."""
        names = [metric.name for metric in self.metrics]
        for callback in callbacks:
            kind = type(callback).__name__
            if isinstance(callback, keras.callbacks.TerminateOnNaN) and "loss" not in names:
                raise Mistake(f"{kind} looks at loss, which a GAN does not have: use kgan.callbacks.StopOnNaN()")
            watches = not isinstance(callback, keras.callbacks.ModelCheckpoint) or callback.save_best_only
            monitor = getattr(callback, "monitor", None) if watches else None
            if monitor in ("loss", "val_loss") and "loss" not in names:
                raise Mistake(
                    f"{kind} monitors {monitor}, which a GAN does not have: pass monitor= one of {', '.join(names)}, "
                    "or such a name after val_"
                )
            if isinstance(callback, keras.callbacks.EarlyStopping) and callback.mode == "auto":
                raise Mistake(f"{kind} cannot tell if {monitor} should fall or rise: pass mode='min' or mode='max'")

    def _choose_references(self, data: RealImages) -> None:
        """Choose, once, the batch of real images or codes that reference and virtual batch normalization use."""
        if layers := list(_references(self.discriminator)):
            images = data.reference(max(layer.size for layer in layers), self.seed)
            for layer in layers:
                layer.adapt(images[: layer.size])
        for layer in _references(self.generator):
            never = np.iinfo(np.int64).max  # the number of a step that training never reaches
            layer.adapt(self.sample_codes(layer.size, seed=(self.seed, never)))

    # evaluate, train_on_batch, test_on_batch

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        *arguments: Any,
        **keywords: Any,
    ) -> Any:
        """Like Keras' `evaluate`: the metrics of `fit`, for real images and as many fakes of fixed codes.

        The networks run in inference mode, and d_loss is without penalties. Images can have any form that `fit` takes.

        Example:
            >>> sorted(model.evaluate(images, verbose=0, return_dict=True))
            ['d_fake', 'd_loss', 'd_real', 'g_loss']
        """
        # With this keyword, which is private to Keras, its `fit` asks for validation: the images are checked already.
        is_validation = keywords.get("_use_cached_eval_dataset")
        if not is_validation:
            self._check_call("evaluate", sample_weight=sample_weight)
            data = real_images(x, y, self, "evaluate", batch_size=batch_size, steps=steps)
            x, y, batch_size, sample_weight = data.open(self.distribute_strategy), None, None, None
            steps = steps and int(steps)
        result = super().evaluate(x, y, batch_size, verbose, sample_weight, steps, *arguments, **keywords)
        if is_validation and not any(result.values()):
            warnings.warn("validation_data ended: this epoch is not validated", stacklevel=2)
            return {}
        return result

    def evaluation_result(self) -> dict[str, tf.Tensor]:
        """The metrics as `test_step` returns them."""
        result = {name: value for name, value in self.get_metrics_result().items() if name != "d_penalty"}
        if workers.count(self.distribute_strategy) > 1:  # Keras then reduces them over an axis
            return {name: tf.reshape(value, (1,)) for name, value in result.items()}
        return result

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Like Keras' `train_on_batch`: one training step on a batch of real images, checked as in `fit`."""
        self._check_call("train_on_batch", sample_weight=sample_weight, class_weight=class_weight)
        data = real_images(x, y, self, "train_on_batch")
        self._check_trainable()
        self._choose_references(data)
        self.reset_metrics()
        logs = self.step_function()(iter(data.open(self.distribute_strategy)), 1)
        logs = {name: float(value) for name, value in logs.items()}
        return logs if return_dict else list(logs.values())

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Like Keras' `test_on_batch`: the metrics of `evaluate` for one batch of real images."""
        self._check_call("test_on_batch", sample_weight=sample_weight)
        data = real_images(x, y, self, "test_on_batch")
        return super().test_on_batch(tf.cast(data.images, tf.float32), data.labels, return_dict=return_dict)

    # call, predict, export

    @property
    def sampler(self) -> keras.Model:
        """The network that generates images: the generator, or its average."""
        return self.average_generator or self.generator

    def call(self, codes: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """The images that the generator draws from these codes, or its average if there is one (`ema`)."""
        return self.sampler(codes, training=training)

    def draw_function(self) -> Callable[[np.ndarray], tf.Tensor]:
        """`call` in inference mode, compiled: otherwise a small generator spends most of its time between layers."""

        def compiled() -> Callable:
            codes = tf.TensorSpec((None, self.code_dim))
            draws = tf.function(lambda codes: self(codes, training=False), [codes], autograph=False)
            # Concrete: TensorFlow would mistake the functions of several models for one that is traced again, and warn.
            return draws.get_concrete_function()

        self._draws = made_for(self.sampler.variables, self._draws, compiled)
        return self._draws

    def predict(self, x: Any, *arguments: Any, **keywords: Any) -> np.ndarray:
        """Like Keras' `predict`: the generator's images for codes, (count, latent_dim), or a dataset of codes."""
        x = as_array(x, "codes")
        codes = images_of(x.element_spec) if isinstance(x, tf.data.Dataset) else x
        shape = tuple(getattr(codes, "shape", (None, self.code_dim)))
        if len(shape) != 2 or shape[1] not in (None, self.code_dim):
            raise Mistake(
                f"predict takes codes, (count, {self.code_dim}), and was given shape {shape}: for the logits of "
                "images call score(images)"
            )
        return super().predict(x, *arguments, **keywords)

    def export(self, filepath: Any, *arguments: Any, **keywords: Any) -> None:
        """Like Keras' `export`: save the generator for serving, as a function of codes, (count, latent_dim)."""
        signature = [keras.InputSpec(shape=(None, self.code_dim), dtype="float32")]
        super().export(filepath, *arguments, **{"input_signature": signature, **keywords})

    # save, load

    def quantize(self, *arguments: Any, **keywords: Any) -> None:
        """Like Keras' `quantize`, for models that are saved with their networks: `kgan.GAN` itself."""
        if "generator" not in self.get_config():
            raise Mistake(
                f"a {type(self).__name__} is saved as the arguments that build its networks, which are then others: "
                "quantize kgan.GAN(model.generator, model.discriminator)"
            )
        super().quantize(*arguments, **keywords)

    def save(self, filepath: Any, *arguments: Any, **keywords: Any) -> None:
        """Like Keras' `save`: save networks, optimizers and step in a file that ends in .keras.

        With several workers all of them must call it, and the chief writes the file.
        """
        if str(filepath).endswith((".h5", ".hdf5")):
            raise Mistake(f"{filepath} is of Keras' old format, for models of one optimizer: end the name in .keras")
        if not self._is_what_its_config_says():
            raise Mistake(
                f"a {type(self).__name__} is saved as the arguments that build its networks, and these are others now "
                "(quantized, replaced, with LoRA): save kgan.GAN(model.generator, model.discriminator)"
            )
        if workers.is_chief(self.distribute_strategy):
            super().save(filepath, *arguments, **keywords)
        else:
            with workers.replacing(self.distribute_strategy, filepath) as thrown_away:
                super().save(thrown_away, *arguments, **keywords)

    def _is_what_its_config_says(self) -> bool:
        """Whether a model made from the config has the same weights."""
        try:
            made = abstract_build(lambda: type(self).from_config(self.get_config()))
        except Exception:  # layers of the user's own, whose classes are known where the file is loaded
            return True
        return [(weight.shape, weight.dtype) for weight in made.weights] == [
            (weight.shape, weight.dtype) for weight in self.weights
        ]

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> KerasGAN:
        names = [name for name in ("generator", "discriminator", "augment") if name in config]
        arguments = {**config, **{name: keras.saving.deserialize_keras_object(config[name]) for name in names}}
        frozen = arguments.pop("frozen", {})
        model = cls(**arguments)
        for name, numbers in frozen.items():
            for number in numbers:
                getattr(model, name).layers[number].trainable = False
        return model

    def get_compile_config(self) -> dict[str, Any] | None:
        if not self.compiled:
            return None
        arguments = {"d_optimizer": self.d_optimizer, "g_optimizer": self.g_optimizer, **self._settings}
        return {name: keras.saving.serialize_keras_object(value) for name, value in arguments.items()}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        try:
            self.compile(**{name: keras.saving.deserialize_keras_object(value) for name, value in config.items()})
        except TypeError:  # a `compile` of the user's own, with other arguments
            warnings.warn(
                f"{type(self).__name__}.compile takes other arguments than kgan.GAN.compile, so the model was loaded "
                "without its optimizers: compile it before you train it",
                stacklevel=2,
            )


def _ends_in_sigmoid(network: keras.Model) -> bool:
    last = network
    while parts := getattr(last, "operations", None) or getattr(last, "layers", None):
        last = parts[-1]
    return getattr(last, "activation", None) is keras.activations.sigmoid or type(last).__name__ == "Sigmoid"


def _references(network: keras.Model) -> Iterator[ReferenceBatch]:
    """The reference batches of a network that are not chosen yet."""
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _references(layer)
        elif isinstance(layer, ReferenceBatch) and not layer.chosen.numpy():
            yield layer
