"""The shipped proxy configurations, on the real nginx and haproxy: links work and are counted."""
import re
import shutil

import pytest

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


def nginx(directory, daemon):
    port = free_port()
    text = (ROOT / "deploy/proxy/nginx.conf").read_text()
    text = text.replace("127.0.0.1:8080", f"127.0.0.1:{daemon.port}")
    text = text.replace("listen 80;", f"listen 127.0.0.1:{port};").replace("listen [::]:80;", "")
    folders = " ".join(f"{kind}_temp_path {directory}/{kind};"
                       for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    text = (f"daemon off; pid {directory}/nginx.pid; error_log stderr; events {{}}\n"
            f"http {{ {folders}\n{text} }}\n")
    return Proxy(directory, "nginx", port, text,
                 ["nginx", "-c", "{config}", "-p", "{dir}", "-e", "stderr"])


def haproxy(directory, daemon):
    port = free_port()
    text = (ROOT / "deploy/proxy/haproxy.cfg").read_text()
    text = text.replace("127.0.0.1:8080", f"127.0.0.1:{daemon.port}")
    text = text.replace("port 8081", f"port {daemon.admin_port}")
    text = re.sub(r"bind :80\b", f"bind 127.0.0.1:{port}", text)
    return Proxy(directory, "haproxy", port, text, ["haproxy", "-db", "-f", "{config}"])


@pytest.mark.parametrize("make, mode", [(nginx, "forwarded"), (haproxy, "proxy_protocol")],
                         ids=["nginx", "haproxy"])
def test_links_work_and_are_counted_behind_a_proxy(make_hopcountd, redis, processes, tmp_path,
                                                   make, mode):
    if not shutil.which(make.__name__):
        pytest.skip(f"needs {make.__name__}")
    daemon = make_hopcountd(redis, {"public": {
        "client_address": mode, "trusted_proxies": ["127.0.0.1/32"]}})
    (tmp_path / "proxy").mkdir(mode=0o755)
    proxy = make(tmp_path / "proxy", daemon)
    processes.append(proxy)
    proxy.start()
    token = daemon.mint("pay", 99)

    def redirected():
        with Connection("127.0.0.1", proxy.port) as connection:
            return connection.request(f"/{token}")

    # haproxy answers 503 until its first health check went well.
    wait_until(lambda: redirected().status == 302, 20, "the proxy passes a redirect on")
    with Connection("127.0.0.1", proxy.port) as connection:
        for _ in range(10):
            reply = connection.request(f"/{token}")
            assert reply.status == 302
            assert reply.location == "https://billing.acme.example/index.php?rp=/invoice/99/pay"
    assert daemon.wait_counted(11, [token]) == {token: 11}
    daemon.shut_down()
