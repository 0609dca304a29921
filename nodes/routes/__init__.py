"""The HTTP routes that the web extension calls."""
