"""Every diagnostic code: what it means, a network that earns it, and the same network mended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .codes_python import PROGRAMS
from .codes_shell import SESSIONS


@dataclass(frozen=True)
class Code:
    """A kind of diagnostic. `example` and `mend` are texts in `language`."""

    title: str
    explanation: str
    example: str
    mend: str
    language: Literal["cnn", "pipeline", "onnx", "prototxt", "python", "shell"] = "cnn"
    """`onnx` is ONNX's own way of writing models as text; a `python` program and a session of a `shell` run in an empty folder."""


def _network(body: str, type: str = "f32[1, 8, 16, 16]", before: str = "") -> str:
    """A network of one input around a line of code."""
    return f"{before}network n(x: {type}) {{\n    {body}\n}}\n"


def _fix(title: str, explanation: str, wrong: str, right: str, before: str = "", before_right: str | None = None) -> Code:
    """A code shown by one statement before and after."""
    mended = before if before_right is None else before_right
    return Code(title, explanation, _network(wrong, before=before), _network(right, before=mended))


def _program(code: str, title: str, explanation: str) -> Code:
    """A code shown by a program before and after."""
    return Code(title, explanation, *PROGRAMS[code], language="python")


def _session(code: str, title: str, explanation: str) -> Code:
    """A code shown by a session of a shell before and after."""
    return Code(title, explanation, *SESSIONS[code], language="shell")


def _model(body: str, weights: str = "", opset: int = 17, type: str = "float[1, 3]", result: str = "float[1, 3]") -> str:
    """An ONNX model of one input `x` and one output `y`."""
    opsets = f'"": {opset}, "my.domain": 1'
    return f"<ir_version: 8, opset_import: [{opsets}]>\nn ({type} x) => ({result} y)\n{weights and f'<{weights}>'}\n{{ {body} }}\n"


_F = "activation f(x) = "

_SYNTAX = {
    "C0101": _fix("not in the grammar", "A word or sign stands where nothing like it may stand.", "x -> -> relu", "x -> relu"),
    "C0102": _fix(
        "a character that is not allowed",
        "Control characters, text-direction overrides and letters outside ASCII could make a network read differently from what it is. Names with "
        "other letters go in quotes; what cannot be seen is written as an escape such as `\\u{202e}`.",
        "y = x -> relu # \u202e", "y = x -> relu",
    ),
    "C0103": _fix("a quoted name is not closed", "Quoted names begin and end on one line.", 'x -> conv(8, 3, weight="k)', 'x -> conv(8, 3, weight="k")'),
    "C0104": _fix("brackets do not match", "A bracket is never closed, closes nothing, or closes another kind.", "x -> conv(8, 3]", "x -> conv(8, 3)"),
    "C0105": _fix(
        "too large",
        "A text, a name, a nesting, an expression or a network is beyond the limits: 200,000 layers, 1,000 brackets deep, 1,000 characters a name, "
        "expressions 200 deep. They are far above any real network and keep a hostile one from taking the machine.",
        "x -> [relu]*1000000000", "x -> [relu]*10",
    ),
    "C0106": _fix("not a number", "A number is too large for float64 or int64, is `nan`, or comes from a division by zero.", "x -> leaky(1e999)", "x -> leaky(0.1)"),
    "C0107": _program("C0107", "the text is not UTF-8", "A `.cnn` file is UTF-8 text; a byte order mark and Windows line ends are fine."),
}  # fmt: skip

_OPS = {
    "C0201": _fix("wrong number of inputs", "A layer or block got fewer or more tensors than it takes.", "add(x, x, x)", "add(x, x)"),
    "C0202": _fix("wrong rank", "The input has too few or too many axes for the layer.", "x -> fc(10)", "x -> flatten -> fc(10)"),
    "C0203": _fix("a window does not fit its input", "The kernel, dilated, is longer than the padded input on some axis.", "x -> maxpool(17)", "x -> maxpool(16)"),
    "C0204": _fix("shapes do not fit together", "Elementwise inputs must broadcast as NumPy's do; concatenated ones agree on the other axes.", "y = x -> maxpool(2)\n    add(x, y)", "y = x -> maxpool(3, stride=1, pad=1)\n    add(x, y)"),
    "C0205": Code("wrong element type", "The layer computes in floating point, or needs inputs of one type.", _network("x -> sigmoid", "i8[1, 8]"), _network("x -> relu", "i8[1, 8]")),
    "C0206": _fix("an attribute out of its bounds", "A kernel or stride of 0, a negative pad, a `clip` whose `lo` is above its `hi`, and the like.", "x -> clip(6, 0)", "x -> clip(0, 6)"),
    "C0207": _fix("channels do not divide into groups", "Both channel counts of a grouped convolution must be multiples of `groups`.", "x -> conv(6, 3, groups=4)", "x -> conv(8, 3, groups=4)"),
    "C0208": _fix("a window over nothing", "A pool's window lies in the padding altogether.", "x -> avgpool(1, pad=1)", "x -> avgpool(1, pad=1, count_include_pad=on)"),
    "C0209": _fix("no such axis", "The axis is outside the input's rank.", "x -> softmax(axis=4)", "x -> softmax(axis=3)"),
    "C0210": Code("a size out of its bounds", "A tensor's size is not between 1 and 2^31-1, or too large to count.", _network("x -> relu", "f32[1, 0]"), _network("x -> relu", "f32[1, 1]")),
    "C0211": _fix("no such layer or function", "The name is no op of the language, no block and no activation defined above.", "x -> reluu", "x -> relu"),
    "C0212": _fix("no such argument", "The layer, block or function has no argument or weight of this name.", "x -> conv(8, 3, padding=1)", "x -> conv(8, 3, pad=1)"),
    "C0213": _fix("an argument is missing", "The layer, block or function cannot do without it.", "x -> conv(8)", "x -> conv(8, 3)"),
    "C0214": _fix("an argument of the wrong kind", "A word stands where a number is needed, a fraction where a whole number is, a list is of the wrong length, and the like.", "x -> conv(8, 3, pad=sane)", "x -> conv(8, 3, pad=same)"),
    "C0215": _fix("too many arguments", "More positional arguments than the layer, block or function takes.", "x -> relu(6)", "x -> relu6"),
    "C0216": _fix("an argument is given twice", "Once by position and once by name, or twice by name.", "x -> conv(8, 3, kernel=3)", "x -> conv(8, kernel=3)"),
    "C0218": Code("no such element type", "Element types are f16, f32, f64, bf16, i8 to i64, u8 to u64 and bool.", _network("x -> relu", "float[1, 8]"), _network("x -> relu", "f32[1, 8]")),
    "C0219": _fix("not an activation", "The body of an activation is one expression over its parameter: no weights, nothing that looks at neighbours.", "x -> f", "x -> f", _F + "maxpool(x)\n", _F + "max(x, 0)\n"),
    "C0220": _fix("not supported yet", "The language has a place for this, the compiler has not.", "x -> f", "x -> f", _F.replace("x", "x, y") + "x + y\n", _F + "x + x\n"),
    "C0222": Code("sizes that are not known", "An input has a symbolic size, such as the `N` of `f32[N, 8]`, and no shape was given that says what it is.", "network n(x: f32[N, 8]) { x -> relu }\n", "network n(x: f32[1, 8]) { x -> relu }\n"),
    "C0223": _program("C0223", "a shape that does not fit its input", "A given shape has as many sizes as the input, agrees with its numbers, and gives one symbol one size."),
    "C0221": _fix("outputs and names do not match", "A layer of several outputs gives each its own name, and only then can one be used.", "x -> split(2) -> relu", "a, b = x -> split(2)\n    b -> relu"),
}  # fmt: skip

_GRAPH = {
    "C0301": _program("C0301", "the graph contradicts itself", "A pass left a layer whose type or weights are not what its op gives. This is a bug in the pass."),
    "C0302": Code("the network has a cycle", "A layer depends on itself, by way of others or at once. A `.cnn` file cannot say this; an ONNX file can, and a faulty pass.", _model("a = Add(x, y) y = Relu(a)"), _model("a = Add(x, x) y = Relu(a)"), "onnx"),
    "C0303": Code("no output", "A network's output is its last statement, or what `return` names.", "network n(x: f32[1, 8]) {\n}\n", "network n(x: f32[1, 8]) {\n    x -> relu\n}\n"),
    "C0304": _fix("a weight of another shape", "A weight's shape in the file, or where it is shared, is not what this layer needs.", 'x -> conv(8, 3, weight="k") -> conv(4, 3, weight="k")', 'x -> conv(8, 3, weight="k") -> conv(8, 3, weight="k")'),
    "C0305": _fix("no such value", "No input and no statement above has this name.", "y -> relu", "x -> relu"),
    "C0306": _fix("a name is taken", "Names of values, layers, blocks and activations are given once; names of ops are taken.", "x = x -> relu", "y = x -> relu"),
    "C0307": Code("no such network", "The text defines no network, or none of the name asked for.", "block b = relu\n", "block b = relu\nnetwork n(x: f32[1, 8]) { x -> b }\n"),
    "C0308": _fix("a block uses itself", "A block may use the blocks above it only, and an activation the activations above it.", "x -> b", "x -> b", "block b = relu -> b\n", "block b = relu\n"),
    "C0309": Code("not a range of the input", "An input's range goes from its least to its greatest value, both finite and of its element type.", "network n(x: f32[1, 8] in [1, 0]) { x -> relu }\n", "network n(x: f32[1, 8] in [0, 1]) { x -> relu }\n"),
    "C0310": Code("listed weights do not match", "`weights n { ... }` has one line for each layer of `n` that has weights, in order, with as many keys as the layer has weights or none.", _network("x -> conv(8, 3) -> relu -> conv(8, 3)") + "\nweights n {\n    first: k, b\n}\n", _network("x -> conv(8, 3) -> relu -> conv(8, 3)") + "\nweights n {\n    first: k, b\n    second\n}\n"),
}  # fmt: skip

_FILES = {
    "C0401": Code("a file cannot be read", "It does not exist, is no file, may not be read, or is of an unknown kind.", 'weights "k.safetensors"\n' + _network("x -> conv(8, 3)"), _network("x -> conv(8, 3)")),
    "C0402": Code("weights outside the network's folder", "A network reads no file but those beside it or below: no absolute path, no `..`, no link that leads out.", 'weights "../k.safetensors"\n' + _network("x -> relu"), _network("x -> relu")),
    "C0403": _program("C0403", "not a safetensors file", "The weights file is truncated, its header is malformed, or it is something else."),
    "C0404": _program("C0404", "a weight is missing from the file", "Where a weights file is named, it must hold every weight; `weight=\"key\"` says under which key."),
    "C0501": _program("C0501", "a file cannot be written", "The folder does not exist, the disk is full, or the place is taken. Nothing was changed."),
    "C0502": _session("C0502", "no C compiler", "Code for the CPU is linked by gcc or clang."),
    "C0503": _program("C0503", "not a compiled package", "The folder is truncated, changed, or was compiled for another machine."),
    "C0504": _program("C0504", "a package for another CPU", "The package was compiled for a CPU that has instructions which this one lacks; compile it again here, or with a `--target` that names this CPU."),
    "C0505": _session("C0505", "no CUDA tool-chain for this", "Compiling for CUDA needs NVRTC or nvcc, of a version that knows the architecture: `pip install 'cnnir[cuda]'`. Source can be emitted without."),
    "C0506": _session("C0506", "no GPU", "A CUDA program can be compiled anywhere, and run where there is an NVIDIA GPU that the process may use."),
    "C0507": _program("C0507", "no such target", "Targets are `llvm` and `cuda`, with TVM's options."),
    "C0508": _program("C0508", "no such convolution algorithm", "`conv` is `auto`, `direct` or `winograd`."),
    "C0512": _program("C0512", "layers that cannot be compiled", "Opaque nodes, recurrent layers and 8-bit floats have a place in a network, and no code."),
    "C0509": _program("C0509", "options that contradict each other", "An `--emit` form belongs to one kind of target; what a move costs in a runtime is asked by `place=auto` alone."),
    "C0510": Code("no such pass", "The name in a pipeline is none of the passes.", "place,dcee", "place,dce", "pipeline"),
    "C0511": Code("no such option of a pass", "A pass has no option of this name, or the option cannot have this value.", "place{place=allways}", "place{place=always}", "pipeline"),
    "C0513": _program("C0513", "too large for this machine", "Weights and tensors together need more memory than there is."),
    "C0514": _program("C0514", "too large to compile", "A tensor or a weight has 2^31 or more elements; kernels count them in 32 bits."),
    "C0516": _session("C0516", "a damaged file in the cache", "What a sweep or tuning found is kept in a file, and this one cannot be read. It is ignored: what it says counts as not swept, or not tuned."),
    "C0517": _session("C0517", "the cache cannot be written", "What a sweep found could not be kept, and will be swept again. `CNNIR_CACHE` names another folder."),
    "C0518": _session("C0518", "nothing to sweep", "A sweep needs a formula of one variable whose numbers are all known, a float type of at most 32 bits, and a direction to hold it to."),
    "C0519": _session("C0519", "kernels without a record", "Compiling with records was asked for, and `cnnc tune` has none of these kernels for this CPU and version of TVM; they are compiled untuned, and answer the same."),
    "C0515": _program("C0515", "a package for another version", "Packages run on the version of TVM and the schema that they were compiled with; compile it again here."),
    "C0601": _program("C0601", "inputs of a run do not match the network", "Every input of the network is given once, by its name."),
    "C0602": _program("C0602", "an input array of another type", "Arrays must have the dtype and shape that the network declares."),
    "C0603": _session("C0603", "reordered outputs differ", "The reordered network does not answer as the original; nothing was timed. Either the C library breaks what the proofs of class C assume of it, and then `cnnc sweep` finds that out and they refuse the move; or this is a bug in cnnir."),
    "C0604": _program("C0604", "an opaque node cannot be evaluated", "What another framework calls it is kept word for word, and its meaning is not known here."),
    "C0605": _program("C0605", "two networks that cannot be compared", "An audit compares two versions of one network: inputs of the same names and types, and as many outputs of the same types."),
    "C0701": _program("C0701", "not expressible in ONNX", "The layer has no ONNX operator with the same meaning."),
    "C0702": _program("C0702", "too large for one ONNX message", "Protocol buffers end at 2 GB; the weights must be external data, in a file beside the model. Unless told otherwise, larger ones are written so."),
    "C0710": _program("C0710", "no such runtime", "The name is none of the runtimes that networks are raced against."),
    "C0711": _session("C0711", "a runtime is not installed", "onnxruntime and OpenVINO are installed by `pip install 'cnnir[peers]'`. ncnn and MNN have environments of their own, in `CNNIR_PEERS` or the user's cache; `cnnc bench --against` makes them where pip reaches its index."),
    "C0712": _session("C0712", "a runtime failed", "The runtime, or its own converter from ONNX, refused the network, or ended; what it said is in the message and its notes."),
    "C0720": _program("C0720", "not expressible in Relay", "Relay has no operator with the layer's meaning, or its text cannot hold a number or an element type of it."),
    "C0703": _session("C0703", "the package `onnx` is missing", "Reading and writing ONNX needs it: `pip install 'cnnir[onnx]'`."),
}  # fmt: skip


def _branches(depth: int) -> str:
    """A choice within a choice, and so on."""
    inner = "y = Relu(x)"
    for _ in range(depth):
        inner = f"y = If (c) <then_branch = g () => (y) {{ {inner} }}, else_branch = h () => (y) {{ y = Abs(x) }}>"
    return _model(inner, "bool c = {1}")


_ADD, _WEIGHT = "y = Add(x, w)", "float[3] w = {1, 2, 3}"
_ONNX = {
    "C0801": _program("C0801", "not an ONNX model", "The file is empty, truncated, a web page or an archive, or holds no graph."),
    "C0802": _program("C0802", "an ONNX file of more than 2 GB", "A protocol buffer ends there. Large weights belong in files of external data, beside the model."),
    "C0803": Code("external data outside the model's folder", "A model reads no file but those beside it or below: no absolute path, no `..`, no link, no file with a second name elsewhere.", _model(_ADD, 'float[3] w = ["location": "../w.bin"]'), _model(_ADD, _WEIGHT), "onnx"),
    "C0804": Code("a place that external data cannot be at", "Offset and length are numbers of bytes within the file; keys are those that ONNX names.", _model(_ADD, 'float[3] w = ["location": "w.bin", "offset": "-1"]'), _model(_ADD, _WEIGHT), "onnx"),
    "C0805": Code("a tensor whose data do not fit its shape", "Sizes are not negative, their product can be counted, and the data are as long as they say.", _model(_ADD, "float[3] w = {1, 2}"), _model(_ADD, _WEIGHT), "onnx"),
    "C0806": Code("an opset that is not read", "Opsets from 7 on are read, up to the newest that the installed `onnx` knows; older ones where operators have kept their meaning.", _model("y = Relu(x)", opset=999), _model("y = Relu(x)"), "onnx"),
    "C0807": Code("no such operator", "ONNX has none of this name in the model's opset, or the model does not import its domain.", _model("y = Rely(x)"), _model("y = Relu(x)"), "onnx"),
    "C0808": Code("a node of unknown output types", "What has no layer here is kept word for word, but its types must be known: from ONNX's shape inference, or written in the model.", _model("y = my.domain.Foo(x)", result="float[N]"), _model("y = my.domain.Foo(x)"), "onnx"),
    "C0810": Code("graphs nested too deep", "Branches and loops hold graphs of their own, at most 24 inside each other.", _branches(26), _branches(2), "onnx"),
    "C0811": Code("a node that is not as its operator wants", "An input or an attribute is missing, has the wrong type or length, or is a word that the operator does not know.", _model("y = MaxPool(x)", type="float[1, 3, 8, 8]", result="float[1, 3, 4, 4]"), _model("y = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(x)", type="float[1, 3, 8, 8]", result="float[1, 3, 4, 4]"), "onnx"),
    "C0812": Code("an element type that has no place here", "Strings, complex numbers, sequences, sparse tensors and some 8-bit floats.", _model("y = Identity(x)", type="string[1, 3]", result="string[1, 3]"), _model("y = Identity(x)"), "onnx"),
}  # fmt: skip

_TORCH = {
    "C0860": _program("C0860", "not a PyTorch exported program", "A `.pt2` file is a ZIP archive that `torch.export.save` wrote with PyTorch 2.8 or later; this one is truncated, damaged, or something else."),
    "C0861": _program("C0861", "a pickle is not opened", "`.pt` and `.pth` files, and what a `.pt2` archive may carry besides raw tensors, are pickles: programs that run when they are read. Load such a file where you trust it, and save it with `torch.export.save`."),
    "C0862": _program("C0862", "PyTorch operations without a layer", "As errors: all operations of a program that have no place in a network. As a warning: those kept as opaque layers, which nothing moves past and which are not compiled."),
    "C0863": _program("C0863", "a module that cannot be exported", "`torch.export` runs the module on example inputs and records what it does; what the module's own code raised is in the notes."),
    "C0864": _session("C0864", "the package `torch` is missing", "Modules are exported, and made, by PyTorch: `pip install 'cnnir[torch]'`. `.pt2` files are read without it."),
    "C0865": _program("C0865", "memory written through a view", "The program writes into part of a tensor and reads the whole under another name. `run_decompositions({})` writes it without."),
    "C0871": _program("C0871", "not expressible in PyTorch", "No function of PyTorch has the layer's meaning, or a module cannot have a weight of that name."),
    "C0872": _program("C0872", "a network that is another one in training", "A layer with weights, or one that training treats otherwise, has traded places with a pool: right for the weights as they are, and only for these. `optimize(training=True)` moves what may be trained."),
}  # fmt: skip

_INPUT = 'input: "data" input_shape { dim: [1, 8, 16, 16] }'


def _prototxt(title: str, explanation: str, wrong: str, right: str) -> Code:
    """A code shown by a layer of Caffe before and after; `right` may be no layer."""
    texts = [f'{_INPUT}\nlayer {{ type: "ReLU" name: "a" bottom: "data" top: "a" }}\n{layer}\n' for layer in (wrong, right)]
    return Code(title, explanation, *texts, language="prototxt")


def _layer(said: str) -> str:
    return f'layer {{ name: "b" bottom: "a" top: "b" {said} }}'


_CAFFE = {
    "C0841": _prototxt("a field that Caffe does not have", "Messages of a prototxt have the fields of `caffe.proto`, spelt as there.", _layer('type: "Pooling" pooling_param { kernel: 2 }'), _layer('type: "Pooling" pooling_param { kernel_size: 2 }')),
    "C0842": _prototxt("a field that is not as Caffe has it", "A number stands where a text is needed, a field is given twice or as often as does not fit, or one is missing.", _layer('type: "Pooling" pooling_param { kernel_size: 2.5 }'), _layer('type: "Pooling" pooling_param { kernel_size: 2 }')),
    "C0843": _prototxt("layers of types that are not known", "Layers of Caffe's forks, and those of no meaning to a network of fixed shapes, have no place here; all of them are listed.", _layer('type: "PriorBox"'), _layer('type: "ReLU"')),
    "C0844": _prototxt("a form of a layer that is not supported", "The layer is known, and what it is asked to do has no equal here.", _layer('type: "Pooling" pooling_param { pool: STOCHASTIC kernel_size: 2 }'), _layer('type: "Pooling" pooling_param { pool: AVE kernel_size: 2 }')),
    "C0845": _program("C0845", "not a .caffemodel", "The file is cut short, damaged, or something else: no message of protobuf with layers in it."),
    "C0846": _program("C0846", "a weight that is not a number", "A weight is NaN, infinite or beyond float32, or a variance is negative."),
    "C0847": _program("C0847", "weights are drawn at random", "A prototxt has no weights; they come from the `.caffemodel` of its name beside it."),
    "C0848": _prototxt("layers that are left out", "Losses, accuracies and what silences a blob answer nothing at inference.", _layer('type: "Silence"').replace(' top: "b"', ""), ""),
}  # fmt: skip

CODES: Mapping[str, Code] = {**_SYNTAX, **_OPS, **_GRAPH, **_FILES, **_ONNX, **_TORCH, **_CAFFE}
"""Code -> what it means. The first digits say where: 1 syntax, 2 ops and types, 3 graph, 4 to 7 files, targets, runs, export, 8 models of other frameworks."""
