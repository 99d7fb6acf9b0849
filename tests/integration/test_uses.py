"""Links that are good for so many clicks by people: brands[].targets[].max_uses, on two pods."""
import concurrent.futures
import json

import pytest

from harness.wait import wait_until

PEOPLE = (("User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
                         "Chrome/129.0.0.0 Safari/537.36"), ("Accept-Language", "de-DE,de;q=0.9"))
TARGET = "https://billing.acme.example/cart.php?gid={}"
USED = "Dieser Link wurde schon benutzt"


def brand(max_uses, **more):
    return {"name": "acme", "hosts": ["go.acme.example"], "preset": "whmcs",
            "billing_url": "https://billing.acme.example",
            "targets": [{"kind": 4, "name": "renew", "url": TARGET.format("{object}"), "max_uses": max_uses}]} | more


@pytest.fixture
def make_pods(make_hopcountd, redis):
    def make(max_uses, **config):
        config["brands"] = [brand(max_uses)]
        first = make_hopcountd(redis, config, name="pod0")
        second = make_hopcountd(redis, config, name="pod1", start=False)
        second.key = first.key
        second.write_keys([(1, "mint", first.key)])
        second.start()
        wait_until(lambda: all(pod.metrics()["hopcount_state_known"] == 1 for pod in (first, second)))
        return [first, second]
    return make


def ask(pod, token, *more):
    return pod.get(f"/{token}", headers=(*PEOPLE, *more))


def uses(pod, token):
    link = pod.api("GET", f"/v1/links/{token}")
    return link["uses"], link["max_uses"], link["used_up"]


def test_a_link_is_good_for_three_people_s_clicks_on_all_pods(make_pods):
    pods = make_pods(3)
    token, other, view = pods[0].mint(4, 5), pods[0].mint(4, 6), pods[0].mint("view", 5)
    for n in range(3):
        assert uses(pods[0], token) == (n, 3, False)
        reply = ask(pods[n % 2], token)
        assert (reply.status, reply.location) == (302, TARGET.format(5))
        for _ in range(5):  # programs use nothing up
            assert pods[0].get(f"/{token}", headers=(("User-Agent", "Googlebot/2.1"),)).status in (302, 410)
        wait_until(lambda: uses(pods[0], token)[0] == n + 1)
    for pod in pods:
        wait_until(lambda: uses(pod, token) == (3, 3, True))
        reply = ask(pod, token)
        assert reply.status == 410
        assert USED in reply.body.decode() and b"https://billing.acme.example/clientarea.php" in reply.body
        assert pod.get(f"/{token}", headers=PEOPLE, method="HEAD").status == 410
        assert uses(pod, token) == (3, 3, True)
        assert pod.api("GET", f"/v1/links/{token}")["why"].startswith(
            "People have used it 3 times, and it is good for 3: a click gets a page")
        assert ask(pod, other).status == 302 and ask(pod, view).status == 302
    assert pods[0].api("GET", f"/v1/links/{view}")["max_uses"] is None
    assert pods[0].clicks(token)["human"] == 3  # what was answered by the page is no use
    told = pods[0].cli("inspect", "-c", pods[0].config_path, "--explain", "--key", pods[0].api_key, token)
    assert "used       3 of 3 times\n" in told.stdout, told
    link = json.loads(pods[0].cli("inspect", "-c", pods[0].config_path, "--explain", "--json", "--key",
                                  pods[0].api_key, token).stdout)
    assert (link["uses"], link["max_uses"], link["used_up"]) == (3, 3, True)


def test_what_passes_beyond_it_is_bounded_by_what_pods_have_not_heard(make_pods):
    """Two pods at once, each as fast as it goes, until both answer with the page: then nothing passes."""
    pods = make_pods(5, labels={"repeat_max": 0})  # so many clicks of one address are no person's otherwise
    token = pods[0].mint(4, 7)

    def click_until_used(pod):
        passed = 0
        for _ in range(100000):
            if ask(pod, token).status == 410:
                return passed
            passed += 1
        raise AssertionError("never used up")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        passed = list(pool.map(click_until_used, pods))
    print(f"passed before both pods knew: {passed}")
    assert all(ask(pod, token).status == 410 for pod in pods * 10)
    wait_until(lambda: uses(pods[0], token) == (sum(passed), 5, True))
    assert pods[0].clicks(token)["human"] == sum(passed)


def test_a_use_that_was_a_gateway_s_is_given_back(make_pods):
    """One click uses the link up; two more on the client's other links show that all three are a gateway's."""
    pods = make_pods(1, labels={"gateway_links_s": 600})
    links = [pods[0].mint(4, 10 + n, client=77, channel="mail") for n in range(3)]
    assert ask(pods[0], links[0]).status == 302
    for pod in pods:
        wait_until(lambda: uses(pod, links[0]) == (1, 1, True))
        assert ask(pod, links[0]).status == 410
    assert [ask(pods[0], token).status for token in links[1:]] == [302, 302]
    for pod in pods:
        wait_until(lambda: all(uses(pod, token) == (0, 1, False) for token in links))
    assert ask(pods[0], links[0]).status == 302


def test_redis_that_lost_everything_hears_of_uses_again(make_pods, redis):
    pods = make_pods(2)
    token = pods[0].mint(4, 8)
    for n in range(2):
        assert ask(pods[0], token).status == 302
        wait_until(lambda: uses(pods[0], token)[0] == n + 1)
    wait_until(lambda: uses(pods[1], token) == (2, 2, True))
    redis.client().flushall()
    wait_until(lambda: uses(pods[0], token) == (2, 2, True), 60)
    assert [ask(pod, token).status for pod in pods] == [410, 410]


def test_another_limit_counts_from_a_reload_on(make_pods):
    pods = make_pods(1)
    token = pods[0].mint(4, 9)
    assert ask(pods[0], token).status == 302
    wait_until(lambda: uses(pods[0], token) == (1, 1, True))
    assert ask(pods[0], token).status == 410
    pods[0].write_config({"brands": [brand(2)]})
    pods[0].reload()
    wait_until(lambda: uses(pods[0], token) == (1, 2, False))
    assert ask(pods[0], token).status == 302
    wait_until(lambda: uses(pods[0], token) == (2, 2, True))
    assert ask(pods[0], token).status == 410


def test_what_can_not_be_counted_is_refused(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"brands": [brand(3, tracking="aggregate")]}, start=False)
    done = daemon.check()
    assert done.returncode != 0 and "brands[0].targets[0].max_uses: counts clicks by link" in done.stderr
    daemon = make_hopcountd(redis, {"brands": [brand(3)]}, name="good")
    reply = daemon.admin("POST", "/v1/links", {"kind": "renew", "object": 5, "ttl": "never"}, key=True)
    assert reply.status == 400 and "good for 3 uses and need an end" in reply.text
    daemon.api("POST", "/v1/links", {"kind": "renew", "object": 5, "ttl": "366d"}, 201)
