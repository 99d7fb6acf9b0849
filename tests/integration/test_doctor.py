"""`hopcount doctor`: what is good around hopcountd, and what to do."""
import json
import os
import ssl

import pytest

from harness.dns_double import DnsDouble
from harness.endpoint import Answer, Endpoint
from harness.tls import make_certificate

HOST, DOMAIN = "go.acme.example", "news.acme.example"
HTTP = ("acme", "HTTP")
GOOD = {
    (HOST, "A"): ["127.0.0.1"],
    (DOMAIN, "TXT"): ["some-site-verification=1", "v=spf1 include:mail.acme.example -all"],
    ("_dmarc.acme.example", "TXT"): ["v=DMARC1; p=quarantine; rua=mailto:d@acme.example"],
}


@pytest.fixture
def dns():
    double = DnsDouble(dict(GOOD))
    yield double
    double.close()


def config_of(port, scheme="http"):
    return {"brands": [{"name": "acme", "hosts": [HOST], "base_url": f"{scheme}://{HOST}:{port}", "preset": "whmcs",
                        "billing_url": "https://billing.acme.example", "mail_domain": DOMAIN}],
            "ledger": {"disk_max_bytes": 16 << 20, "retain_max_bytes": 1 << 20}}


def found_by(daemon, dns, *arguments, status):
    """{(about, what): (grade, text)} of what doctor says."""
    done = daemon.cli("doctor", "-c", daemon.config_path, "--resolver", dns.address, "--json", *arguments)
    assert done.returncode == status, (done.stdout, done.stderr)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {(each["about"], each["what"]): (each["grade"], each["text"]) for each in lines}


def test_of_an_installation_that_is_well_nothing_is_to_fix(make_hopcountd, make_redis, dns):
    redis = make_redis(appendonly="yes")
    daemon = make_hopcountd(redis, start=False)
    daemon.write_config(config_of(daemon.port))
    daemon.start()
    found = found_by(daemon, dns, status=0)
    grades = {key: grade for key, (grade, _) in found.items()}
    assert {key for key, grade in grades.items() if grade == "note"} == {("acme", "TLS"), ("redis", "replicas")}
    assert {key for key, grade in grades.items() if grade == "good"} >= {
        ("files", "keys"), ("files", "admin.api_keys"), ("files", "disk"), ("redis", "version"),
        ("redis", "maxmemory-policy"), ("redis", "appendonly"), ("redis", "clock"), ("acme", "DNS"),
        ("acme", "one hop"), ("acme", "headers"), (HOST, "clock"), ("acme", "SPF"), ("acme", "DMARC"),
        ("acme", "alignment")}
    assert found["acme", "DNS"][1] == f"{HOST}: 127.0.0.1"
    assert "billing.acme.example" in found["acme", "one hop"][1]
    assert daemon.metrics()["hopcount_clicks_accepted_total"] == 0
    text = daemon.cli("doctor", "-c", daemon.config_path, "--resolver", dns.address).stdout
    assert "nothing to fix, 2 to note" in text and text.startswith("good  files")


def test_what_is_wrong_with_redis_and_mail_is_named_with_its_remedy(make_hopcountd, make_redis, dns):
    redis = make_redis(appendonly="no", maxmemory_policy="allkeys-lru")
    daemon = make_hopcountd(redis, start=False)
    daemon.write_config(config_of(daemon.port))
    daemon.start()
    dns.records[DOMAIN, "TXT"] = ["v=spf1 +all"]
    del dns.records["_dmarc.acme.example", "TXT"]
    found = found_by(daemon, dns, status=1)
    for key, says in {("redis", "maxmemory-policy"): "set noeviction", ("redis", "appendonly"): "set appendonly yes",
                      ("acme", "SPF"): "lets anyone send", ("acme", "DMARC"): f"_dmarc.{DOMAIN}",
                      ("acme", "alignment"): f"is no name of {DOMAIN}"}.items():
        assert found[key][0] == "fix" and says in found[key][1], found[key]
    dns.records.update({(DOMAIN, "TXT"): ["v=spf1 -all", "v=spf1 mx -all"],
                        ("_dmarc.acme.example", "TXT"): ["v=DMARC1; p=none"]})
    found = found_by(daemon, dns, status=1)
    assert "2 records" in found["acme", "SPF"][1]
    assert found["acme", "DMARC"][0] == "note" and found["acme", "alignment"][0] == "good"
    del dns.records[HOST, "A"]
    daemon.api_keys_path.write_text("# none\n")
    found = found_by(daemon, dns, status=1)
    assert "publish an A or AAAA record" in found["acme", "DNS"][1]
    assert found["files", "admin"][0] == "note" and f"--add {daemon.api_keys_path}" in found["files", "admin"][1]
    brand = {**config_of(daemon.port)["brands"][0], "hosts": ["localhost"], "base_url": f"http://localhost:{daemon.port}"}
    daemon.write_config({"brands": [brand]})
    assert found_by(daemon, dns, status=1)["acme", "DNS"][0] == "note"
    redis.kill()
    assert found_by(daemon, dns, status=1)["redis", "answer"][0] == "fix"


@pytest.mark.parametrize("spf, grade, says", [
    ("v=spf1 mx -all", "good", "mx -all"), ("V=SPF1 MX -ALL", "good", "-ALL"), ("v=spf1 redirect=acme.example", "good", "redirect"),
    ("v=spf1 mx +all", "fix", "anyone"), ("v=spf1 mx all", "fix", "anyone"),
    ("v=spf1 include:all.acme.example mx", "note", "nothing of others"),
    ("v=spf1 include:not-all.acme.example ?all", "note", "nothing of others")])
def test_an_spf_record_is_read_term_by_term(make_hopcountd, redis, dns, spf, grade, says):
    daemon = make_hopcountd(redis, start=False)
    daemon.write_config(config_of(daemon.port))
    dns.records[DOMAIN, "TXT"] = [spf]
    found = found_by(daemon, dns, status=1)["acme", "SPF"]
    assert found[0] == grade and says in found[1], found


@pytest.mark.parametrize("dmarc, grade, says", [
    ("v=DMARC1; p=reject", "good", "p=reject"), ("v=DMARC1;p = none ", "note", "(p=none)"),
    ("v=DMARC1; p=reject; np=none", "good", "p=reject"), ("v=DMARC1; p=reject; sp=none", "note", "(sp=none)"),
    ("v=DMARC1; p=none; sp=reject", "good", "sp=reject")])
def test_the_dmarc_policy_of_a_domain_below_is_the_one_for_those_below(make_hopcountd, redis, dns, dmarc, grade, says):
    daemon = make_hopcountd(redis, start=False)
    daemon.write_config(config_of(daemon.port))
    dns.records["_dmarc.acme.example", "TXT"] = [dmarc]
    found = found_by(daemon, dns, status=1)["acme", "DMARC"]
    assert found[0] == grade and says in found[1], found
    dns.records[f"_dmarc.{DOMAIN}", "TXT"] = ["v=DMARC1; p=reject; sp=none"]
    assert found_by(daemon, dns, status=1)["acme", "DMARC"][0] == "good"


def test_a_geo_file_that_cannot_be_read_is_to_fix(make_hopcountd, redis, dns, tmp_path):
    """hopcountd starts without it, so `--check` lets it pass."""
    (tmp_path / "asn.mmdb").write_text("<html>Not found</html>")
    daemon = make_hopcountd(redis, {"geo": {"country": str(tmp_path / "contry.mmdb"), "asn": str(tmp_path / "asn.mmdb")}},
                            start=False)
    daemon.write_config(config_of(daemon.port))
    found = found_by(daemon, dns, status=1)
    assert found["files", "geo.country"][0] == "fix" and "No such file" in found["files", "geo.country"][1]
    assert found["files", "geo.asn"][0] == "fix" and "asn.mmdb" in found["files", "geo.asn"][1]


def test_what_a_proxy_in_front_does_wrong(make_hopcountd, redis, dns, tmp_path):
    daemon = make_hopcountd(redis, start=False)
    cert, key = make_certificate(tmp_path, HOST, 5)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    good = {"Location": "https://elsewhere.example/", "Cache-Control": "private, no-store",
            "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow"}
    proxy = Endpoint(lambda request: Answer(302, good), context=context)
    daemon.write_config(config_of(proxy.port, "https"))

    def look():
        return found_by(daemon, dns, "--ca", cert, status=1)

    found = look()
    assert found["acme", "TLS"][0] == "fix" and "renew it" in found["acme", "TLS"][1]
    assert found["acme", "one hop"][0] == "note" and found["acme", "headers"][0] == "good"
    proxy.answer = lambda request: Answer(301, {**good, "Cache-Control": "max-age=3600", "Set-Cookie": "a=b"})
    found = look()
    assert "keep for ever" in found["acme", "link"][1]
    assert found["acme", "headers"][0] in ("fix", "note")
    proxy.answer = lambda request: Answer(404)
    assert "with this key file" in look()["acme", "link"][1]
    proxy.answer = lambda request: Answer(200, {"Date": "Mon, 01 Jan 2024 00:00:00 GMT"})
    found = look()
    assert "does it lead to hopcountd?" in found["acme", "link"][1]
    assert found[HOST, "clock"][0] == "fix" and "NTP" in found[HOST, "clock"][1]
    assert "certificate" in found_by(daemon, dns, status=1)["acme", "TLS"][1]  # nobody vouches for it
    proxy.close()
    assert found_by(daemon, dns, "--ca", cert, status=1)["acme", "TLS"][0] == "fix"


def test_an_address_typed_without_https(make_hopcountd, redis, dns, tmp_path):
    """The ports that browsers ask, on an address of the test's own."""
    address = f"127.{os.getpid() >> 16 & 127 | 64}.{os.getpid() >> 8 & 255}.{os.getpid() % 254 + 1}"
    cert, key = make_certificate(tmp_path, HOST, 90)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    try:
        secure = Endpoint(lambda request: Answer(404), 443, context, host=address)
        plain = Endpoint(None, 80, host=address)
    except PermissionError:
        pytest.skip("ports below 1024 need root")
    dns.records[HOST, "A"] = [address]
    daemon = make_hopcountd(redis, config_of(443, "https"), start=False)
    daemon.write_config({"brands": [{**daemon.config["brands"][0], "base_url": f"https://{HOST}"}]})

    def look():
        return found_by(daemon, dns, "--ca", cert, status=1)[HTTP]

    for answer, grade, says in [
            (Answer(301, {"Location": f"https://{HOST}/"}), "good", "leads to https"),
            (Answer(200), "fix", "answers 200 without TLS; let the proxy in front redirect to https://"),
            (Answer(302, {"Location": f"http://{HOST}/home"}), "fix", "answers 302 without TLS"),
            (Answer(301, {"Location": "https://elsewhere.example/"}), "fix", "answers 301 without TLS"),
            (Answer(301, {"Location": f"https://{HOST}.evil.example/"}), "fix", "answers 301 without TLS"),
            (Answer(lost=True), "note", "typed without https:// lead nowhere")]:
        plain.answer = lambda request, answer=answer: answer
        found = look()
        assert found[0] == grade and says in found[1], (answer.status, found)
    plain.close()
    assert look()[0] == "note"
    secure.close()


@pytest.mark.parametrize("arguments, says", [
    (["--resolver", "here"], "--resolver: 'here' is no address"),
    (["--resolver", "127.0.0.1:0"], "is no address"),
    (["more"], "'more' is one word too many"),
])
def test_doctor_refuses(make_hopcountd, arguments, says):
    daemon = make_hopcountd(config=config_of(8080), start=False)
    daemon.add_api_key()
    done = daemon.cli("doctor", "-c", daemon.config_path, *arguments)
    assert done.returncode != 0 and says in done.stderr
