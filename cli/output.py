"""Where everything that is shown goes: plain lines, JSON for programs, or a live view on a terminal."""

from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

import click

from cli.environment import Environment
from cli.options import Format
from moorage.columns import fitted, wrapped
from moorage.terminal_width import width_of

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live
    from rich.text import Text

    from cli.core.layout import StyledLine
    from cli.core.report import Row
    from cli.core.story import Line

BLOCK_WIDTH = 8
EXCERPT = "    "
"""How lines of a deployment file are indented below what is wrong there; a caret stays where it is."""
HINT = "(Ctrl-C ends this view and nothing else)"


class Screen(Protocol):
    """What shows a run that takes time. Use as a context manager."""

    def __enter__(self) -> Screen: ...

    def __exit__(self, *error: object) -> None: ...

    def tell(self, line: Line) -> None:
        """Show something that has happened."""

    def show(self, heading: str, rows: tuple[Row, ...]) -> None:
        """Show how things are."""

    def paused(self) -> AbstractContextManager[None]:
        """Leave the terminal alone until the end of the block: somebody is asked."""


def say(text: str) -> None:
    """Write a line of the result; where the terminal is narrow, it goes on below itself."""
    for line in wrapped(text, width_of(sys.stdout)):
        click.echo(line)


def say_table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Write rows below a header, as the terminal's width allows it."""
    for line in fitted([header, *rows], width_of(sys.stdout)):
        click.echo(line)


def write(text: str) -> None:
    """Write a text of the result that is to stay as it is: a file, a script, a help."""
    click.echo(text)


def note(text: str) -> None:
    """Write a line that is not part of the result."""
    for line in wrapped(text, width_of(sys.stderr)):
        click.echo(line, err=True)


def note_all(text: str) -> None:
    """Write lines that are no part of the result; those of a file, with a caret below, stay as they are."""
    for line in text.splitlines():
        if line.startswith(EXCERPT):
            click.echo(line, err=True)
        else:
            note(line)


def emit(document: Any, output: Format = Format.JSON) -> None:
    """Write the result for programs."""
    click.echo(_as_yaml(document) if output is Format.YAML else json.dumps(document, indent=2))


def emit_line(document: Any, output: Format) -> None:
    """Write one object of several: a line of JSON, or a document of YAML."""
    click.echo(f"---\n{_as_yaml(document)}" if output is Format.YAML else json.dumps(document))


def _as_yaml(document: Any) -> str:
    from ruamel.yaml import YAML  # half a second that nobody else waits for

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 2**20  # ids and addresses stay on their lines
    text = io.StringIO()
    yaml.dump(document, text)
    return text.getvalue().rstrip("\n")


def open_screen(environment: Environment, output: Format, *, is_brief: bool = False) -> Screen:
    """Return the screen that suits the run; a brief one has nothing that goes on."""
    if output is not Format.TEXT:
        return ObjectScreen(output)
    return LiveScreen() if environment.is_terminal and not is_brief else PlainScreen()


class PlainScreen:
    """One line for each thing that happens, with its block; for logs and pipes."""

    def __enter__(self) -> PlainScreen:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def tell(self, line: Line) -> None:
        say(as_text(line))

    def show(self, heading: str, rows: tuple[Row, ...]) -> None:
        pass

    def paused(self) -> AbstractContextManager[None]:
        return nullcontext()


class ObjectScreen(PlainScreen):
    """One object for each thing that happens: a line of JSON, or a document of YAML."""

    def __init__(self, output: Format) -> None:
        self._output = output

    def tell(self, line: Line) -> None:
        document = {"block": line.block_number, "event": line.event, "text": line.text, **line.fields}
        emit_line(document, self._output)


class LiveScreen:
    """The same lines, and below them how things are now."""

    def __init__(self) -> None:
        from rich.console import Console  # a terminal is there: the time to import it is not noticed

        self._console = Console(highlight=False)
        self._live = self._drawing()

    def __enter__(self) -> LiveScreen:
        self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.__exit__(None, None, None)

    def tell(self, line: Line) -> None:
        for text in wrapped(as_text(line), self._console.width):
            self._console.print(text, markup=False, soft_wrap=True)

    def show(self, heading: str, rows: tuple[Row, ...]) -> None:
        below = (HINT,) if rows else ()
        self._live.update(table(heading, rows, self._console.width, self._console.height, below))

    @contextmanager
    def paused(self) -> Iterator[None]:
        self._live.stop()
        yield  # whatever ends here does not go on to draw
        self._live = self._drawing(self._live.get_renderable())  # a stopped one would erase what stands above it now
        self._live.start(refresh=True)

    def _drawing(self, shown: RenderableType | None = None) -> Live:
        from rich.live import Live

        return Live(shown, console=self._console, refresh_per_second=4, transient=True)


def as_text(line: Line) -> str:
    """Return a line with its block in front."""
    return f"{f'block {line.block_number}':<{BLOCK_WIDTH + 2}}  {line.text}"


def show_rows(environment: Environment, heading: str, rows: tuple[Row, ...]) -> None:
    """Write how things are, as the terminal's width allows it; in colours where there is one."""
    if not environment.is_terminal:
        from cli.core.layout import laid_out

        say(heading)
        for line in laid_out(rows, width_of(sys.stdout), math.inf):
            click.echo(line.text)
        return
    from rich.console import Console

    console = Console(highlight=False)
    console.print(table(heading, rows, console.width, math.inf))


def table(
    heading: str, rows: tuple[Row, ...], width: int, height: float, below: tuple[str, ...] = ()
) -> RenderableType:
    """Return rows for a terminal: whatever its width, no word and no address is cut. All of it is text, never markup.

    Args:
        width: columns.
        height: lines.
        below: lines under the rows.
    """
    from rich.console import Group
    from rich.text import Text

    from cli.core.layout import laid_out

    above = wrapped(heading, width)
    lines = laid_out(rows, width, height - len(above) - len(below) - 2) if rows else ()
    return Group(*map(Text, above), *map(styled, lines), *map(Text, below))


def styled(line: StyledLine) -> Text:
    """Return a line with what is coloured in it."""
    from rich.text import Text

    text = Text(line.text)
    text.stylize(line.style, line.start, line.end)
    return text
