"""Faults of the download of a clip."""

from __future__ import annotations

import httpx
import pytest

from ....support.local_fal_calls import FRAMES, opened

# The download.


def test_download_faults_return_something_else_once(fal, client, result):
    video = result().json()["video"]
    whole = client.get(video["url"]).content
    assert len(whole) == video["file_size"]
    fal.set_faults("clip_gone:1")
    assert client.get(video["url"]).status_code == 404
    fal.set_faults("clip_forbidden:1")
    assert client.get(video["url"]).status_code == 403
    fal.set_faults("clip_expired:1")
    assert client.get(video["url"]).status_code == 410
    fal.set_faults("gzipped_clip:1")
    gzipped = client.get(video["url"])
    assert gzipped.headers["content-encoding"] == "gzip"
    assert "content-length" not in gzipped.headers
    assert gzipped.content == whole
    fal.set_faults("truncated:1")
    half = client.get(video["url"])
    assert half.content == whole[: len(whole) // 2]
    assert int(half.headers["content-length"]) == len(half.content)
    fal.set_faults("empty:1")
    nothing = client.get(video["url"])
    assert (nothing.status_code, nothing.content) == (200, b"")
    fal.set_faults("html:1")
    assert client.get(video["url"]).headers["content-type"].startswith("text/html")
    fal.set_faults("redirect:1")
    moved = client.get(video["url"])
    assert moved.status_code == 302
    assert client.get(moved.headers["location"]).content == whole
    fal.set_faults("redirect_to_private:1")
    location = client.get(video["url"]).headers["location"]
    assert httpx.URL(location).host == "169.254.169.254"
    fal.set_faults("no_range:1")
    ranged = [client.get(video["url"], headers={"Range": "bytes=5-"}) for _ in range(2)]
    assert [response.status_code for response in ranged] == [200, 206]
    assert fal.ledger()["counts"]["downloads"] == 13


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("short", httpx.RemoteProtocolError),
        ("download_broken", (httpx.RemoteProtocolError, httpx.ReadError)),
        ("download_stalled", httpx.ReadTimeout),
    ],
)
def test_download_faults_end_half_way(fal, client, result, fault, error):
    video = result().json()["video"]
    fal.set_faults(f"{fault}:1")
    came = bytearray()
    with client.stream("GET", video["url"], timeout=0.3) as response:
        assert int(response.headers["content-length"]) == video["file_size"]
        with pytest.raises(error):
            for chunk in response.iter_raw():
                came += chunk
    assert len(came) == video["file_size"] // 2


@pytest.mark.parametrize(
    ("fault", "framing"), [("unsized_half", set()), ("chunked_half", {"transfer-encoding"})]
)
def test_download_half_of_a_fragmented_clip_ends_at_a_fragment(fal, client, result, fault, framing):
    fal.set_faults(f"fragmented:1,{fault}:1")
    url = result().json()["video"]["url"]
    half, whole = client.get(url), client.get(url)
    assert {"content-length", "transfer-encoding"} & half.headers.keys() == framing
    assert whole.content[len(half.content) + 4 :].startswith(b"moof")
    with opened(half.content) as container:
        assert 0 < len(list(container.decode(video=0))) < FRAMES


def test_size_changes_serves_a_longer_file_after_half_of_the_first(fal, client, result):
    video = result().json()["video"]
    fal.set_faults("size_changes:1")
    with client.stream("GET", video["url"]) as response:
        etag, size = response.headers["etag"], int(response.headers["content-length"])
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            response.read()
    rest = client.get(video["url"], headers={"Range": "bytes=9-", "If-Range": etag})
    assert (size, rest.status_code) == (video["file_size"], 200)
    assert len(rest.content) > size
    with opened(rest.content) as container:
        assert len(list(container.decode(video=0))) == FRAMES
