"""What all verbs share: diagnostics to stderr, tables or JSON to stdout, options with one meaning everywhere."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Generator

    from rich.console import Console
    from rich.table import Table

    from cnnir.diagnostics import Diagnostic
    from cnnir.ir.graph import Graph

F = TypeVar("F", bound=Callable[..., Any])

SCHEMA = 1


def coloured(stream: Any) -> bool:
    """Whether to colour what goes to a stream: a terminal, and NO_COLOR unset."""
    return stream.isatty() and not os.environ.get("NO_COLOR")


def report(diagnostics: Sequence[Diagnostic], form: str = "text", as_json: bool = False) -> None:
    """Render diagnostics to stderr as text, json or GitHub annotations; where a verb was to answer in JSON, as a document on stdout too."""
    from cnnir.render import as_json as plain
    from cnnir.render import render_as

    click.echo(render_as(diagnostics, form, colour=coloured(sys.stderr)), err=True)
    if as_json:
        emit_json("diagnostics", {"diagnostics": [plain(d) for d in diagnostics]})
        sys.stdout.flush()


@contextmanager
def showing_warnings(form: str) -> Generator[None, None, None]:
    """Render warnings of ours as diagnostics, on stderr; others as Python does."""
    import warnings

    from cnnir.diagnostics import CnnirWarning

    with warnings.catch_warnings():
        plain = warnings.showwarning

        def show(message: Warning | str, *where: Any, **more: Any) -> None:
            if isinstance(message, CnnirWarning):
                report([message.diagnostic], form)
            else:
                plain(message, *where, **more)

        warnings.simplefilter("always", CnnirWarning)
        warnings.showwarning = show
        yield


def emit_json(kind: str, document: Mapping[str, Any]) -> None:
    """Print one JSON document on stdout."""
    click.echo(json.dumps({"schema": f"cnnir.{kind}/{SCHEMA}", **document}, indent=1))


def console() -> Console:
    """A rich console on stdout; as wide as the terminal, or wide enough for any table where there is none."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 160, no_color=not coloured(sys.stdout), highlight=False)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> Table:
    """A table with the columns at `right` aligned to the right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for i, name in enumerate(columns):
        made.add_column(name, justify="right" if i in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*map(Text, row))  # not plain strings: rich would read a user's `[name]` as markup
    return made


@contextmanager
def progress(what: str, total: int) -> Generator[Callable[[int], None], None, None]:
    """A progress bar on stderr, only on a terminal; yields a function that is told how many steps more are done."""
    if not sys.stderr.isatty():
        yield lambda _steps: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda steps: bar.advance(task, steps)


def load_model(path: str) -> Graph:
    """The network in a file, or on standard input where the path is `-`; exit code 2 where there is no such file.

    Inputs have the shapes that the command line gives with `--shape`.
    """
    from pathlib import Path

    import cnnir
    from cnnir.diagnostics import CnnirError, Diagnostic

    if path == "-":
        from cnnir.frontends.cnn.files import read_stream

        return cnnir.parse(read_stream(sys.stdin.buffer, "<stdin>"), "<stdin>", _given_shapes())
    try:
        missing = not Path(path).exists()
    except (OSError, ValueError):  # too long a name, or a NUL in it
        missing = True
    if missing:
        raise CnnirError(Diagnostic("C0401", f"there is no file `{path}`"), exit_code=2)
    return cnnir.load(path, shapes=_given_shapes(), weights=_given_weights())


_SHAPES, _WEIGHTS = "cnnir.shapes", "cnnir.weights"


def _given_shapes() -> dict[str, tuple[int, ...]]:
    context = click.get_current_context(silent=True)
    return context.meta.get(_SHAPES, {}) if context else {}


def _given_weights() -> str | None:
    context = click.get_current_context(silent=True)
    return context.meta.get(_WEIGHTS) if context else None


def _shapes(context: click.Context, option: click.Parameter, given: Sequence[str]) -> None:
    """Keep what `--shape` says for `load_model`."""
    found: dict[str, tuple[int, ...]] = {}
    for text in given:
        name, _, sizes = text.rpartition("=")
        if not name or not re.fullmatch(r"[0-9]{1,10}(,[0-9]{1,10})*", sizes):
            raise click.BadParameter(f"`{text}` is not NAME=SIZE,SIZE,...", context, option)
        found[name] = tuple(map(int, sizes.split(",")))
    context.meta[_SHAPES] = found


def shape_option(function: F) -> F:
    """`--shape`, for the inputs of what `load_model` reads."""
    text = "Shape of an input, where its sizes have names; may be repeated."
    return click.option("--shape", multiple=True, metavar="NAME=1,3,224,224", expose_value=False, callback=_shapes, help=text)(function)


def _weights(context: click.Context, option: click.Parameter, given: str | None) -> None:
    """Keep what `--weights` says for `load_model`."""
    del option
    context.meta[_WEIGHTS] = given


def weights_option(function: F) -> F:
    """`--weights`, for a model whose weights are in another file."""
    text = "The .caffemodel of a .prototxt.  [default: of the same name, beside it]"
    return click.option("--weights", metavar="FILE", default=None, expose_value=False, callback=_weights, help=text)(function)


def model_argument(function: F) -> F:
    """MODEL, `--shape` for its inputs and `--weights`."""
    return click.argument("model", metavar="MODEL")(shape_option(weights_option(function)))


json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout instead of a table.")
threads_option = click.option("--threads", type=click.IntRange(1), default=None, help="Threads to run on.  [default: all cores]")
conv_option = click.option(
    "--conv",
    type=click.Choice(["auto", "direct", "winograd", "measure"]),
    default="auto",
    show_default=True,
    help="Convolution algorithm: the faster by estimate, plain sums, Winograd wherever it can be, or the faster by the clock.",
)
exactness_option = click.option(
    "--exactness",
    type=click.Choice(["exact", "ulp"]),
    default="exact",
    show_default=True,
    help="exact: equal bit for bit; ulp: may re-round.",
)
nan_option = click.option(
    "--nan",
    type=click.Choice(["assume", "strict"]),
    default="assume",
    show_default=True,
    help="assume: data are finite and not NaN; strict: move only where input ranges prove it.",
)


def place_option(default: str) -> Callable[[F], F]:
    """`--place`, with the verb's own default."""
    choices = click.Choice(["auto", "always", "never", "measure"])
    text = "Move what pays, whatever a law allows, nothing, or what a race prefers."
    return click.option("--place", type=choices, default=default, show_default=True, help=text)


def target_options(function: F) -> F:
    """`--target` and `--arch`."""
    function = click.option("--arch", default=None, metavar="sm_NN", help="GPU architecture for --target cuda.  [default: sm_80]")(function)
    return click.option("--target", default="llvm", show_default=True, help="llvm, 'llvm -mcpu=haswell', or cuda.")(function)


def tuned_options(function: F) -> F:
    """`--tuned` and `--records`; `tuned` makes one value of the two."""
    text = "Schedule kernels as `cnnc tune` found best.  [default: as they are]"
    function = click.option("--records", default=None, metavar="FOLDER", help="The folder of records in place of the cache's.")(function)
    return click.option("--tuned", "with_records", is_flag=True, help=text)(function)


def tuned(flag: bool, records: str | None) -> bool | str:
    """What `compile` is told of `--tuned` and `--records`, of which the second implies the first."""
    return flag if records is None else records
