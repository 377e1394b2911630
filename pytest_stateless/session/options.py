"""Every option in one table, wherever it can be given.

Light on purpose: pytest loads it in every run, also where nobody uses the plugin.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

Start = Literal["auto", "cold", "snapshot", "spawn"]
Isolation = Literal["auto", "namespace", "landlock", "fake"]
Writes = Literal["refuse", "discard"]
FailOn = Literal["error", "warning", "never"]
Preload = Literal["learn", "none"]
IniType = Literal["string", "bool", "linelist", "paths"]

DEFAULT_PLATFORM = "aws-lambda"


class Option(NamedTuple):
    """One option, wherever it can be given.

    Attributes:
        name: Without prefix: `app` is `stateless_app` in the ini file.
        help: One line for `pytest --help` and the reference.
        kind: Type in the ini file.
        default: What counts if nobody sets it, as text for the reference.
        on_command_line: Whether `--stateless-NAME` exists.
        on_marker: Whether the marker takes it.
        choices: Valid values, empty for free text.
    """

    name: str
    help: str
    kind: IniType = "string"
    default: str = ""
    on_command_line: bool = False
    on_marker: bool = False
    choices: tuple[str, ...] = ()

    @property
    def ini(self) -> str:
        """Name of the key in the ini file."""
        return f"stateless_{self.name}"

    @property
    def flag(self) -> str:
        """Name of the command line option."""
        return f"--stateless-{self.name.replace('_', '-')}"


OPTIONS: tuple[Option, ...] = (
    Option(
        name="app",
        help="the app: 'module:attribute' or 'module:factory()' (WSGI, ASGI, Lambda handler)",
        on_command_line=True,
        on_marker=True,
    ),
    Option(
        name="platform",
        help="the platform whose limits count: aws-lambda, cloud-run, vercel, cyclic",
        default=DEFAULT_PLATFORM,
        on_command_line=True,
        on_marker=True,
    ),
    Option(
        name="start",
        help="how an instance comes to be",
        default="auto",
        on_command_line=True,
        on_marker=True,
        choices=get_args(Start),
    ),
    Option(
        name="isolation",
        help="what seals an instance; auto takes the strongest that works, a name insists",
        default="auto",
        on_command_line=True,
        on_marker=True,
        choices=get_args(Isolation),
    ),
    Option(
        name="writes",
        help="what becomes of writes outside /tmp, instead of what the platform does",
        on_marker=True,
        choices=get_args(Writes),
    ),
    Option(
        name="service_paths",
        help="folders that stand for a networked service: writable, and kept",
        kind="paths",
    ),
    Option(
        name="allow",
        help="accepted findings, 'CODE[:GLOB]  # reason' a line",
        kind="linelist",
        on_marker=True,
    ),
    Option(
        name="fail_on",
        help="the least severity that fails a test",
        default="error",
        choices=get_args(FailOn),
    ),
    Option(
        name="env",
        help="NAME=value a line, for instances only, where the test's environment has no NAME",
        kind="linelist",
    ),
    Option(name="setup", help="'module:function' to run in each instance after the app's import"),
    Option(
        name="source",
        help="folders or top-level packages that are first-party too",
        kind="linelist",
    ),
    Option(
        name="preload",
        help="whether third-party modules are imported ahead, as learnt from the app's import",
        default="learn",
        choices=get_args(Preload),
    ),
    Option(
        name="raise_app_exceptions",
        help="raise the app's exceptions in the test instead of answering 500",
        kind="bool",
        default="false",
    ),
    Option(name="tmp_size", help="size of /tmp, such as '512 MB'", on_marker=True),
    Option(name="memory", help="memory of an instance, such as '1 GB'", on_marker=True),
    Option(name="timeout", help="longest time for an answer, such as '30 s'", on_marker=True),
)
