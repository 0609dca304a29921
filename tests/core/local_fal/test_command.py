"""The proxy and the command line of local_fal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import local_fal

ROOT = Path(__file__).resolve().parents[3]
# The proxy and the command.


def test_proxy_refuses_and_records_a_foreign_host(fal, client):
    with pytest.raises(httpx.ProxyError, match="403"):
        client.get("https://example.com/")
    assert fal.ledger()["refused"] == ["example.com:443"]


def test_unknown_fault_raises_with_a_hint(fal):
    with pytest.raises(ValueError, match="accepted_then_dropped"):
        fal.set_faults("accepted-then-droped:1")
    with (
        pytest.raises(ValueError, match="There is no fault nonsense"),
        local_fal.running(faults="nonsense"),
    ):
        pass


def test_command_exec_sets_environment_and_returns_its_exit_code():
    code = "import os, sys; print(*sorted(os.environ)); sys.exit(7)"
    command = [sys.executable, "-m", "local_fal", "--exec", sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 7
    assert {"HTTPS_PROXY", "SSL_CERT_FILE", "FAL_KEY"} <= set(done.stdout.split())


def test_command_without_exec_prints_export_lines():
    command = [sys.executable, "-m", "local_fal"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        names = [process.stdout.readline().split("=")[0] for _ in range(3)]
    finally:
        process.terminate()
        process.communicate()
    assert names == ["export HTTPS_PROXY", "export SSL_CERT_FILE", "export FAL_KEY"]


def test_command_list_faults_prints_every_fault():
    command = [sys.executable, "-m", "local_fal", "--list-faults"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(local_fal.FAULTS)
