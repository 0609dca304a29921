"""Faults that no history has yet: the pack learns to survive them."""

from __future__ import annotations

from local_fal.faults import PLACES

PENDING = {
    *(f"{place}_{kind}" for place in PLACES for kind in ("drip", "endless", "gzip_bomb")),
    *("accepted_drip", "slow_cancel", "request_removed", "file_size_off_by_one"),
    *("clip_expired", "unsized_half", "size_changes", "gzipped_clip"),
    *("fragmented", "hybrid_fragmented", "prores", "webm", "still_instead"),
    *("listing_input_cut", "listing_input_text", "listing_input_empty", "listing_input_nested"),
    *("listing_input_null", "listing_seed_text", "listing_without_defaults"),
    *("listing_urls_signed", "listing_more_without_cursor", "listing_cursor_without_more"),
}
