"""Examples of diagnostics that a program earns, and no network's text alone: each is run in an empty folder, and so is its mend."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

T = TypeVar("T")

_IMPORTS = "from pathlib import Path\nimport cnnir\n\n"


def _net(type: str, *lines: str) -> str:
    """A program that makes a network of one input."""
    body = "\n".join(f"        {line}" for line in lines)
    return f"import cnnir\n\nnet = cnnir.parse('''\n    network n(x: {type}) {{\n{body}\n    }}\n''')\n"


_SMALL = _net("f32[1, 8]", "x -> relu")
_WEIGHED = 'weights "k.safetensors"\nnetwork n(x: f32[1, 8]) { x -> fc(4, bias=off, weight="k") }'
_RECURRENT = _net("f32[5, 1, 4]", "y, h = x -> gru(3)", "return y")


def _written(name: str, content: str) -> str:
    """A line that writes a file of bytes."""
    return f"Path({name!r}).write_bytes({content})\n"


def _weights(*, key: str = "k", content: str = "") -> str:
    """A program that loads a network with weights beside it: under a key, or a file of other content."""
    saved = f'save_file({{"{key}": np.ones((4, 8), np.float32)}}, "k.safetensors")\n'
    start = "from pathlib import Path\nimport cnnir\nimport numpy as np\nfrom safetensors.numpy import save_file\n\n"
    there = _written("k.safetensors", content) if content else saved
    return f"{start}{there}Path('n.cnn').write_text({_WEIGHED!r})\ncnnir.load('n.cnn')\n"


def _run(feeds: str) -> str:
    """A program that compiles a network and runs it."""
    return f"import numpy as np\n{_SMALL}cnnir.compile(net)({feeds})\n"


_PASS = """
from cnnir.ir.graph import Value
from cnnir.pipeline import run

def without_pool(graph):
    result = graph.copy()
    result.replace_uses(Value("maxpool1"), Value("x"))
    result.remove("maxpool1")
{then}    return result

run(net, [without_pool])
"""
_POOLED = _net("f32[1, 2, 4, 4]", "x -> maxpool(2) -> relu")


_EDIT = """\
path = Path("n.cnnpkg/manifest.json")
manifest = json.loads(path.read_text())
{edit}  # as if it had been compiled elsewhere
manifest["manifest_sha256"] = seal(manifest)
path.write_text(json.dumps(manifest))
"""
_SAVE_PACKAGE = 'cnnir.compile(net).save("n.cnnpkg")\n'
_LOAD_PACKAGE = 'cnnir.load_program("n.cnnpkg")\n'


def _package(edit: str) -> tuple[str, str]:
    """A program that loads a package after an edit of its manifest, and one that loads it as it is."""
    imports = "import json\nfrom pathlib import Path\nfrom cnnir.backends.tvm.manifest_json import seal\n"
    return imports + _SMALL + _SAVE_PACKAGE + _EDIT.format(edit=edit) + _LOAD_PACKAGE, _SMALL + _SAVE_PACKAGE + _LOAD_PACKAGE


def _pair(program: Callable[[T], str], wrong: T, right: T) -> tuple[str, str]:
    """The program of what is wrong, and that of what is right."""
    return program(wrong), program(right)


_FILES: Mapping[str, tuple[str, str]] = {
    "C0107": _pair(lambda coding: _IMPORTS + _written("n.cnn", f'"network n(x: f32[1, 8]) {{ x -> relu }} # caf\\xe9".encode({coding!r})') + 'cnnir.load("n.cnn")\n', "latin-1", "utf-8"),
    "C0223": _pair(lambda shape: f'import cnnir\n\ncnnir.parse("network n(x: f32[N, 8]) {{ x -> relu }}", shapes={{"x": {shape}}})\n', (1, 9), (1, 8)),
    "C0301": (_POOLED + _PASS.format(then=""), _POOLED + _PASS.format(then='    result.revise("relu1")  # its type is inferred again\n')),
    "C0403": (_weights(content='b"<html>"'), _weights()),
    "C0404": (_weights(key="j"), _weights()),
    "C0801": (_IMPORTS + _written("n.onnx", 'b"<html>"') + 'cnnir.load("n.onnx")\n', _SMALL + 'cnnir.save(net, "n.onnx")\ncnnir.load("n.onnx")\n'),
    "C0802": (
        "import os\n" + _IMPORTS + _written("n.onnx", 'b""') + 'os.truncate("n.onnx", 2**31)\ncnnir.load("n.onnx")\n',
        _SMALL + 'cnnir.export_onnx(net, "n.onnx", external=True)\ncnnir.load("n.onnx")\n',
    ),
}  # fmt: skip
_USES: Mapping[str, tuple[str, str]] = {
    "C0501": (_SMALL + 'cnnir.save(net, "nowhere/n.cnn")\n', _SMALL + 'cnnir.save(net, "n.cnn")\n'),
    "C0503": (
        _IMPORTS + 'Path("n.cnnpkg").mkdir()\ncnnir.load_program("n.cnnpkg")\n',
        _SMALL + _SAVE_PACKAGE + _LOAD_PACKAGE,
    ),
    "C0504": _package('manifest["cpu_features"] = ["a_feature_of_the_future"]'),
    "C0507": (_SMALL + 'cnnir.compile(net, target="lvm")\n', _SMALL + 'cnnir.compile(net, target="llvm")\n'),
    "C0508": (_SMALL + 'cnnir.compile(net, conv="fft")\n', _SMALL + 'cnnir.compile(net, conv="direct")\n'),
    "C0509": (_SMALL + 'cnnir.emit(net, "ptx", target="llvm")\n', _SMALL + 'cnnir.emit(net, "tir", target="llvm")\n'),
    "C0512": (_RECURRENT + "cnnir.compile(net)\n", _SMALL + "cnnir.compile(net)\n"),
    "C0513": (_net("f32[1, 40000]", "x -> [fc(40000)]*10000") + "cnnir.compile(net)\n", _net("f32[1, 40]", "x -> [fc(40)]*10") + "cnnir.compile(net)\n"),
    "C0514": (_net("f32[65536, 65536]", "x -> relu") + "cnnir.compile(net)\n", _SMALL + "cnnir.compile(net)\n"),
    "C0515": _package('manifest["versions"]["apache-tvm"] = "0.1"'),
    "C0601": (_run("{'y': np.ones((1, 8), np.float32), 'x': np.ones((1, 8), np.float32)}"), _run("{'x': np.ones((1, 8), np.float32)}")),
    "C0602": (_run("{'x': np.ones((1, 8))}"), _run("{'x': np.ones((1, 8), np.float32)}")),
    "C0604": _pair(lambda layer: "import numpy as np\n" + _net("f32[1, 8]", f"x -> {layer}") + "cnnir.evaluate(net, {'x': np.ones((1, 8), np.float32)})\n", "onnx.Foo{outputs=f32[1, 8]}", "relu"),
    "C0605": _pair(lambda n: _SMALL + f'cnnir.audit(net, cnnir.parse("network m(x: f32[1, {n}]) {{ x -> relu }}"))\n', 9, 8),
    "C0701": _pair(lambda dtype: _net(f"{dtype}[1, 2, 4, 4]", "x -> minpool(2)") + 'cnnir.export_onnx(net, "n.onnx")\n', "i32", "f32"),
    "C0702": (
        _net("f32[1, 25000]", "x -> fc(25000)") + 'cnnir.export_onnx(net, "n.onnx", external=False)\n',
        _net("f32[1, 25]", "x -> fc(25)") + 'cnnir.export_onnx(net, "n.onnx", external=True)  # of any size\n',
    ),
    "C0710": (_SMALL + 'cnnir.optimize(net, runtime="onnxrt")\n', _SMALL + 'cnnir.optimize(net, runtime="onnxruntime")\n'),
    "C0720": _pair(lambda n: _net("f32[1, 4, 8, 8]", f"x -> lrn({n})") + 'cnnir.emit(net, "relay")\n', 4, 5),
}  # fmt: skip

_CAFFE = """\
import struct
from pathlib import Path
import cnnir

Path("n.prototxt").write_text('''
    input: "data" input_shape { dim: [1, 1, 4, 4] }
    layer {
        name: "c" type: "Convolution" bottom: "data" top: "c"
        convolution_param { num_output: 1 kernel_size: 1 bias_term: false }
    }
''')
"""
_CAFFEMODEL = """\
def field(tag, content):
    return tag + bytes([len(content)]) + content

shape = field(b"\\x3a", field(b"\\x0a", bytes([1, 1, 1, 1])))  # BlobProto.shape
data = field(b"\\x2a", struct.pack("<f", {number}))  # BlobProto.data
layer = field(b"\\x0a", b"c") + field(b"\\x3a", shape + data)  # LayerParameter.name and .blobs
Path("n.caffemodel").write_bytes(field(b"\\xa2\\x06", layer))  # NetParameter.layer
"""
_LOAD_CAFFE = 'cnnir.load("n.prototxt")\n'
_SOUND = _CAFFE + _CAFFEMODEL.format(number="0.5") + _LOAD_CAFFE

_MODULE = """\
import torch
import cnnir

class Net(torch.nn.Module):
    def forward(self, x):
        {body}

"""
_LOAD_MODULE = "cnnir.load(Net(), (torch.ones(1, 3, 8, 8),))\n"
_WRITING = "y = x * 2\n        y[:, :1].relu_()\n        return y"
_EXPORT = "exported = torch.export.export(Net(), (torch.ones(1, 3, 8, 8),))\n"
_SAVE = 'torch.export.save({what}, "net.pt2")\ncnnir.load("net.pt2")\n'


_TRAINED = _net("f32[1, 3, 8, 8]", "x -> batchnorm -> prelu -> maxpool(2)")


def _module(body: str, then: str = _LOAD_MODULE) -> str:
    """A program that makes a module of PyTorch, and what it does then."""
    return _MODULE.format(body=body) + then


_SAVED = _module("return torch.relu(x)", _EXPORT + _SAVE.format(what="exported"))

_FRAMEWORKS: Mapping[str, tuple[str, str]] = {
    "C0845": (_CAFFE + 'Path("n.caffemodel").write_bytes(b"<html>")\n' + _LOAD_CAFFE, _SOUND),
    "C0846": (_CAFFE + _CAFFEMODEL.format(number='float("nan")') + _LOAD_CAFFE, _SOUND),
    "C0847": (_CAFFE + _LOAD_CAFFE, _SOUND),
    "C0860": (_module("return torch.relu(x)", 'from pathlib import Path\nPath("net.pt2").write_bytes(b"<html>")\ncnnir.load("net.pt2")\n'), _SAVED),
    "C0861": (_module("return torch.relu(x)", 'torch.save(Net().state_dict(), "net.pt")\ncnnir.load("net.pt")\n'), _SAVED),
    "C0862": (_module("return torch.fft.fft(x).real"), _module("return torch.relu(x)")),
    "C0863": (_module("return x * 2 if x.sum() > 0 else x"), _module("return torch.where(x > 0, x * 2, x)")),
    "C0865": (
        _module(_WRITING, _EXPORT + _SAVE.format(what="exported")),
        _module(_WRITING, _EXPORT + _SAVE.format(what="exported.run_decompositions({})")),
    ),
    "C0871": (
        _net("f32[5, 1, 4]", "y, h = x -> gru(3)", "return y") + "cnnir.to_torch(net)\n",
        _net("f32[5, 1, 4]", "x -> relu") + "cnnir.to_torch(net)\n",
    ),
    "C0872": (
        _TRAINED + 'cnnir.to_torch(cnnir.optimize(net, place="always").graph)\n',
        _TRAINED + 'cnnir.to_torch(cnnir.optimize(net, place="always", training=True).graph)\n',
    ),
}  # fmt: skip
PROGRAMS: Mapping[str, tuple[str, str]] = {**_FILES, **_USES, **_FRAMEWORKS}
"""Code -> the program that ends with it, and the program mended."""
