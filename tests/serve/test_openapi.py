"""Fuzz tests of the API against its OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.support.mutation import N_EXAMPLES
from tests.support.paths import DIGITS
from tests.support.serving import Server, eventually, serving

pytestmark = pytest.mark.fuzz

# Requests per reading route, both with valid and with invalid data.
EXAMPLES = N_EXAMPLES // 5

# Digits, damaged digits, and arbitrary bytes, because a schema cannot describe a picture.
WHOLE = st.sampled_from([path.read_bytes() for path in DIGITS])
PICTURES = st.one_of(
    WHOLE,
    st.builds(lambda picture, end: picture[:end], WHOLE, st.integers(0, 400)),
    st.binary(max_size=64),
)
KINDS = ["png", "jpeg", "gif", "bmp", "tiff", "webp", "x-portable-anymap"]

# 413 counts as a rejection too: 1,001 arrays may exceed the limit on bytes.
CONFIG = schemathesis.Config.from_dict(
    {"checks": {"negative_data_rejection": {"expected-statuses": ["4xx", "503"]}}}
)

schemathesis.openapi.format("binary", PICTURES)
for kind in KINDS:
    schemathesis.openapi.media_type(f"image/{kind}", PICTURES)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def document(server: Server) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{server.url}/openapi.json", config=CONFIG)


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize("path", ["/predict", "/read"])
def test_post_responses_match_the_document(document, server, path, mode):
    before = len(server.log())
    check_all(document[path]["POST"], mode, EXAMPLES)
    assert eventually(lambda: len(server.log()) >= before + EXAMPLES)


@pytest.mark.parametrize("path", ["/health", "/ready", "/info", "/metrics"])
def test_get_responses_match_the_document(document, path):
    check_all(document[path]["GET"], GenerationMode.POSITIVE, 5)


def check_all(operation, mode: GenerationMode, examples: int) -> None:
    """Send generated requests, and check the responses against the document."""

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    def check(case):
        case.call_and_validate(excluded_checks=[positive_data_acceptance])

    check()
