"""The law *affine*.

    avg_W(a x + b) = a avg_W(x) + b r          r = the average of ones over the window as this pool divides

Proof. An average is (sum of the window's real elements) / d for a divisor d that the window alone decides. The sum is linear,
so (sum a x_i + b) / d = a (sum x_i) / d + b n / d with n real elements, and r = n / d: 1 wherever the divisor counts exactly
the elements that are summed, uneven adaptive windows included. Where padding is counted too, r < 1 at the border, and the
law holds for b = 0 alone.

In floating point both sides re-round (class U). Let g_k = k u / (1 - k u), A and B the sizes of a and b with everything that
is computed on the way. Both sides take at most n + d + 2 roundings for d roundings of f, so each is within
g_(n+d+2) (A max|x| + B) of the real value, and they are within twice that of each other. There is no bound in ulp: of
x - 1 on [1, 1 + 2^-23] nothing is left on one side.

a and b may differ from channel to channel; nothing is asked of their sign.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from cnnir.certificates import Certificate, ChannelFacts
from cnnir.facts.fact import Fact, Grade
from cnnir.facts.linear import Linear, linear
from cnnir.price import Work

from ..rewrites import lift
from ..site import PoolSite
from ..surroundings import Surroundings
from ..terms import Terms
from . import conditions as shared
from .average import NO_OVERFLOW, counts_what_it_sums, error, largest_window, linear_record, with_averages
from .rule import Condition, Question, Refusal, RegionLaw
from .work import pooled, region_steps


def is_affine(question: Question) -> Refusal | None:
    """f is a x + b as a real function, with finite a and b, in every channel."""
    site = question.site
    found = region_as_linear(site, ranged=question.terms.exactness == "ulp")
    if found is None:
        words = " -> ".join(site.region.names)
        reason = f"`{site.op.name}` averages, and `{words}` is not affine: the mean of f(x) is not f of the mean"
        return Refusal("affine", reason, site.region.layers[-1].name)
    if not (np.all(np.isfinite(found.size_scale)) and np.all(np.isfinite(found.size_shift))):
        return Refusal("affine", "a coefficient is not finite", site.region.layers[-1].name)
    return None


def counted_elements(question: Question) -> Refusal | None:
    """The divisor counts what is summed, or f(0) = 0: counted padding adds zeros, not f of zeros."""
    site = question.site
    found = region_as_linear(site)
    if counts_what_it_sums(site.op, site.data) or found is None or not np.any(found.shift):
        return None
    reason = f"`{site.pool.name}` counts padding in its divisor, and f(0) is not 0: the border would get less of the shift"
    return Refusal("counted elements", reason, site.pool.name)


def no_overflow(question: Question) -> Refusal | None:
    """With `nan=strict`: nothing that is computed on the way, nor the sum over a window, can leave the finite numbers."""
    site = question.site
    found = region_as_linear(site)
    if question.terms.nan != "strict" or found is None:
        return None
    known = site.surroundings.ranges[site.region.data]
    with np.errstate(all="ignore"):  # 0 times an infinity is NaN, and less than nothing
        largest = (found.size_scale * known.magnitude + found.size_shift).max() * (1 + largest_window(site.op, site.data))
    if not known.nan and largest < site.precision.max / 2:
        return None
    return Refusal("no overflow", f"`{' -> '.join(site.region.names)}` or the sum over a window may overflow", site.pool.name)


def may_round(question: Question) -> Refusal | None:
    """Rewrites that re-round are wanted; x itself does not round."""
    site = question.site
    found = region_as_linear(site)
    if question.terms.exactness == "ulp" or (found is not None and found.is_x):
        return None
    reason = "averaging first rounds differently (class U): `exactness=ulp` allows that, with a bound"
    return Refusal("exact enough", reason, site.pool.name)


def region_as_linear(site: PoolSite, ranged: bool = True) -> Linear | None:
    """The region as a x + b, channel by channel: for every number, or else, if `ranged`, for those of the data, and their averages.

    Ranges are computed from weights, which nobody wants drawn for a law that may not round.
    """
    one_dtype = {layer.type.dtype for layer in site.region.layers} <= {site.data.dtype, "bool"}
    if not one_dtype:
        return None  # an average is rounded to the type of what it reads
    found = linear(site.expression, site.coefficients, site.precision)
    if found is not None or not ranged or not site.data.is_float or site.op.reduce != "avg":
        return found
    reached = with_averages(site.known, site.op, site.data, site.precision)
    return linear(site.resolved(reached), site.coefficients, site.precision)


class Affine(RegionLaw):
    """Exchange an affine region with the average pool behind it."""

    name: ClassVar[str] = "affine"
    words: ClassVar[str] = "affine"
    example: ClassVar[str] = """\
activation celsius(f) = (f - 32) / 1.8

network affine(x: f32[1, 3, 32, 32] in [0, 1]) {
    x -> conv(8, 3, pad=1) -> celsius -> avgpool(2)
}
"""
    terms: ClassVar[Terms] = Terms("ulp")
    conditions: ClassVar[Mapping[str, Condition]] = {
        "averaging": shared.averaging,
        "same shape": shared.same_shape,
        "fixed coefficients": shared.fixed_coefficients,
        "affine": is_affine,
        "counted elements": counted_elements,
        "no overflow": no_overflow,
        "exact enough": may_round,
    }

    def usable(self, fact: Fact, site: PoolSite, terms: Terms) -> bool:
        """Directions do not matter to an average."""
        return True

    def certificate(self, question: Question) -> Certificate:
        site = question.site
        found = region_as_linear(site)
        assert found is not None
        checked = ("elementwise", "private", *self.conditions)
        if found.is_x:
            itself = ChannelFacts((), "affine", Grade.E.name, data=(-site.precision.max, site.precision.max))
            return Certificate(self.name, {"every channel": "x itself"}, checked, Grade.E.name, records=(itself,))
        growth, offset = error(largest_window(site.op, site.data) + found.roundings, found.size_scale, found.size_shift, site.precision)
        facts = {"every channel": f"affine; off by at most {growth:.3g} max|x| + {offset:.3g}"}
        bound = growth * site.known.magnitude + offset
        contract = (NO_OVERFLOW,) if question.terms.nan == "assume" else ()
        return Certificate(self.name, facts, checked, Grade.U.name, bound, growth, contract, (linear_record(site.known, bound),))

    def rewrite(self, around: Surroundings, site: PoolSite) -> list[str]:
        lift(around, site, site.op, self.name)
        return [site.pool.name]

    def work(self, site: PoolSite) -> tuple[Work, Work]:
        """The region on every element, or once a window; the pool reads as much either way."""
        before, after = region_steps(site, site.data.elements), region_steps(site, site.pooled.elements)
        reads = pooled(site.op, site.data)
        return Work(before, pooled=reads), Work(after, pooled=reads)
