"""Files that fal's storage takes only in parts, against local_fal; here 1 kB stands for 10 MB."""

from __future__ import annotations

import hashlib
import os
import ssl

import httpx
import pytest

from vidu.credentials import find_key
from vidu.errors import UploadError
from vidu.fal.client import Fal
from vidu.settings import Settings

from ...support.media import FileMedium
from ...support.raw_fal import response
from ...support.raw_responses import PATIENT, client

PART = 1024
SETTINGS = Settings(read_timeout_s=5.0, retry_timeout_s=5.0)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr("vidu.fal.multipart.PART_BYTES", PART)
    monkeypatch.setattr("vidu.fal.uploads.LARGEST_IN_ONE", 4 * PART)


def medium(size: int) -> FileMedium:
    return FileMedium(os.urandom(size), "video/mp4", ".mp4", 640, 360, 5.0)


async def upload(vidu_home, file: FileMedium) -> str:
    async with Fal(find_key(vidu_home).secret, SETTINGS) as provider:
        return await provider.upload(file)


def fetch(fal, url: str) -> bytes:
    trusted = ssl.create_default_context(cafile=str(fal.authority))
    return httpx.get(url, proxy=fal.url, verify=trusted).content


def parts_of(fal) -> list[dict]:
    return [each for each in fal.ledger()["requests"] if "/multipart/" in each["path"]]


@pytest.mark.parametrize("size", [4 * PART + 1, 10 * PART, 10 * PART + 7])
async def test_upload_of_a_large_file_arrives_whole(fal, vidu_home, size):
    file = medium(size)
    url = await upload(vidu_home, file)
    assert hashlib.sha256(fetch(fal, url)).hexdigest() == file.content_sha256
    assert len(parts_of(fal)) == -(-size // PART) + 1  # and the completion


async def test_upload_of_a_file_that_fits_is_one_request(fal, vidu_home):
    await upload(vidu_home, medium(4 * PART))
    assert parts_of(fal) == []


@pytest.mark.parametrize(
    "faults", ["upload_500:2", "upload_reset:2", "upload_502:1,upload_reset:1", "expired_token:1"]
)
async def test_upload_in_parts_repeats_only_what_failed(fal, vidu_home, faults):
    fal.set_faults(faults)
    file = medium(12 * PART)
    url = await upload(vidu_home, file)
    assert hashlib.sha256(fetch(fal, url)).hexdigest() == file.content_sha256
    failed = sum(int(each[-1]) for each in faults.split(","))
    assert len(parts_of(fal)) <= 12 + 1 + failed


async def test_upload_in_parts_that_stays_broken_is_refused_before_paying(fal, vidu_home):
    fal.set_faults("upload_500")
    with pytest.raises(UploadError, match="The video could not be uploaded"):
        await upload(vidu_home, medium(5 * PART))
    assert fal.ledger()["counts"]["jobs"] == 0


@pytest.mark.parametrize(
    "opened",
    [
        '{"access_url": "https://evil.example/files/b/1", "uploadId": "x"}',
        '{"access_url": "http://v3b.fal.media/files/b/1", "uploadId": "x"}',
        '{"access_url": "https://v3b.fal.media.evil.example/b/1", "uploadId": "x"}',
        '{"access_url": "https://v3b.fal.media/files/b/1", "uploadId": "x/../y"}',
        '{"access_url": "https://v3b.fal.media/files/b/1"}',
        "{}",
    ],
)
async def test_upload_in_parts_sends_its_token_to_fals_storage_alone(raw_fal, opened):
    def respond(received, connection):
        token = '{"token": "t", "token_type": "Bearer"}'
        connection.sendall(response(token if "token" in received.target else opened))

    fal_server = raw_fal(respond)
    async with client(PATIENT) as provider:
        with pytest.raises(UploadError, match="opened no upload"):
            await provider.upload(medium(5 * PART))
    assert [each.target.partition("?")[0] for each in fal_server.received] == [
        "/storage/auth/token",
        "/files/upload/multipart",
    ]
