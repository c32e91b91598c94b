"""Layers as written -> a graph: data in, losses out, every other layer by the function registered for its type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice

from cnnir.diagnostics import CnnirError, Diagnostic, Label, OpError, Origin, warn
from cnnir.ir.graph import Graph, Value
from cnnir.types import TensorType

from ..problems import refuse
from .check import alike
from .inputs import DATA, Shapes, shape_of
from .layers import DROPPED, KINDS
from .model.blobs import Blob
from .model.file import Model
from .net import Layer, Net
from .site import Site
from .wiring import Made, Wired, wire

MAX_LAYERS = 200_000
MAX_PROBLEMS = 20
"""Errors after which the rest of a file is not read."""
MAX_LABELS = 30
"""Layers of unknown types that are shown; the rest are counted."""
KNOWN = frozenset(KINDS) | DATA


def is_dropped(layer: Layer) -> bool:
    """Whether a layer answers nothing at inference."""
    return layer.type in DROPPED or layer.type.endswith("Loss")


def translate(net: Net, name: str, shapes: Shapes, model: Model | None) -> Graph:
    """The network; raises CnnirError listing what is wrong. Says what was left out."""
    kept = [layer for layer in net.layers if not is_dropped(layer)]
    if len(kept) > MAX_LAYERS:
        raise refuse("C0105", f"the network is too large: more than {MAX_LAYERS:,} layers", kept[MAX_LAYERS].span)
    _refuse_unknown(kept)
    _refuse_shapes(kept, shapes)
    dropped = [layer for layer in net.layers if is_dropped(layer)]
    graph = Translator(net.name or name, wire(kept, net.absent), shapes, model).graph()
    if dropped:
        _say_dropped(dropped, graph)
    return graph


class Translator:
    """Adds layer after layer to a graph."""

    def __init__(self, name: str, wired: Sequence[Wired], shapes: Shapes, model: Model | None) -> None:
        self._graph = Graph(name)
        self._wired = wired
        self._shapes = shapes
        self._model = model
        self._made: dict[Made, Value] = {}
        self._taken: set[int] = set()
        self._occurrence = _occurrences([each.layer for each in wired])

    def graph(self) -> Graph:
        """The whole network; raises CnnirError with everything found wrong."""
        problems: list[Diagnostic] = []
        for place, each in enumerate(self._wired):
            try:
                self._add(place, each)
            except CnnirError as error:  # go on: later layers may be wrong in their own way
                problems.extend(error.diagnostics)
            except OpError as error:  # of an op that cannot be, whatever it is given
                problems.append(Diagnostic(error.code, error.message, (Label(each.layer.span, error.remark),), help=error.help))
            if len(problems) >= MAX_PROBLEMS:
                break
        if problems:
            raise CnnirError(problems[:MAX_PROBLEMS])
        for (place, slot), value in self._unread():
            self._graph.results[self._wired[place].layer.tops[slot].name] = value
        if not self._graph.results:
            raise CnnirError(Diagnostic("C0303", "the network has no output"))
        return self._graph

    def _unread(self) -> Iterator[tuple[Made, Value]]:
        """What nothing reads, and is no data: the outputs. Of layers in place it is the last one's."""
        for place, each in enumerate(self._wired):
            if each.layer.type not in DATA:
                for slot, readers in enumerate(each.readers):
                    if not readers:
                        yield (place, slot), self._made[place, slot]

    def _add(self, place: int, each: Wired) -> None:
        layer = each.layer
        if layer.type in DATA:
            self._add_data(place, each)
            return
        if place in self._taken or any(made not in self._made for made in each.inputs):
            return
        kind = KINDS[layer.type]
        for what, found, (least, most) in (("bottom", layer.bottoms, kind.bottoms), ("top", layer.tops, kind.tops)):
            if not least <= len(found) <= most:
                wanted = str(least) if least == most else f"at least {least}" if len(found) < least else f"at most {most}"
                raise refuse("C0201", f"`{layer.type}` has {wanted} {what}{'s' * (wanted != '1')}, this one has {len(found)}", layer.span)
        follower = self._follower(each)
        site = Site(self._graph, layer, [self._made[made] for made in each.inputs], self._blobs(place))
        if follower is not None:
            site.follower, site.follower_blobs = self._wired[follower].layer, self._blobs(follower)
        for slot, value in enumerate(kind.convert(site)):
            self._made[place, slot] = value
        if site.took and follower is not None:
            self._taken.add(follower)
            self._made[follower, 0] = self._made[place, 0]

    def _add_data(self, place: int, each: Wired) -> None:
        """The inputs that layers read; labels that only a loss read are none."""
        for slot, blob in enumerate(each.layer.tops):
            if each.readers[slot]:
                type = TensorType("f32", shape_of(each.layer, slot, self._shapes))
                if blob.name in self._graph:
                    raise refuse("C0306", f"a layer called `{blob.name}` exists", blob.span)
                self._made[place, slot] = self._graph.add_input(blob.name, type, origin=Origin(blob.span))

    def _follower(self, each: Wired) -> int | None:
        """The layer that alone reads what this one makes, if it reads nothing else."""
        if len(each.readers) != 1 or len(each.readers[0]) != 1:
            return None
        (reader,) = each.readers[0]
        return reader if len(self._wired[reader].inputs) == 1 and len(self._wired[reader].readers) == 1 else None

    def _blobs(self, place: int) -> list[Blob] | None:
        if self._model is None:
            return None
        return self._model.blobs(self._wired[place].layer.name, self._occurrence[place])


def _occurrences(layers: Sequence[Layer]) -> list[int]:
    """For each layer, how many before it have its name."""
    count: Counter[str] = Counter()
    found: list[int] = []
    for layer in layers:
        found.append(count[layer.name])
        count[layer.name] += 1
    return found


def _refuse_unknown(layers: Sequence[Layer]) -> None:
    """Raise one CnnirError for all layers of types that are not known."""
    strange = [layer for layer in layers if layer.type not in KNOWN]
    if not strange:
        return
    count = Counter(layer.type for layer in strange)
    first = dict.fromkeys({layer.type: layer for layer in reversed(strange)}.values())
    shown = [*first, *islice((layer for layer in strange if layer not in first), MAX_LABELS)][:MAX_LABELS]
    shown.sort(key=lambda layer: layer.span.start)
    labels = tuple(Label(layer.record.span("type"), "" if layer in first else "and here") for layer in shown)
    listing = ", ".join(f"{kind} ({number})" if number > 1 else kind for kind, number in list(count.items())[:MAX_LABELS])
    more = (f"{len(strange) - len(shown)} more layers of these types",) if len(strange) > len(shown) else ()
    help = next((hint for kind in islice(count, MAX_LABELS) if (hint := alike(kind, sorted(KNOWN)))), None)
    raise CnnirError(Diagnostic("C0843", f"layers of types that are not known: {listing}", labels, more, help))


def _refuse_shapes(layers: Sequence[Layer], shapes: Shapes) -> None:
    """Raise CnnirError where a shape is given to what is no input."""
    known = {blob.name for layer in layers if layer.type in DATA for blob in layer.tops}
    stray = next((name for name in shapes if name not in known), None)
    if stray is not None:
        raise CnnirError(Diagnostic("C0223", f"the network has no input `{stray}`", help=alike(stray, known)))


def _say_dropped(dropped: Sequence[Layer], graph: Graph) -> None:
    names = ", ".join(f"{layer.name} ({layer.type})" for layer in dropped[:10]) + (", ..." if len(dropped) > 10 else "")
    note = f"the network gives {', '.join(list(graph.results)[:10])}"
    labels = (Label(dropped[0].span),)
    warn(Diagnostic("C0848", f"left out, as they answer nothing at inference: {names}", labels, (note,), severity="note"))
