"""The shipped proxy configurations, on the real nginx and haproxy: links work and are counted."""
import re
import shutil

import pytest

import read_log

from harness.build import ROOT
from harness.ports import free_port
from harness.process import Process
from harness.rawhttp import Connection
from harness.wait import wait_until


class Proxy(Process):
    def __init__(self, directory, name, port, text, command):
        super().__init__(name, directory)
        self.port = port
        self.config_path = self.directory / f"{name}.conf"
        self.config_path.write_text(text)
        self.arguments = [part.format(config=self.config_path, dir=self.directory)
                          for part in command]

    def command(self):
        return self.arguments

    def start(self):
        self.spawn()
        wait_until(self.accepts, 10, lambda: f"{self.name} accepts\n{self.stderr_tail()}")
        return self

    def accepts(self):
        try:
            Connection("127.0.0.1", self.port).close()
        except OSError:
            return False
        return True


def nginx(directory, daemon, text=None):
    port = free_port()
    text = text or (ROOT / "deploy/proxy/nginx.conf").read_text()
    text = text.replace("127.0.0.1:8080", f"127.0.0.1:{daemon.port}")
    text = text.replace("listen 80;", f"listen 127.0.0.1:{port};").replace("listen [::]:80;", "")
    folders = " ".join(f"{kind}_temp_path {directory}/{kind};"
                       for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    text = (f"daemon off; pid {directory}/nginx.pid; error_log stderr; events {{}}\n"
            f"http {{ {folders}\n{text} }}\n")
    return Proxy(directory, "nginx", port, text,
                 ["nginx", "-c", "{config}", "-p", "{dir}", "-e", "stderr"])


def haproxy(directory, daemon, text=None):
    port = free_port()
    text = text or (ROOT / "deploy/proxy/haproxy.cfg").read_text()
    text = text.replace("127.0.0.1:8080", f"127.0.0.1:{daemon.port}")
    text = text.replace("port 8081", f"port {daemon.admin_port}")
    text = re.sub(r"bind :80\b", f"bind 127.0.0.1:{port}", text)
    return Proxy(directory, "haproxy", port, text, ["haproxy", "-db", "-f", "{config}"])


@pytest.fixture
def start_behind(make_hopcountd, redis, processes, tmp_path):
    """Makes a daemon behind a proxy: start_behind(nginx, mode, text of its configuration)."""
    def start(make, mode, text=None):
        if not shutil.which(make.__name__):
            pytest.skip(f"needs {make.__name__}")
        daemon = make_hopcountd(redis, {"public": {
            "client_address": mode, "trusted_proxies": ["127.0.0.1/32"]}})
        (tmp_path / "proxy").mkdir(mode=0o755)
        proxy = make(tmp_path / "proxy", daemon, text)
        processes.append(proxy)
        proxy.start()
        # haproxy answers 503 until its first health check went well.
        wait_until(lambda: get(proxy, "/robots.txt").status == 200, 20, "the proxy passes a request on")
        return daemon, proxy
    return start


def get(proxy, path, **options):
    """The visitor's address is none that is trusted, nor in the network of one."""
    with Connection("127.0.0.1", proxy.port, source=("127.0.1.2", 0)) as connection:
        return connection.request(path, **options)


@pytest.mark.parametrize("make, mode", [(nginx, "forwarded"), (haproxy, "proxy_protocol")],
                         ids=["nginx", "haproxy"])
def test_links_work_and_are_counted_behind_a_proxy(start_behind, make, mode):
    daemon, proxy = start_behind(make, mode)
    token = daemon.mint("pay", 99)
    with Connection("127.0.0.1", proxy.port) as connection:
        for _ in range(10):
            reply = connection.request(f"/{token}")
            assert reply.status == 302
            assert reply.location == "https://billing.acme.example/index.php?rp=/invoice/99/pay"
    assert daemon.wait_counted(10, [token]) == {token: 10}
    daemon.shut_down()


FORGED = {
    "Forwarded": "for=198.51.100.7;host=evil.example, for=127.0.0.1",
    "X-Forwarded-For": "198.51.100.8, 127.0.0.1",
    "X-Forwarded-Host": "evil.example",
}


@pytest.mark.parametrize("make, mode", [(nginx, "forwarded"), (haproxy, "proxy_protocol")],
                         ids=["nginx", "haproxy"])
def test_what_the_visitor_wrote_himself_is_not_believed(start_behind, make, mode):
    daemon, proxy = start_behind(make, mode)
    token = daemon.mint("pay", 99, client=7)
    for fields in [{}, FORGED] + [{name: value} for name, value in FORGED.items()]:
        assert get(proxy, f"/{token}", headers=fields).status == 302
    networks = [click["network"] for log in read_log.read_logs(daemon.state_dir) for click in log.clicks()]
    assert len(networks) == 5 and len(set(networks)) == 1 and networks[0]
    daemon.shut_down()


NGINX = """
server {{
    listen 80;
    server_name go.acme.example;
    location / {{
        proxy_pass http://127.0.0.1:8080;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        {}
    }}
}}
"""


@pytest.mark.parametrize("line", ["proxy_set_header X-Forwarded-Host $host;",
                                  "proxy_set_header X-Forwarded-Host $host:$server_port;",
                                  'proxy_set_header Forwarded "for=$remote_addr;host=$host;proto=https";'])
def test_nginx_may_put_a_name_of_its_own_into_host(start_behind, line):
    """As proxy_pass does unless it is told otherwise."""
    daemon, proxy = start_behind(nginx, "forwarded", NGINX.format(line))
    assert get(proxy, f"/{daemon.mint('view', 7)}").location.endswith("id=7")
    assert get(proxy, "/robots.txt", host="evil.example").status == 404
    daemon.shut_down()


HAPROXY = """
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s

frontend links
    bind :80
    default_backend hopcount

backend hopcount
    {}
    server pod1 127.0.0.1:8080 check inter 100ms
"""


@pytest.mark.parametrize("check", ["option httpchk", "option httpchk OPTIONS /",
                                   "option httpchk GET /robots.txt HTTP/1.1\\r\\nHost:\\ go.acme.example"])
def test_haproxys_checks_of_the_public_port_are_answered(start_behind, check):
    daemon, proxy = start_behind(haproxy, "direct", HAPROXY.format(check))
    assert get(proxy, f"/{daemon.mint('view', 7)}").location.endswith("id=7")
    assert "DOWN" not in proxy.stderr_tail()
    daemon.shut_down()
