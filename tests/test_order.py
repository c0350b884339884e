"""No weight is updated before everything that wants its old value has read it.

TensorFlow orders reads and updates when it traces a step, and its graph optimizer lost one of those orders where a
penalty reads a bias that its gradient does not depend on: once in thousands of steps the penalty was wrong.
"""

import re

import pytest
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2
from tensorflow.python.grappler import tf_optimizer
from tensorflow.python.training import saver

from kgan._backend import keras, tf


def as_it_runs(function, *arguments):
    """The graph of a function, as TensorFlow's graph optimizer leaves it."""
    graph = function.get_concrete_function(*arguments).graph
    meta_graph = saver.export_meta_graph(graph_def=graph.as_graph_def(add_shapes=True), graph=graph)
    kept = meta_graph_pb2.CollectionDef()
    kept.node_list.value.extend(each.name for each in (*graph.outputs, *graph.control_outputs))
    meta_graph.collection_def["train_op"].CopyFrom(kept)
    return tf_optimizer.OptimizeGraph(config_pb2.ConfigProto(), meta_graph)


def unordered(graph):
    """Pairs of a read and an update of one variable of which either may come first, and how many pairs there are."""
    inputs = {node.name: [each.lstrip("^").split(":")[0] for each in node.input] for node in graph.node}

    def before(name):
        found, left = set(), [name]
        while left:
            new = set(inputs[left.pop()]) - found
            found |= new
            left += new
        return found

    reads = [node.name for node in graph.node if node.op == "ReadVariableOp"]
    updates = [node.name for node in graph.node if re.fullmatch("Assign.*VariableOp|ResourceApplyAdam", node.op)]
    earlier = {name: before(name) for name in (*reads, *updates)}
    pairs = [(read, update) for read in reads for update in updates if inputs[read][0] == inputs[update][0]]
    return [pair for pair in pairs if pair[0] not in earlier[pair[1]] and pair[1] not in earlier[pair[0]]], len(pairs)


@pytest.mark.parametrize("kind", ["dense", "simultaneous", "convolutional"])
def test_weights_are_read_before_they_are_updated(kind, vector_gan, small_dcgan):
    if kind == "convolutional":
        model, shape = small_dcgan(penalties=("r1",)), (8, 16, 16, 1)
    else:
        model, shape = vector_gan(), (8, 2)
        model.compile(penalties=["r1"], simultaneous=kind == "simultaneous")
    found, count = unordered(as_it_runs(tf.function(model.train_step, autograph=False), tf.zeros(shape)))
    assert count > 40
    assert found == []


def test_an_order_that_is_lost_is_seen():
    """By Keras alone, without what `Updater.descend` waits for. Once this fails, TensorFlow has been mended."""
    network = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(4), keras.layers.LeakyReLU(), keras.layers.Dense(1)]
    )
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build(network.trainable_weights)

    def step(vectors):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.softplus(network(vectors)))
            with tf.GradientTape() as inner:
                inner.watch(vectors)
                outputs = network(vectors)
            loss += tf.reduce_mean(inner.gradient(outputs, vectors) ** 2)
        optimizer.apply(tape.gradient(loss, network.trainable_weights), network.trainable_weights)

    found, _ = unordered(as_it_runs(tf.function(step, autograph=False), tf.zeros((8, 2))))
    assert len(found) == 1
