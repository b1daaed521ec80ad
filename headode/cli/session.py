"""How one invocation of the command line talks to its user."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import typer

from headode.cli.options import LogLevel
from headode.cli.statuses import complain


@dataclass(frozen=True)
class Session:
    """What the user chose with ``--quiet`` and ``--log-level``."""

    quiet: bool = False
    log_level: LogLevel = LogLevel.warning

    @classmethod
    def of(
        cls, context: typer.Context, quiet: bool = False, log_level: LogLevel | None = None
    ) -> Session:
        """Join the options given before the command with those given after it, and set logging."""
        earlier: Session = context.obj or cls()
        session = cls(earlier.quiet or quiet, log_level or earlier.log_level)
        session._set_logging()
        return session

    @property
    def shows_progress(self) -> bool:
        """Whether somebody is there to see a progress bar."""
        return not self.quiet and sys.stderr.isatty()

    @property
    def debugs(self) -> bool:
        """Whether tracebacks are wanted."""
        return self.log_level is LogLevel.debug

    def say(self, text: str) -> None:
        """Say something that matters only to somebody who watches."""
        if not self.quiet:
            typer.echo(text)

    def show(self, table: Callable[..., object], *contents: object) -> None:
        """Print a closing table of a result that is safe; if that fails, it is only said."""
        if self.quiet:
            return
        try:
            table(*contents)
        # Whatever is wrong with a table, the result is complete without it.
        except Exception as error:
            self.explain(error)
            complain(f"the closing table failed: {error!r}")

    def explain(self, error: Exception) -> None:
        """Show where an error comes from, with ``--log-level debug``."""
        if self.debugs:
            import traceback

            traceback.print_exception(error)

    def note(self, text: str) -> None:
        """Say on standard error, with ``--log-level info``, what is going on."""
        import logging

        logging.getLogger("headode").info(text)

    def _set_logging(self) -> None:
        import logging

        # Only headode's own messages: the root logger would bring those of the compiler.
        logger = logging.getLogger("headode")
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
        logger.handlers[:] = [handler]
        logger.setLevel(self.log_level.value.upper())
        logger.propagate = False
