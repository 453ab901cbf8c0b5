"""Where the `myriad` command begins and ends."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

import click

from myriad.cli.access import invitation, key, member, whoami
from myriad.cli.annotations import annotation
from myriad.cli.commands import Noun
from myriad.cli.datasets import dataset
from myriad.cli.images import image
from myriad.cli.jobs import job
from myriad.cli.models import model
from myriad.cli.outcome import ExitCode, exit_code_of, tell
from myriad.cli.projects import defect_class, project
from myriad.cli.runs import run as training
from myriad.cli.session import Session, prepare_streams
from myriad.cli.snapshots import snapshot
from myriad.cli.upload import upload_images
from myriad.errors import MyriadError, ValidationFailed
from myriad.version import __version__

EPILOG = "MYRIAD_URL is the address of the service, MYRIAD_API_KEY your key. MYRIAD_DEBUG=1 shows tracebacks."


@click.group("myriad", cls=Noun, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="myriad")
def root() -> None:
    """Inspection models from your photographs."""


# `upload` is a verb of `image` in a module of its own.
image.add_command(upload_images)
_BUILT = (project, defect_class, image, annotation, dataset, snapshot, training, model)
_AROUND = (job, key, member, invitation, whoami)
for command in (*_BUILT, *_AROUND):
    root.add_command(command)


def main() -> None:
    """Run the command with this process's arguments, and exit."""
    code = run(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    if code == ExitCode.INTERRUPTED:
        # A thread of the upload may still wait for an answer; whoever interrupts does not wait with it.
        os._exit(code)
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run the command and give its exit code; say whatever there is to say."""
    prepare_streams()
    session = Session()
    try:
        answer = root.main(list(arguments), prog_name="myriad", standalone_mode=False, obj=session)
        return int(answer) if isinstance(answer, int) else ExitCode.OK
    except click.Abort:
        return ExitCode.INTERRUPTED
    except click.UsageError as error:
        session.as_json = session.as_json or "--json" in arguments
        _tell_usage(session, error)
        return ExitCode.USAGE
    except MyriadError as error:
        _trace()
        tell(session, error)
        return exit_code_of(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, people get a line and scripts a code
        _trace()
        tell(session, _unexpected(error))
        return ExitCode.UNEXPECTED
    finally:
        session.close()


def _tell_usage(session: Session, error: click.UsageError) -> None:
    where = error.ctx.command_path if error.ctx else "myriad"
    tell(session, ValidationFailed(error.format_message(), code="usage", hint=f"See `{where} --help`."))


def _unexpected(error: Exception) -> MyriadError:
    return MyriadError(
        f"Something unexpected happened: {type(error).__name__}.",
        code="unexpected",
        hint="This is a mistake of the command; run it with MYRIAD_DEBUG=1 and report what it shows.",
    )


def _trace() -> None:
    if os.environ.get("MYRIAD_DEBUG") == "1":
        traceback.print_exc()
