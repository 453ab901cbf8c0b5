"""The S3 half of the fake service: forms, parts, signatures that can be made to expire."""

import base64
import hashlib
import re
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.clients.sdk.fake_service import Received

PART_BYTES = 8 * 1024 * 1024


class FakeStorage:
    """`objects` are the files that arrived whole, `parts` those of larger ones; both by image."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.objects: dict[str, bytes] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        # What can be fetched, by the last part of its address.
        self.files: dict[str, bytes] = {}
        self.signature = "sig-0"
        self.seconds_a_file = 0.0
        self._slow = threading.Lock()

    def expire(self) -> None:
        """Make every signature given out so far worthless."""
        self.signature = f"sig-{int(self.signature[4:]) + 1}"

    def form(self, image: str, sha256: str, content_type: str) -> dict[str, Any]:
        fields = {
            "key": f"incoming/{image}",
            "Content-Type": content_type,
            "x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(sha256)).decode(),
            "x-amz-signature": self.signature,
        }
        return {
            "method": "POST",
            "url": f"{self._url}/s3/bucket",
            "fields": fields,
            "expires_at": "2099-01-01",
        }

    def multipart(self, image: str, size: int) -> dict[str, Any]:
        numbers = range(1, -(-size // PART_BYTES) + 1)
        parts = [
            {
                "number": number,
                "size": min(PART_BYTES, size - (number - 1) * PART_BYTES),
                "url": f"{self._url}/s3/parts/{image}/{number}?X-Amz-Signature={self.signature}",
            }
            for number in numbers
        ]
        uploaded = sorted(self.parts.get(image, {}))
        return {"method": "MULTIPART", "part_size": PART_BYTES, "parts": parts, "uploaded": uploaded}

    def answer(self, request: "Received") -> tuple[int, bytes]:
        if self.seconds_a_file:
            time.sleep(self.seconds_a_file)
        if request.method == "PUT":
            return self._put(request)
        if request.method == "GET":
            return self._get(request)
        fields, data = _parse_form(request.headers["Content-Type"], request.body)
        if fields["x-amz-signature"] != self.signature:
            return _refuse(403, "AccessDenied", "Invalid according to Policy: Policy expired.")
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        if digest != fields["x-amz-checksum-sha256"]:
            return _refuse(400, "BadDigest", "The checksum did not match.")
        self.objects[fields["key"].removeprefix("incoming/")] = data
        return 204, b""

    def _put(self, request: "Received") -> tuple[int, bytes]:
        if request.query["X-Amz-Signature"] != [self.signature]:
            return _refuse(403, "AccessDenied", "Request has expired")
        image, number = request.path.split("/")[-2:]
        self.parts.setdefault(image, {})[int(number)] = request.body
        return 200, b""

    def address(self, name: str, data: bytes) -> str:
        """Keep a file and give the address from which it can be fetched until signatures expire."""
        self.files[name] = data
        return f"{self._url}/s3/files/{name}?X-Amz-Signature={self.signature}"

    def _get(self, request: "Received") -> tuple[int, bytes]:
        assert "Authorization" not in request.headers, "the key must not go to the storage"
        if request.query["X-Amz-Signature"] != [self.signature]:
            return _refuse(403, "AccessDenied", "Request has expired")
        return 200, self.files[request.path.split("/")[-1]]

    def arrived(self, image: str, size: int) -> bool:
        """Whether all bytes are there; puts parts together."""
        parts = self.parts.get(image, {})
        if sum(map(len, parts.values())) == size:
            self.objects[image] = b"".join(parts[number] for number in sorted(parts))
        return image in self.objects


def _parse_form(content_type: str, body: bytes) -> tuple[dict[str, str], bytes]:
    boundary = content_type.split("boundary=")[1].encode()
    assert body.endswith(b"\r\n--" + boundary + b"--\r\n")
    sections = body.removesuffix(b"\r\n--" + boundary + b"--\r\n").split(b"--" + boundary + b"\r\n")[1:]
    fields = {}
    for section in sections[:-1]:
        head, _, value = section.partition(b"\r\n\r\n")
        fields[_name(head)] = value.removesuffix(b"\r\n").decode()
    head, _, data = sections[-1].partition(b"\r\n\r\n")
    assert _name(head) == "file", "the file must be the last field"
    return fields, data


def _name(head: bytes) -> str:
    found = re.search(rb'name="([^"]*)"', head)
    assert found
    return found.group(1).decode()


def _refuse(status: int, code: str, message: str) -> tuple[int, bytes]:
    return status, f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
