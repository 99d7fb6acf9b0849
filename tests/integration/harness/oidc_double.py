"""A provider of OpenID Connect that can be as wrong as a test wants."""
import base64
import contextlib
import hashlib
import hmac
import json
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, length):
    return b64(value.to_bytes(length, "big"))


class RsaKey:
    alg = "RS256"

    def __init__(self, kid="rsa", bits=2048):
        self.kid, self.private = kid, rsa.generate_private_key(65537, bits)

    def sign(self, data):
        return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())

    def jwk(self):
        numbers = self.private.public_key().public_numbers()
        return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid,
                "n": number(numbers.n, (numbers.n.bit_length() + 7) // 8), "e": number(numbers.e, 3)}

    def pem(self):
        return self.private.public_key().public_bytes(serialization.Encoding.PEM,
                                                      serialization.PublicFormat.SubjectPublicKeyInfo)


class EcKey:
    alg = "ES256"

    def __init__(self, kid="ec"):
        self.kid, self.private = kid, ec.generate_private_key(ec.SECP256R1())

    def sign(self, data):
        r, s = utils.decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def jwk(self):
        numbers = self.private.public_key().public_numbers()
        return {"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid,
                "x": number(numbers.x, 32), "y": number(numbers.y, 32)}


class SecretKey:
    """HS256 with something that everybody has."""
    alg = "HS256"

    def __init__(self, secret, kid):
        self.secret, self.kid = secret, kid

    def sign(self, data):
        return hmac.new(self.secret, data, hashlib.sha256).digest()


class NoKey:
    alg = "none"

    def __init__(self, kid):
        self.kid = kid

    def sign(self, data):
        return b""


def jwt(key, claims, header=None):
    header = {"alg": key.alg, "kid": key.kid, **(header or {})}
    text = ".".join(b64(json.dumps({k: v for k, v in part.items() if v is not None}).encode())
                    for part in (header, claims))
    return f"{text}.{b64(key.sign(text.encode()))}"


class OidcDouble(ThreadingHTTPServer):
    """Knobs: `key`, `keys` (published), `claims` (laid over the right ones, None removes), `header` (of the ID
    token), `change` (a function of the ID token's text), `access_token` (None: none), `metadata`, `userinfo`,
    `answers` {path: function of the handler}.  What came stands in `asked`."""
    daemon_threads = True

    def __init__(self, client_id="hopcount", secret="s3cret/+ä"):
        super().__init__(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server_port}"
        self.client_id, self.secret = client_id, secret
        self.key = RsaKey()
        self.codes = {}
        self.reset()

    def reset(self):
        self.keys = [self.key]
        self.claims, self.header, self.metadata, self.answers, self.userinfo = {}, {}, {}, {}, None
        self.change = lambda token: token
        self.access_token = "at-1"
        self.asked = []

    def authorize(self, location):
        """What a person's browser does at the provider: the query of the way back."""
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(location).query))
        code = f"code-{len(self.codes)}"
        self.codes[code] = query
        return {"code": code, "state": query["state"]}, query

    def id_token(self, nonce):
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": self.client_id, "sub": "1", "iat": now, "exp": now + 300, "nonce": nonce,
                  "email": "ada@acme.example", "email_verified": True, "groups": ["marketing"], **self.claims}
        return self.change(jwt(self.key, claims, self.header))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, body, status=200):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(data)

    def do_GET(self):
        provider, path = self.server, self.path
        provider.asked.append(path)
        if path in provider.answers:
            provider.answers[path](self)
        elif path == "/.well-known/openid-configuration":
            self.reply({"issuer": provider.issuer, "authorization_endpoint": f"{provider.issuer}/auth?x=1",
                        "token_endpoint": f"{provider.issuer}/token", "jwks_uri": f"{provider.issuer}/jwks",
                        **({"userinfo_endpoint": f"{provider.issuer}/me"} if provider.userinfo else {}),
                        **provider.metadata})
        elif path == "/jwks":
            self.reply({"keys": [key.jwk() if hasattr(key, "jwk") else key for key in provider.keys]})
        elif path == "/me" and self.headers["Authorization"] == "Bearer at-1":
            self.reply(provider.userinfo)
        else:
            self.reply({}, 404)

    def do_POST(self):
        provider = self.server
        form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        provider.asked.append(self.path)
        if self.path in provider.answers:
            provider.answers[self.path](self)
            return
        asked = provider.codes.pop(form.get("code"), None)  # good for once
        challenge = b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        pair = urllib.parse.quote(provider.client_id, safe=""), urllib.parse.quote(provider.secret, safe="")
        basic = "Basic " + base64.b64encode(":".join(pair).encode()).decode()
        if self.headers["Authorization"] != basic and form.get("client_secret") != provider.secret:
            self.reply({"error": "invalid_client"}, 401)
        elif not asked or asked["code_challenge"] != challenge or asked["redirect_uri"] != form["redirect_uri"]:
            self.reply({"error": "invalid_grant"}, 400)
        else:
            self.reply({"id_token": provider.id_token(asked["nonce"]), "token_type": "Bearer",
                        **({"access_token": provider.access_token} if provider.access_token else {})})


@contextlib.contextmanager
def serving(**options):
    provider = OidcDouble(**options)
    thread = threading.Thread(target=provider.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        provider.shutdown()
        provider.server_close()
