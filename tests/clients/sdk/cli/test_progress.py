import io

from myriad import ImportProgress, IngestProgress, Job, Run, UploadProgress
from myriad.cli.progress import Meter, import_line, ingest_line, job_line, run_line, upload_line
from myriad.resources.jobs import Progress


class Clock:
    """Time as the test tells it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_terminal_gets_one_line_rewritten_and_tidied_away() -> None:
    stream = io.StringIO()
    with Meter(stream, live=True) as meter:
        meter.show("one")
        meter.show("two")
        meter.show("two")
    assert stream.getvalue() == "\r\x1b[Kone\r\x1b[Ktwo\r\x1b[K"


def test_anything_else_gets_a_line_every_five_seconds() -> None:
    stream, clock = io.StringIO(), Clock()
    with Meter(stream, live=False, clock=clock) as meter:
        for second in range(13):
            clock.now = 100.0 + second
            meter.show(f"at {second}")
    assert stream.getvalue() == "at 5\nat 10\n"


def test_quiet_shows_nothing() -> None:
    with Meter(None, live=True) as meter:
        meter.show("one")


def test_upload_line_has_files_bytes_rate_and_rest() -> None:
    progress = UploadProgress(files=1204, files_total=2000, bytes=120_000_000, bytes_total=400_000_000, problems=3)
    assert upload_line(progress, seconds=6.0) == (
        "Uploading [#######-----------------]  1,204/2,000 files  120.0/400.0 MB  20.0 MB/s  0:00:14 left"
        "  3 with problems"
    )


def test_upload_line_of_nothing_divides_by_nothing() -> None:
    progress = UploadProgress(files=0, files_total=1, bytes=0, bytes_total=0, problems=0)
    assert upload_line(progress, seconds=0.0) == (
        "Uploading [########################]  0/1 files  0.0/0.0 MB  0.0 MB/s"
    )


def test_ingest_line_has_the_place_in_the_queue() -> None:
    progress = IngestProgress(done=10, total=60, queue_place=1200, eta_seconds=3725.4)
    assert ingest_line(progress) == (
        "Ingesting [####--------------------]  10/60 images  place 1,200 in the queue  1:02:05 left"
    )


def test_job_line_has_its_message() -> None:
    job = Job(id="j", kind="ingest", state="RUNNING", progress=Progress(done=3, total=6, message="decoding"))
    assert job_line(job) == "ingest RUNNING  [############------------]  3/6  decoding"


def test_import_line_has_what_was_rejected() -> None:
    progress = ImportProgress(done=500, total=2000, rejected=3)
    assert import_line(progress) == "Annotating [######------------------]  500/2,000 images  3 rejected"


def test_run_line_has_the_place_while_it_waits() -> None:
    run = Run(id="r", number=3, state="PENDING", queue_place=2, eta_seconds=75)
    assert run_line(run) == "run 3 PENDING  place 2 in the queue  0:01:15 left"


def test_run_line_has_steps_losses_and_rest_while_it_runs() -> None:
    progress = Progress(done=750.5, total=1500.0, message="fold 2 of 3", losses={"class": 0.23456, "box": 1})
    run = Run(id="r", number=3, state="RUNNING", progress=progress, eta_seconds=41.0)
    assert run_line(run) == (
        "run 3 RUNNING  [############------------]  750/1,500  fold 2 of 3  class 0.235 box 1.000  0:00:41 left"
    )
