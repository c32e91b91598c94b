"""Long chains go on in the next line, before an arrow."""

from __future__ import annotations

from .line import WIDTH, Line


def wrap(lines: list[Line]) -> list[Line]:
    """The lines, those that are too long broken before arrows, as late as possible."""
    return [piece for line in lines for piece in _wrap(line)]


def _wrap(line: Line) -> list[Line]:
    if line.width() <= WIDTH or not any(piece.breakable for piece in line.pieces):
        return [line]
    line.statement.wrapped = True
    done: list[Line] = []
    current = Line(line.indent, statement=line.statement)
    last = 0  # the last place in `current` where it may end
    for piece in line.pieces:
        if piece.breakable and current.pieces:
            last = len(current.pieces)
        current.add(piece)
        if current.indent + current.used > WIDTH and last:
            done.append(Line(current.indent, current.pieces[:last], line.statement))
            rest = current.pieces[last:]
            rest[0].gap, last = 0, 0
            current = Line(line.statement.goes_on, statement=line.statement)
            for moved in rest:
                current.add(moved)
    line.statement.lines += len(done)
    return [*done, current]
