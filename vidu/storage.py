"""fal's storage, through fal-client: one try to upload one first frame."""

from __future__ import annotations

import fal_client
import httpx

from .credentials import Secret
from .errors import Refused, Unreachable
from .replies import refusal
from .still import Still
from .wire import unreachable


class Storage:
    """The storage of one account.

    Args:
        key: The fal key; what it is exchanged for goes to the CDN, the key does not.
        silence_limit_s: The longest silence within one request, in seconds.
    """

    def __init__(self, key: Secret, silence_limit_s: float) -> None:
        self._key = key
        self._silence_limit_s = silence_limit_s
        self._client = self._new_client()

    async def put(self, still: Still) -> str:
        """Upload a first frame and return its URL, which is new each time.

        Raises:
            ServiceProblem: It did not arrive; `retry.passes` tells whether it may later.
            ViduError: The key or the account is refused.
        """
        name = f"frame.{still.media_type.removeprefix('image/')}"
        try:
            url = await self._client.upload(
                still.data, still.media_type, name, fallback_repository=[]
            )
        except fal_client.FalClientHTTPError as error:
            if error.status_code == 401:
                # fal-client keeps a token for as long as was promised for it.
                self._client = self._new_client()
                raise Unreachable("fal's storage refused the token it had given.") from error
            raise refusal(error.response) from error
        except httpx.HTTPStatusError as error:
            raise refusal(error.response) from error
        except httpx.RequestError as error:
            raise unreachable("fal's storage", error) from error
        except (KeyError, TypeError, ValueError) as error:
            raise _no_address() from error
        if not isinstance(url, str) or not url or not url.isprintable():
            raise _no_address()
        return url

    def _new_client(self) -> fal_client.AsyncClient:
        return fal_client.AsyncClient(key=self._key.reveal(), default_timeout=self._silence_limit_s)


def _no_address() -> Refused:
    return Refused("fal's storage answered without an address.", status_code=502)
