"""What the API answers when it refuses, in Toxiproxy's words."""

from __future__ import annotations


class ApiError(Exception):
    """`status` is that of HTTP."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.message, self.status = message, status


def bad_body(why: object) -> ApiError:
    return ApiError(f"bad request body: {why}", 400)


def missing(field: str) -> ApiError:
    return ApiError(f"missing required field: {field}", 400)


def no_proxy() -> ApiError:
    return ApiError("proxy not found", 404)


def no_listener() -> ApiError:
    return ApiError("listener not found among those that were added", 404)


def no_toxic() -> ApiError:
    return ApiError("toxic not found", 404)


def proxy_exists() -> ApiError:
    return ApiError("proxy already exists", 409)


def toxic_exists() -> ApiError:
    return ApiError("toxic already exists", 409)


def bad_stream() -> ApiError:
    return ApiError("stream was invalid, can be either upstream or downstream", 400)


def bad_type() -> ApiError:
    return ApiError("invalid toxic type", 400)
