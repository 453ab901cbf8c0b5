import io

from myriad import IngestProgress, Job, UploadProgress
from myriad.cli.progress import Meter, ingest_line, job_line, upload_line
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
