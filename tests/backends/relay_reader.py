"""Reads Relay texts with a TVM that still has Relay. Run by that TVM's Python, which knows nothing of cnnir: `relay_reader.py FILE...`.

Each text is parsed and typed; every statement must be of the type that stands behind it as `/* ty=... */`. Where `FILE.npz`
lies beside, the network is compiled and run on its inputs, and must give its outputs `out0`, `out1`, ...
"""

import importlib
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
import tvm
from tvm import relay

STATEMENT = re.compile(r"^  (%\d+) = .* /\* ty=(.*) \*/;$", re.MULTILINE)


def inferred(text):
    """The module, typed."""
    return relay.transform.InferType()(relay.fromtext(text))


def check_types(text):
    """How many statements have the type that they say."""
    inferred(text)
    names, said = zip(*STATEMENT.findall(text), strict=True)
    head, _, tail = text.partition(") -> ")
    body = tail[tail.index("{\n") : tail.rindex("\n  ")]  # without the result: every statement is one now
    found = inferred(f"{head}) {body}\n  ({', '.join(names)},)\n}}\n")["main"].ret_type.fields
    for name, wanted, type in zip(names, said, found, strict=True):
        real = spelt(type)
        if real != wanted:
            sys.exit(f"{name} is {real}, and should be {wanted}")
    return len(names)


def spelt(type):
    """A type as the text writes it."""
    if isinstance(type, relay.TupleType):
        inside = [spelt(field) for field in type.fields]
        return f"({', '.join(inside)}{',' * (len(inside) == 1)})"
    shape = ", ".join(str(int(n)) for n in type.shape)
    return f"Tensor[({shape}), {type.dtype}]" if len(type.shape) else type.dtype


def check_numbers(text, path):
    """The greatest difference from the outputs that are wanted, as a part of their greatest."""
    arrays = np.load(path)
    with tvm.transform.PassContext(opt_level=0, config={"tir.disable_vectorize": True}):
        built = relay.build(inferred(text), target="c -keys=cpu")  # the LLVM of hhb-tvm writes for RISC-V alone
    with tempfile.TemporaryDirectory() as folder:
        built.export_library(f"{folder}/network.so", options=["-O1"])
        library = tvm.runtime.load_module(f"{folder}/network.so")
    module = importlib.import_module("tvm.contrib.graph_executor").GraphModule(library["default"](tvm.cpu()))
    for name in arrays.files:
        if not name.startswith("out"):
            module.set_input(name, arrays[name])
    module.run()
    found = [module.get_output(i).numpy() for i in range(module.get_num_outputs())]
    wanted = [arrays[f"out{i}"] for i in range(len(found))]
    return max(float(np.abs(f.astype(np.float64) - w).max() / np.abs(w).max()) for f, w in zip(found, wanted, strict=True))


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        path = Path(argument)
        text = path.read_text()
        print(f"{path.stem}: {check_types(text)} statements typed", end="")
        beside = path.with_suffix(".npz")
        if beside.exists():
            difference = check_numbers(text, beside)
            print(f", answers within {difference:.2g}", end="")
            if not difference < 1e-4:
                sys.exit(": too far")
        print(flush=True)
