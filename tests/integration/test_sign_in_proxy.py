"""Signing in at a proxy in front, which says in a field who somebody is."""
import json

import pytest

from harness import openapi
from harness.daemon import BRAND
from harness.rawhttp import Connection
from harness.wait import wait_until
from test_admin_sessions import JSON, cookie_of, sign_in

PROXY = "127.0.0.1"   # trusted
OTHER = "127.0.0.2"   # not
GLOBEX = {**BRAND, "name": "globex", "hosts": ["go.globex.example"], "base_url": "https://go.globex.example"}
USERS = [{"user": "ada@acme.example", "role": "name", "brands": ["acme"]},
         {"group": "bosses", "role": "admin"},
         {"group": "readers", "role": "read"}]
CONFIG = {"public": {"trusted_proxies": ["127.0.0.1/32"]}, "brands": [BRAND, GLOBEX],
          "admin": {"proxy": {"user_header": "X-Auth-Request-Email", "groups_header": "X-Auth-Request-Groups",
                              "sign_out_url": "/oauth2/sign_out"}, "users": USERS}}
ADA = ("X-Auth-Request-Email", "ada@acme.example")


@pytest.fixture
def daemon(make_hopcountd, redis):
    daemon = make_hopcountd(redis, CONFIG, start=False)
    daemon.admin_key = daemon.add_api_key("admin,stats:read", name="root")
    return daemon.start()


def ask(daemon, *fields, method="GET", target="/v1/session", body=None, source=PROXY):
    """One request with fields, which may repeat."""
    text = json.dumps(body).encode() if body is not None else b""
    head = "".join(f"{name}: {value}\r\n" for name, value in fields)
    with Connection("127.0.0.1", daemon.admin_port, source=(source, 0)) as connection:
        connection.send(f"{method} {target} HTTP/1.1\r\nHost: x\r\n{head}Content-Length: {len(text)}\r\n\r\n"
                        .encode("utf-8") + text)
        reply = connection.receive()
    reply.json = json.loads(reply.body) if b"{" in reply.body else None
    return reply


def audit(daemon):
    reply = daemon.admin("GET", "/v1/audit", key=daemon.admin_key)
    return json.loads(reply.text)["entries"]


def test_the_proxy_says_who_it_is_and_the_table_what_they_may(daemon):
    session = ask(daemon, ADA).json
    assert (session["signed_in"], session["by"], session["name"], session["scopes"], session["sign_out_url"]) == (
        True, "proxy", "ada@acme.example", "stats:read,links:write", "/oauth2/sign_out")
    openapi.check_reply("GET", "/v1/session", ask_as_reply(daemon))
    assert [b["name"] for b in ask(daemon, ADA, target="/v1/brands").json["brands"]] == ["acme"]
    for target in ("stats?brand=globex", "annotations?brand=globex", "top/links"):
        refused = ask(daemon, ADA, target=f"/v1/{target}")
        assert refused.status == 403 and "your role" in refused.json["detail"] and "key" not in refused.json["detail"], target
    assert ask(daemon, ADA, target="/v1/audit").status == 403
    # By groups, whatever blanks are between them; and the first entry of the table counts.
    boss = ("X-Auth-Request-Email", "grace@acme.example"), ("X-Auth-Request-Groups", "staff, readers ,bosses")
    assert ask(daemon, *boss, target="/v1/audit").status == 200
    assert ask(daemon, ADA, ("X-Auth-Request-Groups", "bosses"), target="/v1/audit").status == 403
    # What they do is in the audit log by their name: signing in once, however often the page is loaded.
    change = {"method": "PUT", "target": "/v1/campaigns/12?brand=acme", "body": {"name": "Spring"}}
    fields = (ADA, ("Content-Type", "application/json"))
    for token in ((), (("X-CSRF-Token", "0" * 64),), (("X-CSRF-Token", ask(daemon, *boss).json["csrf_token"]),)):
        assert ask(daemon, *fields, *token, **change).status == 403
    csrf = ("X-CSRF-Token", session["csrf_token"])
    assert ask(daemon, *fields, csrf, ("Sec-Fetch-Site", "cross-site"), **change).status == 403
    assert ask(daemon, *fields, csrf, **change).status == 200
    assert ask(daemon, ADA, csrf, method="DELETE").status == 204
    wait_until(lambda: [(e["action"], e["n"]) for e in audit(daemon) if e["who"] == "proxy:ada@acme.example"] == [
        ("sign_out", 1), ("name", 1), ("sign_in", 1)], 20, "the audit log has it")


def ask_as_reply(daemon):
    return daemon.admin("GET", "/v1/session", headers=dict([ADA]))


def test_a_key_comes_before_the_proxy_and_the_proxy_before_a_session(daemon):
    key = ("Authorization", f"Bearer {daemon.admin_key}")
    assert ask(daemon, ADA, key, target="/v1/audit").status == 200
    assert ask(daemon, ADA, ("Authorization", "Bearer hc_no"), target="/v1/brands").status == 401
    # Somebody signed in with a key in this browser, before the proxy named another one.
    signed_in = sign_in(daemon, daemon.admin_key)
    cookie = ("Cookie", cookie_of(signed_in))
    assert ask(daemon, cookie).json["by"] == "key" and ask(daemon, cookie, target="/v1/audit").status == 200
    shown = ask(daemon, ADA, cookie).json
    assert (shown["by"], shown["name"], "expires_at" in shown) == ("proxy", "ada@acme.example", False)
    assert ask(daemon, ADA, cookie, target="/v1/audit").status == 403
    change = {"method": "PUT", "target": "/v1/campaigns/12?brand=acme", "body": {"name": "Spring"}}
    for csrf, status in ((signed_in.json["csrf_token"], 403), (shown["csrf_token"], 200)):
        assert ask(daemon, ADA, cookie, ("X-CSRF-Token", csrf), *JSON.items(), **change).status == status
    # Whom the proxy names without a role, or in a way that can't be believed, is not the other one either.
    for fields, refused in (([("X-Auth-Request-Email", "eve")], "no_role"), ([ADA, ADA], "bad_proxy")):
        assert ask(daemon, *fields, cookie).json["refused"] == refused
        assert ask(daemon, *fields, cookie, target="/v1/brands").status == 401
        # So nobody signs in with a key there.
        tried = ask(daemon, *fields, *JSON.items(), method="POST", body={"key": daemon.admin_key})
        assert tried.status == 403 and "proxy" in tried.json["detail"] and "set-cookie" not in tried.headers, tried
    # Where the proxy names nobody the session is there still.
    assert ask(daemon, cookie).json["by"] == "key"


@pytest.mark.parametrize("is_key_gone", [False, True])
def test_who_comes_by_the_proxy_signs_out_with_a_session_of_another_one_in_the_browser(daemon, is_key_gone):
    signed_in = sign_in(daemon, daemon.admin_key)
    cookie = ("Cookie", cookie_of(signed_in))
    lines = daemon.api_keys_path.read_text()
    if is_key_gone:
        daemon.api_keys_path.write_text("".join(
            line for line in lines.splitlines(keepends=True) if not line.startswith("root ")))
        daemon.reload()
        wait_until(lambda: not ask(daemon, cookie).json["signed_in"], 20, "the key is gone")
    csrf = ask(daemon, ADA, cookie).json["csrf_token"]
    for wrong in (signed_in.json["csrf_token"], "0" * 64):
        assert ask(daemon, ADA, cookie, ("X-CSRF-Token", wrong), method="DELETE").status == 403
    assert ask(daemon, ADA, cookie, ("X-CSRF-Token", csrf), method="DELETE").status == 204
    # That session has ended, too.
    daemon.api_keys_path.write_text(lines)
    daemon.reload()
    wait_until(lambda: sign_in(daemon, daemon.admin_key).status == 200, 20, "the key is back")
    assert not ask(daemon, cookie).json["signed_in"]


def test_nobody_else_is_believed(daemon):
    """Neither from elsewhere, nor with what a client could put beside the proxy's field."""
    email = ADA[0]
    assert ask(daemon, ADA, source=OTHER).json == {"signed_in": False}
    assert ask(daemon, ADA, ("X-Forwarded-For", PROXY), source=OTHER, target="/v1/brands").status == 401
    nobody = {"signed_in": False}
    bad = {"signed_in": False, "refused": "bad_proxy"}
    for name, fields, want in (
            ("another name of the field", [("X_Auth_Request_Email", ADA[1])], nobody),
            ("empty", [(email, "")], nobody),
            ("blank", [(email, "  ")], nobody),
            ("twice", [ADA, ADA], bad),
            ("twice, in other letters", [(email, "root"), (email.upper(), ADA[1])], bad),
            ("empty and full", [(email, ""), ADA], nobody),
            ("full and empty", [ADA, (email, "")], bad),
            ("two in one", [(email, f"{ADA[1]}, root")], bad),
            ("blanks inside", [(email, "ada @acme.example")], bad),
            ("overlong", [(email, "a" * 120 + ADA[1])], bad),
            ("not ASCII", [(email, "adä@acme.example")], bad),
            ("groups twice", [(email, "eve"), ("X-Auth-Request-Groups", "a"), ("X-Auth-Request-Groups", "bosses")], bad),
            ("no role", [(email, "eve@evil.example")],
             {"signed_in": False, "refused": "no_role", "name": "eve@evil.example"}),
            ("no role, by a group almost right", [(email, "eve"), ("X-Auth-Request-Groups", "boss es,Bosses,boss")],
             {"signed_in": False, "refused": "no_role", "name": "eve"})):
        got = ask(daemon, *fields).json
        assert {k: v for k, v in got.items() if k != "detail"} == want, name
        refused = ask(daemon, *fields, target="/v1/brands")
        assert refused.status == 401, name
        if "refused" in want:
            assert ("no role" if want["refused"] == "no_role" else "proxy in front") in refused.json["detail"], name
    wait_until(lambda: {"sign_in_refused"} <= {e["action"] for e in audit(daemon)}, 20, "the audit log has it")
    assert not [e for e in audit(daemon) if e["action"] == "sign_in"]


def test_a_link_to_a_view_ends_with_its_makers_role_and_no_other(daemon):
    def share(*who):
        csrf = ("X-CSRF-Token", ask(daemon, *who).json["csrf_token"])
        made = ask(daemon, *who, csrf, *JSON.items(), method="POST", target="/v1/shares",
                   body={"brand": "acme", "name": "For the agency", "page": "campaigns", "filters": {"from": "30d"}})
        assert made.status == 201, made.body
        return made.json["token"]

    def works(token):
        return daemon.admin("GET", "/v1/shared", key=token).status == 200
    hers, bosses = share(ADA), share(("X-Auth-Request-Email", "grace@acme.example"), ("X-Auth-Request-Groups", "bosses"))
    assert works(hers) and works(bosses)
    daemon.write_config({"admin": {"users": [{"user": "zoe@acme.example", "role": "read"}, *USERS, {"user": "*", "role": "read"}]}})
    daemon.reload()
    wait_until(lambda: daemon.log_lines("reload.done"), 20, "the table is read")
    assert works(hers) and works(bosses)
    # An entry before that of her group names Grace, so that it isn't the bosses' any more.
    daemon.write_config({"admin": {"users": [USERS[0], {"user": "grace@acme.example", "role": "read"}, *USERS[1:]]}})
    daemon.reload()
    wait_until(lambda: not works(bosses), 20, "hers ends")
    assert works(hers)
    daemon.write_config({"admin": {"users": [{**USERS[0], "brands": ["globex"]}, *USERS[1:]]}})
    daemon.reload()
    wait_until(lambda: not works(hers) and works(bosses), 20, "another's ends, and Grace is a boss again")
    daemon.shut_down()


def test_a_changed_table_counts_from_the_reload_on(daemon):
    assert ask(daemon, ADA, target="/v1/brands").status == 200
    csrf = ask(daemon, ADA).json["csrf_token"]
    daemon.write_config({"admin": {"users": [{"user": "ada@acme.example", "role": "read"}]}})
    daemon.reload()
    wait_until(lambda: ask(daemon, ADA).json["scopes"] == "stats:read", 20, "the role changes")
    assert ask(daemon, ADA, ("X-CSRF-Token", csrf), *JSON.items(), method="PUT", target="/v1/campaigns/12?brand=acme",
               body={"name": "x"}).status == 403
    daemon.write_config({"admin": {"users": [{"user": "bob", "role": "read"}]}})
    daemon.reload()
    wait_until(lambda: not ask(daemon, ADA).json["signed_in"], 20, "the role ends")
    assert ask(daemon, ADA, target="/v1/brands").status == 401
    # A table that is wrong changes nothing.
    daemon.write_config({"admin": {"users": [{"user": "ada@acme.example", "role": "king"}]}})
    daemon.reload()
    wait_until(lambda: daemon.log_lines("reload.failed"), 20, "the reload fails")
    assert not ask(daemon, ADA).json["signed_in"]
    daemon.shut_down()


@pytest.mark.parametrize("reloaded, words", [
    ({}, ["public.trusted_proxies", "admin.proxy", "list your proxy's own address"]),
    ({"public": {"trusted_proxies": ["10.1.2.3"]}}, ["admin.proxy.user_header", "public.trusted_proxies", "restart"]),
], ids=["the networks as they are", "narrower ones, which only a restart applies"])
def test_a_reload_lets_no_stranger_name_themselves(make_hopcountd, redis, reloaded, words):
    """Any address is trusted at the start, to tell whose a request is; then a proxy shall name people."""
    daemon = make_hopcountd(redis, {"public": {"trusted_proxies": ["0.0.0.0/0", "::/0"]}, "brands": [BRAND, GLOBEX]})
    daemon.write_config({"admin": CONFIG["admin"], **reloaded})
    daemon.reload()
    wait_until(lambda: daemon.log_lines("reload.failed"), 20, "the reload is refused")
    line = str(daemon.log_lines("reload.failed")[0])
    assert all(word in line for word in (*words, "0.0.0.0/0")), line
    assert not (ask(daemon, ("X-Auth-Request-Email", "grace@acme.example"), ("X-Auth-Request-Groups", "bosses")).json or {}).get("signed_in")
    daemon.shut_down()
