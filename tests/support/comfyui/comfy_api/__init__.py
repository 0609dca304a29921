"""The API for nodes."""
