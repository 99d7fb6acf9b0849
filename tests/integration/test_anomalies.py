"""Which campaigns are unusual, as metrics tell it: of all clicks in Redis, not of this process'."""
import struct
import time
from collections import defaultdict

from harness.daemon import BRAND
from harness.funnel import brand_number
from harness.wait import wait_until

DIM_CAMPAIGN, PAY = 10, 2
# People and machines on each of the seven days before, and in the last 24 hours; what that is called.
CAMPAIGNS = {
    1: ((40, 10), (40, 10), set()),
    2: ((40, 10), (4, 10), {"stopped"}),
    3: ((40, 10), (5, 10), set()),
    4: ((19, 10), (0, 10), set()),          # too few to tell
    5: ((40, 10), (40, 40), {"machines"}),  # a fifth, now half
    6: ((40, 10), (40, 30), set()),         # over two fifths
    7: ((4, 1), (4, 30), set()),            # too few
    0: ((40, 10), (0, 0), set()),           # links of no campaign
}


def fill(client, now):
    """Clicks by hour of all campaigns, as the ledger appends them; some of the last 24 hours are of yesterday's key."""
    series = defaultdict(bytes)
    for campaign, (before, last, _) in CAMPAIGNS.items():
        for day in range(8):
            for automated, n in enumerate(last if day == 0 else before):
                for at, part in ((now - day * 86400, n // 2), (now - day * 86400 - 23 * 3600, n - n // 2)):
                    moment = time.gmtime(at)
                    key = f"hc:{{s00}}:t:{brand_number()}:*:h:p:{time.strftime('%Y%m%d', moment)}"
                    cell = 2 << 14 | DIM_CAMPAIGN << 10 | moment.tm_hour << 5 | PAY << 1 | automated
                    series[key] += struct.pack(">HHi", cell, campaign, part)
    for key, records in series.items():
        client.append(key, records)


def anomalies(daemon):
    metrics = daemon.metrics()
    return {key for key in metrics if key.startswith("hopcount_campaign_anomaly{")}


def named(campaign, what):
    return f'hopcount_campaign_anomaly{{brand="acme",campaign="{campaign}",what="{what}"}}'


def test_a_metric_names_campaigns_that_are_unusual(make_hopcountd, redis):
    fill(redis.client(), int(time.time()))
    other = {**BRAND, "name": "other", "hosts": ["go.other.example"], "base_url": "https://go.other.example"}
    daemon = make_hopcountd(redis, {"brands": [BRAND, other]})
    want = {named(campaign, what) for campaign, (_, _, all_of_it) in CAMPAIGNS.items() for what in all_of_it}
    assert len(want) == 2
    wait_until(lambda: anomalies(daemon), 90)
    assert anomalies(daemon) == want


def test_a_metric_names_campaigns_whose_pages_are_down(make_hopcountd, redis):
    """Of the campaigns that people click, those with links of the kind that fails."""
    fill(redis.client(), int(time.time()))
    config = {"brands": [{**BRAND, "preset": "none", "targets": [
        {"kind": "pay", "url": "http://127.0.0.1:1/pay"}, {"kind": "view", "url": "http://127.0.0.1:1/view"}]}],
        "checks": {"every_s": 1, "failures": 1, "retry_s": 1, "pace_ms": 0}}
    daemon = make_hopcountd(redis, config)
    wait_until(lambda: daemon.metrics().get('hopcount_target_up{brand="acme",target="pay",way="direct"}') == 0, 60)
    daemon.shut_down()  # what was found is in Redis: the next one needs no minute to tell
    daemon.start()
    want = {named(campaign, "broken") for campaign in CAMPAIGNS if campaign not in (0, 4)}
    wait_until(lambda: want <= anomalies(daemon), 150, lambda: str(anomalies(daemon)))
    assert {name for name in anomalies(daemon) if "broken" in name} == want
