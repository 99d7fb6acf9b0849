"""A process without clicks sleeps, and is awake at once when there is something to do."""
import concurrent.futures
import pathlib
import re
import statistics
import threading
import time

from harness.wait import wait_until

SECONDS = 3


def wakeups(task):
    """How often a thread has been woken so far."""
    return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", (task / "status").read_text(), re.M)[1])


def wait_for_calm(find_threads, at_most):
    """Until these threads together are woken at most so often a second."""
    rates = []

    def is_calm():
        before, began = sum(map(wakeups, find_threads())), time.monotonic()
        time.sleep(SECONDS)  # the time over which wake-ups are counted
        rates.append((sum(map(wakeups, find_threads())) - before) / (time.monotonic() - began))
        return rates[-1] <= at_most

    wait_until(is_calm, seconds=60)
    print(f"wake-ups a second: {rates}")


def main_thread(daemon):
    return [pathlib.Path(f"/proc/{daemon.child.pid}/task/{daemon.child.pid}")]


def test_without_clicks_threads_sleep(hopcountd):
    """About 4 a second on a quiet machine; a thread that looks ten times a second shows."""
    wait_for_calm(lambda: pathlib.Path(f"/proc/{hopcountd.child.pid}/task").iterdir(), 7)


def test_the_main_thread_waits_for_signals_alone(hopcountd):
    wait_for_calm(lambda: main_thread(hopcountd), 0)


def test_the_main_thread_looks_for_changed_files_once_a_second(make_hopcountd):
    """Its clock is exact: an inexact one makes it look six times before it says that the second is over."""
    daemon = make_hopcountd(config={"reload": "change"})
    wait_for_calm(lambda: main_thread(daemon), 1.5)


def test_lines_held_back_wake_the_main_thread(hopcountd):
    """It sleeps; then what failed again within a second is reported, and it sleeps on."""
    wait_for_calm(lambda: main_thread(hopcountd), 0)
    hopcountd.config_path.write_text("wrong: [")

    def reload_twice():
        for _ in range(2):
            hopcountd.reload()
            time.sleep(0.05)  # signals that come together count as one
        time.sleep(1.5)  # what is held back has been written
        return [line for line in hopcountd.log_lines("reload.failed") if "repeated=" in line]

    wait_until(reload_twice, seconds=20)
    wait_for_calm(lambda: main_thread(hopcountd), 0)


def test_lines_held_back_are_counted_at_the_stop(hopcountd):
    """The process ends before the second is over in which the same failed again."""
    hopcountd.config_path.write_text("wrong: [")
    for n in range(1, 11):
        hopcountd.reload()
        wait_until(lambda: hopcountd.metrics()["hopcount_config_reload_failures_total"] == n, what=f"reload {n} has failed")
    hopcountd.shut_down()
    lines = hopcountd.log_lines("reload.failed")
    repeated = [int(found[1]) for line in lines if (found := re.search(r" repeated=(\d+)", line))]
    assert len(lines) - len(repeated) + sum(repeated) == 10, lines


def test_the_first_click_after_a_while_is_counted_at_once(hopcountd):
    """While clicks come, one waits for the next flush; after a while without, it wakes the ledger."""
    other = hopcountd.mint()

    def wait_of_a_click(number):
        token = hopcountd.mint(object=number)
        began = time.monotonic()
        assert hopcountd.click(token).status == 302
        wait_until(lambda: hopcountd.clicks(token)["total"] == 1)
        return time.monotonic() - began

    awake, asleep = [], []
    for i in range(8):
        for _ in range(15):
            hopcountd.click(other)
            time.sleep(0.02)  # the pace of these clicks
        awake.append(wait_of_a_click(2 * i + 1))
        time.sleep(0.7)  # long enough for the threads to lie down
        asleep.append(wait_of_a_click(2 * i + 2))
    assert statistics.median(asleep) < 1.5 * statistics.median(awake), (asleep, awake)


def test_redis_tells_of_states(hopcountd, redis):
    """A command of ours waits in Redis, so nothing has to be asked again and again."""
    wait_until(lambda: any(client["cmd"] == "xread" and "b" in client["flags"]
                           for client in redis.client().client_list()))


def test_without_that_command_states_are_asked_for(make_redis, make_hopcountd):
    """Whose Redis user may not wait is told so, and learns of states all the same."""
    redis = make_redis()
    redis.client().execute_command("ACL", "SETUSER", "default", "-xread")
    daemon = make_hopcountd(redis)
    wait_until(lambda: daemon.log_lines("state.wait"))
    daemon.api("POST", "/v1/events", {"id": "paid-1", "type": "invoice.paid", "object": 1234}, 202)
    wait_until(lambda: daemon.metrics()["hopcount_state_entries"] > 0)


def test_steady_news_puts_nothing_off(hopcountd, redis):
    """A process that Redis tells of states all the time still does what is due by the clock."""
    server, stop = "hc:{s00}:server", threading.Event()

    def tell():
        number = 0
        while not stop.wait(0.03):  # the pace of the news
            number += 1
            hopcountd.api("POST", "/v1/events",
                          {"id": f"paid-{number}", "type": "invoice.paid", "object": number}, 202)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        telling = pool.submit(tell)
        try:
            wait_until(lambda: hopcountd.metrics()["hopcount_state_entries"] > 20)
            redis.client().delete(server)
            wait_until(lambda: redis.client().exists(server), seconds=20)
        finally:
            stop.set()
        telling.result()
