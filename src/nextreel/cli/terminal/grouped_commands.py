"""The list of commands in `nextreel --help`, in groups, as plain text."""

from typing import TYPE_CHECKING

from typer.core import TyperGroup

if TYPE_CHECKING:
    from typer import _click


class GroupedCommands(TyperGroup):
    """A group that lists its commands under the names of their panels, in the order in which they were added."""

    def list_commands(self, ctx: "_click.Context") -> list[str]:
        """Return the names of the commands in the order of the help."""
        return [name for names in self._names_by_panel().values() for name in names]

    def format_commands(self, ctx: "_click.Context", formatter: "_click.HelpFormatter") -> None:
        """Write one section of the help for each panel."""
        width = max(map(len, self.commands))
        for panel, names in self._names_by_panel().items():
            rows = [
                (f"{name:<{width}}", self.commands[name].get_short_help_str(formatter.width - width - 6))
                for name in names
            ]
            with formatter.section(panel):
                formatter.write_dl(rows)

    def _names_by_panel(self) -> dict[str, list[str]]:
        panels: dict[str, list[str]] = {}
        for name, command in self.commands.items():
            panels.setdefault(getattr(command, "rich_help_panel", None) or "Commands", []).append(name)
        return panels
