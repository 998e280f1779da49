"""The log: stages, a prefix of the messages of one context, and listeners in one."""

from __future__ import annotations

import logging
from threading import Thread

from mnist_svm.svm.log import log_stage, log_to, logger


def test_stages_are_a_prefix_of_messages(caplog):
    with caplog.at_level(logging.INFO, logger="mnist_svm.svm"), log_stage("outer, 50 %"):
        with log_stage("inner"):
            logger.info("round %s", 1)
        logger.info("done")
    assert caplog.messages == [
        "outer, 50 %",
        "outer, 50 %: inner",
        "outer, 50 %: inner: round 1",
        "outer, 50 %: done",
    ]


def test_a_stage_does_not_prefix_messages_of_other_threads(caplog):
    with caplog.at_level(logging.INFO, logger="mnist_svm.svm"), log_stage("stage"):
        thread = Thread(target=logger.info, args=("from another fit",))
        thread.start()
        thread.join()
    assert caplog.messages == ["stage", "from another fit"]


def test_listeners_hear_the_messages_of_their_own_context_only():
    heard, inner = [], []
    with log_to(heard.append), log_stage("stage"):
        with log_to(inner.append):
            logger.info("50 %")
        thread = Thread(target=logger.info, args=("from another fit",))
        thread.start()
        thread.join()
    logger.info("afterwards")
    assert heard == ["stage", "stage: 50 %"]
    assert inner == ["stage: 50 %"]
