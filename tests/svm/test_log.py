"""Stages of the log: a prefix of the messages of one context."""

from __future__ import annotations

import logging
from threading import Thread

from mnist_svm.svm.log import log_stage, logger


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
