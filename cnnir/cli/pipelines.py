"""`cnnc opt -p`: a pipeline run step by step, with what was asked to be seen of the steps."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cnnir.ir.graph import Graph
    from cnnir.pipeline import Step


@dataclass
class Watch:
    """What to show of each step: the network on stderr after `print_after` (or `all`), a dump in a folder; times are kept."""

    print_after: str | None
    dump: Path | None
    steps: list[Step] = field(default_factory=list["Step"])

    def __call__(self, step: Step) -> None:
        """Look at a step."""
        import cnnir

        self.steps.append(step)
        if self.print_after in ("all", step.name):
            click.echo(f"# {step.number:02} after {step.name}\n{cnnir.dumps(step.graph)}", err=True)
        self.write(step.number, step.name, step.graph)

    def write(self, number: int, name: str, graph: Graph) -> None:
        """Write `NN-name.cnn` where a folder was named."""
        import cnnir

        if self.dump is not None:
            cnnir.save(graph, self.dump / f"{number:02}-{name}.cnn")

    def print_times(self) -> None:
        """The time of each pass, on stderr."""
        from rich.console import Console

        from .console import table

        total = sum(step.seconds for step in self.steps) or 1.0
        rows = [
            (f"{s.number:02}", s.name, f"{s.seconds * 1e3:.2f}", f"{100 * s.seconds / total:.0f} %", str(len(s.graph))) for s in self.steps
        ]
        rows.append(("", "all", f"{sum(s.seconds for s in self.steps) * 1e3:.2f}", "", ""))
        width = None if sys.stderr.isatty() else 100
        Console(stderr=True, width=width, highlight=False).print(table(["", "pass", "ms", "share", "layers after"], rows, right=(2, 3, 4)))


def run_pipeline(graph: Graph, text: str, watch: Watch) -> Graph:
    """The network after the passes that `text` names; raises CnnirError (exit code 2) where it names none, before any runs.

    Proofs of theirs cite what `cnnc sweep` has found for this CPU, as those of `cnnc opt` without a pipeline do.
    """
    from cnnir.api import evidence
    from cnnir.frontends import pipeline as language
    from cnnir.pipeline import PASSES, make_all, run_steps

    passes = make_all(language.parse(text), {"evidence": evidence})
    names = [name for name, _ in passes.values()]
    if watch.print_after not in (None, "all", *names):
        where = "in the pipeline" if watch.print_after in PASSES else "at all"
        raise click.UsageError(f"--print-ir-after={watch.print_after}: there is no such pass {where}; there is {', '.join(names)}")
    if watch.dump is not None:
        _folder(watch.dump)
    watch.write(0, "input", graph)
    return run_steps(graph, passes, watch)


def _folder(path: Path) -> None:
    from cnnir.diagnostics import CnnirError, Diagnostic

    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CnnirError(Diagnostic("C0501", f"cannot make the folder `{path}`: {error.strerror}"), 2) from None


class BareFlag(click.Command):
    """`--print-ir-after` alone means all passes: it must not take the model for its value."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, ["--print-ir-after=all" if a == "--print-ir-after" else a for a in args])


def only_with_pipeline(ctx: click.Context, pipeline: str | None, with_it: Mapping[str, object], without: tuple[str, ...]) -> None:
    """Refuse options that make sense only with a pipeline, or only without one."""
    if pipeline is None:
        for name, value in with_it.items():
            if value:
                raise click.UsageError(f"{_option(name)} goes with -p PIPELINE, such as -p 'place{{place=always}},dce'")
        return
    for name in without:
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{_option(name)} does not go with -p: write it in the pipeline, such as -p 'place{{place=always}}'")


def _option(name: str) -> str:
    return "--for" if name == "runtime" else "--" + name.replace("_", "-")
