"""A free local stand-in for fal."""
