"""Images, video and audio: read, checked, decoded and saved."""
