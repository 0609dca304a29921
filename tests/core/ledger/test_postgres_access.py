"""Who may use the shared ledger, and how a machine says so: role, password, TLS, as documented."""

from __future__ import annotations

import re
import ssl
from pathlib import Path

import psycopg
import pytest
import trustme
from blocking_ledger import BlockingLedger as Ledger
from postgres_proxy import faulty_postgres

from vidu.errors import LedgerUnavailableError
from vidu.ledger import Budget
from vidu.models import State

from ...support.shared_rows import shot

DOCS = Path(__file__).resolve().parents[3] / "docs" / "studio.md"
PASSWORD = "geheim-4711"


@pytest.fixture
def documented_role(postgres):
    """The role, database and schema of docs/studio.md, made by the statements that stand there."""
    (script,) = re.findall(r"```sql\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    before, _, after = script.replace("'...'", f"'{PASSWORD}'").partition("\\c vidu\n")
    drop = "DROP DATABASE IF EXISTS vidu WITH (FORCE)", "DROP ROLE IF EXISTS vidu"
    with psycopg.connect(postgres.url, autocommit=True) as owner:
        for statement in (*drop, *filter(str.strip, before.split(";"))):
            owner.execute(statement)
    inside = postgres.url.replace("/postgres?", "/vidu?")
    with psycopg.connect(inside, autocommit=True) as owner:
        for statement in filter(str.strip, after.split(";")):
            owner.execute(statement)
    with postgres.asking_for_passwords_of("vidu"):
        yield f"postgresql://vidu@/vidu?host={postgres.folder}"
    with psycopg.connect(postgres.url, autocommit=True) as owner:
        for statement in drop:
            owner.execute(statement)


def test_documented_role_makes_and_fills_the_ledger_and_may_nothing_else(
    documented_role, shell, tmp_path
):
    given = {"VIDU_LEDGER": documented_role, "PGPASSWORD": PASSWORD}
    made = shell("ledger", "init", **given)
    assert made.returncode == 0, made.stderr
    assert made.stdout.strip() == f"postgresql://vidu@{documented_role.partition('host=')[2]}/vidu"
    with Ledger.open(tmp_path / "old") as old:
        row = old.mark_submitting(old.reserve(shot(), Budget()), {})
        old.mark_failed(row, "fal said no", billed=False)
    file = tmp_path / "old" / "ledger.sqlite"
    told = [shell("ledger", "import", file, **given).stdout for _ in range(2)]
    assert told[0].startswith(f"{file}: 1 added")
    assert told[1].startswith(f"{file}: 0 added, 0 updated, 1 known")
    with psycopg.connect(documented_role, password=PASSWORD, autocommit=True) as role:
        for statement in (
            "CREATE SCHEMA other",
            "CREATE TABLE public.other (id BIGINT)",
            "CREATE DATABASE other",
            "CREATE ROLE other",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                role.execute(statement)


@pytest.fixture(params=["PGPASSWORD", ".pgpass", "service file"])
def given(request, documented_role, tmp_path) -> dict[str, str]:
    """The environment of a machine that has the password in one of three ways."""
    folder = documented_role.partition("host=")[2]
    if request.param == "PGPASSWORD":
        return {"VIDU_LEDGER": documented_role, "PGPASSWORD": PASSWORD}
    if request.param == ".pgpass":
        path = tmp_path / ".pgpass"
        path.write_text(f"*:*:vidu:vidu:{PASSWORD}\n", encoding="utf-8")
        path.chmod(0o600)
        return {"VIDU_LEDGER": documented_role, "PGPASSFILE": str(path)}
    path = tmp_path / "pg_service.conf"
    path.write_text(
        f"[studio]\nhost={folder}\nuser=vidu\ndbname=vidu\npassword={PASSWORD}\n", encoding="utf-8"
    )
    return {"VIDU_LEDGER": "service=studio", "PGSERVICEFILE": str(path)}


def test_password_by_each_way_opens_the_ledger_and_is_never_shown(given, shell):
    for command in (("ledger", "init"), ("spend",), ("ledger",)):
        done = shell(*command, **given)
        assert done.returncode == 0, done.stderr
        assert PASSWORD not in done.stdout + done.stderr


def test_wrong_password_is_a_sentence_without_it(documented_role, shell):
    url = documented_role.replace("vidu@", "vidu:falsch-0815@")
    done = shell("ledger", "init", VIDU_LEDGER=url)
    assert done.returncode != 0
    assert "cannot be reached" in done.stderr
    assert "password authentication failed" in done.stderr
    assert "falsch" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


# -- TLS -----------------------------------------------------------------------------------------


@pytest.fixture
def authority(tmp_path) -> trustme.CA:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "studio.pem"))
    return authority


@pytest.mark.parametrize(
    ("name", "words"), [("127.0.0.1", ""), ("db.studio", "does not match host name")]
)
def test_tls_is_verified_as_libpq_does(
    name, words, authority, shared_ledger, tmp_path, monkeypatch
):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    with faulty_postgres(shared_ledger.url, lambda _: None, context) as proxy:
        options = f"?sslmode=verify-full&sslrootcert={tmp_path / 'studio.pem'}"
        monkeypatch.setenv("VIDU_LEDGER", proxy.url + options)
        if words:
            with pytest.raises(LedgerUnavailableError, match=words):
                Ledger.open(tmp_path)
            return
        with Ledger.open(tmp_path) as ledger:
            assert ledger.reserve(shot(), Budget()).state is State.RESERVED


def test_server_without_tls_is_refused_where_tls_is_required(shared_ledger, tmp_path, monkeypatch):
    with faulty_postgres(shared_ledger.url, lambda _: None) as proxy:
        monkeypatch.setenv("VIDU_LEDGER", f"{proxy.url}?sslmode=require")
        with pytest.raises(LedgerUnavailableError, match="does not support SSL"):
            Ledger.open(tmp_path)
