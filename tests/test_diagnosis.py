"""The doctor: what each rule speaks of, and when it is silent; and that it changes nothing that it looks at."""

import functools
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

import kgan
from kgan import callbacks, diagnosis, runs
from kgan._backend import keras, tf

HEALTHY = diagnosis.Record(
    epoch=1,
    minibatches=56,
    d_loss=0.9,
    g_loss=1.4,
    d_real=0.7,
    d_fake=0.35,
    gradient_norm=2.0,
    ns_gradient_norm=2.0,
    d_fake_eval=0.35,
    weight_norm=30.0,
    moved=0.2,
    diversity=0.45,
    real_diversity=0.48,
    nearest=0.2,
    real_nearest=0.22,
    unsaturated_fraction=0.6,
    real_unsaturated_fraction=0.32,
    low=-1.0,
    high=1.0,
    count=64,
)


def epochs(*changes, minibatches=56):
    """Records of epochs that are healthy but for these changes."""
    return [
        HEALTHY._replace(epoch=number, minibatches=minibatches * number, **change)
        for number, change in enumerate(changes, start=1)
    ]


def findings(records):
    """All that is found as the epochs go by."""
    found = []
    for count in range(1, len(records) + 1):
        found += diagnosis.diagnose(records[:count], found)
    return found


# Rules, with numbers that were measured

SYMPTOMS = {
    "not a number": {"g_loss": float("nan")},
    "NaN ahead": {"d_loss": 2e5},
    "narrow range": {"low": 0.0, "high": 1.0},
    "generator won": {"d_fake": 0.993, "d_loss": 12.6, "g_loss": 0.009, "d_fake_eval": 1.0},
    "saturated": {"unsaturated_fraction": 0.08},
    "batch dependence": {"d_fake": 0.02, "d_fake_eval": 0.95},
    "vanishing gradients": {"gradient_norm": 0.0026, "ns_gradient_norm": 41.0, "d_real": 1.0, "d_fake": 8e-5},
    "discriminator won": {"d_loss": 8e-5, "g_loss": 9.7, "d_real": 0.999, "d_fake": 4e-5},
    "stopped learning": {"moved": 0.0003},
    "collapse": {"nearest": 0.002},
    "missing classes": {"class_frequencies": [0.5, 0, 0, 0.5], "real_class_frequencies": [0.25] * 4},
    "imbalance": {"d_loss": 0.04, "g_loss": 10.0},
}


def rule(disease):
    return next(rule for rule in diagnosis.RULES if rule.disease == disease)


def test_every_rule_is_tried_here():
    assert {*SYMPTOMS, "oscillation"} == {rule.disease for rule in diagnosis.RULES}
    assert all(rule.suggestion and rule.source for rule in diagnosis.RULES)
    assert not diagnosis.shows_symptoms([])


@pytest.mark.parametrize("disease", SYMPTOMS)
def test_a_symptom_that_stays_is_found_once(disease):
    needed = max(rule(disease).epochs, -(-rule(disease).minibatches // 56))
    sick = epochs({}, {}, *[SYMPTOMS[disease]] * 70)
    [finding] = [each for each in findings(sick) if each.disease == disease]
    assert findings(sick)[0] == finding
    assert (finding.since, finding.epoch) == (3, 2 + needed)
    assert finding.source == rule(disease).source
    assert str(finding).startswith(f"epoch {finding.epoch}: {finding.sentence}. ")


@pytest.mark.parametrize("disease", SYMPTOMS)
def test_a_symptom_that_comes_and_goes_is_not_found(disease):
    longest = max(rule(disease).epochs, -(-rule(disease).minibatches // 56)) - 1
    stumbling = epochs(*([SYMPTOMS[disease]] * longest + [{}]) * 5)
    assert findings(stumbling) == []
    assert bool(longest) == diagnosis.shows_symptoms(stumbling[:-1])


@pytest.mark.parametrize("disease", [name for name in SYMPTOMS if rule(name).minibatches])
def test_epochs_of_a_few_steps_say_nothing(disease):
    assert findings(epochs(*[SYMPTOMS[disease]] * 12, minibatches=7)) == []


NUMBERS = [name for name, value in HEALTHY._asdict().items() if isinstance(value, float)]
OF_IMAGES = ("unsaturated_fraction", "real_unsaturated_fraction", "low", "high")


@pytest.mark.parametrize(
    ("changes", "diseases"),
    [
        pytest.param([{}] * 100, [], id="healthy"),
        pytest.param([dict.fromkeys(NUMBERS, float("nan"))] * 5, ["not a number"], id="all is NaN"),
        pytest.param(
            [SYMPTOMS["vanishing gradients"] | SYMPTOMS["stopped learning"]] * 20,
            ["vanishing gradients"],
            id="what another disease explains",
        ),
        pytest.param([SYMPTOMS["discriminator won"]] * 20, ["discriminator won"], id="and so losses are imbalanced"),
        pytest.param([{"d_real": 0.9, "d_fake": 0.001}] * 3, ["discriminator won"], id="certain under label smoothing"),
        pytest.param([{"diversity": 0.01 * number} for number in range(1, 45)], [], id="a slow start"),
        pytest.param([{"d_fake_eval": 0.3 if n % 2 else 0.55} for n in range(40)], [], id="small swings"),
        pytest.param([{"d_fake_eval": 0.9}] * 20 + [{"d_fake_eval": 0.1}] * 20, [], id="one swing"),
        pytest.param([{"d_loss": 1.2, "g_loss": -0.001}] * 40, [], id="losses of other signs"),
        pytest.param([{"d_loss": 10.0, "g_loss": 0.04}] * 40, ["imbalance"], id="a large d_loss"),
        pytest.param([dict.fromkeys(OF_IMAGES)] * 40, [], id="vectors"),
    ],
)
def test_what_is_found_and_what_is_not(changes, diseases):
    assert [finding.disease for finding in findings(epochs(*changes))] == diseases
    assert diseases or not diagnosis.shows_symptoms(epochs(*changes[:1]))


def test_the_sentence_gives_the_numbers_of_the_newest_epoch():
    sick = epochs(*[{"d_fake": 0.001 * number, "d_real": 0.99} for number in (3, 2, 1)])
    [finding] = findings(sick)
    expected = "it gives real images a probability of 0.990 of being real, and fakes 0.001"
    assert finding.sentence == f"The discriminator has won: {expected}"


def test_a_good_epoch_that_bad_ones_follow_is_a_collapse():
    good, bad = {"diversity": 0.45}, {"diversity": 0.12}
    [finding] = findings(epochs(*[good] * 20, *[bad] * 4))
    assert (finding.disease, finding.since, finding.epoch) == ("collapse", 21, 23)
    assert "differ by 0.12, a few epochs ago by 0.45; two real ones by 0.48" in finding.sentence


def test_swings_are_an_oscillation():
    swinging = [{"d_fake_eval": 0.1 if number // 2 % 2 else 0.9} for number in range(20)]
    [finding] = findings(epochs(*swinging))  # each second epoch changes it by 0.8
    assert (finding.disease, finding.epoch) == ("oscillation", 17)
    assert "a probability of 0.10 to 0.90 of being real, and changed it by 0.40" in finding.sentence


def test_missing_classes_are_those_of_the_fakes_that_were_looked_at():
    [finding] = findings(epochs(*[SYMPTOMS["missing classes"]] * 60))
    assert "2 of the 4 in the data, numbers 1, 2, are not among 64 fakes" in finding.sentence


# Measuring


def fit(model, images, epochs, *each, **arguments):
    return model.fit(images, batch_size=32, epochs=epochs, verbose=0, callbacks=list(each), **arguments)


def state(model):
    return [variable.numpy() for variable in model.training_state]


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def code_gan():
    model = kgan.CodeGAN((16, 16, 1), latent_dim=8, filters=4)
    model.compile()
    return model


@pytest.mark.parametrize("kind", ["dropout", "codes"])
def test_training_is_bit_for_bit_the_same_with_it(kind, digits_gan, digits):
    dropout = functools.partial(digits_gan, dropout=True, d_steps=2, loss="minimax")
    model = {"dropout": dropout, "codes": code_gan}[kind]()
    weights = state(model)
    plain, without = fit(model, digits, 2), state(model)
    for variable, value in zip(model.training_state, weights, strict=True):
        variable.assign(value)
    history = fit(model, digits, 2, callbacks.Doctor(digits))
    assert_same(state(model), without)
    assert history.history == plain.history


@pytest.mark.parametrize("loss", ["minimax", "non_saturating"])
def test_its_gradient_is_that_of_the_generators_step(loss, digits_gan, digits):
    """By the change of weights in a step of gradient descent at rate 1, on the codes that the doctor looks at."""
    model = digits_gan()
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(1.0), loss=loss, run_eagerly=True)
    doctor = callbacks.Doctor(digits)
    fit(model, digits, 1, doctor)  # the generator learns, so that gradients are not those of the beginning
    before = [weight.numpy() for weight in model.generator.trainable_weights]
    record = doctor.measure({})
    codes = model.sample_codes(len(doctor.real_images))[:32]
    with tf.GradientTape() as tape:
        images = model.generator(codes, training=True)
    model.generator_step(tf.constant(digits[:32]), kgan.gan.Fakes(codes, images, tape))
    change = [old - new.numpy() for old, new in zip(before, model.generator.trainable_weights, strict=True)]
    norm = np.sqrt(sum(np.sum(np.square(each)) for each in change))
    np.testing.assert_allclose(record.gradient_norm, norm, rtol=1e-3)
    assert (record.gradient_norm == record.ns_gradient_norm) == (loss == "non_saturating")


def test_the_fakes_of_a_codegan_are_judged_with_its_noise(digits):
    model = kgan.CodeGAN((16, 16, 1), latent_dim=8, filters=4, augment=[("instance_noise", 0.5)])
    model.compile()
    doctor = callbacks.Doctor(digits)
    doctor.set_model(model)
    doctor.before_fit(None)
    d_fake_eval = doctor.measure({}).d_fake_eval
    with keras.StatelessScope():
        images = model.generator(model.sample_codes(128)[:32], training=True)
        with_noise, without = (
            np.mean(tf.sigmoid(model.discriminate(each).logits))
            for each in (model.augmented(images, kgan.latent.Stream.FAKE_IMAGES, 1), images)
        )
    assert d_fake_eval == pytest.approx(with_noise, rel=1e-3)
    assert d_fake_eval != pytest.approx(without, rel=1e-3)


def test_its_figures_of_images_are_those_of_a_hand(digits):
    """Four images of two pixels: pairs of distance 0 and of distance 2 (root mean square), all at -1 or 1 but one."""
    generator = keras.Sequential([keras.Input((2,)), keras.layers.Reshape((1, 2, 1))])
    discriminator = kgan.networks.dense_discriminator((1, 2, 1), 4, seed=0)
    model = kgan.GAN(generator, discriminator)
    model.compile()
    real = np.float32([[-1, -1], [-1, -1], [1, 1], [1, 0]]).reshape(4, 1, 2, 1)
    doctor = callbacks.Doctor(real, classify=lambda images: np.eye(2)[np.int64(images[:, 0, 0, 0] > 0)])
    doctor.set_model(model)
    doctor.before_fit(None)
    record = doctor.measure({"d_loss": 1.0})
    root = np.sqrt(0.5)
    np.testing.assert_allclose(record.real_diversity, np.sqrt((0 + 4 + 2.5 + 4 + 2.5 + 0.5) / 6))
    np.testing.assert_allclose(record.real_nearest, (0 + 0 + root + root) / 4)
    assert record.real_unsaturated_fraction == 1 / 8
    assert (record.low, record.high) == (-1, 1)
    assert record.real_class_frequencies == [0.5, 0.5]
    assert sum(record.class_frequencies) == 1
    assert record.moved is None
    assert doctor.measure({}).moved == 0
    assert (record.d_loss, record.minibatches) == (1.0, 0)


def test_uint8_images_and_few_of_them(digits_gan, digits):
    as_bytes = np.uint8(np.round((digits + 1) * 127.5))
    np.testing.assert_allclose(callbacks.Doctor(as_bytes).real_images, digits, atol=1e-6)
    assert len(callbacks.Doctor(np.concatenate([as_bytes] * 3)).real_images) == 128
    with pytest.raises(ValueError, match="given 1 real images: it needs 2 or more"):
        callbacks.Doctor(as_bytes[:1])


def test_vectors(vector_gan, vectors):
    model, doctor = vector_gan(), callbacks.Doctor(vectors)
    model.compile(run_eagerly=True)
    fit(model, vectors, 2, doctor)
    assert doctor.records[1].moved > 0
    assert doctor.records[1].unsaturated_fraction is None


def test_float16_does_not_lose_its_gradients(digits_gan, digits):
    keras.config.set_dtype_policy("mixed_float16")
    half = digits_gan()
    keras.config.set_dtype_policy("float32")
    norms = []
    for model in (half, digits_gan()):
        doctor = callbacks.Doctor(digits)
        doctor.set_model(model)
        doctor.before_fit(None)
        norms.append(doctor.measure({}).gradient_norm)
    np.testing.assert_allclose(*norms, rtol=0.05)


def test_images_that_are_no_numbers_are_told_of_and_not_measured(digits_gan, digits):
    model, doctor = digits_gan(), callbacks.Doctor(digits, say=None)
    weight = model.generator.trainable_weights[-1]  # in the graph, LeakyReLU may make 0 of NaN
    weight.assign(weight * np.nan)
    fit(model, digits, 2, doctor)
    assert [finding.disease for finding in doctor.findings] == ["not a number"]
    assert doctor.records[1].nearest is None


# In a run


def won(monkeypatch):
    """Have one rule speak whose symptom shows after two epochs."""
    shows = lambda records: f"There are {len(records)}" if len(records) > 2 else None  # noqa: E731
    only = diagnosis.Rule("discriminator won", shows, "Rest", "a test", minibatches=1)
    monkeypatch.setattr(diagnosis, "RULES", [only])


def test_it_says_what_it_finds_once(digits_gan, digits, monkeypatch):
    won(monkeypatch)
    said = []
    doctor = callbacks.Doctor(digits, say=said.append)
    fit(digits_gan(), digits, 6, doctor)
    expected = diagnosis.Finding("discriminator won", 5, 3, "There are 5", "Rest", "a test")
    assert doctor.findings == said == [expected]
    assert [record.epoch for record in doctor.records] == list(range(1, 7))


def test_a_resumed_run_finds_the_same(models_used_again, digits_gan, digits, tmp_path, monkeypatch):
    won(monkeypatch)
    straight = callbacks.Doctor(digits, say=None)
    fit(digits_gan(), digits, 6, straight)
    for last in (4, 6):
        models_used_again.take_back()
        resumed = callbacks.Doctor(digits, say=None)
        fit(digits_gan(), digits, last, resumed, callbacks.Checkpoint(tmp_path, resume=True))
    assert resumed.findings == straight.findings
    assert json.dumps(resumed.records) == json.dumps(straight.records)  # NaN or None among them


def test_a_run_that_is_stopped_when_sick_keeps_its_last_healthy_checkpoint(
    models_used_again, digits_gan, digits, tmp_path, monkeypatch
):
    won(monkeypatch)  # from epoch 3 on, found in epoch 5
    model = digits_gan()
    checkpoint = callbacks.Checkpoint(tmp_path)
    with pytest.raises(diagnosis.Sick, match=r"epoch 5: There are 5\. Rest"):
        fit(model, digits, 8, callbacks.Doctor(digits, stop_when_sick=True), checkpoint)
    assert int(model.step) == 20
    assert runs.read_checkpoint(tmp_path).state["epochs"] == 2
    assert checkpoint.restore()
    kept = model.get_weights()
    models_used_again.take_back()
    healthy = digits_gan()
    fit(healthy, digits, 2)
    assert_same(kept, healthy.get_weights())


SICK = ["--set", "d_learning_rate=1e-9", "--set", "g_learning_rate=5e-3", "--batch-size", "32"]
SMALL = ["--set", "image_size=16", "--set", "hidden_units=16", "--set", "latent_dim=8"]


def test_the_command_does_without(kgan_command, tmp_path):
    result = kgan_command("train", "gan-digits", *SMALL, *SICK, "--epochs", 1, "--no-doctor")
    assert result.exit_code == 0, result.output
    assert "doctor: " not in result.output
    assert "findings" not in runs.read_json(tmp_path / "runs" / "gan-digits" / "run.json")


def test_the_command_writes_down_what_it_finds(kgan_command, tmp_path):
    result = kgan_command("train", "gan-digits", *SMALL, *SICK, "--epochs", 3)
    assert result.exit_code == 0, result.output
    [line] = [line for line in result.output.splitlines() if line.startswith("doctor: ")]
    assert line.startswith("doctor: epoch 3: The generator has won: ")
    record = runs.read_json(tmp_path / "runs" / "gan-digits" / "run.json")
    [finding] = record["findings"]
    assert (finding["disease"], finding["epoch"], finding["since"]) == ("generator won", 3, 1)
    assert finding["sentence"] in line
    assert "Stiff" in finding["source"]
    again = kgan_command("train", "--resume", "runs/gan-digits", "--epochs", 4)
    assert again.exit_code == 0, again.output
    assert "doctor: " not in again.output
    assert runs.read_json(tmp_path / "runs" / "gan-digits" / "run.json")["findings"] == [finding]


def test_the_command_stops_when_sick(kgan_command, tmp_path):
    result = kgan_command("train", "gan-digits", *SMALL, *SICK, "--epochs", 9, "--stop-when-sick")
    assert result.exit_code == 1
    *_, hint, last = result.output.splitlines()
    assert hint == "to train it further, resume with: kgan train --resume runs/gan-digits"
    assert last.startswith("kgan: epoch 3: The generator has won: ")
    assert "doctor: " not in result.output
    run = tmp_path / "runs" / "gan-digits"
    record = runs.read_json(run / "run.json")
    assert [finding["disease"] for finding in record["findings"]] == ["generator won"]
    assert record["status"] in last
    assert runs.read_checkpoint(run / "checkpoint").state["epochs"] == 0  # sick from the first epoch on
    assert not (run / "model.keras").exists()


# The zoo


@pytest.fixture(scope="module")
def zoo():
    spec = importlib.util.spec_from_file_location("zoo", Path(__file__).parent.parent / "benchmarks" / "zoo.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


QUICK = (
    "discriminator too quick",
    "minimax, discriminator quick",
    "generator too quick, dense",
    "rates × 50, dense, minimax",
    "rates / 2000, dense",
    "codes of 1 unit, dense",
    "real and fake in one batch",
    "images in [0, 1]",
)


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_the_right_disease_is_named(name, zoo, tmp_path):
    animal = zoo.ZOO[name]
    found = zoo.found(zoo.measured(name, animal, 0, tmp_path, by_class=False))
    assert zoo.is_right(animal, found), found


@pytest.mark.slow
@pytest.mark.parametrize(("name", "epochs"), [("gan-digits", 25), ("dcgan-digits", 5)])
def test_nothing_is_said_of_a_healthy_run(name, epochs, zoo, tmp_path):
    healthy = zoo.HEALTHY[name]._replace(epochs=epochs)
    assert zoo.found(zoo.measured(name, healthy, 0, tmp_path, by_class=False)) == []


def test_a_row_of_the_zoo_counts_what_was_right(zoo):
    won, stopped = (diagnosis.Finding(name, epoch, 1, "", "", "") for name, epoch in (("won", 3), ("stopped", 5)))
    animal = zoo.Animal("gan-digits", {}, 9, ("won",))
    row = zoo.row("a", animal, [[won, stopped], [won._replace(epoch=4)], [stopped], []])
    assert (
        row == "| a | won | 9 | 2 of 4 | won 2 ×, epoch 3-4, stopped 1 ×, epoch 5, nothing 1 × | stopped 1 ×, epoch 5 |"
    )
    assert zoo.row("b", animal._replace(diseases=()), [[], []]) == "| b | nothing | 9 | 2 of 2 | nothing 2 × |  |"
