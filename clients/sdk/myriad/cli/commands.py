"""The grammar of the command: nouns and verbs, and the two options that every one of them takes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import click

from myriad.cli.session import Session

P = ParamSpec("P")
R = TypeVar("R")


def _set_on_session(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    session = context.find_object(Session)
    if value and session is not None and parameter.name is not None:
        setattr(session, parameter.name, True)


def _everywhere() -> list[click.Parameter]:
    return [
        click.Option(
            ["--json", "as_json"],
            is_flag=True,
            expose_value=False,
            callback=_set_on_session,
            help="Answer in JSON: one document, or one line for each item of a list.",
        ),
        click.Option(
            ["--quiet", "-q"],
            is_flag=True,
            expose_value=False,
            callback=_set_on_session,
            help="Print the bare answer: no progress, no headings, no remarks.",
        ),
    ]


class Verb(click.Command):
    """A command that takes --json and --quiet, so that they may stand anywhere on the line."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*self.params, *_everywhere(), *super().get_params(ctx)[len(self.params) :]]


class Noun(click.Group):
    """A group of verbs about one thing."""

    command_class = Verb
    group_class = type

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*self.params, *_everywhere(), *super().get_params(ctx)[len(self.params) :]]


def with_session(command: Callable[Concatenate[Session, P], R]) -> Callable[P, R]:
    """Give the command the session as its first argument."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        session = click.get_current_context().ensure_object(Session)
        return command(session, *args, **kwargs)

    return wrapped


def project_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--project", "-p", required=True, metavar="ID|NAME", help="The project.")(command)


def number_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--project", "-p", metavar="ID|NAME", help="The project, where a number is given.")(command)


def limit_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--limit", type=click.IntRange(min=0), default=50, show_default=True, help="At most so many; 0: all."
    )(command)
