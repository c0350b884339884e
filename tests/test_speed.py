import types
from unittest import mock

import numpy as np
import pytest

import kgan
from kgan import speed


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(speed, "ROUNDS", 3)
    monkeypatch.setattr(speed, "SECONDS", 0.01)


def test_turns_are_taken_and_the_first_is_not_kept():
    both = mock.Mock()
    both.a.side_effect, both.b.side_effect = [99, 1, 2, 9], [99, 30, 20, 10]
    assert speed.interleaved([both.a, both.b]) == [2, 20]
    assert both.mock_calls == [mock.call.a(), mock.call.b()] * 4


def test_what_takes_too_long_gets_three_rounds(monkeypatch):
    monkeypatch.setattr(speed, "ROUNDS", 9)
    monkeypatch.setattr(speed, "LONGEST", 0)
    assert speed.interleaved([iter([99, 1, 2, 3]).__next__]) == [2]


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
    """A step has as many minibatches as Algorithm 1 takes, and is one step where Keras does several at once."""
    plain, together, *others = vector_gan(d_steps=2), *(vector_gan() for _ in range(4))  # TensorFlow warns from 5 on
    plain.compile()
    together.compile(steps_per_execution=4)
    for model in others:
        model.compile()
    before = plain.generator.get_weights()
    assert min(speed.milliseconds_a_step([plain, together, *others], [4, 8, 4, 4, 4], rounds=1)) > 0
    assert int(together.step) % 4 == 0
    assert together.steps_per_execution == 4
    assert int(plain.step) >= 2
    assert int(plain.d_optimizer.iterations) == 2 * int(plain.step)
    assert any((now != then).any() for now, then in zip(plain.generator.get_weights(), before, strict=True))
    speed.images_a_second(others, 1)
    assert capfd.readouterr() == ("", "")


def test_a_step_of_few_images_has_enough_for_a_reference_batch():
    model = kgan.DCGAN((8, 8, 1), latent_dim=2, filters=2, depth=1, norm="reference")
    model.compile()
    assert speed.milliseconds_a_step([model], [16], rounds=1)[0] > 0


def test_drawing_leaves_a_model_as_it_is(small_dcgan):
    model = small_dcgan()
    before = model.get_weights()
    assert speed.images_a_second([model], 2)[0] > 0
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
