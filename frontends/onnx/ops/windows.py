"""What convolutions and pools share: kernels, strides, and pads that a model may leave to be worked out."""

from __future__ import annotations

from dataclasses import dataclass

from ..node import Node
from ..problems import refuse
from ..registry import Unreadable

MOST = 2**31 - 1


@dataclass(frozen=True)
class Window:
    """The attributes of a window, one number an axis; `pad` has the begins of all axes, then the ends."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pad: tuple[int, ...]


def window(node: Node, spatial: tuple[int, ...], kernel: tuple[int, ...]) -> Window:
    """The window of a node on data with these spatial sizes; raises CnnirError where a list is of another length."""
    axes = len(spatial)
    stride, dilation = (numbers(node, name, axes, 1) for name in ("strides", "dilations"))
    if len(kernel) != axes:
        raise refuse("C0202", f"{node.title} has a kernel of {len(kernel)} axes on data of {axes}", node.span)
    if not axes:
        raise Unreadable("its data have no spatial axis")
    auto = node.text("auto_pad", "NOTSET")
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        pad = _same(spatial, kernel, stride, dilation, auto == "SAME_UPPER")
    elif auto == "VALID":
        pad = (0,) * (2 * axes)
    else:
        pad = numbers(node, "pads", 2 * axes, 0)
    return Window(kernel, stride, dilation, pad)


def numbers(node: Node, name: str, count: int, default: int) -> tuple[int, ...]:
    """A list of so many whole numbers."""
    found = node.ints(name)
    if found is None:
        return (default,) * count
    if len(found) != count:
        raise refuse("C0811", f"`{name}` of {node.title} has {len(found)} numbers, and needs {count}", node.span)
    if any(abs(n) > MOST for n in found):
        raise refuse("C0206", f"`{name}` of {node.title} is {list(found)}", node.span)
    return found


def _same(n: tuple[int, ...], kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...], upper: bool) -> tuple[int, ...]:
    """Pads for ceil(n / stride) outputs; what is odd goes behind (`upper`) or in front."""
    begins, ends = list[int](), list[int]()
    for length, k, s, d in zip(n, kernel, stride, dilation, strict=True):
        total = max(0, (-(-length // max(1, s)) - 1) * s + (k - 1) * d + 1 - length)
        small, large = total // 2, total - total // 2
        begins.append(small if upper else large)
        ends.append(large if upper else small)
    return (*begins, *ends)
