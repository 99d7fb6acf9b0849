"""A process that has never heard what became of links: which kinds lead on, which ask to try again."""
import pytest

from harness.wait import wait_until

PEOPLE = (("User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
                         "Chrome/129.0.0.0 Safari/537.36"), ("Accept-Language", "de-DE,de;q=0.9"))
ACCOUNT = "https://billing.acme.example/clientarea.php"


def make(make_hopcountd, redis, *targets):
    return make_hopcountd(redis, {"brands": [{
        "name": "acme", "hosts": ["go.acme.example"], "preset": "whmcs",
        "billing_url": "https://billing.acme.example", "targets": list(targets)}]}, start=False)


def status(daemon, token, **kwargs):
    return daemon.get(f"/{token}", headers=PEOPLE, **kwargs).status


def known(daemon):
    return daemon.metrics()["hopcount_state_known"]


def test_login_waits_until_states_are_known_and_is_not_counted_before(make_hopcountd, redis):
    daemon = make(make_hopcountd, redis)
    redis.kill()
    daemon.start()
    login, view, pay = (daemon.mint(kind, 5, client=7) for kind in ("login", "view", "pay"))
    assert known(daemon) == 0
    assert (status(daemon, view), status(daemon, pay), status(daemon, login)) == (302, 302, 503)
    reply = daemon.get(f"/{login}", headers=PEOPLE)
    assert reply.headers["retry-after"] == "10" and reply.headers["cache-control"] == "private, no-store"
    assert "Einen Moment bitte" in reply.body.decode() and ACCOUNT in reply.body.decode()
    assert status(daemon, login, method="HEAD") == 503
    assert status(daemon, "0" * 45) == 404
    redis.start()
    wait_until(lambda: known(daemon) == 1, 20)
    assert status(daemon, login) == 302
    daemon.wait_counted(1, [login])
    daemon.wait_counted(1, [view])


def test_what_was_known_at_the_last_stop_is_known_without_redis(make_hopcountd, redis):
    daemon = make(make_hopcountd, redis)
    daemon.start()
    login, other = daemon.mint("login", 5, client=7), daemon.mint("login", 5, client=8)
    daemon.api("POST", "/v1/revocations", {"scope": "client", "brand": "acme", "id": 7}, 202)
    wait_until(lambda: status(daemon, login) == 404)
    daemon.terminate()
    redis.kill()
    daemon.start()
    assert known(daemon) == 1
    assert (status(daemon, login), status(daemon, other)) == (404, 302)
    redis.start()


@pytest.mark.parametrize("kind, until_known, want", [("login", "open", 302), ("pay", "closed", 503),
                                                     ("login", "closed", 503), ("pay", "default", 302)])
def test_the_brand_may_decide_otherwise(make_hopcountd, redis, kind, until_known, want):
    daemon = make(make_hopcountd, redis, {"kind": kind, "until_known": until_known})
    redis.kill()
    daemon.start()
    token = daemon.mint(kind, 5, client=7)
    assert status(daemon, token) == want
    redis.start()
    wait_until(lambda: status(daemon, token) == 302, 20)
    wait_until(lambda: daemon.metrics()["hopcount_redis_up"] == 1, 20)
    daemon.wait_counted(1 if want == 503 else 2, [token])
