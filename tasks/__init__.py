"""The commands of dev.py, which uses the standard library only."""
