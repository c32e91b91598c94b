"""The side conditions that laws about regions share, one function each: None where it holds, else a Refusal.

A condition about facts asks the site, which computes them when first asked.
"""

from __future__ import annotations

import numpy as np

from cnnir.facts import describe
from cnnir.facts.fact import Grade
from cnnir.ops.elementwise import Elementwise
from cnnir.types import STORAGE

from .rule import Question, Refusal


def comparing(question: Question) -> Refusal | None:
    """The pool picks elements (max, min); an average commutes only with affine functions."""
    site = question.site
    if site.op.reduce in ("max", "min"):
        return None
    does = {"avg": "averages, and the mean of f(x) is not f of the mean unless f is affine", "lp": "sums powers, which picks no element"}
    return Refusal("comparing", f"`{site.op.name}` {does.get(site.op.reduce, 'gives places, not elements')}", site.pool.name)


def elements_alone(question: Question) -> Refusal | None:
    """Of what the pool gives only elements are used: where they are may change, since f makes ties of what differs."""
    site = question.site
    for value in site.graph.values(site.pool.name)[1:]:
        if site.graph.uses(value) or site.graph.is_output(value):
            return Refusal("elements alone", f"the places that `{site.pool.name}` gives are used", site.pool.name)
    return None


def identity_start(question: Question) -> Refusal | None:
    """The pool starts from no number of its own: that number takes part in every window, and f of it is another."""
    op, pool = question.site.op, question.site.pool
    if not op.started:
        return None
    start = op.start_in(pool.type.numpy)  # not in the dtype of the data: f may convert
    reason = f"`{pool.name}` starts from {start:g}, which f is not applied to"
    return Refusal("identity start", reason, pool.name)


def averaging(question: Question) -> Refusal | None:
    """The pool averages: what it does to the largest element is a matter of order, which other laws speak of."""
    site = question.site
    if site.op.reduce == "avg":
        return None
    return Refusal("averaging", f"`{site.op.name}` does not average", site.pool.name)


def same_shape(question: Question) -> Refusal | None:
    """Every layer of the region keeps the shape of the data: broadcasting would change what is pooled."""
    site = question.site
    for layer in site.region.layers:
        if layer.type.shape != site.data.shape:
            return Refusal("same shape", f"`{layer.name}` turns {site.data} into {layer.type}", layer.name)
    return None


def comparable(question: Question) -> Refusal | None:
    """The data are numbers that a pool can compare: truth values and 8-bit floats are only stored."""
    site = question.site
    if site.data.dtype not in STORAGE:
        return None
    reason = f"`{site.pool.name}` would have to pool the {site.data.dtype} that `{site.region.layers[0].name}` reads"
    return Refusal("comparable", reason, site.region.layers[0].name)


def fixed_coefficients(question: Question) -> Refusal | None:
    """No coefficient varies over a pooled axis: f must be the same function at every place of a window, and of what comes out."""
    site = question.site
    behind = (*site.data.shape[:2], *(w.outputs for w in site.op.windows(site.data)))
    for layer in site.region.layers:
        assert isinstance(layer.op, Elementwise)
        shapes = {role: site.graph.weights.shape(key) for role, key in layer.weights}
        written = layer.op.written(site.graph.type(site.graph.data(layer.name)[0]))
        for role, shape in [*shapes.items(), *((role, np.shape(c)) for role, c in written.items())]:
            if any(n > 1 for n in shape[1:]):
                reason = f"the {role} of `{layer.name}` varies over the pooled axes: it has shape {list(shape)}"
                return Refusal("fixed coefficients", reason, layer.name)
            if len(shape) > 1 and shape[0] > 1 and len(shape) == site.data.rank:
                return Refusal("fixed coefficients", f"the {role} of `{layer.name}` varies over axis 0", layer.name)
        types = [site.graph.type(v) for v in site.graph.data(layer.name)]
        for where, there in (("in front of", types), ("behind", [t.with_shape(behind) for t in types])):
            for role, needed in layer.op.parameters(there).items():  # for each element: of a map of one element that does not vary yet
                if needed.shape != shapes[role]:
                    reason = f"the {role} of `{layer.name}` has shape {list(shapes[role])}, {where} the pool it needs {list(needed.shape)}"
                    return Refusal("fixed coefficients", reason, layer.name)
    return None


def full_windows(question: Question) -> Refusal | None:
    """Every window holds a real element: the start value of an empty one is not f of anything."""
    site = question.site
    for axis, windows in enumerate(site.op.windows(site.data)):
        if len(windows.empty):
            reason = f"window {int(windows.empty[0])} of `{site.pool.name}` on spatial axis {axis} holds no real element"
            return Refusal("full windows", reason, site.pool.name)
    return None


def no_wrapping(question: Question) -> Refusal | None:
    """Integers hold every result on the range of the data: -(-128) is -128 in int8, so negation there is not decreasing.

    The same of conversions: 300 is 44 as u8.
    """
    site = question.site
    if site.data.is_float and all(layer.type.is_float for layer in site.region.layers):
        return None
    wraps = site.wraps
    if wraps is None:
        return None
    layer, primitive, dtype = wraps
    known = describe.interval(site.known)
    if primitive.startswith("to_"):
        reason = f"`{layer.name}` cannot keep the order of every number in {dtype}, for data in {known}"
    else:
        reason = f"`{primitive}` of `{layer.name}` may wrap around in {dtype}, for data in {known}"
    return Refusal("no wrapping", reason, layer.name)


def finite_data(question: Question) -> Refusal | None:
    """With `nan=strict`: the ranges of the network's inputs prove that what the region reads is finite and no NaN."""
    site = question.site
    if question.terms.nan != "strict" or not site.data.is_float:
        return None
    known = site.surroundings.ranges[site.region.data]
    if not known.nan and not known.has_infinity:
        return None
    what = "NaN" if known.nan else "an infinity"
    reason = f"what it reads may be {what}: nothing proves it finite (declare the range of the inputs, as in `x: f32[...] in [0, 1]`)"
    return Refusal("finite data", reason, site.region.data.layer)


def no_nan(question: Question) -> Refusal | None:
    """f gives no NaN for finite data in range: comparisons with NaN depend on their order."""
    site = question.site
    for part in site.prove(lambda fact: not fact.range.nan):
        if part.fact.range.nan:
            where = f" in channel {int(part.channels[0])}" if site.channels > 1 else ""
            reason = f"NaN is possible{where} for data in {describe.interval(site.known)}"
            return Refusal("no NaN", reason, site.region.layers[-1].name, int(part.channels[0]))
    return None


def exact_enough(question: Question) -> Refusal | None:
    """The direction holds for the float code (E, C), or rewrites that re-round are wanted and the difference is bounded."""
    site, words = question.site, question.law.said(question.site.op.reduce)
    for part in question.parts:
        if part.fact.grade is not Grade.U:
            continue
        if question.terms.exactness != "ulp":
            reason = f"its float code is not known to be {words}, only the real function is (class U)"
            return Refusal("exact enough", reason, site.region.layers[-1].name)
        if part.fact.bound is None:
            known = describe.interval(site.known)
            reason = f"no bound is known for how far its float code is from {words} on {known}"
            return Refusal("exact enough", reason, site.region.layers[-1].name)
    return None


def zero_sign(question: Question) -> Refusal | None:
    """No layer that tells -0 from +0 reads what depends on the pool, or the pool never gives -0.

    Before and after a move a window may give zeros of different signs: ceil, then pool, then 1/x, on [0, -.5].
    """
    site = question.site
    if not any(part.fact.range.minus_zero for part in question.parts):
        return None
    layer = site.surroundings.tells_zeros_apart(site.pool.name)
    if layer is None:
        return None
    return Refusal("zero sign", f"`{layer.name}` tells -0 from +0, and the pool may give either, depending on the order", layer.name)
