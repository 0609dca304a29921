"""The steps of one shot, from submitting to the saved clip."""
