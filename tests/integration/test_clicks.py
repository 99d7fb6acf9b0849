"""The main job: links are followed, each click is counted once, a killed process loses none."""
import pytest

WORKERS = {"public": {"workers": 4}}


def mint_links(daemon, n):
    return [daemon.mint("pay", 1000 + i, client=1 + i, campaign=7, channel="mail")
            for i in range(n)]


@pytest.mark.tsan
def test_a_thousand_clicks_over_fifty_links_from_four_workers_are_counted_exactly(
        make_hopcountd, make_load, redis):
    daemon = make_hopcountd(redis, WORKERS)
    links = mint_links(daemon, 50)
    tally = make_load(daemon, links, n_clients=8, n_clicks=1000).join()
    assert tally.n_received == 1000 and tally.n_unanswered == 0

    counted = daemon.wait_counted(1000, links)
    tally.check(counted)
    assert sum(counted.values()) == 1000
    stats = daemon.api("GET", "/v1/stats?brand=acme&campaign=7&interval=day&group_by=kind")
    assert stats["total"]["total"] == 1000
    assert [(row["key"], row["total"]) for row in stats["rows"]] == [("pay", 1000)]
    daemon.shut_down()


@pytest.mark.tsan
def test_kill_9_in_the_middle_and_a_restart_lose_no_click_and_count_none_twice(
        make_hopcountd, make_load, redis):
    daemon = make_hopcountd(redis, WORKERS)
    links = mint_links(daemon, 50)
    first = make_load(daemon, links, n_clients=8, n_clicks=500)
    first.join()
    second = make_load(daemon, links, n_clients=8, n_clicks=5000)
    daemon.kill()
    daemon.start()
    second.join()
    tally = first.tally
    tally.add(second.tally)

    counted = daemon.wait_counted(tally.n_received, links)
    daemon.shut_down()
    daemon.start()
    counted = daemon.counted(links)
    tally.check(counted)
    daemon.shut_down()


def test_the_rest_of_many_batches_waits_no_longer_than_a_lone_click(
        make_hopcountd, make_load, redis):
    # Once, each answer put the next flush off by another flush_ms: here, by minutes.
    daemon = make_hopcountd(redis, {"public": {"workers": 1},
                                    "redis": {"flush_ms": 1000, "batch_max": 16}})
    links = mint_links(daemon, 10)
    tally = make_load(daemon, links, n_clients=4, n_clicks=4010).join()
    tally.check(daemon.wait_counted(tally.n_received, links))


def test_sigterm_applies_what_is_pending_before_it_exits(make_hopcountd, make_load, redis):
    daemon = make_hopcountd(redis, WORKERS)
    links = mint_links(daemon, 10)
    tally = make_load(daemon, links, n_clients=4, n_clicks=400).join()
    daemon.shut_down()
    daemon.start()
    tally.check(daemon.counted(links))


def test_the_private_redis_keeps_the_counts_over_a_restart(make_hopcountd, make_load):
    daemon = make_hopcountd(config=WORKERS)
    links = mint_links(daemon, 10)
    tally = make_load(daemon, links, n_clients=4, n_clicks=300).join()
    tally.check(daemon.wait_counted(300, links))
    daemon.shut_down()
    daemon.start()
    tally.check(daemon.wait_counted(300, links))
    daemon.shut_down()


def test_a_redirect_leads_to_the_brand_s_billing_system_and_is_never_cached(hopcountd):
    reply = hopcountd.click(hopcountd.mint("pay", 1234, client=77))
    assert reply.location == "https://billing.acme.example/index.php?rp=/invoice/1234/pay"
    assert reply.headers["cache-control"] == "private, no-store"
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert reply.headers["x-robots-tag"] == "noindex, nofollow"
    assert reply.headers["content-length"] == "0"


def test_the_command_line_mints_the_token_that_python_reads_out_of_the_formats(hopcountd):
    done = hopcountd.cli("mint", "-c", hopcountd.config_path, "pay", "--object", 1234, "--client",
                         77, "--campaign", 12, "--ttl", "30d", "--channel", "mail", "--issued",
                         "2026-11-22T12:00:00Z")
    assert done.returncode == 0, done.stderr
    token = hopcountd.mint("pay", 1234, client=77, campaign=12, ttl=9, channel="mail",
                           issued_s=1795348800)
    assert done.stdout.strip() == f"https://go.acme.example/{token}"
