"""Signing in at an OpenID provider: a real one, and one that is as wrong as a test wants."""
import contextlib
import http.cookiejar
import json
import re
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from harness import oidc_double, openapi
from harness.build import ROOT
from harness.daemon import Hopcountd
from harness.oidc_double import EcKey, NoKey, RsaKey, SecretKey
from harness.ports import free_port
from harness.process import Process
from harness.redisd import RedisServer
from harness.wait import wait_until
from test_admin_sessions import ask, cookie_of, sign_in
from test_gateways import make_pods

USERS = [{"user": "ada@acme.example", "role": "name", "brands": ["acme"]}, {"group": "bosses", "role": "admin"}]


@pytest.fixture
def provider():
    with oidc_double.serving() as provider:
        yield provider


def settings(provider, directory, **more):
    secret = directory / "client-secret"
    secret.write_text(f"{provider.secret}\n")
    secret.chmod(0o600)
    return {"admin": {"oidc": {"issuer": provider.issuer, "name": "Acme", "client_id": provider.client_id,
                               "client_secret_file": str(secret), **more}, "users": USERS}}


@pytest.fixture
def daemon(make_hopcountd, redis, provider, tmp_path):
    daemon = make_hopcountd(redis, settings(provider, tmp_path), start=False)
    daemon.admin_key = daemon.add_api_key("admin,stats:read", name="root")
    return daemon.start()


def start(daemon, to="", **fields):
    """(where the browser is sent to, the cookie of the visit)"""
    reply = ask(daemon, target="/v1/session/oidc" + (f"?to={urllib.parse.quote(to, safe='')}" if to else ""), **fields)
    assert reply.status == 302, reply
    return reply.headers["location"], cookie_of(reply) if "set-cookie" in reply.headers else None


def back(daemon, query, cookie, **fields):
    if cookie:
        fields["Cookie"] = cookie
    return ask(daemon, target=f"/v1/session/oidc/callback?{urllib.parse.urlencode(query)}", **fields)


def visit(daemon, provider, to="", other=None):
    """A whole visit; the last reply.  `other`: the pod that it ends at."""
    location, cookie = start(daemon, to)
    query, _ = provider.authorize(location)
    return back(other or daemon, query, cookie)


def cookies_of(reply):
    return [value for name, value in reply.fields if name.lower() == "set-cookie"]


def session_of(reply):
    """The cookie of the session that a reply begins, or None."""
    for line in cookies_of(reply):
        if line.startswith(("hopcount_session=", "__Host-hopcount_session=")):
            return line.partition(";")[0]
    return None


def outcome(reply):
    assert reply.status == 302 and session_of(reply) is None, reply
    return re.fullmatch(r"(?:\.\./){2,3}dashboard/\?sign_in=(\w+)", reply.headers["location"])[1]


def actions(daemon, who):
    reply = daemon.admin("GET", f"/v1/audit?who={who}", key=daemon.admin_key)
    return [entry["action"] for entry in json.loads(reply.text)["entries"]]


def refusals(daemon):
    entries = json.loads(daemon.admin("GET", "/v1/audit?limit=100", key=daemon.admin_key).text)["entries"]
    return [e["what"] for e in entries if e["action"] == "sign_in_refused"]


# --- as it should be ---

@pytest.mark.tsan
def test_who_signs_in_at_the_provider_has_the_role_of_the_table(daemon, provider):
    assert ask(daemon).json == {"signed_in": False, "sign_in_with": "Acme"}
    location, cookie = start(daemon, "campaigns?from=7d&brand=acme", X_Forwarded_Proto="https")
    assert cookie.startswith("__Host-hopcount_oidc=")
    query, asked = provider.authorize(location)
    assert location.startswith(f"{provider.issuer}/auth?x=1&")
    assert asked["redirect_uri"] == "https://x/v1/session/oidc/callback"
    assert (asked["response_type"], asked["scope"], asked["code_challenge_method"], asked["client_id"]) == (
        "code", "openid email profile", "S256", "hopcount")
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
    reply = back(daemon, query, cookie, X_Forwarded_Proto="https", Sec_Fetch_Site="cross-site")
    assert (reply.status, reply.headers["location"]) == (302, "../../../dashboard/campaigns?from=7d&brand=acme")
    lines = cookies_of(reply)
    assert lines[0].startswith("__Host-hopcount_oidc=;") and "Max-Age=0" in lines[0] and "SameSite=Lax" in lines[0]
    assert lines[1].startswith("__Host-hopcount_session=") and "SameSite=Strict" in lines[1] and "HttpOnly" in lines[1]
    session = session_of(reply)
    shown = ask(daemon, Cookie=session).json
    assert (shown["signed_in"], shown["by"], shown["name"], shown["scopes"]) == (
        True, "oidc", "ada@acme.example", "stats:read,links:write")
    assert ask(daemon, target="/v1/stats?brand=acme", Cookie=session).status == 200
    assert ask(daemon, target="/v1/audit", Cookie=session).status == 403
    change = {"method": "PUT", "target": "/v1/campaigns/12?brand=acme", "body": {"name": "Spring"}, "Cookie": session,
              "Content_Type": "application/json"}
    assert ask(daemon, **change).status == 403
    assert ask(daemon, **change, X_CSRF_Token=shown["csrf_token"]).status == 200
    assert ask(daemon, "DELETE", Cookie=session, X_CSRF_Token=shown["csrf_token"]).status == 204
    assert not ask(daemon, Cookie=session).json["signed_in"]
    wait_until(lambda: actions(daemon, "oidc:ada@acme.example") == ["sign_out", "name", "sign_in"], 20,
               lambda: f"the audit log has it: {actions(daemon, 'oidc:ada@acme.example')}")
    openapi.check_reply("GET", "/v1/session", daemon.admin("GET", "/v1/session"))
    log = daemon.stderr()
    assert "s3cret" not in log and query["code"] not in log and "at-1" not in log
    daemon.shut_down()


def test_a_code_is_good_for_one_visit_and_one_browser(daemon, provider):
    location, cookie = start(daemon)
    query, _ = provider.authorize(location)
    _, stranger = start(daemon)
    for name, changed, with_cookie in (("no cookie", {}, None), ("another browser's", {}, stranger),
                                       ("a cookie that was changed", {}, cookie[:-2] + "xx"),
                                       ("no state", {"state": ""}, cookie), ("another state", {"state": "A" * 43}, cookie)):
        assert outcome(back(daemon, {**query, **changed}, with_cookie)) == "lost", name
    assert not [path for path in provider.asked if path == "/token"]
    assert session_of(back(daemon, query, cookie))
    assert outcome(back(daemon, query, cookie)) == "invalid"  # the provider takes no code twice
    # Some codes are long.
    location, cookie = start(daemon)
    query, _ = provider.authorize(location)
    code = "c" * 3000
    provider.codes[code] = provider.codes.pop(query["code"])
    assert session_of(back(daemon, {**query, "code": code}, cookie))
    # What the provider says in place of a code; and an answer of another provider (RFC 9207).
    for error in ({"error": "access_denied"}, {"error": "server_error", "error_description": "<b>x"}):
        location, cookie = start(daemon)
        query, _ = provider.authorize(location)
        assert outcome(back(daemon, {"state": query["state"], **error}, cookie)) == "refused"
    location, cookie = start(daemon)
    query, _ = provider.authorize(location)
    assert outcome(back(daemon, {**query, "iss": "https://evil.example"}, cookie)) == "invalid"
    # A view that leads elsewhere is none.
    for view in ("//evil.example", "https://evil.example", "../x", "a\\b", "x" * 600, "ä"):
        location, cookie = start(daemon, view)
        query, _ = provider.authorize(location)
        assert back(daemon, {**query, "iss": provider.issuer}, cookie).headers["location"] == "../../../dashboard/", view


def test_the_two_ends_of_a_visit_may_be_at_two_pods_and_the_session_at_both(make_hopcountd, redis, provider, tmp_path):
    one, two = make_pods(make_hopcountd, redis, 2, settings(provider, tmp_path))
    session = session_of(visit(one, provider, other=two))
    assert ask(one, Cookie=session).json["signed_in"] and ask(two, Cookie=session).json["signed_in"]
    # What others may do doesn't end it; another role does, where it was read.
    others = [{"user": "zoe@acme.example", "role": "admin"}, *USERS[:1], {"group": "x", "role": "read"}]
    two.write_config({"admin": {"users": others}})
    two.reload()
    wait_until(lambda: two.log_lines("reload.done"), 20, "the table is read")
    assert ask(two, Cookie=session).json["signed_in"]
    two.write_config({"admin": {"users": [others[0], {**USERS[0], "role": "read"}, *others[2:]]}})
    two.reload()
    wait_until(lambda: not ask(two, Cookie=session).json["signed_in"], 20, "the session ends")
    assert ask(one, Cookie=session).json["signed_in"]


def test_a_new_client_secret_counts_without_a_signal(make_hopcountd, redis, provider, tmp_path):
    (tmp_path / "hook").write_text("whsec_" + "A" * 44 + "\n")
    (tmp_path / "hook").chmod(0o600)
    daemon = make_hopcountd(redis, {**settings(provider, tmp_path), "reload": "change", "sinks": [
        {"name": "crm", "type": "webhook", "url": "http://127.0.0.1:9/", "allow_private": True, "secret_file": str(tmp_path / "hook")}]})
    assert session_of(visit(daemon, provider))
    provider.secret = "another secret"
    (tmp_path / "client-secret").write_text("another-secret\n")
    provider.secret = "another-secret"
    wait_until(lambda: session_of(visit(daemon, provider)), 20, "the new secret is read", pause=0.5)
    assert "reload.ignored" not in daemon.stderr()
    # What only a restart reads is named.
    (tmp_path / "hook").write_text("whsec_" + "B" * 44 + "\n")
    wait_until(lambda: "at=reload.ignored files=sinks[0].secret_file remedy=restart" in daemon.stderr(), 20, daemon.stderr_tail)
    daemon.shut_down()


def test_what_the_id_token_does_not_say_is_asked_for(daemon, provider):
    provider.claims = {"email": None, "email_verified": None, "groups": None}
    provider.userinfo = {"sub": "1", "email": "grace@acme.example", "email_verified": "true", "groups": "bosses"}
    session = session_of(visit(daemon, provider))
    assert ask(daemon, target="/v1/audit", Cookie=session).status == 200
    for wrong in ({**provider.userinfo, "sub": "2"}, {"email": "grace@acme.example"}, []):
        provider.userinfo = wrong or ["no object"]
        assert outcome(visit(daemon, provider)) == "invalid", wrong


def test_who_cannot_be_asked_for_gets_no_wider_role_for_that(make_hopcountd, redis, provider, tmp_path):
    """The first entry of the table counts: who isn't known to be among the readers would get the next one."""
    config = settings(provider, tmp_path)
    config["admin"]["users"] = [{"group": "readers", "role": "read"}, {"user": "*@acme.example", "role": "admin"}]
    daemon = make_hopcountd(redis, config, start=False)
    daemon.admin_key = daemon.add_api_key("admin,stats:read", name="root")
    daemon.start()
    provider.claims = {"groups": None}
    provider.userinfo = {"sub": "1", "groups": ["readers"]}
    assert ask(daemon, Cookie=session_of(visit(daemon, provider))).json["scopes"] == "stats:read"
    asked = provider.asked.count("/me")
    for token in (None, "at 1", "at-\u00e4", "at-1\r\nX: y"):
        provider.access_token = token
        assert outcome(visit(daemon, provider)) == "invalid", token
    assert provider.asked.count("/me") == asked
    wait_until(lambda: any("no access token" in what for what in refusals(daemon)), 20, "the audit log says why")


def test_codes_that_are_none_bother_the_provider_only_so_often(make_hopcountd, redis, provider, tmp_path):
    """From one address; others go on, and so does who has signed in already."""
    daemon = make_hopcountd(redis, {**settings(provider, tmp_path), "public": {
        "client_address": "forwarded", "trusted_proxies": ["127.0.0.9/32"]}}, start=False)
    daemon.admin_key = daemon.add_api_key("admin,stats:read", name="root")
    daemon.start()
    session = session_of(visit(daemon, provider))

    def junk(source, code="junk"):
        location, cookie = start(daemon, source=source)
        query, _ = provider.authorize(location)
        return outcome(back(daemon, {**query, "code": code}, cookie, source=source))
    asked = provider.asked.count("/token")
    assert [junk("127.0.0.2") for _ in range(12)] == ["invalid"] * 10 + ["busy"] * 2
    assert provider.asked.count("/token") == asked + 10
    assert junk("127.0.0.3") == "invalid" and session_of(visit(daemon, provider))
    assert ask(daemon, Cookie=session, source="127.0.0.2").json["signed_in"]
    wait_until(lambda: any("too many" in what for what in refusals(daemon)), 20, "the audit log has it")


def test_behind_an_address_of_all_wrong_codes_are_those_of_a_visit(daemon, provider):
    location, cookie = start(daemon)
    query, _ = provider.authorize(location)
    asked = provider.asked.count("/token")
    outcomes = [outcome(back(daemon, {**query, "code": "junk"}, cookie)) for _ in range(12)]
    assert outcomes == ["invalid"] * 10 + ["busy"] * 2 and provider.asked.count("/token") == asked + 10
    assert session_of(visit(daemon, provider))  # from the same address


def test_one_address_does_not_take_the_places_of_all(daemon, provider):
    may_answer = threading.Event()

    def answer_late(handler):
        may_answer.wait(60)
        handler.reply({}, 400)
    outcomes = []

    def come_back(source, query, cookie):
        outcomes.append(outcome(back(daemon, query, cookie, source=source)))
    provider.answers = {TOKEN: answer_late}
    visits = []
    for source in ["127.0.0.2"] * 9 + ["127.0.0.3"]:
        location, cookie = start(daemon, source=source)
        visits.append((source, provider.authorize(location)[0], cookie))
    ninth = visits.pop(8)
    threads = [threading.Thread(target=come_back, args=visit) for visit in visits]
    for thread in threads:
        thread.start()
    wait_until(lambda: provider.asked.count(TOKEN) == 9, 20, "the provider is asked for all but one")
    come_back(*ninth)
    assert outcomes == ["busy"]
    may_answer.set()
    for thread in threads:
        thread.join(60)
    assert outcomes == ["busy"] + ["invalid"] * 9
    provider.answers = {}
    assert session_of(visit(daemon, provider))  # the places are free again


@pytest.mark.parametrize("change,want", [
    ({"email": "eve@evil.example"}, "no_role"), ({"email": "eve@evil.example", "groups": ["Bosses", "boss", 7]}, "no_role"),
    ({"email": None}, "no_role"), ({"email": 7}, "no_role"), ({"email": ""}, "no_role"), ({"email": "a" * 121}, "no_role"),
    ({"email": "adä@acme.example"}, "no_role"), ({"email": "ada @acme.example"}, "no_role"),
    ({"email": "ada@acme.example\u0000"}, "invalid"), ({"email_verified": False}, "no_role"),
    ({"email_verified": None}, "no_role"), ({"email_verified": "yes"}, "no_role")])
def test_nobody_else_is_let_in(shared, change, want):
    daemon, provider = shared
    provider.claims = change
    assert outcome(visit(daemon, provider)) == want


# --- a provider that lies, or somebody in its place ---

@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One daemon and one provider for what changes neither."""
    with oidc_double.serving() as provider, contextlib.ExitStack() as stack:
        folder = tmp_path_factory.mktemp("oidc")
        redis = RedisServer(folder / "redis")
        stack.callback(redis.cleanup)
        redis.start()
        daemon = Hopcountd(folder / "hopcountd", redis, settings(provider, folder))
        stack.callback(daemon.cleanup)
        yield daemon.start(), provider
        daemon.shut_down()


@pytest.fixture(autouse=True)
def reset(request):
    if "shared" in request.fixturenames:
        request.getfixturevalue("shared")[1].reset()


def flipped(token):
    head, _, signature = token.rpartition(".")
    return f"{head}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


def other_claims(token):
    head, _, signature = token.split(".")
    return f"{head}.{oidc_double.b64(b'{}')}.{signature}"


NOW = time.time
WRONG_TOKENS = {
    "a signature that was changed": {"change": flipped},
    "claims that were changed": {"change": other_claims},
    "no signature": {"change": lambda token: token.rpartition(".")[0] + "."},
    "two parts": {"change": lambda token: token.rpartition(".")[0]},
    "no token": {"change": lambda _: "x"},
    "an empty one": {"change": lambda _: ""},
    "one that is too long": {"change": lambda token: token + "A" * 40000},
    "another issuer": {"claims": {"iss": "https://evil.example"}},
    "an issuer with a slash": {"claims": {"iss": lambda p: p.issuer + "/"}},
    "another client": {"claims": {"aud": "other"}},
    "no client": {"claims": {"aud": None}},
    "several clients, and none that it was given to": {"claims": {"aud": ["hopcount", "other"]}},
    "several clients, and another that it was given to": {"claims": {"aud": ["hopcount", "other"], "azp": "other"}},
    "given to another client": {"claims": {"azp": "other"}},
    "another nonce": {"claims": {"nonce": "A" * 43}},
    "no nonce": {"claims": {"nonce": None}},
    "expired": {"claims": {"exp": lambda _: int(NOW()) - 61}},
    "without an end": {"claims": {"exp": None}},
    "an end that is a text": {"claims": {"exp": "9999999999"}},
    "from the future": {"claims": {"iat": lambda _: int(NOW()) + 90}},
    "without its time": {"claims": {"iat": None}},
    "not valid yet": {"claims": {"nbf": lambda _: int(NOW()) + 90}},
    "of nobody": {"claims": {"sub": None}},
    "an extension that must be understood": {"header": {"crit": ["x"], "x": 1}},
    "another algorithm": {"header": {"alg": "PS256"}},
    "a key that isn't there": {"header": {"kid": "other"}},
    "no algorithm": {"key": lambda p: NoKey(p.key.kid)},
    "a public key as a secret": {"key": lambda p: SecretKey(p.key.pem(), p.key.kid)},
    "a published secret": {"key": lambda p: SecretKey(b"x" * 32, "s"),
                           "keys": [{"kty": "oct", "kid": "s", "k": oidc_double.b64(b"x" * 32)}]},
    "another key of the same name": {"key": lambda p: RsaKey(p.key.kid)},
}


@pytest.mark.parametrize("name", WRONG_TOKENS)
def test_a_wrong_token_lets_nobody_in(shared, name):
    daemon, provider = shared
    wrong = WRONG_TOKENS[name]
    right = provider.key
    provider.change = wrong.get("change", provider.change)
    provider.header = wrong.get("header", {})
    provider.claims = {k: v(provider) if callable(v) else v for k, v in wrong.get("claims", {}).items()}
    try:
        if "key" in wrong:
            provider.key = wrong["key"](provider)
        assert outcome(visit(daemon, provider)) == "invalid"
    finally:
        provider.key = right


def test_clocks_may_differ_a_little_and_one_of_several_clients_is_good(shared):
    daemon, provider = shared
    for claims in ({"exp": int(NOW()) - 30}, {"iat": int(NOW()) + 30}, {"aud": ["hopcount"]}, {"exp": NOW() + 9.5},
                   {"aud": ["other", "hopcount"], "azp": "hopcount"}, {"azp": "hopcount"}):
        provider.claims = claims
        assert session_of(visit(daemon, provider)), claims


def test_a_new_key_is_asked_for_once(make_hopcountd, redis, provider, tmp_path):
    daemon = make_hopcountd(redis, settings(provider, tmp_path))
    assert session_of(visit(daemon, provider))
    provider.key = EcKey("new")
    provider.keys = [{"kty": "RSA", "kid": "new"}, {"kty": "EC", "crv": "P-384", "kid": "new"}, 7, provider.key]
    assert session_of(visit(daemon, provider))
    assert provider.asked.count("/jwks") == 2
    # Within the minute they aren't asked for again, however many tokens name keys that aren't there.
    provider.key = RsaKey("newer")
    provider.keys = [provider.key]
    for _ in range(3):
        assert outcome(visit(daemon, provider)) == "invalid"
    assert provider.asked.count("/jwks") == 2
    # Read anew, it is all asked for again.
    daemon.reload()
    wait_until(lambda: session_of(visit(daemon, provider)), 20, "the new key counts")
    assert provider.asked.count("/jwks") == 3
    daemon.shut_down()


# --- a provider that doesn't answer, or not as one ---

def hang(handler):
    time.sleep(30)


def endless(handler):
    handler.reply(b" " * (10 << 20))


METADATA, TOKEN, KEYS = "/.well-known/openid-configuration", "/token", "/jwks"
WRONG_ANSWERS = {
    "no page": (METADATA, lambda h: h.reply({}, 404)), "no JSON": (METADATA, lambda h: h.reply(b"<html>")),
    "a list": (METADATA, lambda h: h.reply([])), "10 MB": (METADATA, endless),
    "another issuer": (METADATA, lambda h: h.reply({"issuer": "https://evil.example"})),
    "a token_endpoint without TLS": (METADATA, lambda h: h.reply({
        "issuer": h.server.issuer, "authorization_endpoint": "https://a/", "token_endpoint": "http://a.example/",
        "jwks_uri": "https://a/"})),
    "no keys": (KEYS, lambda h: h.reply({})), "10 MB of keys": (KEYS, endless),
    "a redirect": (KEYS, lambda h: h.reply({}, 302)),
    "a token_endpoint that fails": (TOKEN, lambda h: h.reply({}, 500)), "10 MB of token": (TOKEN, endless),
    "a token_endpoint that closes": (TOKEN, lambda h: h.connection.shutdown(socket.SHUT_RDWR)),
}


@pytest.mark.parametrize("name", WRONG_ANSWERS)
def test_a_provider_that_answers_wrongly_lets_nobody_in(shared, name):
    daemon, provider = shared
    path, answer = WRONG_ANSWERS[name]
    provider.answers = {path: answer}
    if path == TOKEN:
        assert outcome(visit(daemon, provider)) == "unreachable"
    else:
        daemon.reload()  # what it said before is forgotten, soon
        wait_until(lambda: ask(daemon, target="/v1/session/oidc").location == "../../dashboard/?sign_in=unreachable", 20,
                   "the provider is asked anew")
    provider.reset()
    assert session_of(visit(daemon, provider))  # and the next visit is as ever


def test_a_provider_that_hangs_or_is_gone_holds_up_nobody_else(daemon, provider):
    provider.answers = {METADATA: hang}
    outcomes = []
    threads = [threading.Thread(target=lambda: outcomes.append(outcome(ask(daemon, target="/v1/session/oidc"))))
               for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: provider.asked, 20, "the provider is asked")
    assert sign_in(daemon).status == 200 and not outcomes  # keys still sign in, meanwhile
    for thread in threads:
        thread.join(30)
    assert outcomes == ["unreachable"] * 4 and len(provider.asked) == 1
    provider.shutdown()
    provider.server_close()
    assert outcome(ask(daemon, target="/v1/session/oidc")) == "unreachable"
    assert sign_in(daemon).status == 200
    wait_until(lambda: refusals(daemon), 20, "the audit log has it")
    assert all(what.startswith("OpenID provider: the provider's metadata") for what in refusals(daemon))
    daemon.shut_down()


@pytest.mark.tsan
def test_the_end_waits_for_no_provider(daemon, provider):
    provider.answers = {METADATA: hang}
    thread = threading.Thread(target=lambda: ask(daemon, target="/v1/session/oidc"), daemon=True)
    thread.start()
    wait_until(lambda: provider.asked, 20, "the provider is asked")
    daemon.shut_down()


def test_without_a_provider_there_is_no_such_way(make_hopcountd, redis):
    daemon = make_hopcountd(redis)
    for path in ("/v1/session/oidc", "/v1/session/oidc/callback?code=x&state=y"):
        assert ask(daemon, target=path).status == 404
    assert ask(daemon).json == {"signed_in": False}


def test_wrong_settings_stop_the_start(make_hopcountd, provider, tmp_path):
    daemon = make_hopcountd(config=settings(provider, tmp_path), start=False)
    daemon.add_api_key()
    for change, says in (({"issuer": "http://id.acme.example"}, "is not the URL of a provider"),
                         ({"issuer": "https://id.acme.example?x=1"}, "is not the URL of a provider"),
                         ({"issuer": "ftp://id.acme.example"}, "is not the URL of a provider"),
                         ({"issuer": "http://127.0.0.1.evil.example"}, "is not the URL of a provider"),
                         ({"issuer": None}, "issuer is missing"), ({"client_id": None}, "client_id is missing"),
                         ({"client_secret_file": "nowhere"}, "nowhere")):
        before = dict(daemon.config["admin"]["oidc"])
        daemon.write_config({"admin": {"oidc": change}})
        done = daemon.check()
        assert done.returncode == 1 and says in done.stderr and "hopcount.yaml:" in done.stderr, done.stderr
        daemon.config["admin"]["oidc"] = before
    daemon.write_config()
    assert daemon.check().returncode == 0
    (tmp_path / "client-secret").chmod(0o644)
    assert "client-secret" in daemon.check().stderr


# --- a real provider ---

@pytest.fixture
def real(tmp_path, processes):
    """oidc-provider, with a client for each way that we take."""
    port = free_port()
    process = Process("oidc-provider", tmp_path / "provider")
    process.command = lambda: ["node", ROOT / "tests/oidc/provider.mjs", str(port)]
    processes.append(process)
    process.spawn()
    process.issuer = f"http://127.0.0.1:{port}"
    wait_until(lambda: answers(process.issuer + METADATA), 60, lambda: f"the provider answers\n{process.stderr_tail()}")
    return process


def answers(url):
    try:
        return urllib.request.urlopen(url, timeout=5).status == 200
    except OSError:
        return False


class Browser:
    """Follows redirects by hand, with a cookie jar."""

    class NoRedirect(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    def __init__(self):
        self.opener = urllib.request.build_opener(
            self.NoRedirect, urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def open(self, url, form=None):
        """(status, the address it leads to or None, body)"""
        data = urllib.parse.urlencode(form).encode() if form else None
        try:
            reply = self.opener.open(url, data, timeout=30)
        except urllib.error.HTTPError as error:
            reply = error
        location = reply.headers.get("Location")
        return reply.status, location and urllib.parse.urljoin(url, location), reply.read().decode()

    def sign_in(self, url, login, stop):
        """From the provider's first page, through its forms, until it leads to `stop`."""
        for _ in range(20):
            if url.startswith(stop):
                return url
            status, location, body = self.open(url)
            if location:
                url = location
                continue
            assert status == 200, body
            prompt = re.search(r'name="prompt" value="(\w+)"', body)[1]
            action = urllib.parse.urljoin(url, re.search(r'action="([^"]+)"', body)[1])
            _, url, body = self.open(action, {"prompt": prompt, "login": login, "password": "x"})
            assert url, body
        raise AssertionError("the provider goes round in circles")


@pytest.mark.parametrize("client", ["basic-rs256", "post-es256", "public-es256"])
def test_a_real_provider(make_hopcountd, redis, real, tmp_path, client):
    secret = tmp_path / "secret"
    secret.write_text("a-secret-of-forty-three-characters-or-more-:/+\n")
    secret.chmod(0o600)
    daemon = make_hopcountd(redis, {"admin": {
        "url": "https://hopcount.acme.example", "users": USERS,
        "oidc": {"issuer": real.issuer, "client_id": client, "scopes": "openid email groups",
                 **({} if client.startswith("public") else {"client_secret_file": str(secret)})}}})
    assert ask(daemon).json == {"signed_in": False, "sign_in_with": real.issuer.partition("//")[2]}
    for login, want in (("ada@acme.example", None), ("grace@acme.example", None), ("eve@evil.example", "no_role")):
        location, cookie = start(daemon, "health")
        end = Browser().sign_in(location, login, "https://hopcount.acme.example/v1/session/oidc/callback")
        reply = back(daemon, urllib.parse.parse_qsl(urllib.parse.urlsplit(end).query), cookie)
        if want:
            assert outcome(reply) == want
        else:
            assert reply.headers["location"] == "../../../dashboard/health"
            shown = ask(daemon, Cookie=session_of(reply)).json
            assert (shown["name"], shown["scopes"].split(",")[-1]) == (
                login, "admin" if login.startswith("grace") else "links:write")
    # A code that was used is worth nothing.
    assert outcome(back(daemon, urllib.parse.parse_qsl(urllib.parse.urlsplit(end).query), cookie)) == "invalid"
    daemon.shut_down()


# --- hopcount doctor ---

def doctor(daemon):
    """{what: (grade, text)} of what it says of signing in; the name server is nobody's."""
    done = daemon.cli("doctor", "-c", daemon.config_path, "--resolver", f"127.0.0.1:{free_port()}", "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines, done.stderr
    return {each["what"]: (each["grade"], each["text"]) for each in lines if each["about"] == "sign-in"}


def test_doctor_asks_the_provider(make_hopcountd, redis, provider, tmp_path):
    daemon = make_hopcountd(redis, settings(provider, tmp_path), start=False)
    daemon.add_api_key()
    assert {what: grade for what, (grade, _) in doctor(daemon).items()} == {
        "clock": "good", "provider": "good", "keys": "good", "redirect URI": "note"}
    assert "secret" not in str(provider.asked) and "/token" not in provider.asked
    daemon.write_config({"admin": {"url": "https://hopcount.acme.example/",
                                   "proxy": {"user_header": "X-User"}},
                         "public": {"trusted_proxies": ["10.0.0.0/8", "10.1.2.3"]}})
    provider.keys = [{"kty": "oct", "k": "AA"}]
    found = doctor(daemon)
    assert found["redirect URI"] == (
        "good", "https://hopcount.acme.example/v1/session/oidc/callback is what the provider must know")
    assert found["keys"][0] == "fix" and found["trusted_proxies"][0] == "note" and "10.0.0.0/8" in found["trusted_proxies"][1]
    provider.metadata = {"issuer": "https://evil.example"}
    for local in ("127.0.0.1", "::1"):
        daemon.write_config({"public": {"trusted_proxies": [local]}})
        grade, text = doctor(daemon)["trusted_proxies"]
        assert grade == "note" and "every process" in text, text
    daemon.write_config({"public": {"trusted_proxies": ["10.1.2.3"]}})
    found = doctor(daemon)
    assert found["trusted_proxies"][0] == "good"
    assert found["provider"] == ("fix", f"{provider.issuer}{METADATA}: the provider's issuer differs from "
                                                 "admin.oidc.issuer; copy it exactly, also the slash at its end")
    provider.shutdown()
    provider.server_close()
    assert doctor(daemon)["provider"][0] == "fix"
