"""A line per request: the link's id and the caller's trace, never a token; none of it delays a reply."""
import json
import re

import pytest

from faults.trial import flood, mint_links
from harness import tokens
from harness.wait import wait_until

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def lines_of(daemon):
    return [line for line in daemon.stderr().splitlines() if "at=access " in line]


@pytest.fixture
def daemon(make_hopcountd, redis):
    # One worker: the lines of several come in no order.
    return make_hopcountd(redis, {"log": {"access_sample": 1, "access_per_s": 10000}, "public": {"workers": 1}})


def test_a_line_says_what_was_answered_and_whose_trace_it_is(daemon):
    token = daemon.mint("pay", 1234, campaign=12)
    daemon.click(token, headers=[("User-Agent", AGENT), ("traceparent", f"00-{TRACE}-{SPAN}-01")])
    daemon.click(token, headers=[("traceparent", f"00-{TRACE}-{SPAN}x01")])
    daemon.get("/none")
    wait_until(lambda: len(lines_of(daemon)) == 3, 20, "three lines")
    first, second, third = lines_of(daemon)
    link = tokens.link_id(token)
    assert re.fullmatch(
        r"level=info at=access time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z worker=0 method=GET status=302 "
        rf"outcome=redirect brand=acme kind=pay campaign=12 link={link} label=human reason=\S+ "
        rf"trace={TRACE} span={SPAN} sampled=true", first), first
    assert f"link={link}" in second and "trace=" not in second
    assert "status=404 outcome=not_found" in third and "brand=" not in third
    assert token not in daemon.stderr()


def test_a_link_whose_clicks_are_only_summed_up_is_not_named(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"log": {"access_sample": 1}, "labels": {"gpc": "aggregate"}})
    silent, counted = daemon.mint("view", 1, silent=True), daemon.mint("view", 2)
    daemon.click(silent)
    daemon.click(counted, headers=[("Sec-GPC", "1")])
    wait_until(lambda: len(lines_of(daemon)) == 2, 20, "two lines")
    assert all("status=302" in line and "kind=view" in line for line in lines_of(daemon))
    assert "link=" not in "".join(lines_of(daemon))


def test_lines_beyond_the_sample_and_the_limit_are_dropped_and_counted(make_hopcountd, redis):
    daemon = make_hopcountd(redis, {"log": {"access_sample": 2, "access_per_s": 1, "format": "json"},
                                    "public": {"workers": 1}})
    links = mint_links(daemon, 5)
    flood(daemon.port, links, 400)
    wait_until(lambda: daemon.metrics()["hopcount_clicks_applied"] == 400, 20, "all is counted")

    def told():
        lines = [line for line in daemon.stderr().splitlines() if line.startswith("{")]
        assert all(line.count('"time":') == 1 for line in lines)
        objects = [json.loads(line) for line in lines]
        return [each for each in objects if each["at"] == "access"]
    wait_until(lambda: len(told()) + daemon.metrics()["hopcount_access_lines_dropped_total"] == 200,
               20, "each second request is written or dropped")
    assert told()[0]["outcome"] == "redirect" and told()[0]["status"] == 302
    assert len(told()) < 200
