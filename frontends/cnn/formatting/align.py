"""What the writer put below one another stays so: arrows of a chain's lines, `=` of neighbouring statements, comments.

Two tokens belong together when they stood in one column of neighbouring lines and one of them had more space before it
than it needs. All that belong together are put in the column of the one that is furthest right.
"""

from __future__ import annotations

from .line import WIDTH, Line, Piece

Place = tuple[int, int]
"""Line, and piece in the line."""


def align(lines: list[Line]) -> None:
    """Pad the pieces that belong together."""
    for group in sorted(_groups(lines), key=lambda g: _piece(lines, g[0]).token.column):
        columns = {place: lines[place[0]].column(place[1]) for place in group}
        target = max(columns.values())
        comment = _piece(lines, group[0]).token.kind == "COMMENT"
        if comment or all(lines[i].width() + target - columns[i, j] <= WIDTH for i, j in group):
            for i, j in group:
                lines[i].pieces[j].pad = target - columns[i, j]


def _piece(lines: list[Line], place: Place) -> Piece:
    return lines[place[0]].pieces[place[1]]


def _groups(lines: list[Line]) -> list[list[Place]]:
    """Places that belong together, from the top to the bottom."""
    found: list[list[Place]] = []
    above: dict[tuple[str, int], list[Place]] = {}
    for i, line in enumerate(lines):
        here: dict[tuple[str, int], list[Place]] = {}
        for j, piece in enumerate(line.pieces):
            if not _may_move(line, piece):
                continue
            key = (piece.token.kind, piece.token.column)
            group = above.get(key)
            if group is None or not _belong(lines, group[-1], (i, j)):
                group = list[Place]()
                found.append(group)
            group.append((i, j))
            here[key] = group
        above = here
    return [group for group in found if len(group) > 1]


def _may_move(line: Line, piece: Piece) -> bool:
    """An `=` only where no line below depends on it; nothing in a statement that was wrapped anew."""
    statement = line.statement
    return piece.anchor and not statement.wrapped and not (piece.token.kind == "EQUAL" and statement.lines > 1)


def _belong(lines: list[Line], upper: Place, lower: Place) -> bool:
    a, b = _piece(lines, upper), _piece(lines, lower)
    if a.token.kind == "_ARROW" and lines[upper[0]].statement is not lines[lower[0]].statement:
        return False
    return a.token.gap > a.gap or b.token.gap > b.gap
