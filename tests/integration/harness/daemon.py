"""hopcountd with a configuration, keys and a state_dir of its own."""
import copy
import http.client
import json
import os
import re
import secrets
import signal
import subprocess

import yaml

from . import tokens
from .build import HOPCOUNT, HOPCOUNTD, ROOT, patience
from .ports import free_port
from .process import Process
from .rawhttp import Connection
from .wait import wait_until

BRAND = {
    "name": "acme",
    "hosts": ["go.acme.example"],
    "base_url": "https://go.acme.example",
    "preset": "whmcs",
    "billing_url": "https://billing.acme.example",
    "home": "https://www.acme.example/",
}
SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")


def merge(base, changes):
    """A copy of `base` with `changes` laid over it, mapping by mapping; None removes a key."""
    merged = copy.deepcopy(base)
    for key, value in changes.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


class Metrics(dict):
    """Samples by name with labels as written: metrics['x_total{reason="y"}']."""

    def total(self, name):
        """The sum of all samples of a name, whatever their labels."""
        return sum(v for k, v in self.items() if k.partition("{")[0] == name)


def parse_metrics(text):
    metrics = Metrics()
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, labels, value = SAMPLE.match(line).groups()
            metrics[f"{name}{{{labels}}}" if labels else name] = float(value)
    return metrics


class Hopcountd(Process):
    """Writes its configuration, starts, is asked, stopped, killed and started again.

    `config` is laid over a complete configuration of one brand: Hopcountd(dir, redis=server,
    config={"public": {"workers": 4}}).  Without `redis` it starts its private one.
    """

    def __init__(self, directory, redis=None, config=None, name="hopcountd", environment=None,
                 wrapper=()):
        super().__init__(name, directory)
        self.port = free_port()
        self.admin_port = free_port()
        self.state_dir = self.directory / "state"
        self.config_path = self.directory / "hopcount.yaml"
        self.keys_path = self.directory / "keys"
        self.api_keys_path = self.directory / "api-keys"
        self.extra_environment = environment or {}
        self.wrapper = list(wrapper)  # a command that ends by executing its arguments
        self.api_key = None
        self.key = secrets.token_bytes(32)
        self.write_keys([(1, "mint", self.key)])
        base = {
            "public": {"listen": f"127.0.0.1:{self.port}", "workers": 2, "drain_delay_s": 0},
            # Tests poll; the limit of a key's requests has a test of its own.
            "admin": {"listen": f"127.0.0.1:{self.admin_port}", "rate_per_min": 1000000,
                      "api_keys": str(self.api_keys_path)},
            "state_dir": str(self.state_dir),
            "keys": str(self.keys_path),
            "brands": [BRAND],
        }
        if redis is not None:
            base["redis"] = {"url": redis if isinstance(redis, str) else redis.url}
        self.config = merge(base, config or {})
        self.write_config()

    # --- files ---

    def write_config(self, changes=None):
        self.config = merge(self.config, changes or {})
        self.config_path.write_text(yaml.safe_dump(self.config, sort_keys=False))
        self.config_path.chmod(0o600)  # redis.url may hold a password

    def write_keys(self, keys):
        self.keys_path.write_text("".join(f"{kid} {state} {key.hex()}\n" for kid, state, key in keys))
        self.keys_path.chmod(0o600)

    def add_api_key(self, scopes="stats:read,links:write,events:write", name="test", brands=None):
        """Makes a key by the command line; the daemon reads it at its start or reload."""
        done = subprocess.run(
            [HOPCOUNT, "apikey", "--name", name, "--scope", scopes, "--add", self.api_keys_path,
             *(["--brands", brands] if brands else [])],
            capture_output=True, text=True, timeout=patience(20))
        assert done.returncode == 0, done.stderr
        return done.stdout.split()[-1]

    # --- life ---

    def command(self):
        return [*self.wrapper, HOPCOUNTD, "-c", self.config_path]

    def environment(self):
        asan = "detect_leaks=1:abort_on_error=0:exitcode=99"
        return {**os.environ, "ASAN_OPTIONS": asan, "UBSAN_OPTIONS": "print_stacktrace=1",
                "TSAN_OPTIONS": f"exitcode=66:halt_on_error=0:suppressions={ROOT}/tests/tsan.supp", **self.extra_environment}

    def start(self):
        """Starts and waits until it is ready; fails with its log when it ends instead."""
        if self.api_key is None:
            self.api_key = self.add_api_key()
        self.spawn()
        wait_until(lambda: self.is_ready() or not self.is_running(), 20,
                   lambda: f"hopcountd is ready\n{self.stderr_tail()}")
        assert self.is_running(), f"hopcountd ended\n{self.stderr_tail()}"
        return self

    def is_ready(self):
        try:
            return self.admin("GET", "/readyz").status == 200
        except (OSError, http.client.HTTPException):
            return False

    def reload(self):
        self.send(signal.SIGHUP)

    def shut_down(self):
        """SIGTERM; the exit code must be 0 and no sanitizer may have complained."""
        code = self.terminate()
        self.assert_no_sanitizer_report()
        assert code == 0, f"exit code {code}\n{self.stderr_tail()}"

    def check(self):
        """`hopcountd --check`, or a start that is expected to fail: the finished process."""
        return subprocess.run([HOPCOUNTD, "-c", self.config_path, "--check"], text=True,
                              capture_output=True, timeout=patience(20), env=self.environment())

    def start_refused(self):
        """Starts it although it can't run: (exit code, what it wrote to stderr)."""
        done = subprocess.run(self.command(), text=True, capture_output=True,
                              timeout=patience(20), env=self.environment(), pass_fds=self.pass_fds)
        return done.returncode, done.stderr

    # --- the public port ---

    def connect(self, **kwargs):
        return Connection("127.0.0.1", self.port, **kwargs)

    def get(self, path, host="go.acme.example", method="GET", headers=(), body=b""):
        """One request on a connection of its own."""
        with self.connect() as connection:
            return connection.request(path, host, method, headers, body)

    def mint(self, kind="view", object=1234, brand="acme", **fields):
        """A token made in Python; fields as in tokens.plain()."""
        fields.setdefault("ttl", 9)
        return tokens.seal(self.key, brand, kind, object, **fields)

    def click(self, token, **kwargs):
        reply = self.get(f"/{token}", **kwargs)
        assert reply.status == 302, reply
        return reply

    # --- the command line ---

    def cli(self, *arguments, **kwargs):
        """Runs `hopcount ARGUMENTS`; the finished process."""
        kwargs.setdefault("timeout", patience(60))
        return subprocess.run([str(part) for part in (HOPCOUNT, *arguments)], text=True,
                              capture_output=True, env=self.environment(), **kwargs)

    # --- the admin address ---

    def admin(self, method, path, body=None, headers=None, key=None):
        """An http.client reply with `.text`; `key` True = the daemon's own API key."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=patience(10))
        fields = dict(headers or {})
        if key:
            fields["Authorization"] = f"Bearer {self.api_key if key is True else key}"
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            fields.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, body, fields)
            reply = connection.getresponse()
            reply.text = reply.read().decode()
        finally:
            connection.close()
        return reply

    def api(self, method, path, body=None, status=200):
        """Asks the API with the key and returns the JSON; the status must be as said."""
        reply = self.admin(method, path, body, key=True)
        assert reply.status == status, f"{method} {path}: {reply.status} {reply.text}"
        return json.loads(reply.text) if reply.text else None

    def metrics(self):
        reply = self.admin("GET", "/metrics")
        assert reply.status == 200, reply.text
        return parse_metrics(reply.text)

    def clicks(self, token):
        """{total, human, automated} of a link, read from Redis by the API."""
        return self.api("GET", f"/v1/links/{token}")["clicks"]

    def counted(self, links):
        """{token: total} by the API."""
        return {token: self.clicks(token)["total"] for token in links}

    def wait_counted(self, total, links, seconds=20):
        """Waits until the API counts `total` clicks over `links`; returns {token: total}.

        A 503 is waited out: Redis may be down just now.
        """
        last = {}

        def enough():
            for token in links:
                reply = self.admin("GET", f"/v1/links/{token}", key=True)
                if reply.status == 503:
                    return False
                assert reply.status == 200, f"{reply.status} {reply.text}"
                last[token] = json.loads(reply.text)["clicks"]["total"]
            return sum(last.values()) >= total

        wait_until(enough, seconds, lambda: f"{total} clicks, counted {sum(last.values())}",
                   pause=0.05)
        return last
