"""Examples of diagnostics that no network's text can show, as Python programs: each is run in an empty folder, and so is its mend."""

from __future__ import annotations

from collections.abc import Mapping

_CAFFE = """\
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
import struct

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


def _net(type: str, *lines: str) -> str:
    """A program that makes a network of one input."""
    body = "\n".join(f"        {line}" for line in lines)
    return f"import cnnir\n\nnet = cnnir.parse('''\n    network n(x: {type}) {{\n{body}\n    }}\n''')\n"


_TRAINED = _net("f32[1, 3, 8, 8]", "x -> batchnorm -> prelu -> maxpool(2)")


def _module(body: str, then: str = _LOAD_MODULE) -> str:
    """A program that makes a module of PyTorch, and what it does then."""
    return _MODULE.format(body=body) + then


_SAVED = _module("return torch.relu(x)", _EXPORT + _SAVE.format(what="exported"))

PROGRAMS: Mapping[str, tuple[str, str]] = {
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
"""Code -> the program that ends with it, and the program mended."""
