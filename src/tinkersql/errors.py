"""The errors a user meets. Each message is one line: what is wrong, where, and what to do.

The command line prints the message after ``error:`` and exits with the class's ``exit_code``, without a traceback.
Every class also subclasses its standard-library kin, so that callers may catch what they already know.
"""


class TinkersqlError(Exception):
    """Base of every error that a user can cause and can mend."""

    exit_code = 1


class SettingsError(TinkersqlError, ValueError):
    """An option, or a combination of options, that makes no sense: nothing has been started or written."""

    exit_code = 2


class DataError(TinkersqlError, ValueError):
    """A data file that is missing, unreadable, empty or of the wrong shape; names the file and the row."""


class ModelError(TinkersqlError, ValueError):
    """A model that is unknown, unreachable, damaged or of an architecture that the engine does not run."""


class BackendError(TinkersqlError, ConnectionError):
    """The Tinker service cannot be used: no key, nobody listening, or a refusal; names the address."""


class RunError(TinkersqlError, OSError):
    """The run folder cannot be created, read or written; names the path."""


class Interrupted(TinkersqlError):
    """Ctrl-C: the work has stopped in good order; the message says what was kept and how to go on."""

    exit_code = 130
