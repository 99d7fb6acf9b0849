"""`hopcount event` and `hopcount revoke`: what became of invoices and links, said on a command line."""
import csv
import io
import json

import pytest

from harness.wait import wait_until
from test_events import BRANDS

PAY = "https://billing.acme.example/index.php?rp=/invoice/{}/pay"
VIEW = "https://billing.acme.example/viewinvoice.php?id={}"
ALL = "stats:read,links:write,events:write"


@pytest.fixture
def told(hopcountd, tmp_path):
    """Runs a command that asks hopcountd."""
    return teller(hopcountd, hopcountd.api_key, tmp_path / "key")


def teller(daemon, key, key_file):
    key_file.write_text(key + "\n")

    def tell(command, *arguments, status=0, stdin=""):
        done = daemon.cli(command, *arguments, "--url", f"http://127.0.0.1:{daemon.admin_port}", "--key-file", key_file,
                          input=stdin, errors="surrogateescape")
        assert done.returncode == status, (done.stdout, done.stderr)
        return done

    return tell


def leads(daemon, token):
    reply = daemon.get(f"/{token}")
    return reply.status, reply.location


# --- one event ---

def test_an_event_leads_links_elsewhere(hopcountd, told):
    token = hopcountd.mint("pay", 5)
    outcome, number = told("event", "invoice.paid", "--object", 5, "--amount", 1999, "--currency", "eur").stdout.split()
    assert outcome == "accepted" and number.startswith("cli-")
    wait_until(lambda: leads(hopcountd, token) == (302, VIEW.format(5)))
    told("event", "invoice.replaced", "--object", 5, "--by", 6, "--brand", "acme")
    wait_until(lambda: leads(hopcountd, token) == (302, PAY.format(6)))


def test_an_event_told_twice_under_its_id_counts_once(hopcountd, told):
    words = ("event", "invoice.paid", "--object", 5, "--id", "pay-1")
    assert told(*words).stdout == "accepted pay-1\n"
    wait_until(lambda: hopcountd.metrics()["hopcount_state_entries"] == 1)
    assert told(*words).stdout == "duplicate pay-1\n"


@pytest.mark.parametrize("arguments, says", [
    (["invoice.paid"], "object is missing"),
    (["invoice.stolen", "--object", "5"], "is none of invoice.paid"),
    (["invoice.paid", "--object", "-5"], "is not a whole number"),
    (["invoice.paid", "--object", "5", "--brand", "initech"], "is no brand"),
    (["invoice.paid", "--object", "5", "--amount", "1"], "go together"),
    (["invoice.paid", "--object", "5", "--at", "2099-01-01T00:00:00Z"], "lies in the future"),
    (["invoice.replaced", "--object", "5"], "by is missing"),
    (["client.opted_out", "--object", "5"], "object says nothing of"),
])
def test_a_bad_event_is_refused_with_its_field(hopcountd, told, arguments, says):
    done = told("event", *arguments, status=1)
    assert says in done.stderr and done.stderr.count("\n") == 1 and done.stdout == ""
    assert hopcountd.metrics()["hopcount_events_accepted_total"] == 0


# --- a table of events ---

def rows(done):
    return [tuple(row) for row in csv.reader(io.StringIO(done.stdout, newline=""))]


def test_a_table_tells_an_event_a_row(hopcountd, told):
    done = told("event", "--batch", stdin=(
        "id;type;object;by\n"
        "a;invoice.paid;1;\nb;invoice.replaced;2;3\n\nc;invoice.paid;x;\n;invoice.paid;4;\na;invoice.paid;1;\n"), status=1)
    assert rows(done) == [
        ("line", "id", "outcome", "why"), ("2", "a", "accepted", ""), ("3", "b", "accepted", ""),
        ("5", "c", "refused", 'object "x" is not a whole number from 1 to 4294967295.'),
        ("6", "", "refused", "id is missing."), ("7", "a", "duplicate", "")]
    assert [line.split(": ")[1] for line in done.stderr.splitlines() if "line" in line] == ["line 5", "line 6"]
    assert done.stderr.splitlines()[-1] == "hopcount: 2 rows were refused, 2 events accepted, 1 had been before"
    wait_until(lambda: hopcountd.metrics()["hopcount_state_entries"] == 3)


def test_options_stand_in_for_columns(told):
    done = told("event", "--batch", "invoice.paid", "--currency", "EUR",
                stdin="ID,Object,Amount,type\n1,1,5,\n2,2,6,invoice.refunded\n")
    assert [row[2] for row in rows(done)[1:]] == ["accepted", "accepted"]


def test_a_long_table_goes_in_several_requests(hopcountd, told):
    table = "id,type,object\n" + "".join(f"n{n},invoice.paid,{n}\n" for n in range(1, 2502))
    done = told("event", "--batch", stdin=table)
    assert rows(done)[1:] == [(str(n + 1), f"n{n}", "accepted", "") for n in range(1, 2502)]
    assert done.stderr == ""
    again = told("event", "--batch", stdin=table)
    wait_until(lambda: hopcountd.metrics()["hopcount_state_entries"] == 2501)
    assert len(rows(again)) == 2502


@pytest.mark.parametrize("table, says", [
    ("", "the table is empty"),
    ("type,object\ninvoice.paid,1\n", "no column 'id'; add it\n"),
    ("id,object\n1,1\n", "no column 'type'; add it, or give --type"),
    ("id,type,objekt\n1,invoice.paid,1\n", 'no field "objekt"; the fields are: id type brand'),
    ("id,type,object,object\n1,invoice.paid,1,1\n", "two columns 'object'"),
    ('id,type,object\n1,"invoice.paid,1\n', "line 2: a quote"),
    ("id,type,object\n1,invoice.paid\n2,invo", "line 3: is cut off"),
    ("id,type,object\n\udcff,invoice.paid,1\n", "line 2: id: is not UTF-8"),
])
def test_a_bad_table_is_refused_with_its_line(told, table, says):
    done = told("event", "--batch", stdin=table, status=1)
    assert says in done.stderr, done.stderr


def test_a_table_whose_service_is_away_says_what_was_not_sent(hopcountd, told):
    hopcountd.terminate()
    done = told("event", "--batch", stdin="id,type,object\n1,invoice.paid,1\n2,invoice.paid,2\n", status=1)
    assert "is hopcountd running" in done.stderr and "lines 2 to 3" in done.stderr


def test_a_key_without_the_scope_is_told_so(make_hopcountd, redis, tmp_path):
    daemon = make_hopcountd(redis, start=False)
    reads = teller(daemon, daemon.add_api_key("stats:read", name="reader"), tmp_path / "key")
    daemon.start()
    assert "make one with --scope events:write" in reads("event", "invoice.paid", "--object", 5, status=1).stderr
    assert "make one with --scope links:write" in reads("revoke", "object", 5, status=1).stderr
    assert "make one with --scope links:write" in reads("revoke", "--list", status=1).stderr


# --- revocations ---

def test_links_are_revoked_listed_and_valid_again(hopcountd, told):
    token, other = hopcountd.mint("view", 5), hopcountd.mint("view", 6)
    assert told("revoke", "--list").stdout == "nothing is revoked\n"
    assert told("revoke", "object", 5).stdout.startswith("object 5 of acme: revoked, links issued before 20")
    wait_until(lambda: leads(hopcountd, token)[0] == 404)
    assert leads(hopcountd, other) == (302, VIEW.format(6))
    head, row = told("revoke", "--list").stdout.splitlines()
    assert row.split()[:3] == ["object", "acme", "5"] and row.split()[-1] == "test"
    (listed,) = json.loads(told("revoke", "--list", "--json").stdout)["revocations"]
    assert (listed["scope"], listed["brand"], listed["id"], listed["by"]) == ("object", "acme", "5", "test")
    assert told("revoke", "--undo", "object", 5).stdout == "object 5: not revoked any more\n"
    wait_until(lambda: leads(hopcountd, token) == (302, VIEW.format(5)))
    assert told("revoke", "--list").stdout == "nothing is revoked\n"


@pytest.mark.parametrize("written", [
    "{token}", "https://go.acme.example/{token}", "https://go.acme.example/{token}?utm_source=x", "{id}",
    "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fgo.acme.example%2F{token}&data=x"])
def test_a_link_is_revoked_however_it_is_written(hopcountd, told, written):
    token = hopcountd.mint("view", 5)
    link = written.format(token=token, id=hopcountd.api("GET", f"/v1/links/{token}")["id"])
    told("revoke", "link", link, "--brand", "acme")
    wait_until(lambda: leads(hopcountd, token)[0] == 404)
    told("revoke", "--undo", "link", link)
    wait_until(lambda: leads(hopcountd, token)[0] == 302)


def test_links_issued_later_stay_valid(hopcountd, told):
    old, new = hopcountd.mint("view", 5, client=7, issued_s=1790000000, ttl=0), hopcountd.mint("view", 5, client=7)
    told("revoke", "client", 7, "--issued-before", "2026-10-01T00:00:00Z")
    wait_until(lambda: leads(hopcountd, old)[0] == 404)
    assert leads(hopcountd, new)[0] == 302


@pytest.mark.parametrize("arguments, says, status", [
    (["world", "5"], "'world' is no SCOPE", 2),
    (["object"], "SCOPE and ID are needed", 2),
    (["object", "5", "6"], "one word too many", 2),
    (["object", "../5/6?x"], "is no ID", 2),
    (["--list", "--undo"], "not both", 2),
    (["--list", "object", "5"], "--list prints all", 2),
    (["--undo", "object", "5", "--issued-before", "2026-10-01T00:00:00Z"], "is for revoking", 2),
    (["object", "5", "--json"], "--json is for --list", 2),
    (["object", "0"], "id must be a whole number", 1),
    (["--undo", "object", "0"], "id must be a whole number", 1),
    (["object", "5", "--brand", "initech"], "brand must be a brand", 1),
    (["object", "5", "--issued-before", "soon"], "issued_before must be a time", 1),
    (["link", "0" * 45], "id must be a link's id", 1),
])
def test_a_bad_revocation_changes_nothing(hopcountd, told, arguments, says, status):
    done = told("revoke", *arguments, status=status)
    assert says in done.stderr and done.stdout == ""
    assert hopcountd.metrics()["hopcount_events_accepted_total"] == 0


def test_of_several_brands_one_must_be_named(make_hopcountd, redis, tmp_path):
    daemon = make_hopcountd(redis, {"brands": BRANDS}, start=False)
    everyone, acme = (daemon.add_api_key(ALL, name=name, brands=brands) for name, brands in (("a", None), ("b", "acme")))
    daemon.start()
    all_brands, one = (teller(daemon, key, tmp_path / name) for name, key in (("all", everyone), ("one", acme)))
    for words in (["object", 5], ["--undo", "object", 5]):
        assert "brand is missing" in all_brands("revoke", *words, status=1).stderr
        assert "is not one of this API key" in one("revoke", *words, "--brand", "globex", status=1).stderr
        one("revoke", *words)
        all_brands("revoke", *words, "--brand", "globex")
