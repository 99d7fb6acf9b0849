"""Reports by mail and to chats, against a mail server and a webhook of the tests' own, and a truth worked out here."""
import datetime
import json
import re
import signal
import ssl
import threading
import time
import zoneinfo

import pytest

from harness import counters, openapi
from harness.counters import UTC, Click
from harness.endpoint import Answer, Endpoint
from harness.smtp_double import SmtpDouble
from harness.tls import make_certificate
from harness.wait import wait_until

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
DAY = datetime.timedelta(days=1)
BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
KEY = "hc:{s00}:reports"
BOSS = "boss@example.com"


def last_monday():
    """The week before this one begins with it, in Berlin."""
    today = datetime.datetime.now(BERLIN).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - (today.weekday() + 7) * DAY


@pytest.fixture
def smtp():
    double = SmtpDouble()
    yield double
    double.close()


@pytest.fixture
def chat():
    double = Endpoint()
    yield double
    double.close()


def config_of(smtp, **report):
    return {"smtp": {"url": smtp.url, "from": "Zahlen & Büro <reports@example.com>", "tls": "none", "timeout_ms": 2000},
            "admin": {"url": "https://hopcount.example/"},
            "reports": [{"name": "weekly", "brand": "acme", "tz": "Europe/Berlin", "at_hour": 1, "to": [BOSS], **report}]}


def record(**fields):
    """A record as if the report of a week long ago had been sent."""
    return json.dumps({"state": "sent", "period": "2026-01-05", "why": "", "tries": 1, "at": 0, "next": 0, **fields})


def make_due(redis, receiver=BOSS, name="weekly", **fields):
    redis.client().hset(KEY, f"{name} week {receiver}", record(**fields))


def reports(daemon, key=True):
    health = daemon.admin("GET", "/v1/health", key=key)
    openapi.check_reply("GET", "/v1/health", health)
    return {each["to"]: each for each in json.loads(health.text)["reports"]}


@pytest.fixture
def make_sender(make_hopcountd, redis):
    """Makes a process, not started, whose own key may do all."""
    def make(config, **options):
        daemon = make_hopcountd(redis, config, start=False, **options)
        daemon.api_key = daemon.add_api_key("stats:read,links:write,events:write,admin")
        return daemon
    return make


def wait_for(daemon, state, receiver=BOSS):
    wait_until(lambda: reports(daemon)[receiver]["state"] == state, 40, lambda: f"{reports(daemon)} {daemon.stderr_tail()}")
    return reports(daemon)[receiver]


def fill(client, monday):
    """Clicks at both ends of the week and outside, of which the week and the one before hold so many."""
    def clicks(when, n, campaign=12, label=0):
        return [Click("acme", when, 2, campaign, label, "DE") for _ in range(n)]
    hour = datetime.timedelta(hours=1)
    counters.seed(client, [
        *clicks(monday, 1200), *clicks(monday + 7 * DAY - hour, 34), *clicks(monday + 3 * DAY, 60, 7),
        *clicks(monday + 2 * DAY, 5, label=1),                           # 1,294 people, 5 machines
        *clicks(monday + 7 * DAY, 900), *clicks(monday - hour, 400),     # the week after, the one before …
        *clicks(monday - 7 * DAY, 70, 3), *clicks(monday - 7 * DAY - hour, 800)])  # … 470 people; and one before that
    client.hset(f"hc:{{s00}}:names:{counters.brand_number('acme')}", "12", "First <b>reminder</b> & more")


def text_of(mail):
    return mail.message.get_body(("plain",)).get_content().replace("\r\n", "\n")


def figures_of(text):
    return {found[1]: int(re.sub("[,.]", "", found[2]))
            for found in re.finditer(r"^  (\S.*?)  +([\d.,]+)  ", text.partition("\nCampaigns ")[0], re.M)}


def test_a_mail_holds_the_figures_of_the_week_as_the_api_and_the_truth_have_them(make_sender, redis, smtp, chat, tmp_path):
    monday = last_monday()
    fill(redis.client(), monday)
    for name in ("slack", "teams"):
        (tmp_path / name).write_text(chat.url.replace("/hook", f"/{name}") + "\n")
        (tmp_path / name).chmod(0o600)
    config = config_of(smtp, to=[BOSS, "team@example.com"], webhook="slack", webhook_file=str(tmp_path / "slack"),
                       allow_private=True)
    config["reports"].append({"name": "german", "brand": "acme", "tz": "Europe/Berlin", "at_hour": 1, "language": "de",
                              "webhook": "teams", "webhook_file": str(tmp_path / "teams"), "allow_private": True})
    daemon = make_sender(config)
    make_due(redis)
    make_due(redis, "chat")
    make_due(redis, "chat", "german")
    reader = daemon.add_api_key("stats:read", name="reader")
    daemon.start()
    # Of 40 mails of that week, three invoices were clicked, and one paid.
    sent = int((monday + 2 * DAY).timestamp())
    daemon.api("POST", "/v1/events", {"id": "run", "type": "mail.sent", "brand": "acme", "campaign": 12, "n": 40,
                                      "at": (monday + 2 * DAY).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}, status=202)
    for invoice in (1, 2, 3):
        daemon.click(daemon.mint("pay", invoice, client=invoice, campaign=12, issued_s=sent, channel=1), headers=BROWSER)
    daemon.api("POST", "/v1/events", {"id": "paid", "type": "invoice.paid", "brand": "acme", "object": 2,
                                      "amount": 1999, "currency": "EUR"}, status=202)
    first, last = f"{monday:%Y-%m-%d}", f"{monday + 6 * DAY:%Y-%m-%d}"
    query = f"brand=acme&from={first}&to={last}&tz=Europe/Berlin"

    def funnel():
        return daemon.api("GET", f"/v1/funnel?{query}")["total"]
    wait_until(lambda: (funnel()["clicked"], funnel()["paid"]) == (3, 1), 60, lambda: str(funnel()))
    # The schedule may have been quicker than the funnel; so the figures are asked for once more.
    wait_for(daemon, "sent")
    wait_for(daemon, "sent", "slack")
    wait_for(daemon, "sent", "teams")
    assert reports(daemon)["team@example.com"]["state"] == "new"  # it begins with the next week
    assert set(reports(daemon, reader)) == {"…@example.com", "slack", "teams"}
    assert daemon.log_lines("report.sent") and "@example.com" not in daemon.stderr()
    make_due(redis)
    wait_until(lambda: len(smtp.mails) == 2, 40)
    mail = smtp.mails[-1]
    assert (mail.sender, mail.receiver) == ("reports@example.com", BOSS)
    message = mail.message
    assert message["From"].addresses[0].display_name == "Zahlen & Büro"
    assert message["To"] == f"{BOSS}, team@example.com" and message["Message-ID"] == f"<hopcount.weekly.week.{first}@example.com>"
    assert abs(message["Date"].datetime.timestamp() - time.time()) < 600
    assert message["Subject"] == text_of(mail).splitlines()[0]
    assert all(len(line) <= 998 and line.isascii() for line in mail.data.decode("latin-1").splitlines())
    text, page = text_of(mail), message.get_body(("html",)).get_content()
    assert figures_of(text) == {"Clicks by people": 1294, "Clicks by machines": 5, "Clients who clicked": 0,
                                "Mails sent": 40, "Invoices clicked": 3, "Invoices paid": 1,
                                "Paid after a click, EUR": 1999}
    assert "People clicked 1,294 times, 175% more than in the week before." in text
    assert "  Campaign 3: people have stopped clicking: 0 clicks, 70 in the week before." in text
    assert re.search(r"First <b>reminder</b> & more \(12\) +7\.5% +40 +3 +1 +1,234$", text, re.M)
    assert "First &lt;b&gt;reminder&lt;/b&gt; &amp; more (12)" in page and "<b>" not in page
    assert f"https://hopcount.example/dashboard/?brand=acme&from={first}&to={last}" in text
    stats = daemon.api("GET", f"/v1/stats?{query}&clients=true")
    assert (stats["total"]["human"], stats["total"]["automated"]) == (1294, 5)
    assert funnel()["amount"] == {"EUR": 1999} and funnel()["sent"] == 40
    by_hand = daemon.cli("report", "--url", f"http://127.0.0.1:{daemon.admin_port}", "--key", daemon.api_key, "--brand", "acme",
                         "--tz", "Europe/Berlin")
    assert by_hand.stdout == re.sub("\nOpen on the dashboard: .*\n", "", text)
    bodies = {request.path: json.loads(request.body) for request in chat.requests}
    assert set(bodies) == {"/slack", "/teams"}
    assert bodies["/slack"]["text"] == message["Subject"]
    assert {block["text"]["type"] for block in bodies["/slack"]["blocks"][:-1]} == {"plain_text"}
    card = bodies["/teams"]["attachments"][0]
    assert card["contentType"] == "application/vnd.microsoft.card.adaptive" and card["content"]["type"] == "AdaptiveCard"
    assert "Personen haben 1.294-mal geklickt, 175\u00a0% mehr als in der Woche davor." in json.dumps(card, ensure_ascii=False)
    metrics = daemon.metrics()
    assert metrics['hopcount_report_sent_total{report="weekly"}'] == 3
    assert metrics['hopcount_report_overdue_seconds{report="weekly"}'] == 0
    daemon.shut_down()


def test_one_of_two_pods_sends_and_a_dead_pod_is_followed_with_the_same_id(make_sender, redis, smtp):
    silence = threading.Event()
    smtp.answers["."] = silence
    make_due(redis)
    pods = [make_sender(config_of(smtp), name=f"pod{n}") for n in range(2)]
    for pod in pods:
        pod.start()
    wait_until(lambda: smtp.mails, 40)  # one of them waits for the answer to the mail
    time.sleep(0.5)  # for another mail, which must not come
    assert smtp.n_tries == 1
    # Neither pod knows whether it arrived, once the one that sent it has gone.
    for pod in pods:
        pod.kill()
    silence.set()
    smtp.answers.clear()
    left = json.loads(redis.client().hget(KEY, f"weekly week {BOSS}"))
    assert left["state"] in ("sending", "later") and left["next"] > time.time() * 1000
    redis.client().hset(KEY, f"weekly week {BOSS}", json.dumps({**left, "next": 0}))
    for pod in pods:
        pod.start()
    wait_for(pods[0], "sent")
    wait_for(pods[1], "sent")
    assert len(smtp.mails) == 2 and len({mail.message["Message-ID"] for mail in smtp.mails}) == 1
    for pod in pods:
        pod.shut_down()


@pytest.mark.parametrize("receiver", [BOSS, "chat"])
@pytest.mark.parametrize("drain_s", [4, 0])
def test_a_process_that_drains_waits_for_the_answer_to_what_it_has_sent(make_sender, redis, smtp, chat, tmp_path, receiver, drain_s):
    """Else it would not know that the receiver has the report, and it would go out again. But its end waits for nobody."""
    taken = threading.Event()
    smtp.answers["."] = lambda: (taken.wait(60), "250 taken")[1]
    chat.answer = lambda request: Answer(wait=taken)
    (tmp_path / "slack").write_text(chat.url + "\n")
    (tmp_path / "slack").chmod(0o600)
    config = config_of(smtp, webhook="slack", webhook_file=str(tmp_path / "slack"), allow_private=True)
    config["smtp"]["timeout_ms"] = 60000
    daemon = make_sender({**config, "public": {"drain_delay_s": drain_s}})
    make_due(redis, receiver)
    daemon.start()
    wait_until(lambda: smtp.mails or chat.requests, 40)
    daemon.send(signal.SIGTERM)
    if drain_s:
        time.sleep(1.5)  # in which it must not give up
        taken.set()
    else:
        threading.Timer(9, taken.set).start()  # within the ten seconds that a draining process would wait
    assert daemon.wait() == 0
    assert json.loads(redis.client().hget(KEY, f"weekly week {receiver}"))["state"] == ("sent" if drain_s else "later")
    assert len(smtp.mails) + len(chat.requests) == 1


def test_what_a_mail_server_refuses_is_tried_again_or_not(make_sender, redis, smtp):
    """451: later.  No answer: later.  550: never, and it stays overdue."""
    make_due(redis)
    smtp.answers["RCPT"] = "451 try later"
    daemon = make_sender(config_of(smtp)).start()
    client = redis.client()
    found = wait_for(daemon, "later")
    assert found["error"] == "the mail server answers: 451 try later" and found["tries"] == 1 and not smtp.mails
    assert daemon.metrics()['hopcount_report_overdue_seconds{report="weekly"}'] > 3600
    assert daemon.metrics()['hopcount_report_failures_total{report="weekly"}'] == 1

    def try_again():
        now = json.loads(client.hget(KEY, f"weekly week {BOSS}"))
        assert now["next"] > time.time() * 1000 + 50000  # it waits for longer and longer
        client.hset(KEY, f"weekly week {BOSS}", json.dumps({**now, "next": 0}))
        return now["tries"]
    assert try_again() == 1
    del smtp.answers["RCPT"]
    silence = smtp.answers["."] = threading.Event()  # it doesn't answer a QUIT either
    wait_until(lambda: reports(daemon)[BOSS]["tries"] == 2 and reports(daemon)[BOSS]["state"] == "later", 20)
    assert "imed out" in reports(daemon)[BOSS]["error"] or "imeout" in reports(daemon)[BOSS]["error"]
    silence.set()
    try_again()
    smtp.answers["RCPT"] = f"550 no such\x07 user <{BOSS}>: refused"
    found = wait_for(daemon, "refused")
    assert found["error"] == "the mail server answers: 550 no such? user <(address)>: refused" and found["tries"] == 3
    assert found["overdue_s"] > 3600 and len(smtp.mails) == 1
    daemon.shut_down()
    assert daemon.log_lines("report.failed") and BOSS not in daemon.stderr()


@pytest.mark.parametrize("name, taken", [("127.0.0.1", True), ("192.0.2.1", False)])
def test_no_password_goes_to_a_server_with_a_foreign_name(make_hopcountd, redis, tmp_path, name, taken):
    """By hand, over STARTTLS: `hopcount report --to`."""
    cert, key = make_certificate(tmp_path, name, 30)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    smtp = SmtpDouble(context)
    (tmp_path / "password").write_text("correct-horse\n")
    (tmp_path / "password").chmod(0o600)
    daemon = make_hopcountd(redis, {"smtp": {"url": smtp.url, "from": "reports@example.com", "username": "us",
                                             "password_file": str(tmp_path / "password"), "tls_ca": str(cert)}})
    done = daemon.cli("report", "-c", daemon.config_path, "--key", daemon.api_key, "--brand", "acme", "--period", "last-month",
                      "--to", f"{BOSS}, other@example.com")
    assert done.returncode == (0 if taken else 1), done.stderr
    if taken:
        assert done.stdout == f"sent to {BOSS}\nsent to other@example.com\n"
        assert [(mail.receiver, mail.user, mail.is_secret) for mail in smtp.mails] == [
            (BOSS, ["us", "correct-horse"], True), ("other@example.com", ["us", "correct-horse"], True)]
    else:
        assert "certificate" in done.stderr and not smtp.mails
    # Without STARTTLS nothing goes out at all.
    smtp.context = None
    n = len(smtp.mails)
    done = daemon.cli("report", "-c", daemon.config_path, "--key", daemon.api_key, "--brand", "acme", "--to", BOSS)
    assert done.returncode == 1 and len(smtp.mails) == n
    smtp.close()


@pytest.mark.parametrize("changes, says", [
    ({"reports": [{"name": "a", "brand": "nobody", "to": BOSS}]}, "reports[0].brand: there is no such brand"),
    ({"reports": [{"name": "a", "brand": "acme"}]}, "reports[0].to: nobody gets the report"),
    ({"reports": [{"name": "a", "brand": "acme", "to": "a@b, c"}]}, "is no mail address"),
    ({"reports": [{"name": "a", "brand": "acme", "to": BOSS}], "smtp": {"url": None, "from": None}}, "name it in smtp.url"),
    ({"reports": [{"name": "a", "brand": "acme", "to": BOSS, "tz": "Mars"}]}, "'Mars' is no time zone"),
    ({"reports": [{"name": "a", "brand": "acme", "webhook": "slack"}]}, "reports[0].to: nobody gets the report"),
    ({"reports": [{"name": "a", "brand": "acme", "to": BOSS}, {"name": "a", "brand": "acme", "to": BOSS}]}, "reports[1].name: is there twice"),
    ({"smtp": {"username": "us"}}, "go together: smtp.username and smtp.password_file"),
    ({"smtp": {"username": "us", "password_file": "p", "tls": "none"}}, "no password is sent without TLS"),
    ({"smtp": {"url": "https://mail.example"}}, "is no mail server"),
    ({"smtp": {"from": "Reports <a@b"}}, "is no sender"),
])
def test_a_configuration_that_makes_no_sense_is_refused(make_hopcountd, changes, says):
    daemon = make_hopcountd(config={"smtp": {"url": "smtp://mail.example", "from": "a@b"}}, start=False)
    daemon.write_config(changes)
    done = daemon.check()
    assert done.returncode == 1 and says in done.stderr, done.stderr


def test_by_hand_a_period_is_a_week_or_month_that_is_over(hopcountd):
    def run(*arguments):
        return hopcountd.cli("report", "--url", f"http://127.0.0.1:{hopcountd.admin_port}", "--key", hopcountd.api_key,
                             "--brand", "acme", "--tz", "UTC", *arguments)
    week = json.loads(run("--period", "2026-W01", "--print", "json").stdout)
    assert (week["from"], week["to"], week["before"]["from"]) == ("2025-12-29", "2026-01-04", "2025-12-22")
    month = json.loads(run("--period", "2026-03", "--print", "json").stdout)
    assert (month["from"], month["to"], month["before"]) == ("2026-03-01", "2026-03-31",
                                                            {"from": "2026-02-01", "to": "2026-02-28"})
    assert "März 2026" in run("--period", "2026-03", "--language", "de").stdout
    for period, says in (("2098-01", "is not over yet"), ("2026-W54", "is last-week, last-month"), ("2025-W53", "no week 53"),
                         ("yesterday", "is last-week, last-month")):
        done = run("--period", period)
        assert done.returncode == 2 and says in done.stderr, done.stderr
    assert run("--print", "pdf").returncode == 2
    assert "--to needs a mail server" in run("--to", BOSS).stderr
