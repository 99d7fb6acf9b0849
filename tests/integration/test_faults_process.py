"""Faults of hopcountd itself: killed, stopped, started twice, its configuration broken (rows 1, 2,
15, 16, 17 of the fault matrix)."""
import time

import pytest

from harness.wait import wait_until


@pytest.mark.tsan
def test_kill_9_under_load_again_and_again_loses_nothing(make_trial):
    trial = make_trial(1, "kill -9 of hopcountd under load, 5 times")
    trial.click_before()
    with trial.load(trial.during, n_clients=8, pause_s=0.0) as load:
        for _ in range(5):
            load.wait_clicks()
            trial.daemon.kill()
            trial.daemon.start()
    trial.verdict()


def test_sigterm_under_load_applies_everything_and_exits_with_0(make_trial, redis):
    trial = make_trial(2, "SIGTERM under load")
    trial.click_before()
    with trial.load(trial.during, n_clients=8, pause_s=0.0) as load:
        load.wait_clicks(2000)
        started = time.monotonic()
        assert trial.daemon.terminate() == 0
        assert time.monotonic() - started < 20, "drain_delay_s is 0, and nothing is slow"
        load.stopping.set()
    # The clients' requests that were under way were answered or refused, none was cut off.
    trial.verdict(applied=False)


def test_sigterm_while_redis_is_down_leaves_the_clicks_to_the_next_start(make_trial, redis):
    trial = make_trial(2, "SIGTERM while Redis is down, restart")
    trial.click_before()
    redis.kill()
    trial.click_during()
    assert trial.daemon.terminate() == 0
    redis.start()
    trial.daemon.start()
    trial.click_after()
    trial.verdict()


def test_a_second_process_on_one_state_dir_refuses_to_start(make_trial, make_hopcountd, redis):
    trial = make_trial(16, "two processes on one state_dir")
    trial.click_before()
    second = make_hopcountd(redis, {"state_dir": str(trial.daemon.state_dir)}, "second",
                            start=False)
    second.add_api_key()
    with trial.load(trial.during):
        code, text = second.start_refused()
    assert code == 1, text
    assert f"{trial.daemon.pid}" in text and "state_dir" in text, text
    trial.verdict()


@pytest.mark.parametrize("what", ["configuration", "keys", "api_keys"])
def test_a_broken_file_at_reload_leaves_the_old_configuration(make_trial, what):
    trial = make_trial(17, f"reload with a broken file: {what}")
    daemon = trial.daemon
    trial.click_before(300)
    path = {"configuration": daemon.config_path, "keys": daemon.keys_path,
            "api_keys": daemon.api_keys_path}[what]
    good = path.read_bytes()
    path.write_bytes(good + b"\n}{ broken\n")
    with trial.load(trial.during) as load:
        daemon.reload()
        wait_until(lambda: daemon.metrics()["hopcount_config_reload_failures_total"] == 1,
                   what="the reload fails")
        load.wait_clicks(300)
    assert daemon.metrics()["hopcount_config_last_reload_successful"] == 0
    assert str(path) in daemon.log_lines("reload.failed")[0], daemon.stderr_tail()
    path.write_bytes(good)
    daemon.reload()
    wait_until(lambda: daemon.metrics()["hopcount_config_last_reload_successful"] == 1,
               what="the reload goes well")
    trial.click_after(200)
    trial.verdict()


def test_a_geo_file_that_turns_bad_changes_no_redirect(make_trial, tmp_path):
    """It is looked at by itself, without a reload."""
    geo = tmp_path / "country.mmdb"
    trial = make_trial(17, "a geo file that is broken", config={"geo": {"country": str(geo)}})
    trial.click_before(300)
    with trial.load(trial.during):
        geo.write_bytes(b"no database")
        trial.daemon.reload()
        wait_until(lambda: trial.daemon.log_lines("geo.bad"), 60, "the log tells of it")
    assert str(geo) in trial.daemon.log_lines("geo.bad")[0]
    trial.verdict()
