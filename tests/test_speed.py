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


def test_a_step_is_one_training_step(small_dcgan):
    """Of as many minibatches as Algorithm 1 takes, and one step where Keras does several at once."""
    plain, together = small_dcgan(d_steps=2), small_dcgan(steps_per_execution=4)
    before = plain.generator.get_weights()
    figures = speed.milliseconds_a_step([plain, together], [4, 8])
    assert all(0 < figure < 10_000 for figure in figures)
    assert int(together.step) % 4 == 0
    assert together.steps_per_execution == 4
    assert int(plain.step) >= 4
    assert any((now != then).any() for now, then in zip(plain.generator.get_weights(), before, strict=True))


def test_a_step_that_takes_long_is_seen(small_dcgan, monkeypatch):
    slow, quick = small_dcgan(run_eagerly=True), small_dcgan()
    train_step = slow.train_step

    def with_a_pause(data):
        kgan.speed.time.sleep(0.1)
        return train_step(data)

    monkeypatch.setattr(slow, "train_step", with_a_pause)
    milliseconds = speed.milliseconds_a_step([slow, quick], [4, 4])
    assert milliseconds[0] >= 100 > milliseconds[1]


def test_many_models_are_measured_without_a_word(vector_gan, capfd):
    models = [vector_gan() for _ in range(7)]
    for model in models:
        model.compile()
    speed.milliseconds_a_step(models, [4] * 7)
    speed.images_a_second(models, 1)
    assert capfd.readouterr() == ("", "")


def test_drawing_leaves_a_model_as_it_is(small_dcgan):
    model = small_dcgan()
    before = model.get_weights()
    [alone], [together] = speed.images_a_second([model], 1), speed.images_a_second([model], 64)
    assert 0 < alone < together
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
