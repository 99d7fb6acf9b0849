"""What mail programs, filters and spam rules make of a link: it still leads to its page, and costs no score."""
import base64
import email.message
import email.parser
import email.policy
import html
import html.parser
import quopri
import re
import shutil
import subprocess
import urllib.parse

import pytest

from harness.build import patience

BASE = "https://go.acme.example"
BILLING = "https://billing.acme.example/viewinvoice.php?id=1234"
SHORTENER = "https://bit.ly/3xYz12A"
TEXT = """Dear Ann Lee,

invoice 1234 over EUR 19.99 is due on 24 December 2026.

Pay the invoice: {url}

Acme Hosting, 1 Example Road, London
"""
HTML = """<html><body><p>Dear Ann Lee,</p>
<p>invoice 1234 over EUR 19.99 is due on 24 December 2026.</p>
<p><a href="{url}">Pay the invoice</a></p>
<p>Acme Hosting, 1 Example Road, London</p></body></html>
"""


def mail(url, **encoding):
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    message["From"] = "Acme Billing <billing@acme.example>"
    message["To"] = "Ann Lee <ann@example.net>"
    message["Subject"] = "Invoice 1234 is due on 24 December"
    message["Date"] = "Fri, 27 Nov 2026 12:00:00 +0000"
    message["Message-ID"] = "<1234.reminder@acme.example>"
    message.set_content(TEXT.format(url=url), **encoding)
    message.add_alternative(HTML.format(url=html.escape(url)), subtype="html", **encoding)
    return message.as_bytes()


# --- spam rules ---

def judged(message, home):
    """(score, the rules that fit): SpamAssassin with the rules it ships, asking nobody."""
    done = subprocess.run(
        ["spamassassin", "--local", "--test-mode", "--nocreate-prefs", "--cf=use_bayes 0",
         "--cf=use_auto_welcomelist 0", "--cf=report_safe 0"],
        input=message, capture_output=True, timeout=patience(120),
        env={"HOME": str(home), "PATH": "/usr/bin:/bin", "LC_ALL": "C"})
    assert done.returncode == 0, done.stderr
    status = re.search(rb"^X-Spam-Status: .*?score=(\S+) .*?tests=(.*?) autolearn", done.stdout, re.S | re.M)
    assert status, done.stdout
    return float(status[1]), set(status[2].decode().replace("\n\t", "").split(","))


@pytest.mark.skipif(not shutil.which("spamassassin"), reason="needs spamassassin")
def test_a_link_adds_nothing_to_a_mails_spam_score(make_hopcountd, tmp_path):
    daemon = make_hopcountd(start=False)
    usual = f"{BASE}/{daemon.mint('pay', 1234, client=77, campaign=12, channel='mail')}"
    longest = f"{BASE}/{daemon.mint('pay', 1234, client=77, arg=48 * 'k')}"
    (_, rules), scores = judged(mail(BILLING), tmp_path), {}
    assert "URIBL_BLOCKED" not in rules, "the network was asked"
    for name, url in (("billing", BILLING), ("usual", usual), ("longest", longest), ("shortener", SHORTENER)):
        scores[name], fit = judged(mail(url), tmp_path)
        print(name, scores[name], *sorted(fit))
        if name != "shortener":
            assert fit == rules
    assert scores["usual"] == scores["longest"] == scores["billing"]
    assert scores["shortener"] >= scores["billing"] + 1


# --- the way of a link through mail programs and filters ---

class Links(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.hrefs = []

    def handle_starttag(self, tag, attrs):
        self.hrefs += [value for name, value in attrs if tag == "a" and name == "href"]


def links_of(document):
    reader = Links()
    reader.feed(document)
    return reader.hrefs


def as_browser(url):
    """The request target of a link as a browser makes it (WHATWG URL): breaks go, blanks are encoded."""
    url = re.sub(r"[\t\r\n]", "", url.strip())
    assert url.lower().startswith(f"{BASE}/"), url
    target = url[len(BASE):]
    return urllib.parse.quote(target.partition("#")[0], safe="/?&=%:;!$'()*+,@~[]|")


def received(url, encoding, part):
    """What a program that knows its business finds in the part of a mail that was sent so encoded."""
    message = email.parser.BytesParser(policy=email.policy.default).parsebytes(mail(url, cte=encoding))
    body = message.get_body([part]).get_content()
    return links_of(body)[0] if part == "html" else re.search(r"Pay the invoice: (\S+)", body)[1]


def quoted_printable_left_as_it_is(url, indent):
    """A program that does not know the encoding: soft line ends stay in the link."""
    raw = quopri.encodestring(f"{indent * 'x'} <a href=\"{url}\">Pay</a>\n".encode()).decode()
    assert "=\n" in raw
    return links_of(raw.replace('=3D"', '="'))[0]


def folded_at_76(url, indent):
    """A program that breaks plain text hard, and a reader that takes the lines for one link."""
    line = f"{indent * 'x'} {url}"
    return "\r\n".join(line[at:at + 76] for at in range(0, len(line), 76))[indent + 1:]


def folded_at_998(url, indent, mark):
    """A server that breaks HTML of one line where RFC 5322 ends it; some put a mark before the break."""
    line = f"<p>{(indent - 12) * 'x'}<a href=\"{url}\">Pay</a></p>"
    return links_of(mark.join(line[at:at + 998] for at in range(0, len(line), 998)))[0]


def quoted_in_a_reply(url, indent):
    line = f"{indent * 'x'} {url}"
    return "\r\n> ".join(line[at:at + 72] for at in range(0, len(line), 72))[indent + 1:]


def safe_links(url, case=str):
    quoted = case(urllib.parse.quote(url, safe=""))
    return (f"https://eur01.safelinks.protection.outlook.com/?url={quoted}&data=05%7C02%7Cann%40example.net"
            "%7C0a1b2c%7C84df9e7f%7C0%7C0%7C638%7CUnknown%7CTWFpbGZsb3d8%7C0%7C%7C%7C&sdata=Zm9v%3D&reserved=0")


def query_value(url, name):
    return urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)[name][0]


def proofpoint_v2(url):
    mapped = "".join(char if char.isalnum() or char == "." else "_" if char == "/" else f"-{ord(char):02X}"
                     for char in url)
    return f"https://urldefense.proofpoint.com/v2/url?u={mapped}&d=DwMFAg&c=euGZstcaTDllvimEN8b7jXrwqOf&r=x&m=y&s=z&e="


def proofpoint_v2_decoded(url):
    return urllib.parse.unquote(query_value(url, "u").translate(str.maketrans("-_", "%/")))


RUNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def proofpoint_v3(url):
    """Bytes that it does not let through are `*`, or `**` and a letter for their number, from A = 2."""
    held, text = [], ""
    for run in re.findall(r"[\w./:?=&-]+|[^\w./:?=&-]+", url, re.A):
        if re.match(r"[\w./:?=&-]", run, re.A):
            text += run
        else:
            held.append(run)
            text += "*" if len(run) == 1 else "**" + RUNS[len(run) - 2]
    kept = base64.urlsafe_b64encode("".join(held).encode()).decode().rstrip("=")
    return f"https://urldefense.com/v3/__{text}__;{kept}!!Ab1CdE!mR4nD0m-S1gnature$"


def proofpoint_v3_decoded(url):
    text, kept = re.match(r"https://urldefense\.com/v3/__(.+)__;([\w-]*)!!", url).groups()
    held = base64.urlsafe_b64decode(kept + "===").decode()

    def put_back(match):
        nonlocal held
        n = 1 if match[0] == "*" else RUNS.index(match[0][2]) + 2
        taken, held = held[:n], held[n:]
        return taken
    return re.sub(r"\*\*[\w-]|\*", put_back, text)


def barracuda(url):
    quoted = re.sub("%..", lambda escape: escape[0].lower(), urllib.parse.quote(url, safe=""))
    return f"https://linkprotect.cudasvc.com/url?a={quoted}&c=E,1,abc,xyz&typo=1"


def google(url):
    return f"https://www.google.com/url?q={urllib.parse.quote(url, safe='')}&source=gmail&ust=1795348800&usg=AOvVaw"


# How many characters stand before the link in its line decides where in the token the line ends.
WAYS = {
    **{f"{part}, {encoding}": lambda url, e=encoding, p=part: received(url, e, p)
       for part in ("plain", "html") for encoding in ("7bit", "quoted-printable", "base64")},
    **{f"quoted-printable left as it is, {n} before": lambda url, n=n: quoted_printable_left_as_it_is(url, n)
       for n in (13, 21, 30, 37)},
    **{f"folded at 76, {n} before": lambda url, n=n: folded_at_76(url, n) for n in (8, 20, 33, 47)},
    **{f"folded at 998 with {mark!r}, {n} before": lambda url, n=n, m=mark: folded_at_998(url, n, m)
       for mark in ("\r\n", "\r\n ", "!\r\n ") for n in (940, 955, 970)},
    **{f"quoted in a reply, {n} before": lambda url, n=n: quoted_in_a_reply(url, n) for n in (5, 30)},
    "lower case": str.lower,
    "upper case": lambda url: BASE + url.removeprefix(BASE).upper(),
    "host and token in upper case": str.upper,
    "Safe Links": lambda url: query_value(safe_links(url), "url"),
    "Safe Links in lower case": lambda url: query_value(safe_links(url, str.lower).lower(), "url"),
    "Safe Links, encoded twice": lambda url: urllib.parse.unquote(query_value(safe_links(
        urllib.parse.quote(url, safe="")), "url")),
    "Proofpoint v2": lambda url: proofpoint_v2_decoded(proofpoint_v2(url)),
    "Proofpoint v2 in lower case": lambda url: proofpoint_v2_decoded(proofpoint_v2(url).lower()),
    "Proofpoint v3": lambda url: proofpoint_v3_decoded(proofpoint_v3(url)),
    "Proofpoint v3 in Safe Links": lambda url: proofpoint_v3_decoded(query_value(safe_links(proofpoint_v3(url)), "url")),
    "Safe Links in Proofpoint v2": lambda url: query_value(proofpoint_v2_decoded(proofpoint_v2(safe_links(url))), "url"),
    "Barracuda": lambda url: query_value(barracuda(url), "a"),
    "Google": lambda url: query_value(google(url), "q"),
    "what a mailer appends": lambda url: url + "?mc_cid=1f2e3d&mc_eid=UNIQID&utm_source=x%20y*z",
    "Proofpoint v3 of what a mailer appends": lambda url: proofpoint_v3_decoded(
        proofpoint_v3(url + "?utm_source=x%20y**z#top")),
    "a full stop behind it": lambda url: url + ".",
    "a bracket and a comma behind it": lambda url: url + "),",
}


@pytest.mark.parametrize("arg", ["", 48 * "k"], ids=["usual", "longest"])
def test_a_link_survives_its_way_through_mail(hopcountd, rng, arg):
    token_of = {}
    for number, way in enumerate(WAYS):
        client = rng.randrange(1 << 32)
        token_of[way] = hopcountd.mint("view", number, client=client, channel="mail", arg=arg)
    for way, change in WAYS.items():
        arrived = change(f"{BASE}/{token_of[way]}")
        reply = hopcountd.get(as_browser(arrived), headers={"User-Agent": "Mozilla/5.0 Firefox/130.0"})
        assert reply.status == 302, f"{way}: {arrived!r} {reply.status}"
        number = list(WAYS).index(way)
        assert reply.location == f"https://billing.acme.example/viewinvoice.php?id={number}", way
    counted = hopcountd.wait_counted(len(WAYS), token_of.values())
    assert counted == dict.fromkeys(token_of.values(), 1)


def test_the_ways_change_what_they_say():
    """A way that changed nothing would prove nothing."""
    url = f"{BASE}/{22 * 'Wx'}w"
    for way, change in WAYS.items():
        same = change(url) == url
        unchanged = way.startswith(("plain", "html", "Proofpoint", "Safe Links", "Barracuda", "Google"))
        assert same == (unchanged and not re.search("appends|lower case", way)), way
    assert proofpoint_v2(url).startswith("https://urldefense.proofpoint.com/v2/url?u=https-3A__go.acme.example_WxWx")
    assert proofpoint_v3(url + "?a=%20*#b") == (
        f"https://urldefense.com/v3/__{url}?a=*20**Ab__;JSojIw!!Ab1CdE!mR4nD0m-S1gnature$".replace(
            "JSojIw", base64.urlsafe_b64encode(b"%*#").decode().rstrip("=")))
