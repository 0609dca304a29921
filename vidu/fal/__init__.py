"""fal.ai over HTTP."""
