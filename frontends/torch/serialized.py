"""A `.pt2` file -> Program, from the JSON that PyTorch writes (schema version 8; PyTorch 2.8 and later).

Reading it with PyTorch would unpickle what the archive marks as pickled, evaluate the texts of symbolic sizes, and look the
targets of calls up as functions. Here they are names, and what is not known by name is refused or kept as an opaque layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cnnir.ir.weights import Held, WeightSource

from .archive import SCALAR_TYPES, Archive, opened
from .listing import own_line
from .problems import malformed, pickled
from .program import MEMORY, Argument, Call, Hint, Program, Ref, Result, Tensor, Where

MAJOR = 8
"""The version of the schema that is read."""
_DAMAGED = (KeyError, TypeError, ValueError, AttributeError, IndexError, StopIteration, OverflowError, RecursionError)


def read(path: Path) -> Program:
    """The program in a `.pt2` file; raises CnnirError for anything else."""
    with opened(path) as archive:
        return _read(path, archive)


def _read(path: Path, archive: Archive) -> Program:
    if "serialized_exported_program.json" in archive or "serialized_state_dict.pt" in archive:
        raise pickled(archive.name, "was saved by a PyTorch before 2.8, which pickled the weights")
    if "data.pkl" in archive:
        raise pickled(archive.name, "is a pickled model or state dict, as `torch.save` writes it, not an exported program")
    document = archive.json("models/model.json")
    try:
        version = document["schema_version"]["major"]
        if version != MAJOR:
            raise malformed(archive.name, f"its schema is version {version}, and {MAJOR} is read here")
        return _program(path, document["graph_module"], _stored(archive))
    except _DAMAGED as error:
        raise malformed(archive.name, f"its description is damaged ({type(error).__name__}: {error})") from None


def _stored(archive: Archive) -> dict[str, WeightSource]:
    """The tensors of the archive by their names in the state dict."""
    found: dict[str, WeightSource] = {}
    for folder, what in (("data/weights", "weights"), ("data/constants", "constants")):
        listed = f"{folder}/model_{what}_config.json"
        if listed not in archive:
            if f"{folder}/model.pt" in archive:
                raise pickled(archive.name, f"holds its {what} as a pickle")
            raise malformed(archive.name, f"it has no `{listed}`")
        for key, entry in archive.json(listed)["config"].items():
            if entry["use_pickle"] or entry["tensor_meta"] is None:
                raise pickled(archive.name, f"holds `{key}` as a pickled object")
            source = archive.tensor(f"{folder}/{entry['path_name']}", entry["tensor_meta"])
            kind = "constant" if what == "constants" else "parameter" if entry["is_param"] else "buffer"
            found[key] = Held(source.values, kind)
    return found


def _program(path: Path, module: Mapping[str, Any], stored: Mapping[str, WeightSource]) -> Program:
    graph, signature = module["graph"], module["signature"]
    hints = {key: _hint(meta) for key, meta in graph["tensor_values"].items()}
    inputs: list[Result] = []
    tensors: dict[str, Tensor] = {}
    for spec in signature["input_specs"]:
        (kind, content), *_ = spec.items()
        if kind == "user_input":
            given = _argument(content["arg"])
            if isinstance(given, Ref):
                inputs.append(Result(given.name, hints.get(given.name)))
        elif kind in _KEYS:
            key = content[_KEYS[kind]]
            tensors[content["arg"]["name"]] = Tensor(key, stored[key])
        elif kind != "constant_input":
            raise pickled(str(path), f"needs an object that is no tensor (`{kind}`)")
    calls = [_call(node, hints) for node in graph["nodes"]]
    outputs = [_argument(spec["user_output"]["arg"]) for spec in signature["output_specs"] if "user_output" in spec]
    return Program(path.stem, str(path), inputs, tensors, calls, outputs, stored)


_KEYS = {"parameter": "parameter_name", "buffer": "buffer_name", "tensor_constant": "tensor_constant_name"}


def _hint(meta: Mapping[str, Any]) -> Hint:
    sizes = [size.get("as_int") for size in meta["sizes"]]
    symbols = [str(size["as_expr"]["expr_str"]) if "as_expr" in size else str(size["as_int"]) for size in meta["sizes"]]
    return Hint(SCALAR_TYPES.get(meta["dtype"], "?"), tuple(sizes), tuple(symbols))


def _call(node: Mapping[str, Any], hints: Mapping[str, Hint]) -> Call:
    names, several = _outputs(node["outputs"])
    metadata = node["metadata"]
    path, kind = "", ""
    for entry in metadata.get("nn_module_stack", "").split(";"):
        path, kind = (entry.split(",", 2) + ["", ""])[1:3]
    where = Where(path, kind.rpartition(".")[2], own_line(metadata.get("stack_trace", "")))
    results = tuple(Result(name, hints.get(name)) for name in names)
    target = str(node["target"]).removeprefix("torch.ops.")
    arguments = {str(i["name"]): _argument(i["arg"]) for i in node["inputs"] if i["name"] not in MEMORY}
    return Call(str(node.get("name") or (names or [target])[0]), target, arguments, results, several, where)


def _outputs(outputs: list[Mapping[str, Any]]) -> tuple[list[str], bool]:
    """The names of results, and whether they come as a list."""
    found = [_argument(output) for output in outputs]
    several = len(found) != 1 or isinstance(found[0], tuple)
    names = found[0] if len(found) == 1 and isinstance(found[0], tuple) else found
    return [each.name if isinstance(each, Ref) else "" for each in names], several


def _argument(written: Mapping[str, Any]) -> Argument:
    (kind, value), *_ = written.items()
    return _READERS[kind](value)


def _symbol(value: Mapping[str, Any]) -> Argument:
    (kind, content), *_ = value.items()
    return Ref(content) if kind == "as_name" else content


def _optional(value: Mapping[str, Any]) -> Argument:
    return Ref(value["as_tensor"]["name"]) if "as_tensor" in value else None


def _several(reader: Callable[[Any], Argument]) -> Callable[[Any], Argument]:
    return lambda values: tuple(reader(value) for value in values)


def _named(value: Mapping[str, Any]) -> Argument:
    return Ref(value["name"])


def _plain(value: Any) -> Argument:
    if not isinstance(value, bool | int | float | str):
        raise TypeError(f"{value!r} is no number")
    return value


def _float(value: Any) -> Argument:
    """JSON has no infinity: it is written as a word."""
    return float(value)


_READERS: Mapping[str, Callable[[Any], Argument]] = {
    "as_none": lambda value: None, "as_layout": lambda value: None, "as_memory_format": lambda value: None, "as_device": lambda value: None,
    "as_tensor": _named, "as_tensors": _several(_named), "as_optional_tensor": _optional, "as_optional_tensors": _several(_optional),
    "as_int": _plain, "as_bool": _plain, "as_string": _plain, "as_float": _float,
    "as_ints": _several(_plain), "as_bools": _several(_plain), "as_strings": _several(_plain), "as_floats": _several(_float),
    "as_sym_int": _symbol, "as_sym_bool": _symbol, "as_sym_float": _symbol,
    "as_sym_ints": _several(_symbol), "as_sym_bools": _several(_symbol), "as_sym_floats": _several(_symbol),
    "as_scalar_type": lambda value: SCALAR_TYPES.get(value, "?"),
    "as_int_lists": _several(_several(_plain)),
}  # fmt: skip
"""Kind of argument -> what it is here. Where memory lies and in which order is nothing to a network; graphs and objects are refused."""
