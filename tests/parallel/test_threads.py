"""Tasks in threads: order, errors, nesting, and what an interruption leaves."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib import Parallel
from joblib import delayed as joblib_delayed
from threadpoolctl import threadpool_info

from mnist_svm.parallel import threads as module
from mnist_svm.parallel.threads import SERIAL, TASKS_AHEAD, delayed, in_task, threads

TIMEOUT = 20


def run(n_jobs, tasks):
    with threads(n_jobs) as workers:
        return list(workers(tasks))


def thread_of_task():
    return threading.get_ident()


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


# --- results ----------------------------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(n_jobs=st.integers(1, 4), n=st.integers(0, 40))
def test_results_are_those_of_the_tasks_in_order(n_jobs, n):
    assert run(n_jobs, (delayed(pow)(i, 2, mod=7) for i in range(n))) == [
        i**2 % 7 for i in range(n)
    ]


def test_results_are_in_order_if_later_tasks_end_first():
    second_is_done = threading.Event()

    def first():
        assert second_is_done.wait(TIMEOUT)
        return 1

    def second():
        second_is_done.set()
        return 2

    assert run(2, [delayed(first)(), delayed(second)()]) == [1, 2]


def test_one_object_runs_several_lists_of_tasks():
    with threads(2) as workers:
        assert [list(workers(delayed(abs)(-i) for i in range(3))) for _ in range(3)] == [
            [0, 1, 2]
        ] * 3


def test_two_lists_of_tasks_may_be_read_in_turn():
    with threads(2) as workers:
        one, other = (workers(delayed(abs)(i) for i in range(4)) for _ in range(2))
        assert list(zip(one, other, strict=True)) == [(i, i) for i in range(4)]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_few_tasks_are_drawn_ahead_of_the_results(n_jobs):
    drawn = []

    def tasks():
        for i in range(100):
            drawn.append(i)
            yield delayed(abs)(i)

    with threads(n_jobs) as workers:
        results = workers(tasks())
        for i in range(100):
            assert next(results) == i
            assert len(drawn) <= i + 2 + TASKS_AHEAD * n_jobs


def test_a_single_task_runs_in_the_thread_of_the_caller():
    assert run(2, [delayed(thread_of_task)()]) == [threading.get_ident()]


def test_several_tasks_run_in_other_threads():
    assert threading.get_ident() not in run(2, [delayed(thread_of_task)() for _ in range(4)])


def test_as_many_tasks_as_asked_for_run_at_a_time():
    barrier = threading.Barrier(3)
    assert sorted(run(3, [delayed(barrier.wait)(TIMEOUT)] * 3)) == [0, 1, 2]


def test_no_more_threads_than_asked_for_run_tasks():
    assert len(set(run(2, [delayed(thread_of_task)()] * 50))) <= 2


def test_minus_one_is_the_number_of_cpus(monkeypatch):
    monkeypatch.setattr("joblib.effective_n_jobs", {-1: 7}.__getitem__)
    with threads(-1) as workers:
        assert workers.n_jobs == 7


def test_tasks_inherit_the_handling_of_floating_point_errors():
    with np.errstate(divide="raise"):
        tasks = [delayed(np.divide)(1.0, 0.0) for _ in range(3)]
        with pytest.raises(FloatingPointError):
            run(2, tasks)


# --- nested -----------------------------------------------------------------------------------


def test_threads_within_a_task_run_tasks_one_after_another():
    def nested():
        with threads(4) as workers:
            inner = list(workers(delayed(thread_of_task)() for _ in range(5)))
            return workers.n_jobs, {threading.get_ident()} == set(inner)

    assert run(2, [delayed(nested)() for _ in range(3)]) == [(1, True)] * 3


def test_threads_within_threads_run_tasks_one_after_another():
    with threads(2), threads(4) as workers:
        assert workers.n_jobs == 1


def test_threads_within_a_task_of_joblib_run_tasks_one_after_another():
    def nested():
        with threads(4) as workers:
            return workers.n_jobs

    tasks = (joblib_delayed(nested)() for _ in range(3))
    assert Parallel(2, backend="threading")(tasks) == [1] * 3


def test_only_tasks_are_in_a_task():
    assert not in_task()
    assert run(2, [delayed(in_task)() for _ in range(3)]) == [True] * 3
    assert not in_task()


def test_another_thread_is_not_in_the_task_of_this_one():
    with threads(2), ThreadPoolExecutor(1) as pool:
        assert in_task()
        assert not pool.submit(in_task).result(TIMEOUT)


# --- BLAS -------------------------------------------------------------------------------------


@pytest.fixture
def two_blas_threads():
    """Two threads for BLAS, on a computer with any number of them."""
    with module.ThreadpoolController().limit(limits=2, user_api="blas"):
        module._clear_controlling_thread()
        assert blas_threads() == {2}
        yield


@pytest.mark.usefixtures("two_blas_threads")
def test_tasks_have_one_blas_thread_each():
    assert run(2, [delayed(blas_threads)() for _ in range(3)]) == [{1}] * 3
    assert blas_threads() == {2}


@pytest.mark.usefixtures("two_blas_threads")
def test_blas_threads_are_restored_when_the_last_of_several_ends():
    inside, done = threading.Event(), threading.Event()

    def longer():
        with threads(1):
            inside.set()
            assert done.wait(TIMEOUT)

    with ThreadPoolExecutor(1) as pool:
        with threads(1):
            other = pool.submit(longer)
            assert inside.wait(TIMEOUT)
        assert blas_threads() == {1}
        done.set()
        other.result(TIMEOUT)
    assert blas_threads() == {2}


@pytest.mark.usefixtures("two_blas_threads")
def test_blas_threads_are_restored_after_an_error():
    with pytest.raises(ZeroDivisionError):
        run(2, [delayed(divmod)(1, 0)] * 3)
    assert blas_threads() == {2}


# --- errors -----------------------------------------------------------------------------------


class TaskError(Exception):
    pass


def fail(i):
    raise TaskError(i)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_exception_of_a_task_reaches_the_caller(n_jobs):
    with pytest.raises(TaskError, match=r"^3$"):
        run(n_jobs, [delayed(abs)(1), delayed(fail)(3), delayed(abs)(1)])


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_results_before_the_exception_are_given(n_jobs):
    given_results = []
    with threads(n_jobs) as workers, pytest.raises(TaskError):
        given_results.extend(
            workers([delayed(abs)(-1), delayed(abs)(-2), delayed(fail)(3), delayed(abs)(4)])
        )
    assert given_results == [1, 2]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_exception_while_tasks_are_made_reaches_the_caller(n_jobs):
    def tasks():
        for i in range(3):
            yield delayed(abs)(i)
        fail(9)

    with pytest.raises(TaskError, match=r"^9$"):
        run(n_jobs, tasks())


@pytest.fixture
def cancelling_releases(monkeypatch):
    """An event that is set once an executor has cancelled what it has not begun."""
    released = threading.Event()

    class Executor(ThreadPoolExecutor):
        def shutdown(self, wait=True, *, cancel_futures=False):
            super().shutdown(wait=False, cancel_futures=cancel_futures)
            released.set()
            super().shutdown(wait=wait)

    monkeypatch.setattr(module, "ThreadPoolExecutor", Executor)
    return released


def interrupt(tasks, error):
    """Read the first result, and raise an exception."""
    with threads(2) as workers:
        for _ in workers(tasks):
            raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, TaskError])
def test_an_exception_of_the_consumer_cancels_the_tasks_that_wait(cancelling_releases, error):
    started = []

    def work(i):
        started.append(i)
        # The first ends at once; others end after the cancellation.
        assert i == 0 or cancelling_releases.wait(TIMEOUT)

    with pytest.raises(error):
        interrupt((delayed(work)(i) for i in range(50)), error)
    # Two threads: the first task, the second, and the one after the first.
    assert set(started) <= {0, 1, 2}


def test_an_exception_of_a_task_cancels_the_tasks_that_wait(cancelling_releases):
    started = []

    def work(i):
        started.append(i)
        if i == 0:
            fail(i)
        assert cancelling_releases.wait(TIMEOUT)

    with pytest.raises(TaskError):
        run(2, (delayed(work)(i) for i in range(50)))
    assert set(started) <= {0, 1, 2}


def test_tasks_that_have_begun_end_before_the_exception_goes_on(cancelling_releases):
    started, ended = [], []

    def work(i):
        started.append(i)
        if i:
            assert cancelling_releases.wait(TIMEOUT)
            time.sleep(0.05)
        ended.append(i)

    with pytest.raises(KeyboardInterrupt):
        interrupt((delayed(work)(i) for i in range(50)), KeyboardInterrupt)
    assert sorted(ended) == sorted(started)


def test_after_an_exception_threads_run_tasks_again():
    with pytest.raises(TaskError):
        run(2, [delayed(fail)(1)] * 3)
    assert not in_task()
    assert run(2, [delayed(abs)(-1)] * 3) == [1, 1, 1]


def test_serial_workers_run_tasks_when_results_are_wanted():
    done = []
    results = SERIAL([delayed(done.append)(i) for i in range(3)])
    assert done == []
    next(results)
    assert done == [0]
