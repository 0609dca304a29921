"""Keys, storage and the CDN of local_fal."""

from __future__ import annotations

import hashlib

import httpx

from ...support.local_fal_jobs import LISTING, NOBODY, picture, result_of


def uploaded(client: httpx.Client, data: bytes, name: str = "a.png") -> str:
    token = client.post("https://rest.fal.ai/storage/auth/token?storage_type=fal-cdn-v3", json={})
    bearer = {
        "Authorization": f"Bearer {token.json()['token']}",
        "X-Fal-File-Name": name,
        "Content-Type": "image/png",
    }
    response = client.post("https://v3.fal.media/files/upload", content=data, headers=bearer)
    assert response.status_code == 200, response.text
    assert response.json()["uploaded"] is True
    return response.json()["access_url"]


# Keys.


def test_wrong_key_returns_401_in_the_hosts_own_form(fal, client):
    def answer(host: str, authorization: str) -> tuple[int, object]:
        headers = {"Authorization": authorization} if authorization else {"Authorization": ""}
        path = f"/fal-ai/vidu/requests/{NOBODY}/status"
        if host == "rest.fal.ai":
            response = client.post(f"https://{host}/storage/auth/token", headers=headers)
        else:
            response = client.get(f"https://{host}{path}", headers=headers)
        return response.status_code, response.json()["detail"]

    wrong = "Key 00000000-0000-0000-0000-000000000000:0000"
    malformed = "Invalid Key Authorization header format. Expected '<key_id>:<key_secret>'."
    assert answer("queue.fal.run", wrong) == (401, "invalid key credentials")
    assert answer("queue.fal.run", "Key abc") == (401, malformed)
    assert answer("queue.fal.run", "") == (401, 'Cannot access application "fal-ai/vidu"')
    assert answer("rest.fal.ai", "") == (401, "Authorization header is required")
    refused = client.get(LISTING, headers={"Authorization": wrong})
    assert refused.status_code == 401
    assert set(refused.json()["error"]) == {"type", "message", "docs_url", "request_id"}


# Storage and CDN.


def test_storage_token_has_fals_fields(fal, client):
    url = "https://rest.fal.ai/storage/auth/token?storage_type=fal-cdn-v3"
    token = client.post(url, json={}).json()
    assert set(token) == {"token", "token_type", "base_url", "created_at", "expires_at"}
    assert (token["token_type"], token["base_url"]) == ("Bearer", "https://v3b.fal.media")
    assert token["expires_at"].endswith("+00:00")


def test_uploaded_file_is_served_without_a_key(fal, client):
    url = uploaded(client, picture(), "my picture.png")
    assert httpx.URL(url).host == "v3b.fal.media"
    assert url.endswith("_my_picture.png")
    response = client.get(url, headers={"Authorization": ""})
    assert response.content == picture()
    assert response.headers["content-type"] == "image/png"
    assert response.headers["access-control-allow-origin"] == "*"
    assert "immutable" in response.headers["cache-control"]
    assert fal.ledger()["counts"]["uploads"] == 1


def test_upload_without_token_returns_401(fal, client):
    refused = client.post("https://v3.fal.media/files/upload", content=b"x")
    assert refused.status_code == 401


def test_job_records_the_digest_of_its_image(fal, client):
    assert result_of(client, image_url=uploaded(client, picture())).status_code == 200
    (job,) = fal.ledger()["jobs"]
    assert job["media_sha256"] == {"image_url": [hashlib.sha256(picture()).hexdigest()]}


def test_range_requests_return_the_part_or_the_whole(fal, client):
    data = picture()
    url = uploaded(client, data)
    etag = client.get(url).headers["etag"]
    part = client.get(url, headers={"Range": "bytes=10-", "If-Range": etag})
    assert (part.status_code, part.content) == (206, data[10:])
    assert part.headers["content-range"] == f"bytes 10-{len(data) - 1}/{len(data)}"
    middle = client.get(url, headers={"Range": "bytes=10-19"})
    assert (middle.status_code, middle.content) == (206, data[10:20])
    changed = client.get(url, headers={"Range": "bytes=10-", "If-Range": '"other"'})
    assert (changed.status_code, changed.content) == (200, data)
    beyond = client.get(url, headers={"Range": f"bytes={len(data)}-"})
    assert beyond.status_code == 416
