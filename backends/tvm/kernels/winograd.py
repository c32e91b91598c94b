"""Winograd convolution on the blocked layout, its epilogue and its pool in the output transform.

Three steps over groups of rows of tiles: the input transform; for each of the a*a positions in a tile a product of
matrices, [tiles, C] x [C, K]; the output transform. Each product is summed over C in order, one fma at a time. What is
computed depends on the convolution and `m` alone: no grouping, no epilogue and no pool changes a bit of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from tvm import tirx
from tvm.ir import Expr
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T
from tvm.tirx import PrimFunc

from .blocked import Floats, block, blocked_shape
from .epilogue import Epilogue, PoolWindow, Stage, any_scalar, apply_stages
from .function import OPAQUE
from .geometry import ConvGeometry
from .pooling import average, fold, start
from .winograd_matrices import TAPS, matrices, transform_weight
from .winograd_transform import transform_input, transform_output

PLAIN = Epilogue()


@dataclass(frozen=True)
class Tiling:
    """F(m x m, 3 x 3), and how its tiles are walked: in groups of `rows` rows, or all at once where `rows` is None.

    A group's transformed input stays in the cache of the thread that computes it; weights are read once a group. All at
    once, they are read once, and every step is spread over the threads by itself.
    """

    m: int
    rows: int | None = None
    columns: int = 14

    @property
    def extent(self) -> int:
        """Extent of a tile of the input."""
        return self.m + TAPS - 1


def weight_shape(conv: ConvGeometry, tiling: Tiling, lanes: int = 16) -> tuple[int, ...]:
    """Shape of what `pack_weight` makes: [a*a, K/b, C, b], or [K/b, a*a, C, b] for groups, which walk blocks of outputs."""
    b, positions = block(conv.out_channels, lanes), tiling.extent**2
    blocks = conv.out_channels // b
    return (*((positions, blocks) if tiling.rows is None else (blocks, positions)), conv.in_channels, b)


def pack_weight(weight: Floats, tiling: Tiling, lanes: int = 16) -> Floats:
    """[K, C, 3, 3] -> the transformed weight in the order in which it is read, rounded to float32 once."""
    K, C, *_ = weight.shape
    b = block(K, lanes)
    taps = np.ascontiguousarray(weight.reshape(K // b, b, C, -1).transpose(0, 2, 1, 3), np.float64)
    if tiling.rows is None:
        return transform_weight(taps, tiling.m).astype(np.float32).reshape(-1, K // b, C, b)
    packed = np.empty((K // b, tiling.extent**2, C, b), np.float32)
    for one, own in zip(packed, taps, strict=True):
        one[...] = transform_weight(own, tiling.m).reshape(one.shape)
    return packed


def can_pool(m: int, pool: PoolWindow) -> bool:
    """Do the windows divide a tile of the output? (`can_fuse_pool` must hold too.)"""
    return m % pool.kernel[0] == 0 and m % pool.kernel[1] == 0


def winograd_conv(conv: ConvGeometry, tiling: Tiling, epilogue: Epilogue = PLAIN, name: str = "winograd_conv", lanes: int = 16) -> PrimFunc:
    """(data, weight, extras before, extras after, output). The weight comes from `pack_weight`."""
    if epilogue.pool and not can_pool(tiling.m, epilogue.pool):
        raise NotImplementedError("this pool's windows don't divide the tiles: ask can_pool first")
    return _Builder(conv, tiling, epilogue, lanes).function(name)


class _Builder:
    """One function being written. Loops are written as they run: there is nothing left to schedule."""

    def __init__(self, conv: ConvGeometry, tiling: Tiling, epilogue: Epilogue, lanes: int) -> None:
        self.conv, self.m, self.a, self.epilogue, self.tiling = conv, tiling.m, tiling.extent, epilogue, tiling
        self.bi, self.bo = block(conv.in_channels, lanes), block(conv.out_channels, lanes)
        self.in_blocks, self.out_blocks = conv.in_channels // self.bi, conv.out_channels // self.bo
        self.tile_rows, self.tile_columns = (-(-size // self.m) for size in conv.out_size)
        self.all_rows = conv.batch * self.tile_rows
        self.rows = tiling.rows or self.all_rows
        self.groups = -(-self.all_rows // self.rows)
        self.tiles = self.rows * self.tile_columns
        self.lanes = lanes
        found = matrices(self.m)
        self.to_input, self.to_output = found.input, found.output

    def function(self, name: str) -> PrimFunc:
        conv, pool = self.conv, self.epilogue.pool
        whole = self.tiling.rows is None
        out_size = pool.output if pool else conv.out_size
        unpooled = blocked_shape((conv.batch, conv.out_channels, *conv.out_size), self.lanes)
        shape = blocked_shape((conv.batch, conv.out_channels, *out_size), self.lanes)
        with IRBuilder() as builder:  # noqa: SIM117 - the function is done before the builder
            with T.prim_func():
                T.func_name(name)
                T.func_attr({"tirx.noalias": True, "op_pattern": OPAQUE, "global_symbol": name})
                data = (conv.batch, self.in_blocks, *conv.in_size, self.bi)
                self.data = T.arg("data", T.Buffer(data, "float32"))
                self.weight = T.arg("weight", T.Buffer(weight_shape(conv, self.tiling, self.lanes), "float32"))
                self.before = self._extras(self.epilogue.before, unpooled, "before")
                self.after = self._extras(self.epilogue.after, shape, "after")
                self.out = T.arg("out", T.Buffer(shape, "float32"))
                if whole:
                    self._all_at_once()
                else:
                    self._by_groups()
        return builder.get()

    def _extras(self, stages, tensor: tuple[int, ...], prefix: str) -> list[list]:
        channel = (self.out_blocks, self.bo)
        return [
            [
                T.arg(f"{prefix}{i}_{extra.kind}{j}", T.Buffer(channel if extra.kind == "channel" else tensor, "float32"))
                for j, extra in enumerate(stage.extras)
            ]
            for i, stage in enumerate(stages)
        ]

    # -- the two orders ---------------------------------------------------------------------------------------------

    def _all_at_once(self) -> None:
        a = self.a
        transformed = T.alloc_buffer((a * a, self.in_blocks, self.tiles, self.bi), "float32")
        products = T.alloc_buffer((a * a, self.out_blocks, self.tiles, self.bo), "float32")
        with T.parallel(0, self.in_blocks * self.rows) as i:
            self._input_row(transformed, i // self.rows, i % self.rows, i % self.rows)
        with T.parallel(0, a * a * self.out_blocks) as i:
            position, k = i // self.out_blocks, i % self.out_blocks
            self._multiply(transformed, products, position, k, lambda c, o: self.weight[position, k, c, o])
        with T.parallel(0, self.out_blocks * self.rows) as i:
            k, row = i // self.rows, i % self.rows
            self._output_row(products, k, k, row, row)

    def _by_groups(self) -> None:
        a = self.a
        with T.parallel(0, self.groups) as group:
            transformed = T.alloc_buffer((a * a, self.in_blocks, self.tiles, self.bi), "float32")
            products = T.alloc_buffer((a * a, 1, self.tiles, self.bo), "float32")
            with T.serial(0, self.in_blocks) as c, T.serial(0, self.rows) as row:
                self._guard_row(group, row, lambda at: self._input_row(transformed, c, row, at))
            with T.serial(0, self.out_blocks) as k:
                with T.serial(0, a * a) as position:
                    self._multiply(transformed, products, position, 0, lambda c, o: self.weight[k, position, c, o])
                with T.serial(0, self.rows) as row:
                    self._guard_row(group, row, lambda at: self._output_row(products, k, 0, row, at))

    def _guard_row(self, group: Expr, row: Expr, body) -> None:
        at = group * self.rows + row
        if self.all_rows % self.rows == 0:
            body(at)
            return
        with T.If(at < self.all_rows), T.Then():
            body(at)

    # -- the three steps ---------------------------------------------------------------------------------------------

    def _input_row(self, transformed, c: Expr, row: Expr, at: Expr) -> None:
        """Transform a row of tiles: number `row` of its group, `at` of all."""
        n, y0 = at // self.tile_rows, at % self.tile_rows * self.m - self.conv.pad[0]
        H, W = self.conv.in_size
        a, lane = self.a, tirx.Ramp(0, 1, self.bi)
        zero = tirx.Broadcast(tirx.const(0, "float32"), self.bi)
        half = T.alloc_buffer((a, a, self.bi), "float32", scope="local")

        def columns(x0: Expr, checked: bool) -> None:
            with T.serial(0, a) as x:
                values = []
                for y in range(a):
                    load = self.data[n, c, y0 + y, x0 + x, lane]
                    inside = tirx.all(y0 + y >= 0, y0 + y < H, x0 + x >= 0, x0 + x < W)
                    values.append(T.bind(T.if_then_else(inside, load, zero) if checked else load))
                for i, value in enumerate(transform_input(self.to_input, values, self.bi)):
                    T.buffer_store(half, value, [i, x, lane])

        with T.serial(0, self.tile_columns) as column:
            x0 = column * self.m - self.conv.pad[1]
            interior = tirx.all(y0 >= 0, y0 + a <= H, x0 >= 0, x0 + a <= W)
            with T.If(interior):
                with T.Then():
                    columns(x0, checked=False)
                with T.Else():
                    columns(x0, checked=True)
            with T.serial(0, a) as i:
                values = [T.bind(half[i, x, lane]) for x in range(a)]
                for j, value in enumerate(transform_input(self.to_input, values, self.bi)):
                    T.buffer_store(transformed, value, [i * a + j, c, row * self.tile_columns + column, lane])

    def _multiply(self, transformed, products, position: Expr, slot: Expr | int, weight) -> None:
        """Products of a position and a block of outputs for all tiles of the group, a panel of tiles in registers."""
        lane = tirx.Ramp(0, 1, self.bo)
        begin = 0
        for count, size in self._panels():
            with T.serial(0, count) as panel:
                tile = begin + panel * size
                sums = T.alloc_buffer((size, self.bo), "float32", scope="local")
                for t in range(size):
                    T.buffer_store(sums, tirx.Broadcast(tirx.const(0, "float32"), self.bo), [t, lane])
                with T.serial(0, self.in_blocks) as c:
                    for i in range(self.bi):
                        vector = T.bind(weight(c * self.bi + i, lane))
                        for t in range(size):
                            value = tirx.Broadcast(transformed[position, c, tile + t, i], self.bo)
                            T.buffer_store(sums, T.fma(value, vector, sums[t, lane]), [t, lane])
                for t in range(size):
                    T.buffer_store(products, sums[t, lane], [position, slot, tile + t, lane])
            begin += count * size

    def _panels(self) -> list[tuple[int, int]]:
        """(how many, of how many tiles): panels as even as can be, the larger first."""
        panels = -(-self.tiles // self.tiling.columns)
        small, larger = divmod(self.tiles, panels)
        return [(count, size) for count, size in ((larger, small + 1), (panels - larger, small)) if count]

    def _output_row(self, products, k: Expr, slot: Expr, row: Expr, at: Expr) -> None:
        """Transform a row of tiles back, and finish it: number `row` of its group, `at` of all."""
        a, m, lane = self.a, self.m, tirx.Ramp(0, 1, self.bo)
        half = T.alloc_buffer((m, a, self.bo), "float32", scope="local")
        sums = T.alloc_buffer((m, m, self.bo), "float32", scope="local")
        with T.serial(0, self.tile_columns) as column:
            with T.serial(0, a) as j:
                tile = row * self.tile_columns + column
                values = [T.bind(products[i * a + j, slot, tile, lane]) for i in range(a)]
                for i, value in enumerate(transform_output(self.to_output, values, self.bo)):
                    T.buffer_store(half, value, [i, j, lane])
            with T.serial(0, m) as i:
                values = [T.bind(half[i, j, lane]) for j in range(a)]
                for j, value in enumerate(transform_output(self.to_output, values, self.bo)):
                    T.buffer_store(sums, value, [i, j, lane])
            self._finish_tile(sums, k, at, column)

    def _finish_tile(self, sums, k: Expr, at: Expr, column: Expr) -> None:
        pool, m = self.epilogue.pool, self.m
        window = pool.kernel if pool else (1, 1)
        size = pool.output if pool else self.conv.out_size
        steps = m // window[0], m // window[1]
        n, y0, x0 = at // self.tile_rows, at % self.tile_rows * steps[0], column * steps[1]
        ragged = size[0] % steps[0] != 0 or size[1] % steps[1] != 0 or pool is not None
        with T.serial(0, steps[0]) as y, T.serial(0, steps[1]) as x:
            if ragged:
                with T.If(tirx.all(y0 + y < size[0], x0 + x < size[1])), T.Then():
                    self._finish_element(sums, n, k, (y0, x0), (y, x))
            else:
                self._finish_element(sums, n, k, (y0, x0), (y, x))

    def _finish_element(self, sums, n: Expr, k: Expr, corner: tuple[Expr, Expr], at: tuple[Expr, Expr]) -> None:
        """One output: the stages on each tap of its window, the pool, the stages after it."""
        (y, x), pool = at, self.epilogue.pool
        h, w = corner[0] + y, corner[1] + x
        rows, columns = pool.kernel if pool else (1, 1)

        def tap(r: int, s: int, o: Expr) -> Expr:
            where = (n, k, h * rows + r, w * columns + s, o)
            read = lambda tensor, extra: tensor[k, o] if extra.kind == "channel" else tensor[where]  # noqa: E731
            return apply_stages(sums[y * rows + r, x * columns + s, o], self.epilogue.before, self.before, read)

        value = self._pooled(pool, tap) if pool else lambda o: tap(0, 0, o)
        with self._lanes(self.epilogue.after if pool else (*self.epilogue.before, *self.epilogue.after)) as o:
            read = lambda tensor, extra: tensor[k, o] if extra.kind == "channel" else tensor[n, k, h, w, o]  # noqa: E731
            T.buffer_store(self.out, apply_stages(value(o), self.epilogue.after, self.after, read), [n, k, h, w, o])

    def _pooled(self, pool: PoolWindow, tap: Callable[[int, int, Expr], Expr]) -> Callable[[Expr], Expr]:
        """The window folded row by row, as the standalone pool does it, so that both give the same bits."""
        pooled = T.alloc_buffer((self.bo,), "float32", scope="local")
        with T.vectorized(0, self.bo) as o:
            T.buffer_store(pooled, start(pool), [o])
        rows, columns = pool.kernel
        for r in range(rows):
            for s in range(columns):
                with self._lanes(self.epilogue.before) as o:
                    T.buffer_store(pooled, fold(pool, pooled[o], tap(r, s, o)), [o])
        if pool.kind != "avg":
            return lambda o: pooled[o]
        return lambda o: average(pooled[o], tirx.const(rows * columns, "float32"))

    def _lanes(self, stages: Sequence[Stage]):
        """A loop over the lanes: of vectors, or where a stage calls a C function, of scalars."""
        return (T.serial if any_scalar(stages) else T.vectorized)(0, self.bo)
