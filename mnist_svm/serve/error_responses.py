"""What keeps a request from being answered, as a status and one line."""

from __future__ import annotations

from mnist_svm.serve.settings import RETRY_SECONDS


class ProblemError(Exception):
    """A request that ends in a status other than 200.

    Parameters
    ----------
    status : int
        Of HTTP, 400 to 599.
    detail : str
        What is wrong and what to do, on one line, which tells nothing of the server's insides.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail

    @property
    def headers(self) -> dict[str, str]:
        """What the answer says besides."""
        if self.status == 503:
            return {"Retry-After": str(RETRY_SECONDS)}
        return {"WWW-Authenticate": "Bearer"} if self.status == 401 else {}


def internal_error() -> ProblemError:
    """What a client is told of a fault of ours."""
    return ProblemError(500, "internal error; the log tells more under this id")
