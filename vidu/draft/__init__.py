"""Drafts: a free local stand-in for fal."""
