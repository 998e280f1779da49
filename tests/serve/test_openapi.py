"""The server does what its OpenAPI document says, whatever it is sent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.support.paths import DIGITS
from tests.support.serving import Served, eventually, serving

# Requests to each of the two routes that read, with what fits the document, and with what does not.
EXAMPLES = 500

# Real digits, damaged ones, and anything: a schema tells no picture from other bytes.
WHOLE = st.sampled_from([path.read_bytes() for path in DIGITS])
PICTURES = st.one_of(
    WHOLE,
    st.builds(lambda picture, end: picture[:end], WHOLE, st.integers(0, 400)),
    st.binary(max_size=64),
)
KINDS = ["png", "jpeg", "gif", "bmp", "tiff", "webp", "x-portable-anymap"]

# Too large (413) is a refusal too: a thousand and one arrays may be over the limit on bytes.
CONFIG = schemathesis.Config.from_dict(
    {"checks": {"negative_data_rejection": {"expected-statuses": ["4xx", "503"]}}}
)

schemathesis.openapi.format("binary", PICTURES)
for kind in KINDS:
    schemathesis.openapi.media_type(f"image/{kind}", PICTURES)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def document(served: Served) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{served.url}/openapi.json", config=CONFIG)


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize("path", ["/predict", "/read"])
def test_what_is_posted_is_answered_as_documented(document, served, path, mode):
    before = len(served.log())
    check_all(document[path]["POST"], mode, EXAMPLES)
    assert eventually(lambda: len(served.log()) >= before + EXAMPLES)


@pytest.mark.parametrize("path", ["/health", "/ready", "/info", "/metrics"])
def test_what_is_asked_for_is_answered_as_documented(document, path):
    check_all(document[path]["GET"], GenerationMode.POSITIVE, 5)


def check_all(operation, mode: GenerationMode, examples: int) -> None:
    """Send so many requests of one kind, and hold the answers against the document."""

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
