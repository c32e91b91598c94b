"""Whole networks: inputs, states, old files, blobs in place, what is left out, and what each wrong network gets."""

from __future__ import annotations

import itertools
import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import cnnir
from cnnir.diagnostics import CnnirError, CnnirWarning
from cnnir.frontends import caffe
from cnnir.ops.tensor import Input
from cnnir.render import render

from .networks import load, net, parse, refused

OLD = {
    "Convolution": "CONVOLUTION", "ReLU": "RELU", "Pooling": "POOLING", "InnerProduct": "INNER_PRODUCT", "Softmax": "SOFTMAX",
}  # fmt: skip


def vgg(depths: tuple[int, ...], old: bool, size: int = 224, widths: tuple[int, ...] = (64, 128, 256, 512, 512), dense: int = 4096) -> str:
    """The deploy text of VGG's authors, as `layers` or as `layer`, without the dropouts that ours has not either."""
    found = [f'name: "vgg16"\ninput: "image"\ninput_dim: 1\ninput_dim: 3\ninput_dim: {size}\ninput_dim: {size}']

    def add(kind: str, name: str, bottom: str, top: str, said: str = "") -> str:
        type, more = (OLD[kind], " blobs_lr: 1 weight_decay: 1") if old else (f'"{kind}"', " param { lr_mult: 1 }")
        more = more if "num_output" in said else ""
        word = "layers" if old else "layer"
        found.append(f'{word} {{\n  bottom: "{bottom}"\n  top: "{top}"\n  name: "{name}"\n  type: {type}{more}\n  {said}\n}}')
        return top

    before = "image"
    for stage, (depth, width) in enumerate(zip(depths, widths, strict=True), start=1):
        for place in range(1, depth + 1):
            name = f"conv{stage}_{place}"
            before = add("Convolution", name, before, name, f"convolution_param {{ num_output: {width} pad: 1 kernel_size: 3 }}")
            add("ReLU", f"relu{stage}_{place}", before, before)
        before = add("Pooling", f"pool{stage}", before, f"pool{stage}", "pooling_param { pool: MAX kernel_size: 2 stride: 2 }")
    for name, width in (("fc6", dense), ("fc7", dense), ("fc8", 1000)):
        before = add("InnerProduct", name, before, name, f"inner_product_param {{ num_output: {width} }}")
        if name != "fc8":
            add("ReLU", name.replace("fc", "relu"), before, before)
    add("Softmax", "prob", before, "prob")
    return "\n".join(found)


def anonymous(text: str) -> str:
    """A `.cnn` text without what names say: names of weights, of the result, of parameters, of ranges and comments."""
    text = re.sub(r"#.*|weights \w+ \{.*?\n\}| in \[0, 1\]|prob = |return prob", "", text, flags=re.DOTALL if "weights" in text else 0)
    names = itertools.count()
    (block,) = re.findall(r"block stage\((\w+), (\w+)\)", text)
    for name in block:
        text = re.sub(rf"\b{name}\b", f"_{next(names)}", text)
    return re.sub(r"\s+", " ", text).strip()


@pytest.mark.parametrize("old", [True, False])
def test_vgg_prints_as_the_example_up_to_names(old: bool, examples: Path) -> None:
    example = cnnir.load(examples / "vgg16.cnn")
    graph = parse(vgg((2, 2, 3, 3, 3), old))
    assert anonymous(cnnir.dumps(graph)) == anonymous(cnnir.dumps(example))
    ops = [[layer.op for layer in each.layers() if not isinstance(layer.op, Input)] for each in (graph, example)]
    assert ops[0] == ops[1]
    assert [d.verdict for d in cnnir.optimize(graph).decisions] == ["moved"] * 5


@pytest.mark.parametrize("old", [True, False])
def test_a_small_vgg_answers_as_the_same_network_in_cnn(old: bool, tmp_path: Path) -> None:
    text = """
        block stage(n, c) = [conv(c, 3, pad=1) -> relu]*n -> maxpool(2)
        network vgg16(image: f32[1, 3, 32, 32]) {
            image -> stage(1, 4) -> stage(1, 6) -> stage(2, 8) -> flatten -> [fc(16) -> relu]*2 -> fc(1000) -> softmax
        }"""
    ours = cnnir.parse(text)
    names = ["conv1_1", "conv2_1", "conv3_1", "conv3_2", "fc6", "fc7", "fc8"]
    weighted = [layer for layer in ours.layers() if layer.weights]
    blobs = {name: [*ours.parameters(layer.name).values()] for name, layer in zip(names, weighted, strict=True)}
    theirs = load(vgg((1, 1, 2), old, 32, (4, 6, 8), 16), tmp_path, blobs)
    x = np.random.default_rng(0).random((1, 3, 32, 32), np.float32)
    wanted, found = cnnir.evaluate(ours, {"image": x})["output"], cnnir.evaluate(theirs, {"image": x})["prob"]
    assert np.array_equal(found.view(np.uint32), wanted.view(np.uint32))
    theirs.results = {"output": theirs.results["prob"]}
    assert theirs == ours


TRAIN = """
name: "train"
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN } data_param { batch_size: 256 }
        transform_param { crop_size: 32 } }
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST } data_param { source: "x" batch_size: 5 }
        transform_param { crop_size: 16 mean_file: "m" } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 3 } }
layer { name: "drop" type: "Dropout" bottom: "ip" top: "ip" exclude { phase: TEST } }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" accuracy_param { top_k: 5 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


def test_a_training_file_is_read_in_its_test_phase() -> None:
    with pytest.warns(CnnirWarning, match=r"C0848.*accuracy \(Accuracy\), loss \(SoftmaxWithLoss\)"):
        graph = caffe.parse(TRAIN)
    assert {n: t.shape for n, t in graph.inputs.items()} == {"data": (5, 3, 16, 16)}
    assert [layer.op.name for layer in graph.layers()] == ["input", "flatten", "fc"] and list(graph.results) == ["ip"]


def test_a_file_may_be_of_another_phase() -> None:
    with pytest.warns(CnnirWarning):
        graph = caffe.parse("state { phase: TRAIN }" + TRAIN)
    assert graph.inputs["data"].shape == (256, 3, 32, 32)
    assert [layer.op.name for layer in graph.layers()] == ["input", "flatten", "fc", "dropout"]


@pytest.mark.parametrize(("rules", "state", "there"), [
    ("", "", True),
    ("include { phase: TEST }", "", True),
    ("include { phase: TRAIN }", "", False),
    ("include { phase: TRAIN } include { phase: TEST }", "", True),
    ("exclude { phase: TEST }", "", False),
    ("exclude { phase: TRAIN }", "", True),
    ("include { stage: 'a' }", "", False),
    ("include { stage: 'a' }", "stage: 'a'", True),
    ("include { stage: 'a' stage: 'b' }", "stage: 'a'", False),
    ("include { not_stage: 'a' }", "stage: 'a'", False),
    ("include { not_stage: 'a' }", "", True),
    ("include { min_level: 1 }", "", False),
    ("include { min_level: 1 }", "level: 1", True),
    ("include { max_level: 1 }", "level: 2", False),
    ("include { phase: TEST stage: 'a' }", "phase: TRAIN stage: 'a'", False),
])  # fmt: skip
def test_layers_are_of_a_phase_a_level_and_stages(rules: str, state: str, there: bool) -> None:
    graph = parse(f"state {{ {state} }} " + net('type: "AbsVal"', f'type: "ReLU" bottom: "l1" top: "l1" {rules}'))
    assert [layer.op.name for layer in graph.layers()] == ["input", "abs", "relu"][: 2 + there]


@pytest.mark.parametrize(("text", "shape"), [
    ('input: "x" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4', (1, 2, 3, 4)),
    ('input: "x" input_dim: [1, 2, 3, 4]', (1, 2, 3, 4)),
    ('input: "x" input_shape { dim: 1 dim: 8 }', (1, 8)),
    ('layer { name: "i" type: "Input" top: "x" input_param { shape: { dim: 1 dim: 8 dim: 3 } } }', (1, 8, 3)),
    ('layer { name: "i" type: "Input" top: "y" top: "x" input_param { shape { dim: 3 } shape { dim: 7 } } }', (7,)),
    ('layer { name: "i" type: "Data" top: "x" data_param { batch_size: 2 crop_size: 9 } }', (2, 3, 9, 9)),
    ('layer { name: "i" type: "Data" top: "x" data_param { batch_size: 2 } transform_param { crop_size: 9 mean_value: 3 } }', (2, 1, 9, 9)),
    ('layer { name: "i" type: "ImageData" top: "x" image_data_param { batch_size: 2 new_height: 5 new_width: 6 is_color: false } }', (2, 1, 5, 6)),
    ('layer { name: "i" type: "MemoryData" top: "x" top: "y" memory_data_param { batch_size: 2 channels: 3 height: 4 width: 5 } }', (2, 3, 4, 5)),
    ('layer { name: "i" type: "MemoryData" top: "y" top: "x" memory_data_param { batch_size: 2 channels: 3 height: 4 width: 5 } }', (2,)),
    ('layer { name: "i" type: "DummyData" top: "x" dummy_data_param { num: 1 channels: 2 height: 3 width: 4 } }', (1, 2, 3, 4)),
    ('layer { name: "i" type: "DummyData" top: "x" top: "y" dummy_data_param { shape { dim: 5 } } }', (5,)),
    ('layer { name: "i" type: "WindowData" top: "x" window_data_param { batch_size: 128 crop_size: 227 mirror: true } }', (128, 3, 227, 227)),
])  # fmt: skip
def test_inputs_are_declared_in_many_ways(text: str, shape: tuple[int, ...]) -> None:
    graph = parse(text + ' layer { name: "r" type: "ReLU" bottom: "x" top: "r" }')
    assert {name: type.shape for name, type in graph.inputs.items()} == {"x": shape}


def test_shapes_may_be_given_and_must_be_where_only_the_data_know() -> None:
    text = 'layer { name: "d" type: "HDF5Data" top: "d" hdf5_data_param { batch_size: 3 } } layer { name: "r" type: "ReLU" bottom: "d" top: "r" }'
    assert refused(text)[0].code == "C0222"
    assert caffe.parse(text, shapes={"d": (3, 7)}).outputs["r"].shape == (3, 7)
    with pytest.raises(CnnirError, match="C0223"):
        caffe.parse(text, shapes={"e": (3, 7)})


def test_blobs_in_place_keep_their_order() -> None:
    graph = parse(
        net('type: "ReLU" bottom: "x" top: "x"', 'type: "AbsVal" bottom: "x" top: "x"', 'type: "Eltwise" bottom: "x" bottom: "x" top: "y"')
    )
    assert [layer.op.name for layer in graph.layers()] == ["input", "relu", "abs", "add"]
    assert len({v.layer for v in graph.data("l3")}) == 1 and list(graph.results) == ["y"]


def test_a_reader_above_a_layer_in_place_sees_what_was_there() -> None:
    text = net(
        'type: "AbsVal" top: "a"',
        'type: "Sigmoid" bottom: "a" top: "s"',
        'type: "ReLU" bottom: "a" top: "a"',
        'type: "Eltwise" bottom: "s" bottom: "a"',
    )
    graph = parse(text)
    assert graph[graph.data("l2")[0].layer].op.name == "abs" and [graph[v.layer].op.name for v in graph.data("l4")] == ["sigmoid", "relu"]


def test_layers_of_one_name_stay_apart() -> None:
    graph = parse(
        net(
            'name: "n" type: "AbsVal" top: "a"',
            'name: "n" type: "ReLU" bottom: "a" top: "b"',
            'name: "x" type: "ReLU" bottom: "b" top: "c"',
        )
    )
    assert [layer.name for layer in graph.layers()] == ["x", "n", "n_2", "x_2"]


@pytest.mark.parametrize(("text", "code", "at"), [
    (net('type: "ReLU" bottom: "z"'), "C0305", '"z"'),
    (net('type: "ReLU" bottom: "l1"'), "C0305", '"l1"'),
    (net('type: "ReLU" top: "a"', 'type: "ReLU" bottom: "x" top: "a"'), "C0306", '"a"'),
    ('input: "x" input_dim: 1', "C0842", '"x"'),
    ("input_dim: 1", "C0842", "1"),
    ('input: "x" input: "y" input_shape { dim: 1 }', "C0842", '"x"'),
    (net('type: "ReLU"', shape=(1, 0)), "C0210", '"x"'),
    (net('type: "ReLU"', shape=(1, -1)), "C0210", '"x"'),
    (net('type: "ReLU"', shape=(1, 2**31)), "C0210", '"x"'),
    (net('type: "ReLU"', shape=(2**31 - 1,) * 3), "C0210", '"x"'),
    (net('type: "ReLU"', shape=()), "C0210", '"x"'),
    ('layer { type: "ReLU" } layers { type: RELU }', "C0842", "{"),
    ('layers { layer { name: "c" type: "conv" num_output: 3 } }', "C0844", "{"),
    ('layer { name: "n" }', "C0842", "{"),
    ("nmae: 'x'", "C0841", "nmae"),
    (net('type: "Convolution" convolution_param { num_outputs: 3 }'), "C0841", "num_outputs"),
    (net('type: "Convolution" convolution_param { num_output: "3" }'), "C0842", '"3"'),
    (net('type: "Convolution" convolution_param { num_output: 3.5 }'), "C0842", "3.5"),
    (net('type: "Convolution" convolution_param { num_output: -3 }'), "C0842", "-3"),
    (net('type: "Convolution" convolution_param { num_output: 3 num_output: 4 }'), "C0842", "num_output"),
    (net('type: "Convolution" convolution_param { num_output { } }'), "C0842", "{ }"),
    (net('type: "Convolution" convolution_param { bias_term: 2 }'), "C0842", "2"),
    (net('type: "Convolution" convolution_param: 3'), "C0842", "3"),
    (net('type: "Pooling" pooling_param { pool: MAXIMUM }'), "C0842", "MAXIMUM"),
    (net('type: "ReLU" relu_param { negative_slope: nan }'), "C0842", "nan"),
    (net('type: "ReLU" relu_param { negative_slope: 1e39 }'), "C0842", "1e39"),
    (net("type: 3"), "C0842", "3"),
    (net("name: relu type: 'ReLU'"), "C0842", "relu"),
])  # fmt: skip
def test_what_is_wrong_is_said_where_it_is(text: str, code: str, at: str) -> None:
    found = refused(text)
    assert (found[0].code, found[0].labels[0].span.text) == (code, at)


@pytest.mark.parametrize(("text", "help"), [
    (net('type: "Convolution" convolution_param { num_outputs: 3 }'), "num_output"),
    (net('type: "Convolutoin"'), "Convolution"),
    (net('type: "Pooling" pooling_param { pool: AVG }'), "AVE"),
    (net('type: "ReLU" top: "conv1"', 'type: "ReLU" bottom: "conv_1"'), "conv1"),
])  # fmt: skip
def test_slips_of_spelling_are_guessed(text: str, help: str) -> None:
    assert refused(text)[0].help == f"did you mean `{help}`?"


def test_all_layers_that_are_not_known_are_listed_at_once() -> None:
    bodies = [
        'type: "PriorBox" prior_box_param { what: 1 }',
        'type: "ReLU"',
        'type: "Python" python_param { module: "m" }',
        'type: "PriorBox"',
    ]
    text = net(*bodies)
    (diagnostic,) = refused(text)
    assert diagnostic.code == "C0843" and "PriorBox (2), Python" in diagnostic.message
    assert [label.span.text for label in diagnostic.labels] == ['"PriorBox"', '"Python"', '"PriorBox"']
    assert len(re.findall(r"\^+", render([diagnostic]))) == 3
    many = "".join(f'layer {{ name: "l{i}" type: "T{i % 40}" }}\n' for i in range(5000))
    assert len(render(refused(many))) < 6000


def test_errors_are_gathered() -> None:
    bad = 'type: "Pooling" bottom: "x" pooling_param { pool: STOCHASTIC kernel_size: 2 }'
    assert [d.code for d in refused(net(bad, bad, 'type: "ReLU" bottom: "l1"'))] == ["C0844"] * 2
    assert len(refused(net(*[bad] * 100))) == 20


def test_a_network_of_nothing_has_no_output() -> None:
    for text in ("", 'name: "n"', 'input: "x" input_shape { dim: 1 }'):
        assert [d.code for d in refused(text)] == ["C0303"]


def test_a_blob_of_another_stage_is_pointed_at() -> None:
    text = 'layer { name: "d" type: "Input" top: "d" include { stage: "s" } } layer { name: "r" type: "ReLU" bottom: "d" top: "r" }'
    (diagnostic,) = refused(text)
    assert diagnostic.code == "C0305" and len(diagnostic.labels) == 2 and "state {" in (diagnostic.help or "")


def test_weights_that_are_drawn_are_drawn_by_name_and_said(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(net('name: "c" type: "Convolution" convolution_param { num_output: 4 kernel_size: 3 }'))
    with pytest.warns(CnnirWarning, match="C0847"):
        graph = cnnir.load(tmp_path / "net.prototxt")
    ours = cnnir.parse('network n(x: f32[1, 8, 9, 9]) { x -> conv(4, 3, name="c") }')
    assert np.array_equal(graph.weights["c.weight"], ours.weights["c.weight"])
    (tmp_path / "net.prototxt").write_text(net('type: "ReLU"'))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cnnir.load(tmp_path / "net.prototxt")


def test_what_is_read_prints_and_reads_back_equal(tmp_path: Path) -> None:
    graph = load(vgg((1, 1), False, 8, (4, 6), 8), tmp_path)
    assert cnnir.parse(cnnir.dumps(graph)) == graph
