"""Dead layers: what no output depends on is dropped. Inputs stay, they are what the network asks for."""

from __future__ import annotations

from dataclasses import dataclass

from cnnir.ir.graph import Graph
from cnnir.ops.tensor import Input


@dataclass(frozen=True)
class DropDead:
    """`dce` as a pass of a pipeline. It has no options."""

    def __call__(self, graph: Graph) -> Graph:
        """The network without the layers that no output depends on."""
        result = graph.copy()
        live = result.live()
        for layer in reversed(list(result.layers())):
            if layer.name not in live and not isinstance(layer.op, Input):
                result.remove(layer.name)
        return result
