"""Metrics, alerts and the Grafana dashboard, by promtool and by a Prometheus that scrapes hopcountd."""
import json
import re
import shlex
import subprocess
import urllib.parse
import urllib.request

import jsonschema
import pytest
import yaml

from harness.build import ROOT, patience
from harness.daemon import BRAND
from harness.load import BROWSER
from harness.ports import free_port
from harness.process import Process
from harness.wait import wait_until

PROMETHEUS = ROOT / "deploy/prometheus"
DASHBOARD = json.loads((ROOT / "deploy/grafana/hopcount.json").read_text())
SCHEMA = json.loads((ROOT / "tests/prometheus/dashboard.schema.json").read_text())
ALERTS_TEST = ROOT / "tests/prometheus/alerts_test.yaml"
RULES = [rule for group in yaml.safe_load((PROMETHEUS / "alerts.yaml").read_text())["groups"]
         for rule in group["rules"]]
ALERTS = [rule for rule in RULES if "alert" in rule]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
DASHBOARD_QUERIES = ([(panel["title"], target["expr"]) for panel in PANELS
                      for target in panel["targets"]]
                     + [(note["name"], note["expr"]) for note in DASHBOARD["annotations"]["list"]])
SILENT_WHEN_WELL = ("hopcount_redis_refusal", "changes(")


def promtool(*arguments, stdin=None):
    done = subprocess.run(["promtool", *map(str, arguments)], input=stdin, text=True,
                          capture_output=True, timeout=patience(60))
    return done.returncode, done.stdout + done.stderr


def filled_in(expr, interval="5m"):
    """A query as Grafana sends it, all jobs and pods chosen."""
    for name in ("$__rate_interval", "$__range"):
        expr = expr.replace(name, interval)
    return expr.replace("$job", ".*").replace("$instance", ".*")


class Prometheus(Process):
    """The command of the README, with data, port and targets of the test's own."""

    def __init__(self, directory, targets):
        super().__init__("prometheus", directory)
        self.port = free_port()
        self.config_path = self.directory / "prometheus.yaml"
        config = yaml.safe_load((PROMETHEUS / "prometheus.yaml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(PROMETHEUS / name) for name in config["rule_files"]]
        config["scrape_configs"][0]["static_configs"] = [{"targets": targets}]
        self.config_path.write_text(yaml.safe_dump(config))

    def command(self):
        line, = re.findall(r"^\$ (prometheus .*)$", (ROOT / "deploy/README.md").read_text(), re.M)
        given = dict(option.split("=", 1) for option in shlex.split(line)[1:])
        assert (ROOT / given["--config.file"]) == PROMETHEUS / "prometheus.yaml"
        given.update({"--config.file": self.config_path,
                      "--storage.tsdb.path": self.directory / "data",
                      "--web.listen-address": f"127.0.0.1:{self.port}"})
        return ["prometheus", *(f"{name}={value}" for name, value in given.items())]

    def get(self, path, **parameters):
        url = f"http://127.0.0.1:{self.port}{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=patience(10)) as reply:
            return reply.read()

    def api(self, path, **parameters):
        answer = json.loads(self.get(f"/api/v1/{path}", **parameters))
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expr):
        """[(labels, value)] of an instant query."""
        return [(sample["metric"], float(sample["value"][1]))
                for sample in self.api("query", query=expr)["result"]]

    def value(self, expr):
        """The one value of a query, None when it has no or several."""
        samples = self.query(expr)
        return samples[0][1] if len(samples) == 1 else None

    def alerts(self):
        return {alert["labels"]["alertname"]: alert for alert in self.api("alerts")["alerts"]}

    def is_ready(self):
        try:
            return b"Ready" in self.get("/-/ready")
        except OSError:
            return False

    def start(self):
        self.spawn()
        wait_until(lambda: self.is_ready() or not self.is_running(), 60, "prometheus is ready")
        assert self.is_running(), self.stderr_tail()
        return self


@pytest.fixture
def prometheus(tmp_path, processes, hopcountd):
    server = Prometheus(tmp_path / "prometheus", [f"127.0.0.1:{hopcountd.admin_port}"])
    processes.append(server)
    return server.start()


# --- by themselves ---

def test_promtool_takes_the_configuration_and_its_rules():
    code, text = promtool("check", "config", PROMETHEUS / "prometheus.yaml")
    assert code == 0, text
    assert f"{len(RULES)} rules found" in text


def test_each_alert_fires_when_it_is_time_and_not_before():
    code, text = promtool("test", "rules", ALERTS_TEST)
    assert code == 0, text


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_says_how_bad_it_is_and_what_to_do_and_is_tried(alert):
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert alert["annotations"]["summary"].endswith(".")
    assert len(alert["annotations"]["runbook"]) > 80
    tried = [sample["labels"] for test in yaml.safe_load(ALERTS_TEST.read_text())["tests"]
             for check in test["promql_expr_test"] for sample in check.get("exp_samples", [])]
    assert f'{{alertname="{alert["alert"]}"}}' in tried


def test_the_dashboard_has_what_grafana_needs():
    jsonschema.validate(DASHBOARD, SCHEMA)


def test_no_panel_has_another_s_number_or_place():
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(numbers) == len(set(numbers))
    taken = {}
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]


def test_every_query_of_the_dashboard_heeds_the_chosen_job_and_pods():
    for title, expr in DASHBOARD_QUERIES:
        for name, selector in re.findall(r"\b((?:hopcount|process)_\w+)(\{[^}]*\})?", expr):
            assert selector.startswith('{job=~"$job", instance=~"$instance"'), (title, name)
        assert not re.search(r"\[\d", expr) or "changes(" in expr, f"{title}: a fixed interval"


def test_promtool_parses_every_query_of_the_dashboard(tmp_path):
    rules = [{"record": f"panel:query:{number}", "expr": filled_in(expr)}
             for number, (_, expr) in enumerate(DASHBOARD_QUERIES)]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    code, text = promtool("check", "rules", path)
    assert code == 0, text
    assert f"{len(DASHBOARD_QUERIES)} rules found" in text


# --- with what hopcountd says ---

@pytest.fixture
def hopcountd(make_hopcountd, redis, tmp_path):
    """With a sink and checks, as there are metrics of them only then.  Nothing answers at the targets."""
    nowhere = "http://127.0.0.1:9"
    return make_hopcountd(redis, {
        "sinks": [{"name": "archive", "type": "file", "path": str(tmp_path / "archive")}],
        "brands": [{**BRAND, "billing_url": nowhere, "home": f"{nowhere}/", "base_url": nowhere,
                    "hosts": [*BRAND["hosts"], "127.0.0.1"]}],
        "checks": {"every_s": 3600, "failures": 100}})


def test_promtool_finds_nothing_to_say_about_the_metrics(hopcountd):
    hopcountd.click(hopcountd.mint())
    text = hopcountd.admin("GET", "/metrics").text
    assert promtool("check", "metrics", stdin=text) == (0, "")


def test_every_metric_and_label_that_alerts_and_dashboard_name_exists(hopcountd):
    hopcountd.click(hopcountd.mint())
    # Payments are Redis' to say: they are known with the first batch.
    wait_until(lambda: "hopcount_payments_in" in hopcountd.admin("GET", "/metrics").text, 20, "payments are known")
    text = hopcountd.admin("GET", "/metrics").text
    there = set(re.findall(r"^# TYPE (\S+) ", text, re.M))
    recorded = {rule["record"] for rule in RULES if "record" in rule}
    exprs = [rule["expr"] for rule in RULES] + [expr for _, expr in DASHBOARD_QUERIES]
    named = {name for expr in exprs for name in re.findall(r"[\w:]*(?:hopcount|process)_[\w:]+",
                                                           expr)}
    assert named - there - recorded == set()
    assert len(named) > 30
    for name, label in re.findall(r'\b(hopcount_\w+)\{[^}]*?(\w+="\w+")', "\n".join(exprs)):
        if name == "hopcount_campaign_anomaly":
            continue  # of campaigns that are unusual only: test_anomalies.py
        assert re.search(rf"^{name}{{.*{label}.*}} ", text, re.M), (name, label)


def test_prometheus_counts_the_clicks_draws_every_panel_and_sees_redis_and_pod_go(
        prometheus, hopcountd, redis):
    link = hopcountd.mint("pay", 1234, client=77)
    up = 'up{job="hopcount"}'
    wait_until(lambda: prometheus.value(up) == 1, 60, "the target is up", pause=0.2)

    clicks = {"human": 0, "bot": 0}

    def click():
        hopcountd.click(link, headers={"User-Agent": BROWSER})
        hopcountd.click(link, headers={"User-Agent": "curl/7.88.1"})
        clicks["human"] += 1
        clicks["bot"] += 1

    queries = dict.fromkeys(filled_in(expr, "10s") for _, expr in DASHBOARD_QUERIES
                            if not any(text in expr for text in SILENT_WHEN_WELL))

    def empty_panels():
        click()
        for expr in [expr for expr in queries if prometheus.query(expr)]:
            del queries[expr]
        return queries

    wait_until(lambda: not empty_panels(), 60, lambda: f"queries with a result: {list(queries)}",
               pause=0.5)
    total = sum(clicks.values())
    for expr in ("sum(hopcount_clicks_accepted_total)", "hopcount_clicks_applied",
                 'sum(hopcount_requests_total{outcome="redirect"})'):
        wait_until(lambda expr=expr: prometheus.value(expr) == total, 30,
                   lambda expr=expr: f"{expr} is {total}: {prometheus.query(expr)}", pause=0.2)
    for label, n in clicks.items():
        expr = f'sum(hopcount_clicks_labelled_total{{label="{label}"}})'
        assert prometheus.value(expr) == n
    wait_until(lambda: prometheus.value("instance:hopcount_clicks_unaccounted:abs") == 0, 30,
               "no click is unaccounted for", pause=0.2)

    rules = [rule for group in prometheus.api("rules")["groups"] for rule in group["rules"]]
    assert len(rules) == len(RULES)
    assert {rule["health"] for rule in rules} == {"ok"}, rules
    assert prometheus.alerts() == {}

    redis.kill()
    wait_until(lambda: "HopcountRedisDown" in prometheus.alerts(), 60, "the alert is pending",
               pause=0.2)
    assert "has no connection to Redis" in (
        prometheus.alerts()["HopcountRedisDown"]["annotations"]["summary"])
    wait_until(lambda: prometheus.value('hopcount_redis_refusal{cause="down"}') == 1, 30,
               "the cause is told", pause=0.2)
    hopcountd.kill()
    wait_until(lambda: prometheus.value(up) == 0 and "HopcountDown" in prometheus.alerts(), 60,
               "the pod is missed", pause=0.2)
