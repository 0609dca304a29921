"""Keys that look like fal's, for properties."""

from __future__ import annotations

from hypothesis import strategies as st

key_letters = st.characters(codec="ascii", min_codepoint=33, exclude_characters=":\x7f\"'`")
halves = st.text(key_letters, min_size=1, max_size=40)
keys = st.builds("{}:{}".format, halves, halves)
