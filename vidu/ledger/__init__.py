"""The ledger: every paid request, on disk."""
