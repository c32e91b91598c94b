"""The command line, `cnnc`: a verb a file, each imported when it is called."""

from __future__ import annotations

import importlib
import sys
from typing import NoReturn

import click

_VERBS = {
    "check": "Prove what may move, and say why the rest may not.",
    "compile": "Compile a network to a package, or print what it becomes.",
    "run": "Run a network or a compiled package on arrays.",
    "opt": "Rewrite a network and write it back.",
    "convert": "Write a network in another format, as it is.",
    "verify": "Check every proof again, independently, and run both networks.",
    "audit": "Say what somebody's optimizer reordered, and whether it may.",
    "bench": "Time a network before and after, side by side.",
    "sweep": "Run activations on every number there is, for proofs to cite.",
    "tune": "Try schedules for kernels without a template, and keep the best.",
    "find": "Find layers by a pattern such as CONV -> ACT -> POOL.",
    "fmt": "Format .cnn files.",
    "inspect": "Show the layers of a network: table, dot, mermaid, json.",
    "doctor": "Show what this machine can compile and run.",
    "explain": "Explain a diagnostic code or a law.",
}

_EPILOGUE = """\b
Example:
  cnnc check vgg16.cnn                         what may move, and why
  cnnc check model.onnx --shape x=1,3,224,224  or .pt2, .prototxt; --shape for sizes left open
  cnnc compile vgg16.cnn -o vgg16.cnnpkg       for this CPU
  cnnc compile vgg16.cnn --target cuda --arch sm_90 -o vgg16.cnnpkg
  cnnc bench vgg16.cnn --place always          before against after
"""


class _Verbs(click.Group):
    """Knows its verbs by name and imports one only to run it: `cnnc --help` must not wait for TVM."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        return importlib.import_module(f"cnnir.cli.{cmd_name}").command

    def invoke(self, ctx: click.Context) -> object:
        """Run the verb; what it finds wrong is reported in the form that was asked for."""
        from cnnir.diagnostics import CnnirError

        from .console import showing_warnings

        try:
            with showing_warnings(ctx.params["form"]):
                return super().invoke(ctx)
        except CnnirError as error:
            from .console import report

            report(error.diagnostics, ctx.params["form"], bool(ctx.obj))
            return error.exit_code

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from cnnir.diagnostics import nearest

            near = nearest(args[0], _VERBS)
            if near is None:
                raise
            raise click.UsageError(f"{error.message} Did you mean '{near}'?", ctx) from error

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The example first: most people came for it."""
        formatter.write(_EPILOGUE.replace("\b\n", ""))
        formatter.write("\n")
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        with formatter.section("Verbs"):
            formatter.write_dl(list(_VERBS.items()))
        self.format_options_only(ctx, formatter)

    def format_options_only(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options of `cnnc` itself."""
        records = [r for p in self.get_params(ctx) if (r := p.get_help_record(ctx))]
        with formatter.section("Options"):
            formatter.write_dl(records)


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cnnir", prog_name="cnnc")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="What is wrong, on stderr: with carets, as a JSON document, or as annotations of a pull request.",
)
def cnnc(form: str) -> None:
    """A compiler for convolutional networks that proves which layers may trade places with pooling."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run `cnnc` and end the process.

    Exit codes: 0 ok, 1 model rejected or verification mismatch, 2 usage, 3 target or tool-chain unavailable,
    70 internal error, 130 interrupted, 143 terminated.
    """
    from . import signals, streams

    streams.guard()
    signals.catch()
    sys.exit(run_command(sys.argv[1:] if arguments is None else arguments))


def run_command(arguments: list[str]) -> int:
    """Run `cnnc` with these arguments and return its exit code."""
    from . import signals, streams

    try:
        return _run(arguments)
    except (click.exceptions.Abort, KeyboardInterrupt, signals.Ended):
        return _interrupted(signals.exit_code() or 130)
    except (streams.ReaderGone, BrokenPipeError):
        return 0
    except Exception as error:
        code = signals.exit_code()
        if code is not None:
            return _interrupted(code)
        from .crash import keep

        return keep(error, arguments)


def _run(arguments: list[str]) -> int:
    """Run a verb; what the user did wrong is reported."""
    from cnnir.diagnostics import CnnirError

    try:
        outcome = cnnc.main(arguments, prog_name="cnnc", standalone_mode=False, obj="--json" in arguments)
        sys.stdout.flush()  # here, where what goes wrong is told
        return outcome if isinstance(outcome, int) else 0
    except click.ClickException as error:
        error.show()
        return 2
    except CnnirError as error:  # before the group knows its --format, or with none of its verbs at work
        from .console import report

        report(error.diagnostics, as_json="--json" in arguments)
        return error.exit_code


def _interrupted(code: int) -> int:
    click.echo("interrupted", err=True)
    return code
