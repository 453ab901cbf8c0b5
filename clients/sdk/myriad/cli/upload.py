"""`myriad image upload`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from myriad.cli.commands import Verb, project_option, with_session
from myriad.cli.images import SPLITS
from myriad.cli.outcome import ExitCode
from myriad.cli.progress import Meter, ingest_line, upload_line
from myriad.cli.session import Session
from myriad.errors import MyriadError, ValidationFailed
from myriad.upload.report import FileResult, ImageResult, IngestReport, UploadReport
from myriad.upload.sidecars import Sidecar, parse_pairs, read_coco, read_metadata_csv

# Files with problems shown one by one; --json has all of them.
_SHOWN = 20


@click.command("upload", cls=Verb)
@click.argument("paths", nargs=-1, required=True, metavar="DIR...", type=click.Path(path_type=Path))
@project_option
@click.option("--meta", multiple=True, metavar="KEY=VALUE", help="Metadata of every image; may be repeated.")
@click.option(
    "--metadata",
    "table",
    type=click.Path(path_type=Path),
    help="A table: a column `filename`, the others metadata. Default: metadata.csv in DIR, if any.",
)
@click.option("--coco", is_flag=True, help="Take `group` and `metadata` from annotations.json in DIR.")
@click.option("--split", type=SPLITS, help="Pin every image to this split.")
@click.option("--parallel", type=click.IntRange(1, 64), default=8, show_default=True, help="Files sent at a time.")
@click.option("--no-wait", is_flag=True, help="Do not wait until the images are ingested.")
@with_session
def upload_images(
    session: Session,
    *,
    paths: Sequence[Path],
    project: str,
    meta: Sequence[str],
    table: Path | None,
    coco: bool,
    split: str | None,
    parallel: int,
    no_wait: bool,
) -> ExitCode:
    """Send the photographs in a folder, and all below it, and follow them until they are ingested.

    What the project has already is not sent again: after an interruption, give the same command again. Exit
    code 4 if any file did not get there or any image could not be ingested.
    """
    metadata = parse_pairs(meta)
    sidecar = _sidecar(session, paths, table, coco)
    found = session.client.projects.find(project)
    try:
        with Meter.of(session) as meter:
            report = session.client.images.upload(
                found.id,
                paths,
                metadata=metadata,
                split=split,
                sidecar=sidecar,
                parallel=parallel,
                on_progress=lambda progress: meter.show(upload_line(progress, meter.seconds)),
            )
        if not report.files:
            raise ValidationFailed(
                f"There are no photographs in {', '.join(map(str, paths))}.",
                code="no_images",
                hint="In a folder, files with an image's ending are taken (.jpg, .png, .tif, .bmp, .webp).",
            )
        ingest = None if no_wait else _follow(session, report)
    except KeyboardInterrupt:
        session.note("Interrupted. Give the same command again; what is there already is not sent twice.")
        raise
    except MyriadError as error:
        if error.report is not None:
            _tell_problems(session, error.report.rejected)
            session.note(_summary(error.report))
        raise
    _tell(session, report, ingest)
    return _exit_code(report, ingest)


def _follow(session: Session, report: UploadReport) -> IngestReport:
    with Meter.of(session) as meter:
        return session.client.images.wait(report, on_progress=lambda progress: meter.show(ingest_line(progress)))


def _sidecar(session: Session, paths: Sequence[Path], table: Path | None, coco: bool) -> Sidecar | None:
    if coco and table is not None:
        raise click.UsageError("--coco and --metadata exclude each other.")
    folders = [path for path in paths if path.is_dir()]
    if coco:
        beside = next((folder / "annotations.json" for folder in folders), Path("annotations.json"))
        return read_coco(beside)
    if table is None:
        table = next((folder / "metadata.csv" for folder in folders if (folder / "metadata.csv").is_file()), None)
        if table is None:
            return None
    sidecar = read_metadata_csv(table)
    session.note(f"Metadata of {len(sidecar):,} files from {table}.")
    return sidecar


def _tell(session: Session, report: UploadReport, ingest: IngestReport | None) -> None:
    if session.as_json:
        session.document({**report.to_json(), "ingest": ingest.to_json() if ingest else None})
        return
    _tell_problems(session, report.rejected + report.failed)
    if ingest is not None:
        _tell_problems(session, ingest.failed)
    click.echo(_summary(report) if ingest is None else f"{_summary(report)} {_ingest_summary(ingest)}")


def _tell_problems(session: Session, results: Iterable[FileResult | ImageResult]) -> None:
    problems = list(results)
    for result in problems[:_SHOWN]:
        message = result.message if result.name in result.message else f"{result.name}: {result.message}"
        session.note(f"{message} ({result.code})".replace("\n", " "))
        if result.hint:
            session.note(f"  hint: {result.hint}".replace("\n", " "))
    if len(problems) > _SHOWN:
        session.note(f"And {len(problems) - _SHOWN:,} more; --json lists all.")


def _summary(report: UploadReport) -> str:
    counts = {
        "uploaded": report.uploaded,
        "already there": report.duplicates,
        "rejected": report.rejected,
        "failed": report.failed,
        "skipped": report.skipped,
    }
    shown = [f"{len(files):,} {what}" for what, files in counts.items() if files or what == "uploaded"]
    return f"Files: {', '.join(shown)}."


def _ingest_summary(ingest: IngestReport) -> str:
    counts = {"ready": ingest.ready, "failed": ingest.failed, "not ingested yet": ingest.pending}
    shown = [f"{len(images):,} {what}" for what, images in counts.items() if images or what == "ready"]
    return f"Images: {', '.join(shown)}."


def _exit_code(report: UploadReport, ingest: IngestReport | None) -> ExitCode:
    problems: list[FileResult | ImageResult] = [*report.rejected, *report.failed]
    if ingest is not None:
        problems += [*ingest.failed, *ingest.pending]
    if not problems:
        return ExitCode.OK
    over_quota = all(problem.code == "quota_exceeded" for problem in problems)
    return ExitCode.QUOTA if over_quota else ExitCode.NOT_DONE
