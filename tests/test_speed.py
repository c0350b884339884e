import types

import numpy as np
import pytest

import kgan
from kgan import speed


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(speed, "ROUNDS", 3)
    monkeypatch.setattr(speed, "SECONDS", 0.01)


def test_turns_are_taken_and_the_first_is_not_kept():
    called = []

    def measure(name, figures):
        def turn():
            called.append(name)
            return next(figures)

        return turn

    medians = speed.interleaved([measure("a", iter([99, 1, 2, 9])), measure("b", iter([99, 30, 20, 10]))])
    assert medians == [2, 20]
    assert called == ["a", "b"] * 4


def test_what_takes_too_long_gets_three_rounds(monkeypatch):
    monkeypatch.setattr(speed, "ROUNDS", 9)
    monkeypatch.setattr(speed, "LONGEST", 0)
    figures = iter([99, 1, 2, 3])
    assert speed.interleaved([lambda: next(figures)]) == [2]


def test_a_step_is_one_training_step(vector_gan):
    """Of as many minibatches as Algorithm 1 takes, and one step where Keras does several at once."""
    plain, together = vector_gan(d_steps=2), vector_gan()
    plain.compile()
    together.compile(steps_per_execution=4)
    before = plain.generator.get_weights()
    figures = speed.milliseconds_a_step([plain, together], [4, 8])
    assert all(figure > 0 for figure in figures)
    assert int(together.step) % 4 == 0
    assert together.steps_per_execution == 4
    assert int(plain.step) >= 4
    assert int(plain.d_optimizer.iterations) == 2 * int(plain.step)
    assert any((now != then).any() for now, then in zip(plain.generator.get_weights(), before, strict=True))


def test_the_figures_are_what_the_clock_says(vector_gan, monkeypatch, clock):
    """On a clock that goes on by 0.2 s a step of one model, and by 0.05 s of the other, and not between steps."""
    slow, quick = vector_gan(), vector_gan()
    for model, seconds, together in ((slow, 0.2, 1), (quick, 0.05, 2)):
        model.compile(run_eagerly=True, steps_per_execution=together)
        monkeypatch.setattr(model, "train_step", ticking(model.train_step, clock, seconds))
    assert speed.milliseconds_a_step([slow, quick], [4, 4]) == pytest.approx([200, 50])


def test_images_a_second_are_what_the_clock_says(vector_gan, monkeypatch, clock):
    model = vector_gan()
    monkeypatch.setattr(speed, "SECONDS", 3.0)  # turns of four batches
    draws = [speed._draws(model, 8) for _ in range(2)]
    monkeypatch.setattr(speed.time, "perf_counter", lambda: clock.append(clock[-1] + 0.25) or clock[-1])
    assert [draw() for draw in draws] == pytest.approx([32, 32])  # 8 images in 0.25 s
    assert [draw() for draw in draws] == pytest.approx([128, 128])  # 4 times 8 images


@pytest.fixture
def clock(monkeypatch):
    """The readings of a clock that goes on only when it is told to."""
    readings = [0.0]
    monkeypatch.setattr(speed, "time", types.SimpleNamespace(perf_counter=lambda: readings[-1]))
    return readings


def ticking(train_step, clock, seconds):
    def step(data):
        clock.append(clock[-1] + seconds)
        return train_step(data)

    return step


def test_many_models_are_measured_without_a_word(vector_gan, capfd):
    models = [vector_gan() for _ in range(6)]  # TensorFlow warns from 5 on
    for model in models:
        model.compile()
    speed.milliseconds_a_step(models, [4] * 6, rounds=1)
    speed.images_a_second(models, 1)
    assert capfd.readouterr() == ("", "")


def test_a_step_of_few_images_has_enough_for_a_reference_batch():
    model = kgan.DCGAN((8, 8, 1), latent_dim=2, filters=2, depth=1, norm="reference")
    model.compile()
    assert speed.milliseconds_a_step([model], [16], rounds=1)[0] > 0


def test_drawing_leaves_a_model_as_it_is(small_dcgan):
    model = small_dcgan()
    before = model.get_weights()
    assert all(speed.images_a_second([model], batch_size)[0] > 0 for batch_size in (1, 64))
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
