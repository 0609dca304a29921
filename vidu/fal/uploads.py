"""fal's storage, through fal-client: one try to upload one first frame."""

from __future__ import annotations

import fal_client
import httpx

from ..credentials import Secret
from ..errors import ConnectionFailedError, UnreadableResponseError
from ..media.medium import Medium
from .http import to_connection_error
from .responses import error_from_response


class Storage:
    """The storage of one account.

    Args:
        key: The fal key; what it is exchanged for goes to the CDN, the key does not.
        read_timeout_s: The longest silence within one request, in seconds.
    """

    def __init__(self, key: Secret, read_timeout_s: float) -> None:
        self._key = key
        self._read_timeout_s = read_timeout_s
        self._client = self._new_client()

    async def put(self, still: Medium) -> str:
        """Upload a first frame and return its URL, which is new each time.

        Raises:
            ServiceError: It did not arrive; `retryable` tells whether it may later.
            ViduError: The key or the account is refused.
        """
        name = f"medium{still.suffix}"
        try:
            url = await self._client.upload(
                still.data, still.media_type, name, fallback_repository=[]
            )
        except fal_client.FalClientHTTPError as error:
            if error.status_code == 401:
                # fal-client keeps a token for as long as was promised for it.
                self._client = self._new_client()
                raise ConnectionFailedError(
                    "fal's storage refused the token it had given."
                ) from error
            raise error_from_response(error.response) from error
        except httpx.HTTPStatusError as error:
            raise error_from_response(error.response) from error
        except httpx.RequestError as error:
            raise to_connection_error("fal's storage", error) from error
        except (KeyError, TypeError, ValueError) as error:
            raise _no_address() from error
        if not isinstance(url, str) or not url or not url.isprintable():
            raise _no_address()
        return url

    def _new_client(self) -> fal_client.AsyncClient:
        return fal_client.AsyncClient(key=self._key.reveal(), default_timeout=self._read_timeout_s)


def _no_address() -> UnreadableResponseError:
    return UnreadableResponseError("fal's storage returned no address.")
