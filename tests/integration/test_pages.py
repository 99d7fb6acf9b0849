"""Pages in the language of the browser, and a brand's own texts."""
import re

import pytest

from harness.tokens import EPOCH_S
from harness.wait import wait_until

OFFICE = "Mozilla/4.0 (compatible; ms-office; MSOffice 16)"
NOT_FOUND = {
    "en": "This link doesn’t work", "de": "Dieser Link funktioniert nicht", "fr": "Ce lien ne fonctionne pas",
    "es": "Este enlace no funciona", "pt": "Este link não funciona", "it": "Questo link non funziona",
    "nl": "Deze link werkt niet", "pl": "Ten link nie działa",
}
ACCEPTED = [
    (None, "en"), ("", "en"), ("*", "en"), ("sv", "en"), ("de", "de"), ("de-AT,de;q=0.9,en;q=0.8", "de"),
    ("pt-BR,pt;q=0.9,en-US;q=0.8", "pt"), ("pt_BR", "pt"), ("sv,da;q=0.9,nl;q=0.3,en;q=0.2", "nl"),
    ("en;q=0.1,pl;q=0.2", "pl"), ("IT-ch", "it"), ("fr-CA", "fr"), ("es-419,es;q=0.9", "es"),
    ("en;q=0,*", "de"), ("\"><script>,de;q=x", "en"), ("x" * 2000, "en"), ("a," * 1000 + "de", "en"),
]


def page(daemon, path, accept=None, agent=None, **kwargs):
    """The reply and its text; what the head says of the language is what the page says."""
    headers = [("Accept-Language", accept)] if accept is not None else []
    headers += [("User-Agent", agent)] if agent else []
    reply = daemon.get(path, headers=tuple(headers), **kwargs)
    text = reply.body.decode()
    assert f'<html lang="{reply.headers["content-language"]}"' in text
    assert reply.headers["content-length"] == str(len(reply.body))
    return reply, text


@pytest.fixture
def own_texts(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    return folder


@pytest.fixture
def make_with_texts(make_hopcountd, redis, own_texts):
    def make(**brand):
        return make_hopcountd(redis, {"brands": [{
            "name": "acme", "hosts": ["go.acme.example"], "preset": "whmcs", "texts": str(own_texts),
            "billing_url": "https://billing.acme.example"} | brand]})
    return make


def test_the_language_is_the_browsers(hopcountd):
    for accept, language in ACCEPTED:
        reply, text = page(hopcountd, "/nothing", accept)
        assert (accept, reply.status, reply.headers["content-language"]) == (accept, 404, language)
        assert f"<h1>{NOT_FOUND[language]}</h1>" in text
        assert "vary" not in reply.headers and "no-store" in reply.headers["cache-control"]


def test_every_kind_of_page_has_it(hopcountd):
    link, expired = hopcountd.mint("pay"), hopcountd.mint("pay", ttl=1, issued_s=EPOCH_S)
    for path, status, text in ((f"/{link}", 200, "Einen Moment"), (f"/{expired}", 410, "abgelaufen"),
                               ("/nothing", 404, "funktioniert nicht")):
        reply, body = page(hopcountd, path, "de-CH", OFFICE)
        assert reply.status == status and text in body
    reply, body = page(hopcountd, "/nothing", "fr", host="unknown.example")
    assert reply.status == 404 and NOT_FOUND["fr"] in body
    robots = hopcountd.get("/robots.txt", headers=(("Accept-Language", "de"),))
    assert "content-language" not in robots.headers
    head = hopcountd.get("/nothing", method="HEAD", headers=(("Accept-Language", "de"),))
    assert head.headers["content-language"] == "de" and head.body == b""


def test_a_request_that_is_refused_has_the_language_of_none_before(hopcountd):
    with hopcountd.connect() as connection:
        assert connection.request("/nothing", headers=(("Accept-Language", "de"),)).headers["content-language"] == "de"
        connection.send(b"GET / HTTP/1.1\r\nHost: go.acme.example\r\nBad Header\r\n\r\n")
        reply = connection.receive()
        assert (reply.status, reply.headers["content-language"]) == (400, "en")


def test_the_page_of_an_office_program_leads_to_the_target(hopcountd):
    _, text = page(hopcountd, f"/{hopcountd.mint('view', 1234)}", "es", OFFICE)
    target = "https://billing.acme.example/viewinvoice.php?id=1234"
    assert f'content="0;url={target}' in text
    assert re.search(rf'<a class="b" href="{re.escape(target)}[^"]*">Continuar</a>', text)


def test_a_brands_own_texts(make_with_texts, own_texts):
    (own_texts / "de.yaml").write_text("not_found_title: Kaputt & <b>weg</b>\n")
    whole = {key: f"sv {key}" for key in re.findall(r"^(\w+):", open(
        __file__.rsplit("/tests/", 1)[0] + "/service/texts/en.yaml", encoding="utf-8").read(), re.M)}
    (own_texts / "sv.yaml").write_text("".join(f"{key}: {text}\n" for key, text in whole.items()))
    daemon = make_with_texts(language="sv")
    _, text = page(daemon, "/nothing", "de-DE")
    assert "<h1>Kaputt &amp; &lt;b&gt;weg&lt;/b&gt;</h1>" in text and "Zu Ihrem Konto" in text
    for accept in (None, "sv-SE", "da"):
        reply, text = page(daemon, "/nothing", accept)
        assert reply.headers["content-language"] == "sv" and "<h1>sv not_found_title</h1>" in text
    _, text = page(daemon, "/nothing", "fr")
    assert NOT_FOUND["fr"] in text
    reply, _ = page(daemon, "/nothing", "de", host="unknown.example")
    assert NOT_FOUND["de"] in reply.body.decode()  # of no brand


def test_own_texts_are_read_again_at_a_reload(make_with_texts, own_texts):
    (own_texts / "en.yaml").write_text("not_found_title: First\n")
    daemon = make_with_texts()
    assert "<h1>First</h1>" in page(daemon, "/nothing")[1]
    (own_texts / "en.yaml").write_text("not_found_title: Second\n")
    daemon.reload()
    wait_until(lambda: "<h1>Second</h1>" in page(daemon, "/nothing")[1])
    (own_texts / "en.yaml").write_text("no_such_text: Third\n")
    daemon.reload()
    wait_until(lambda: daemon.metrics()["hopcount_config_last_reload_successful"] == 0)
    assert "<h1>Second</h1>" in page(daemon, "/nothing")[1]


BAD = [
    ("en.yaml", "help: a\nnot_found: b\n", {}, "en.yaml:2: not_found: unknown key"),
    ("sv.yaml", "help: a\n", {}, "sv.yaml: bad_request_title is missing"),
    ("README", "x", {}, "holds no file such as de.yaml"),
    ("en.yaml", "help: a\n", {"language": "sv"}, "brands[0].language: there are no texts in 'sv'"),
    ("en.yaml", "help: a\n", {"texts": "/nonexistent"}, "/nonexistent: cannot read"),
]


@pytest.mark.parametrize("name, text, brand, wanted", BAD, ids=[row[3] for row in BAD])
def test_bad_texts_stop_the_start(hopcountd, own_texts, name, text, brand, wanted):
    (own_texts / name).write_text(text)
    first = hopcountd.config["brands"][0] | {"texts": str(own_texts)} | brand
    hopcountd.write_config({"brands": [first]})
    done = hopcountd.check()
    assert done.returncode != 0
    assert wanted in done.stderr and "brands[0]." in done.stderr and "hopcount.yaml:" in done.stderr
