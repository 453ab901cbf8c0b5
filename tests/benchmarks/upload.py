"""Images a second through the API and SDK, against boto3 straight into the same S3.

Both send the same number of fresh 200 KB photographs from eight threads, in turns, to the same stack; ours counts until
the service has said that each file arrived. The rate of ingest (decoded, cleaned, published) is printed beside it.
Usage: python -m tests.benchmarks.upload [--files 300] [--rounds 3] [--json]
"""

import argparse
import io
import json
import os
import statistics
import sys
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import numpy as np
from botocore.config import Config
from PIL import Image

from myriad import Client
from tests.benchmarks.population import Resident, populate
from tests.benchmarks.stack import Stack, running_stack

WANT_RATIO = 0.7
THREADS = 8


def photographs(folder: Path, *, count: int) -> list[Path]:
    """Fresh files of about 200 KB: one noisy picture, made new by a line of its own."""
    folder.mkdir()
    noise = np.random.default_rng().integers(0, 60, size=(600, 800, 3), dtype=np.uint8) + 90
    paths = []
    for number in range(count):
        noise[number % 600] = np.random.default_rng().integers(0, 255, size=(800, 3), dtype=np.uint8)
        data = io.BytesIO()
        Image.fromarray(noise).save(data, "JPEG", quality=72)
        path = folder / f"photo_{number:04}.jpg"
        path.write_bytes(data.getvalue())
        paths.append(path)
    return paths


def rate_of_boto3(stack: Stack, paths: list[Path]) -> float:
    """Files a second by put_object, the simplest way there is."""
    client = boto3.client(
        "s3",
        endpoint_url=stack.env["S3_ENDPOINT_URL"],
        region_name=stack.env.get("AWS_REGION", "us-east-1"),
        aws_access_key_id=stack.env["S3_ADMIN_ACCESS_KEY_ID"],
        aws_secret_access_key=stack.env["S3_ADMIN_SECRET_ACCESS_KEY"],
        config=Config(max_pool_connections=THREADS, s3={"addressing_style": "path"}),
    )
    folder = uuid.uuid4().hex

    def put(path: Path) -> None:
        client.put_object(
            Bucket=stack.env["S3_BUCKET"],
            Key=f"bench/{folder}/{path.name}",
            Body=path.read_bytes(),
            ContentType="image/jpeg",
        )

    started = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(put, paths))
    return len(paths) / (time.perf_counter() - started)


def rate_of_ours(stack: Stack, resident: Resident, paths: list[Path]) -> tuple[float, float]:
    """Files a second until all have arrived, and until all are ingested."""
    with Client(stack.url, resident.key) as client:
        started = time.perf_counter()
        report = client.images.upload(resident.project, paths, parallel=THREADS)
        arrived = time.perf_counter() - started
        ingested = client.images.wait(report)
        ready = time.perf_counter() - started
    if len(report.uploaded) != len(paths) or len(ingested.ready) != len(paths):
        raise RuntimeError(f"{len(report.uploaded)} arrived and {len(ingested.ready)} are ready of {len(paths)}")
    return len(paths) / arrived, len(paths) / ready


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=300, help="files a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    ratios, ours, peers, ingests = [], [], [], []
    with running_stack() as stack, tempfile.TemporaryDirectory() as name:
        resident = populate(stack.env["DATABASE_MAINT_URL"], first=1, last=1, images=0)[0]
        for turn in range(options.rounds + 1):
            paths = photographs(Path(name) / str(turn), count=options.files if turn else 40)
            peer = rate_of_boto3(stack, paths)
            arrived, ready = rate_of_ours(stack, resident, paths)
            if turn == 0:
                continue  # connections, caches, the first job
            ratios.append(arrived / peer)
            for figures, figure in ((ours, arrived), (peers, peer), (ingests, ready)):
                figures.append(figure)
            size = sum(path.stat().st_size for path in paths) / len(paths) / 1000
            print(f"round {turn}: boto3 {peer:.0f}/s, ours {arrived:.0f}/s ({size:.0f} kB each), ready {ready:.0f}/s")
    ratio = statistics.median(ratios)
    well = ratio >= WANT_RATIO
    print(f"median ratio: {ratio:.2f} (want ≥ {WANT_RATIO}) on {os.cpu_count()} cores; {'well' if well else 'MISSED'}")
    if options.json:
        answer = {
            "ratio": round(ratio, 3),
            "against": "boto3 put_object into the same S3",
            "images_per_s": statistics.median(ours),
            "boto3_per_s": statistics.median(peers),
            "ready_per_s": statistics.median(ingests),
        }
        print(json.dumps(answer))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
