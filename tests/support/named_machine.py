"""A custom node pack that gives a ComfyUI server the name of another machine."""

import os
import socket

socket.gethostname = lambda: os.environ["TEST_MACHINE"]
NODE_CLASS_MAPPINGS = {}
