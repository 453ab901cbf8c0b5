"""What Acme does, step by step, from sixty photographs to a served model. All of it through the SDK."""

from pathlib import Path

from deploy.demo.console import meter, say
from deploy.demo.gallery import Judged, draw_sheet, tally
from deploy.demo.photographs import Photographs
from deploy.demo.stack import DemoFailed
from myriad import Client, Model, Project, Run, Snapshot, read_coco, read_coco_annotations
from myriad.annotations.matching import Matcher
from myriad.cli import scores
from myriad.cli.progress import import_line, ingest_line, job_line, run_line, upload_line
from myriad.cli.session import Session
from myriad.drawing import save_picture

THRESHOLD = 0.3


def inspect(acme: Client, photographs: Photographs) -> Project:
    """A project, its label book, its photographs, until each is ingested."""
    project = acme.projects.create(photographs.title, kind="detection")
    for name in photographs.classes:
        acme.classes.create(project.id, name)
    say(f"Acme made the project {project.name!r} with {len(photographs.classes)} classes.")
    with meter() as shown:
        report = acme.images.upload(
            project.id,
            photographs.files,
            sidecar=read_coco(photographs.coco),
            on_progress=lambda progress: shown.show(upload_line(progress, shown.seconds)),
        )
    say(f"Uploaded {len(report.uploaded)}, there already {len(report.duplicates)}.")
    with meter() as shown:
        ingest = acme.images.wait(report, on_progress=lambda progress: shown.show(ingest_line(progress)))
    problems = [*report.rejected, *report.failed, *ingest.failed, *ingest.pending]
    if problems:
        raise DemoFailed(f"{len(problems)} photographs were not taken, the first: {problems[0]}")
    say(f"Ingested {len(ingest.ready)} photographs.")
    return project


def label(acme: Client, project: Project, photographs: Photographs) -> str:
    """The COCO file's own boxes, on all but those held out; gives the id of one annotation."""
    wanted = read_coco_annotations(photographs.coco).only(photographs.learned)
    with meter() as shown:
        report = acme.annotations.import_coco(
            project.id, wanted, on_progress=lambda progress: shown.show(import_line(progress))
        )
    if report.rejected:
        raise DemoFailed(f"{len(report.rejected)} annotations were not taken, the first: {report.rejected[0]}")
    boxes = sum(result.boxes for result in report.created)
    left_out = f"{len(photographs.held_out)} are left out"
    say(f"Acme labelled {len(report.created)} photographs with {boxes} boxes; {left_out}.")
    return str(report.created[0].annotation)


def freeze(acme: Client, project: Project) -> Snapshot:
    asked = acme.snapshots.create(project.id, note="The first labels")
    with meter() as shown:
        snapshot = acme.snapshots.wait(asked, on_progress=lambda job: shown.show(job_line(job)))
    if snapshot.status != "READY":
        raise DemoFailed(f"the snapshot was not made: {snapshot.error}")
    counts = f"{snapshot.image_count} images, {snapshot.box_count} boxes"
    say(f"Snapshot {snapshot.number}: {counts}, manifest {snapshot.manifest_sha256[:12]}….")
    return snapshot


def train(acme: Client, project: Project, snapshot: Snapshot) -> Run:
    """The recipe `fast`, followed to its end."""
    run = acme.runs.start(project.id, snapshot_id=snapshot.id, recipe="fast")
    say(f"Run {run.number} of the recipe {run.recipe!r} started.")
    for warning in run.warnings:
        say(f"  {warning['message']}")
    with meter(every=5.0) as shown:
        ended = acme.runs.wait(run.id, on_progress=lambda seen: shown.show(run_line(seen)))
        seconds = shown.seconds
    if ended.model is None:
        raise DemoFailed(f"the run ended as {ended.state}: {ended.error}")
    say(f"Run {run.number} succeeded after {seconds:.0f} s.")
    return ended


def report(acme: Client, run: Run) -> Model:
    """How good the model is, class by class."""
    model = acme.models.get(str(run.model))
    if model.evaluation is None:
        raise DemoFailed("the model has no evaluation")
    say(f"Model {model.number}, judged {scores.method_line(model.evaluation)}:")
    Session().table(scores.score_rows(model.evaluation), scores.HEADINGS)
    return model


def serve(acme: Client, project: Project, model: Model, photographs: Photographs, *, sheet: Path) -> None:
    """Hosted predictions of what was held out, drawn with the truth; then the model answers for its project."""
    judged = judge(acme, project, model, photographs)
    found = tally(judged)
    say(f"Of the {len(judged)} photographs left out, at a score of {THRESHOLD}: {found}")
    save_picture(draw_sheet(judged, title=f"Model {model.number} on photographs it never saw: {found}"), sheet)
    say(f"Drawn: {sheet}")
    acme.models.promote(model.id)
    first = judged[0]
    answer = acme.projects.predict(project.id, first.data, threshold=THRESHOLD)
    if answer.model != model.id:
        raise DemoFailed(f"the project's address answers with model {answer.model}, not {model.id}")
    say(f"Promoted: model {model.number} answers at /projects/{project.id}/predict.")


def judge(acme: Client, project: Project, model: Model, photographs: Photographs) -> list[Judged]:
    """Each photograph that was held out, with its truth and what the hosted model says of it."""
    truths = read_coco_annotations(photographs.coco).only(photographs.held_out)
    found, rejected = Matcher(acme.images.list(project.id, page_size=500)).match(truths.images)
    if rejected:
        raise DemoFailed(f"{len(rejected)} photographs were not found again, the first: {rejected[0]}")
    return [
        Judged(
            name=match.described.file_name,
            data=acme.images.read(match.image),
            truth=match.described.boxes,
            prediction=acme.models.predict(model.id, match.image, threshold=THRESHOLD),
        )
        for match in found
    ]
