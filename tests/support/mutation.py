"""Damage to files, as hypothesis draws it."""

from __future__ import annotations

from hypothesis import strategies as st

# Of each mutation: where (as a part of the length), what is done there, and new bytes.
MUTATIONS = st.lists(
    st.tuples(
        st.one_of(st.floats(0, 1), st.floats(0, 0.005)),
        st.sampled_from(["replace", "insert", "delete", "cut"]),
        st.binary(min_size=1, max_size=12),
    ),
    min_size=1,
    max_size=4,
)


def mutated(content: bytes, mutations) -> bytes:
    for where, what, new in mutations:
        at = round(where * len(content))
        rest = {"replace": len(new), "insert": 0, "delete": len(new), "cut": len(content)}[what]
        middle = new if what in ("replace", "insert") else b""
        content = content[:at] + middle + content[at + rest :]
    return content
