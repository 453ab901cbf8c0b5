"""`myriad whoami`, `key`, `member` and `invitation`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime

import click

from myriad.cli.commands import Noun, Verb, limit_option, with_session
from myriad.cli.session import Column, Session, as_text

ROLES = click.Choice(["owner", "admin", "engineer", "labeler", "viewer"], case_sensitive=False)
_COUNTED = ("images", "bytes", "projects", "members")


@click.command(cls=Verb)
@with_session
def whoami(session: Session) -> None:
    """Show which tenant, member and key this is, and what is used of the quota."""
    me = session.client.tenant.me()
    lines = {
        "service": session.client.url,
        "tenant": f"{me.tenant.name} ({me.tenant.id})",
        "member": f"{me.member.email}, {me.member.role}" if me.member else None,
        "key": me.key.prefix if me.key else None,
        "scopes": (me.key.scopes or "all that the member may do") if me.key else None,
    }
    for what in _COUNTED:
        if (used := me.usage.get(f"{what}_used", me.usage.get(what))) is not None:
            lines[what] = f"{as_text(used)} of {as_text(me.usage.get(f'{what}_limit'))}"
    session.shown(me, lines)


@click.group(cls=Noun)
def key() -> None:
    """API keys."""


@key.command("create")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, help="What the key may do; may be repeated. Default: all you may.")
@click.option("--expires", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help="When it ends.")
@with_session
def create_key(session: Session, name: str, scopes: Sequence[str], expires: datetime | None) -> None:
    """Make an API key and print it, this once."""
    ends = expires.astimezone() if expires else None  # local time, as people give it
    made = session.client.keys.create(name, scopes=scopes, expires_at=ends)
    session.made(made, f"Key {name} made: {made.id}\n{made.secret}", made.secret)
    session.note("Keep it; it is not shown again.")


@key.command("list")
@limit_option
@with_session
def list_keys(session: Session, limit: int) -> None:
    """Show the API keys, newest first."""
    columns = (
        Column("ID", lambda item: item.id),
        Column("PREFIX", lambda item: item.prefix),
        Column("NAME", lambda item: item.name),
        Column("SCOPES", lambda item: item.scopes),
        Column("LAST USED", lambda item: item.last_used_at),
        Column("EXPIRES", lambda item: item.expires_at),
        Column("REVOKED", lambda item: item.revoked_at),
    )
    session.listed(session.client.keys.list(), columns, limit=limit)


@key.command("revoke")
@click.argument("key_id", metavar="ID")
@with_session
def revoke_key(session: Session, key_id: str) -> None:
    """Make an API key worthless."""
    session.client.keys.revoke(key_id)
    session.removed(key_id, f"Key {key_id} revoked.")


@click.group(cls=Noun)
def member() -> None:
    """Who has a seat in the tenant."""


@member.command("list")
@limit_option
@with_session
def list_members(session: Session, limit: int) -> None:
    """Show the members."""
    columns = (
        Column("ID", lambda item: item.id),
        Column("EMAIL", lambda item: item.email),
        Column("NAME", lambda item: item.name),
        Column("ROLE", lambda item: item.role),
    )
    session.listed(session.client.members.list(), columns, limit=limit)


@click.group(cls=Noun)
def invitation() -> None:
    """Ways into the tenant."""


@invitation.command("create")
@click.argument("email")
@click.option("--role", type=ROLES, required=True)
@with_session
def create_invitation(session: Session, email: str, role: str) -> None:
    """Invite someone and print the token, this once."""
    made = session.client.invitations.create(email, role=role)
    session.made(made, f"Invitation of {email} as {made.role} made: {made.id}\n{made.token}", made.token)
    session.note("Keep it; it is not shown again.")


@invitation.command("list")
@limit_option
@with_session
def list_invitations(session: Session, limit: int) -> None:
    """Show the invitations."""
    columns = (
        Column("ID", lambda item: item.id),
        Column("EMAIL", lambda item: item.email),
        Column("ROLE", lambda item: item.role),
        Column("EXPIRES", lambda item: item.expires_at),
        Column("ACCEPTED", lambda item: item.accepted_at),
    )
    session.listed(session.client.invitations.list(), columns, limit=limit)


@invitation.command("revoke")
@click.argument("invitation_id", metavar="ID")
@with_session
def revoke_invitation(session: Session, invitation_id: str) -> None:
    """Withdraw an invitation."""
    session.client.invitations.revoke(invitation_id)
    session.removed(invitation_id, f"Invitation {invitation_id} revoked.")


@invitation.command("accept")
@click.argument("token")
@click.option("--name", required=True, help="Your name.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
@with_session
def accept_invitation(session: Session, token: str, name: str, password_stdin: bool) -> None:
    """Take a seat in a tenant and print its first API key, this once. Needs no key."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    seat = session.client.invitations.accept(token, name=name, password=password)
    text = f"Welcome to {seat.tenant.name} as {seat.member.role}. Your API key, for MYRIAD_API_KEY:"
    session.made(seat, f"{text}\n{seat.api_key.secret}", seat.api_key.secret)
    session.note("Keep it; it is not shown again.")
