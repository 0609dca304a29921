"""Lists of shots: text and manifests."""
