"""Each option that a command reads is an argument of its parser, and the other way round."""

from __future__ import annotations

import argparse
from dataclasses import fields

import pytest

from vidu.cli import batch, forget, generate, ledger, models, resume, spend, watch

UNREAD = {"help", "home"}
"""`models` needs no folder, and no command reads `help`."""


@pytest.mark.parametrize("command", [batch, forget, generate, ledger, models, resume, spend, watch])
def test_options_of_a_command_are_the_arguments_of_its_parser(command):
    commands = argparse.ArgumentParser().add_subparsers()
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--home")
    command.add_to(commands, shared)
    (parser,) = commands.choices.values()
    actions = [action for action in parser._actions if action.dest != argparse.SUPPRESS]
    arguments = {action.dest for action in actions}
    options = {field.name for field in fields(command.Options)}
    assert arguments - UNREAD == options - UNREAD
