"""ClickHouse: against a double that obeys the documented rules of tokens and fails in every way, and
against a real server where this system has one (Debian 12: 18.16, which knows no tokens)."""
import json
import re
import shutil

import jsonschema
import pytest

from faults.trial import flood, mint_links
from harness.build import ROOT
from harness.clickhouse_double import ClickHouseDouble
from harness.clickhouse_server import ClickHouse, plain_columns
from harness.wait import wait_until
from test_sinks import FAST, audit, clicks_by_link, sample

WAREHOUSE = {"sink": "warehouse", "kind": "clickhouse"}


def warehouse(url, **more):
    return {"sinks": [{"name": "warehouse", "type": "clickhouse", "url": url, "table": "hopcount.clicks",
                       "flush_ms": 50, **more}]}


def wait_all(daemon, n, seconds=40):
    wait_until(lambda: sample(daemon, "sent_total", **WAREHOUSE) >= n
               and sample(daemon, "lag_clicks", **WAREHOUSE) == 0, seconds,
               lambda: f"{n} are sent: {sample(daemon, 'sent_total', **WAREHOUSE)}")


@pytest.fixture
def double():
    server = ClickHouseDouble()
    yield server
    server.close()


def cause(daemon):
    return next((key for key in daemon.metrics() if key.startswith("hopcount_sink_last_error{")), "")


def test_rows_are_what_was_clicked(make_hopcountd, redis, double):
    daemon = make_hopcountd(redis, {**FAST, **warehouse(double.url)})
    daemon.click(daemon.mint("pay", 4711, client=77, campaign=12, channel="mail", variant=2))
    daemon.api("POST", "/v1/events", {
        "id": "r", "type": "invoice.refunded", "brand": "acme", "object": 9, "amount": 1250,
        "currency": "EUR", "at": "2026-11-22T12:00:00Z"}, 202)
    wait_all(daemon, 2)
    click, = [row for row in double.rows if row["type"] == "click"]
    assert {name: click[name] for name in ("brand", "kind", "object", "client", "campaign", "channel",
                                           "variant", "label", "currency", "amount")} == {
        "brand": "acme", "kind": "pay", "object": 4711, "client": 77, "campaign": 12,
        "channel": "mail", "variant": "B", "label": "bot", "currency": "", "amount": 0}
    event, = [row for row in double.rows if row["type"] != "click"]
    assert (event["type"], event["object"], event["time"], event["amount"], event["currency"],
            event["label"]) == ("invoice.refunded", 9, 1795348800000, 1250, "EUR", "")
    assert abs(event["written_at"] - click["time"] // 1000) < 60


@pytest.mark.parametrize("knows_tokens", [True, False], ids=["with tokens", "an old server"])
def test_whatever_happens_to_an_insert_its_rows_are_there_once(make_hopcountd, redis, rng,
                                                               knows_tokens):
    double = ClickHouseDouble(knows_tokens=knows_tokens)
    kinds = ["lose the reply", "refuse", "forget", "hang up"]
    double.faults = lambda n: rng.choice(kinds) if rng.random() < 0.5 else None
    daemon = make_hopcountd(redis, {**FAST, **warehouse(double.url, batch_max=150)})
    links = mint_links(daemon, 10)
    for step in range(3):
        flood(daemon.port, links, 700)
        goal = double.n_inserts + rng.randrange(1, 6)
        wait_until(lambda: double.n_inserts >= goal, 30, "some is sent")
        daemon.kill()
        daemon.start()
    double.faults = lambda n: None
    wait_all(daemon, 1, 90)
    assert audit(double.rows) == 2100
    assert sum(clicks_by_link(double.rows).values()) == 2100
    double.close()


@pytest.mark.parametrize("status,body,words", [
    (516, b"Code: 516. DB::Exception: hopcount: Authentication failed\n", "Authentication failed"),
    (404, b"Code: 60. DB::Exception: Table hopcount.clicks doesn't exist\n", "doesn't exist"),
    (400, b"Code: 16. DB::Exception: No such column old_label in table\n", "No such column"),
    (200, b"Code: 159. DB::Exception: Timeout exceeded\n", "Timeout exceeded"),
    (500, b"x" * (10 << 20), "500"),
], ids=["password", "table", "schema", "200 and an exception", "10 MB of answer"])
def test_what_it_refuses_is_said_and_sent_later(make_hopcountd, redis, double, status, body, words):
    from harness.endpoint import Answer
    serve, double.answer = double.answer, lambda request: Answer(status, body=body)
    daemon = make_hopcountd(redis, {**FAST, **warehouse(double.url)})
    flood(daemon.port, mint_links(daemon, 5), 200)
    wait_until(lambda: words in cause(daemon), 20, lambda: cause(daemon))
    wait_until(lambda: daemon.metrics()["hopcount_clicks_applied"] == 200, 20, "Redis has them")
    double.answer = serve
    wait_all(daemon, 200)
    assert audit(double.rows) == 200 and cause(daemon) == ""


# --- a real server ---

@pytest.fixture
def clickhouse(tmp_path, processes):
    if not shutil.which("clickhouse-server"):
        pytest.skip("this system has no clickhouse-server")
    server = ClickHouse(tmp_path / "clickhouse")
    processes.append(server)
    server.spawn()
    server.wait_answers()
    return server


def test_a_real_server_has_every_row_once(make_hopcountd, redis, clickhouse, tmp_path, rng):
    """Version 18.16 knows no tokens and no times with milliseconds: plain types, and the question."""
    password = tmp_path / "password"
    password.write_text("s3cret\n")
    password.chmod(0o600)
    clickhouse.query("CREATE DATABASE hopcount")
    clickhouse.query(f"CREATE TABLE hopcount.clicks ({plain_columns()}) ENGINE = ReplacingMergeTree "
                     "PARTITION BY toYYYYMM(toDateTime(written_at)) ORDER BY (log, position)")
    daemon = make_hopcountd(redis, {**FAST, **warehouse(
        f"http://127.0.0.1:{clickhouse.port}", username="default", password_file=str(password),
        batch_max=400)})
    links = mint_links(daemon, 10)
    for _ in range(3):
        flood(daemon.port, links, rng.randrange(300, 1200))
        daemon.kill()
        daemon.start()
    n = sum(log["tail"] for log in json.loads(daemon.cli(
        "ledger", "-c", daemon.config_path, "--json").stdout)["logs"])
    wait_all(daemon, 1, 60)
    rows = [line.split("\t") for line in clickhouse.query(
        "SELECT count(), uniqExact(position), max(position) - min(position) + 1 FROM hopcount.clicks "
        "GROUP BY log").splitlines()]
    assert all(a == b == c for a, b, c in rows) and sum(int(row[0]) for row in rows) == n
    check_erasure(daemon, clickhouse, n)


@pytest.mark.parametrize("what, words", [
    ("a wrong password", "(?i)password|authentication"), ("a table that isn't there", "doesn't exist"),
    ("a table of another schema", "(?i)column|field"), ("a user that there isn't", "(?i)user"),
])
def test_what_a_real_server_refuses_is_said_and_sent_when_it_is_mended(make_hopcountd, redis, clickhouse, tmp_path, what, words):
    password = tmp_path / "password"
    password.write_text("wrong\n" if "password" in what else "s3cret\n")
    password.chmod(0o600)
    table = f"CREATE TABLE hopcount.clicks ({plain_columns()}) ENGINE = MergeTree ORDER BY (log, position) PARTITION BY tuple()"
    clickhouse.query("CREATE DATABASE hopcount")
    if "schema" in what:
        clickhouse.query(table.replace("old_label String", "former_label String"))
    elif "table" not in what:
        clickhouse.query(table)
    daemon = make_hopcountd(redis, {**FAST, **warehouse(
        f"http://127.0.0.1:{clickhouse.port}", username="nobody" if "user" in what else "default",
        password_file=str(password))})
    flood(daemon.port, mint_links(daemon, 5), 200)
    wait_until(lambda: re.search(words, cause(daemon)), 30, lambda: f"{what} is said: {cause(daemon)}")
    wait_until(lambda: daemon.metrics()["hopcount_clicks_applied"] == 200, 20, "Redis has them")
    assert sample(daemon, "lag_clicks", **WAREHOUSE) == 200 and sample(daemon, "sent_total", **WAREHOUSE) == 0
    if "table" in what:
        clickhouse.query("DROP TABLE IF EXISTS hopcount.clicks")
        clickhouse.query(table)
        wait_all(daemon, 200, 60)
        assert clickhouse.query("SELECT count() FROM hopcount.clicks") == "200\n"


@pytest.mark.parametrize("url, words", [
    ("http://nowhere.invalid:8123", "resolve"), ("http://127.0.0.1:1", "refused|connect")])
def test_a_warehouse_that_cannot_be_reached_is_said(make_hopcountd, redis, url, words):
    daemon = make_hopcountd(redis, {**FAST, **warehouse(url)})
    daemon.click(daemon.mint("view", 1))
    wait_until(lambda: re.search(words, cause(daemon)), 30, lambda: f"{words}: {cause(daemon)}")
    wait_until(lambda: daemon.metrics()["hopcount_clicks_applied"] == 1, 20, "Redis has the click")


def check_erasure(daemon, clickhouse, n):
    """deploy/clickhouse/erase.sql takes the client out of its rows, up to its erasure, and nobody else."""
    for client, object_id in ((77, 1), (78, 2)):
        daemon.click(daemon.mint("view", object_id, client=client, campaign=4711))
    wait_until(lambda: daemon.metrics()["hopcount_sink_lag_clicks{sink=\"warehouse\",type=\"clickhouse\"}"] == 0, 20)
    erased = daemon.cli("erase", "-c", daemon.config_path, "--client", 77)
    assert erased.returncode == 0, erased.stderr
    names = "SELECT client, object, link != 0 FROM hopcount.clicks WHERE campaign = 4711 ORDER BY client, object"
    wait_until(lambda: clickhouse.query("SELECT count() FROM hopcount.clicks WHERE type = 'client.erased'") == "1\n", 20,
               "the erasure is there")
    daemon.click(daemon.mint("view", 3, client=77, campaign=4711))
    wait_until(lambda: "77\t3\t1" in clickhouse.query(names), 20, "a click after it is there")
    sql = (ROOT / "deploy/clickhouse/erase.sql").read_text()
    (update, query), = re.findall(r"^(ALTER TABLE [^;]* IN)\s*\(([^;]*)\);", sql, re.M)
    # This old server runs no subquery in a mutation ("There is no query"), so it gets what the subquery finds.
    found = [line.split("\t") for line in clickhouse.query(
        query.replace("SELECT log, position", "SELECT hex(log), position", 1)).splitlines()]
    assert len(found) == 2  # the click, and the erasure itself, which the statement spares
    clickhouse.query(update + f" ({', '.join('(unhex(%r), %s)' % tuple(row) for row in found)})")
    wait_until(lambda: clickhouse.query("SELECT count() FROM system.mutations WHERE NOT is_done") == "0\n", 60,
               "the rows are changed")
    assert clickhouse.query(names).splitlines() == ["0\t0\t0", "77\t3\t1", "78\t2\t1"]
    rows = clickhouse.query("SELECT count(), count(DISTINCT log, position) FROM hopcount.clicks")
    assert rows.split() == [str(n + 4)] * 2


# --- the queries that come with it ---

BOARD = json.loads((ROOT / "deploy/grafana/hopcount-clicks.json").read_text())
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
QUERIES = [(panel["title"], target["rawSql"]) for panel in PANELS for target in panel["targets"]] + [
    ("the variable brand", BOARD["templating"]["list"][1]["query"])]


def old(sql):
    """The schema as a server of 2018 takes it, for the queries' sake."""
    sql = re.sub(r"--.*", "", sql)
    sql = re.sub(r"LowCardinality\(String\)", "String", sql)
    sql = re.sub(r"DateTime(64)?\((3, )?'UTC'\)", "DateTime", sql)
    sql = re.sub(r",\s*INDEX [^\n]*", "", sql)
    sql = re.sub(r"\nTTL [^\n;]*", "", sql)
    return re.sub(r"\nSETTINGS [^\n;]*", "", sql)


def filled_in(sql):
    """As Grafana's plugin sends it, for an hour."""
    sql = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 >= toDateTime(1795345200) AND \1 <= toDateTime(1795352400)", sql)
    sql = re.sub(r"\$__timeInterval\((\w+)\)", r"toStartOfHour(toDateTime(\1))", sql)
    return sql.replace("${brand:singlequote}", "'acme', 'bcme'")


def test_the_board_has_what_grafana_needs():
    schema = (ROOT / "tests/prometheus/dashboard.schema.json").read_text()
    for prometheus, clickhouse in (('"prometheus"', '"grafana-clickhouse-datasource"'), ('"expr", "datasource", "legendFormat"', '"rawSql", "datasource", "queryType"')):
        assert prometheus in schema
        schema = schema.replace(prometheus, clickhouse)
    jsonschema.validate(BOARD, json.loads(schema))
    numbers, taken = [panel["id"] for panel in BOARD["panels"]], {}
    assert len(numbers) == len(set(numbers))
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]


@pytest.mark.parametrize("title, sql", QUERIES, ids=lambda text: text if " " not in text or len(text) < 40 else "")
def test_a_panel_asks_for_what_schema_sql_has(title, sql):
    """Of the brands and the time chosen, but for the audit; each name is a column or one of its own."""
    schema = (ROOT / "deploy/clickhouse/schema.sql").read_text()
    names = set(re.findall(r"^    (\w+) [A-Z]", schema, re.M)) | {"hopcount", "clicks", "clicks_by_hour"}
    assert "$__timeFilter" in sql or title in ("The audit", "Newest record", "the variable brand")
    assert "brand IN (${brand:singlequote})" in sql or title in ("The audit", "the variable brand")
    own = set(re.findall(r"\bAS (\w+)", sql))
    bare = re.sub(r"'[^']*'|\$\w+|\$\{[^}]*\}", "", sql)
    found = {name for name in re.findall(r"\b([a-z_][a-z_0-9]*)\b(?!\s*\()", bare)}
    assert found <= names | own, (title, found - names - own)


def test_board_and_ready_queries_run(clickhouse):
    """Two clicks, a relabelling and a payment, in the schema as far as 18.16 knows it."""
    for statement in old((ROOT / "deploy/clickhouse/schema.sql").read_text()).split(";"):
        if statement.strip():
            clickhouse.query(statement)
    for row in ("0, 'click', 1795348800, 77, 'human', '', 0, ''", "1, 'click', 1795348801, 78, 'human', '', 0, ''",
                "2, 'relabel', 1795348801, 78, 'scanner', 'human', 0, ''", "3, 'invoice.paid', 1795348900, 77, '', '', 1250, 'EUR'"):
        clickhouse.query("INSERT INTO hopcount.clicks (position, type, time, client, label, old_label, amount, currency, log, "
                         f"written_at, brand, object, campaign) VALUES ({row}, 'aaaaaaaaaaaaaaaa', 1795348800, 'acme', 9, 12)")
    answers = {}
    for title, sql in QUERIES:
        answers[title] = clickhouse.query(filled_in(sql)).splitlines()
    assert answers["People"] == ["1"] and answers["Machines"] == ["1"] and answers["Payments"] == ["1"]
    assert answers["From click to payment"][0].split("\t")[:3] == ["12", "EUR", "1"]
    assert [row.split("\t")[1:5] for row in answers["The audit"]] == [["4", "4", "4", "1"]]
    assert answers["the variable brand"] == ["acme"]
    ready = [query for query in re.sub(r"--.*", "", (ROOT / "deploy/clickhouse/queries.sql").read_text()).split(";") if query.strip()]
    assert len(ready) == 5
    for query in ready:
        # Before 20.1 a join said whether it wants one row of the right side or all.
        assert clickhouse.query(re.sub(r"^INNER JOIN", "ALL INNER JOIN", query, flags=re.M).replace(") AS clicked", ")").replace(") AS paid_invoices", ")")).strip(), query
