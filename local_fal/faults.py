"""The faults that local_fal can inject, with a line on each: `--list-faults` prints them."""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable

from aiohttp import web

from .connection import drip, drop, hang, send_endless_error
from .responses import (
    INFRASTRUCTURE_ERRORS,
    MODEL_ERRORS,
    CannedResponse,
    error_detail,
    infrastructure_error,
    nginx_page,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PLACES = {
    "submit": "the paid POST (not accepted)",
    "token": "the request for a storage token",
    "upload": "the upload of a medium",
    "status": "a status request",
    "result": "a result request",
    "cancel": "a cancel request",
    "download": "a request to the CDN",
    "listing": "a request for the listing",
}

KINDS = {
    "408": error_detail(408, "Request Timeout"),
    "409": error_detail(409, "Conflict"),
    "429": error_detail(429, "Too Many Requests", **{"Retry-After": "2"}),
    "500": infrastructure_error("internal_error"),
    "502": nginx_page(502, "Bad Gateway"),
    "503": nginx_page(503, "Service Temporarily Unavailable"),
    "504": nginx_page(504, "Gateway Time-out"),
}

DESCRIPTIONS = {
    "408": "is answered 408",
    "409": "is answered 409",
    "429": "is answered 429 with Retry-After: 2",
    "500": "is answered 500",
    "502": "is answered with nginx's page for 502",
    "503": "is answered with nginx's page for 503",
    "504": "is answered with nginx's page for 504",
    "reset": "is read, and then the connection is dropped without an answer",
    "timeout": "is read and never answered",
    "drip": "is answered one byte every 0.3 s",
    "endless": "is answered 500 with a body that does not end",
    "gzip_bomb": "is answered 500 with a gzipped body that expands to half a gigabyte",
}

ACCOUNT = {
    "user_locked": "403 User is locked (exhausted balance) on submit and storage, not on status",
    "admin_locked": "403 User is locked (admin lock) on submit and storage, not on status",
    "stuck_in_queue": "the job is accepted and stays IN_QUEUE forever",
}

SUBMIT = {
    "primary_dead": "a connection to queue.fal.run fails in its TLS handshake; falrun.com works",
    "accepted_then_dropped": "the job is accepted, and the connection is dropped without a reply",
    "accepted_but_silent": "the job is accepted, and the reply never comes",
    "accepted_then_500": "the job is accepted, and the reply is 500",
    "accepted_then_502": "the job is accepted, and the reply is nginx's page for 502",
    "accepted_then_504": "the job is accepted, and the reply is nginx's page for 504",
    "accepted_unreadable": "the job is accepted, and the reply is 200 with half its JSON",
    "accepted_strange_urls": "the job is accepted, and its URLs name a host that is not fal's",
    "accepted_as_first": "the job is accepted, and the reply is that of the first job",
    "accepted_urls_of_first": "the job is accepted, and its URLs are those of the first job",
    "accepted_drip": "the job is accepted, and the reply comes one byte every 0.3 s",
    "slow_accept": "the job is accepted, and the reply takes 3 seconds",
    "submit_307": "the paid POST is redirected to queue.falrun.com (not accepted)",
}

STORAGE = {
    "expired_token": "an upload is answered 401, as its storage token has expired",
}

REFUSED_MEDIUM = {
    "first_medium_refused": "the job ends with a content policy violation of its first medium",
    "last_medium_refused": "the job ends with a content policy violation of its last medium",
}

GENERATION = {
    "slow": "the job takes ten times as long",
    "cancel_ignored": "the job goes on after a cancel and is billed",
    **REFUSED_MEDIUM,
    **{name: f"the job ends with this {row.status}" for name, row in MODEL_ERRORS.items()},
    **{name: f"the job ends with this {row[0]}" for name, row in INFRASTRUCTURE_ERRORS.items()},
}

ODD_DETAILS: dict[str, CannedResponse] = {
    "detail_text": error_detail(422, "The input could not be processed."),
    "detail_dict": CannedResponse(
        422, {"detail": {"msg": "The input could not be processed.", "type": "value_error"}}
    ),
    "detail_html": CannedResponse(422, "<html><body><h1>Unprocessable Entity</h1></body></html>"),
    "detail_v1": CannedResponse(
        422,
        {
            "detail": [
                {"loc": ["body", "prompt"], "msg": "field required", "type": "value_error.missing"}
            ]
        },
    ),
}

CANCEL = {
    "slow_cancel": "a cancel is answered, and takes effect, after 3 seconds",
}

RESULT = {
    "status_expired": "a status request is answered 404 NOT_FOUND",
    "result_expired": "a result request is answered 404 NOT_FOUND",
    "request_removed": "status, result and cancel are answered 404, and the listing leaves it out",
    "result_early": "a result request is answered 400, still in progress, though it is not",
    "video_missing": "the result holds no video",
    "video_null": "the result's video is null",
    "url_only": "the result's video holds its url and nothing else",
    "file_url": "the result's url is file:///...",
    "http_url": "the result's url is http://...",
    "private_url": "the result's url is at a private address",
    "file_size_off_by_one": "the result's file_size is one byte more than the file has",
    "detail_text": "the job ends with a 422 whose detail is a string",
    "detail_dict": "the job ends with a 422 whose detail is an object",
    "detail_html": "the job ends with a 422 whose body is HTML",
    "detail_v1": "the job ends with a 422 in the words of pydantic 1",
}

DOWNLOAD = {
    "clip_gone": "the CDN answers 404",
    "clip_forbidden": "the CDN answers 403",
    "clip_expired": "the CDN answers 410: the copy has expired",
    "redirect": "the CDN redirects to another of its hosts, where the clip is",
    "redirect_to_private": "the CDN redirects to a private address",
    "truncated": "half the clip comes, and Content-Length says so; file_size tells the truth",
    "unsized_half": "half the clip comes, or half its fragments, ended by the connection's end",
    "chunked_half": "half the clip comes, or half its fragments, in chunks with a proper last one",
    "short": "half the clip comes, Content-Length promises all, the connection is closed",
    "empty": "200 with no byte",
    "html": "200 with an HTML page",
    "download_broken": "the connection is dropped in mid-body",
    "download_stalled": "the body stalls half way",
    "size_changes": "the connection is dropped in mid-body, and then the file has another size",
    "no_range": "a Range is ignored: 200 with the whole clip",
    "gzipped_clip": "the clip comes with Content-Encoding: gzip and no Content-Length",
}

CLIP = {
    "cut_clip": "the file itself is cut: Content-Length and file_size agree with it",
    "with_audio": "the clip has an AAC track",
    "without_audio": "the clip has no sound, though sound was asked for",
    "fps_16": "the clip has 16 frames a second, and 62 of 96 frames",
    "odd_size": "the clip's width and height are odd",
    "index_last": "the clip's index (moov) is at its end",
    "fragmented": "the clip is a fragmented mp4, a fragment forevery other frame",
    "hybrid_fragmented": "the clip is a hybrid fragmented mp4: fragments under one index",
    "variable_frame_rate": "every third frame of the clip is shown twice as long",
    "rotated": "the clip carries a rotation by 90 degrees",
    "untagged_color": "the clip does not say its color matrix, primaries, transfer",
    "prores": "the clip is ProRes in a QuickTime file",
    "webm": "the clip is a WebM file",
    "still_instead": "the result's video is a PNG",
    "clip_instead": "the result's image is an mp4, where an image was asked for",
}

LISTING = {
    "listing_unavailable": "the listing is answered 403 in the platform's form",
    "listing_without_payloads": "the listing shows neither inputs nor outputs",
    "listing_shows_running": "the listing shows requests that have not ended",
    "listing_input_cut": "the listing shows an input as half its JSON text",
    "listing_input_text": "the listing shows an input as its JSON text",
    "listing_input_empty": "the listing shows an input as {}",
    "listing_input_nested": "the listing shows an input inside an object",
    "listing_input_null": "the listing shows an input as null, and an output",
    "listing_seed_text": "the listing shows the seed as text",
    "listing_without_defaults": "the listing leaves out the fields that have their default value",
    "listing_urls_signed": "the listing returns newly signed URLs at every request",
    "listing_more_without_cursor": "has_more is true, with no item and no next_cursor",
    "listing_cursor_without_more": "has_more is false, with no item; next_cursor leads to them",
}

FAULTS: dict[str, str] = {
    **ACCOUNT,
    **SUBMIT,
    **STORAGE,
    **GENERATION,
    **CANCEL,
    **RESULT,
    **DOWNLOAD,
    **CLIP,
    **LISTING,
    **{
        f"{place}_{kind}": f"{PLACES[place]} {DESCRIPTIONS[kind]}"
        for place in PLACES
        for kind in DESCRIPTIONS
        if (place, kind) != ("submit", "drip")  # a reply that drips is one to an accepted job
    },
}
"""All of them: name and what it does."""

JOB_FAULTS = frozenset({"stuck_in_queue", *GENERATION, *RESULT, *CLIP}) - {
    "status_expired",
    "result_expired",
    "request_removed",
    "result_early",
}
"""Those a job takes with it when it is accepted."""


class Faults:
    """The faults that are switched on, each with how often it will still happen.

    Args:
        text: "name[:times],..."; without times it happens always. Hyphens are underscores.

    Raises:
        ValueError: A name is unknown, or a number is not one.
    """

    def __init__(self, text: str = "") -> None:
        self.replace(text)

    def replace(self, text: str) -> None:
        """Switch on these instead; raises as the constructor does."""
        self._left = dict(_parse(item) for item in text.split(",") if item.strip())

    def take(self, name: str) -> bool:
        """Return whether this fault happens now, and count it."""
        left = self._left.get(name, 0)
        if left:
            self._left[name] = left - 1
        return left > 0

    def take_for_job(self) -> frozenset[str]:
        """Take all that a newly accepted job carries."""
        return frozenset(name for name in JOB_FAULTS if self.take(name))

    def guard(self, place: str, handler: Handler) -> Handler:
        """Return the handler with the faults of its place before it."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            await request.read()
            if self.take(f"{place}_reset"):
                await drop(request)
            if self.take(f"{place}_timeout"):
                await hang()
            if self.take(f"{place}_endless"):
                return await send_endless_error(request, compressed=False)
            if self.take(f"{place}_gzip_bomb"):
                return await send_endless_error(request, compressed=True)
            for kind, response in KINDS.items():
                if self.take(f"{place}_{kind}"):
                    return response.build()
            if self.take(f"{place}_drip"):
                return await drip(request, await handler(request))
            return await handler(request)

        return guarded


def _parse(item: str) -> tuple[str, float]:
    name, _, times = item.strip().partition(":")
    name = name.replace("-", "_")
    if name not in FAULTS:
        near = difflib.get_close_matches(name, FAULTS)
        hint = f" Did you mean {', '.join(near)}?" if near else ""
        raise ValueError(f"There is no fault {name}.{hint}")
    return name, int(times) if times else float("inf")
