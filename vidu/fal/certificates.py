"""The certificate authorities that fal's servers are checked against.

Mozilla's list comes with certifi; the system's is added to it, for a company whose proxy inspects
TLS puts its authority there. On Windows and Linux the standard library reads the system's list.
On macOS it does not read the keychain: there `SSL_CERT_FILE` has to name the authority.
`truststore` would read the keychain, but it replaces OpenSSL's check by the operating system's for
everybody, on systems where nobody could try it with this pack.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping

import certifi

from ..errors import InvalidSettingError


def create_tls_context(environ: Mapping[str, str] = os.environ) -> ssl.SSLContext:
    """Return a context that checks certificates.

    `SSL_CERT_FILE` or `SSL_CERT_DIR`, where set, replace both lists, as with httpx and OpenSSL.

    Raises:
        InvalidSettingError: The file or folder that they name cannot be read.
    """
    file, folder = environ.get("SSL_CERT_FILE"), environ.get("SSL_CERT_DIR")
    if not file and not folder:
        context = ssl.create_default_context()
        context.load_verify_locations(certifi.where())
        return context
    variable = "SSL_CERT_FILE" if file else "SSL_CERT_DIR"
    try:
        if file:
            return ssl.create_default_context(cafile=file)
        return ssl.create_default_context(capath=folder)
    except OSError as error:  # ssl.SSLError is one
        raise InvalidSettingError(
            f"{variable} is {environ[variable]}, and no certificates can be read from it "
            f"({error.strerror or type(error).__name__}).",
            f"Correct or remove {variable}, and restart.",
        ) from error


def find_certificate_problem(error: BaseException) -> str | None:
    """Return why a certificate was not trusted, in OpenSSL's words, when that is behind `error`."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return str(cause.verify_message or "not trusted")
        cause = cause.__cause__ or cause.__context__
    return None
