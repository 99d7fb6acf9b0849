"""The shipped proxy configurations, on the real nginx, haproxy and Caddy: links work and are counted.

Envoy and Traefik are in no registry at hand: of theirs it is looked whether the fields are there and hang together.
"""
import copy
import json
import re
import shutil
import subprocess

import pytest
import yaml

import read_log

from harness.build import ROOT, patience
from harness.ports import free_port
from harness.process import Process
from harness.rawhttp import Connection
from harness.wait import wait_until
from test_kubernetes import MODULES, complaints, needs_types


class Proxy(Process):
    """A proxy on `port`, and with TLS on `tls_port`; its log is on stderr, or in `log_path`."""

    def __init__(self, directory, name, text, command, ports, environment=None):
        super().__init__(name, directory)
        self.port, self.tls_port = ports
        self.config_path = self.directory / f"{name}.conf"
        self.config_path.write_text(text)
        self.arguments = [part.format(config=self.config_path, dir=self.directory)
                          for part in command]
        self.extra_environment = environment or {}
        self.log_path = self.stderr_path
        self.preface = ""  # what a balancer in front of it says before each connection's first byte

    def command(self):
        return self.arguments

    def environment(self):
        return {**super().environment(), **self.extra_environment}

    def start(self):
        self.spawn()
        wait_until(self.accepts, 20, lambda: f"{self.name} accepts\n{self.stderr_tail()}")
        return self

    def accepts(self):
        assert self.is_running(), self.stderr_tail()
        try:
            Connection("127.0.0.1", self.port).close()
        except OSError:
            return False
        return True


def certificate(directory):
    """(certificate, key) of go.acme.example, signed by itself."""
    pem, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=go.acme.example", "-addext", "subjectAltName=DNS:go.acme.example",
                    "-keyout", key, "-out", pem], check=True, capture_output=True, timeout=patience(60))
    return pem, key


def shipped(name, daemon, text, pod_line=None):
    """A file of deploy/proxy on the daemon's ports; `pod_line` finds the line that each pod has one of."""
    text = text or (ROOT / "deploy/proxy" / name).read_text()
    if pod_line and daemon.peer:
        line = re.search(pod_line, text, re.M)[0]
        text = text.replace(line, line + line.replace("127.0.0.1", "127.0.0.2").replace("pod1", "pod2"))
    return text.replace(".1:8080", f".1:{daemon.port}").replace(".2:8080", f".2:{daemon.port}")


def nginx(directory, daemon, text=None):
    ports, (pem, key) = (free_port(), free_port()), certificate(directory)
    text = shipped("nginx.conf", daemon, text, r"^ *server 127\.0\.0\.1:8080.*\n")
    text = re.sub(r"listen \[::\]:.*", "", text)
    text = re.sub(r"listen 80\b", f"listen 127.0.0.1:{ports[0]}", text)
    text = text.replace("listen 443 ", f"listen 127.0.0.1:{ports[1]} ")
    text = re.sub("/etc/letsencrypt/.*fullchain.pem", str(pem), text)
    text = re.sub("/etc/letsencrypt/.*privkey.pem", str(key), text)
    text = text.replace("/var/log/nginx/hopcount.log", f"{directory}/access.log")
    folders = " ".join(f"{kind}_temp_path {directory}/{kind};"
                       for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    text = (f"daemon off; pid {directory}/nginx.pid; error_log stderr; events {{}}\n"
            f"http {{ {folders}\n{text} }}\n")
    proxy = Proxy(directory, "nginx", text, ["nginx", "-c", "{config}", "-p", "{dir}", "-e", "stderr"], ports)
    proxy.log_path = directory / "access.log"
    return proxy


def haproxy(directory, daemon, text=None):
    ports, (pem, key) = (free_port(), free_port()), certificate(directory)
    (directory / "both.pem").write_text(pem.read_text() + key.read_text())
    text = shipped("haproxy.cfg", daemon, text, r"^ *server pod1 .*\n")
    text = text.replace("port 8081", f"port {daemon.admin_port}")
    text = re.sub(r"bind :80\b", f"bind 127.0.0.1:{ports[0]}", text)
    text = re.sub(r"bind (quic4@)?:443\b", rf"bind \g<1>127.0.0.1:{ports[1]}", text)
    text = text.replace("/etc/haproxy/certs/", f"{directory}/both.pem").replace("log stdout", "log stderr")
    return Proxy(directory, "haproxy", text, ["haproxy", "-db", "-f", "{config}"], ports)


def caddy(directory, daemon, text=None):
    ports, (pem, key) = (free_port(), free_port()), certificate(directory)
    text = shipped("Caddyfile", daemon, text, r"^\t*to 127\.0\.0\.1:8080\n")
    text = text.replace("health_port 8081", f"health_port {daemon.admin_port}")
    text = text.replace("http://go.acme.example {", f"http://go.acme.example:{ports[0]} {{\n\tbind 127.0.0.1")
    text = text.replace("https://go.acme.example {", f"https://go.acme.example:{ports[1]} {{\n\tbind 127.0.0.1"
                        f"\n\ttls {pem} {key}")
    options = f"{{\n\tadmin off\n\thttp_port {ports[0]}\n\thttps_port {ports[1]}\n}}\n"
    return Proxy(directory, "caddy", options + text,
                 ["caddy", "run", "--adapter", "caddyfile", "--config", "{config}"], ports,
                 {"HOME": str(directory), "XDG_DATA_HOME": str(directory), "XDG_CONFIG_HOME": str(directory)})


PROXY_FILES = {nginx: "nginx.conf", haproxy: "haproxy.cfg", caddy: "Caddyfile"}
PROXIES = [(nginx, "forwarded"), (haproxy, "proxy_protocol"), (caddy, "forwarded")]
behind_each_proxy = pytest.mark.parametrize("make, mode", PROXIES, ids=[make.__name__ for make, _ in PROXIES])


@pytest.fixture
def start_behind(make_hopcountd, redis, processes, tmp_path):
    """Makes a daemon behind a proxy: start_behind(nginx, mode, text of its configuration).

    With `peer` the daemon has one, on the same ports of 127.0.0.2, to which the proxy leads too.
    """
    def start(make, mode, text=None, peer=False, preface=""):
        if not shutil.which(make.__name__):
            pytest.skip(f"needs {make.__name__}")
        config = {"public": {"client_address": mode, "trusted_proxies": ["127.0.0.1/32"],
                             "drain_delay_s": 3 if peer else 0}}
        daemon = make_hopcountd(redis, config)
        daemon.peer = None
        if peer:
            other = make_hopcountd(redis, config, name="peer", start=False)
            other.write_keys([(1, "mint", daemon.key)])
            other.write_config({
                "public": {"listen": f"127.0.0.2:{daemon.port}"},
                "admin": {"listen": [f"127.0.0.1:{other.admin_port}", f"127.0.0.2:{daemon.admin_port}"]}})
            daemon.peer = other.start()
        (tmp_path / "proxy").mkdir(mode=0o755)
        proxy = make(tmp_path / "proxy", daemon, text)
        processes.append(proxy)
        proxy.preface = preface
        proxy.start()
        # haproxy answers 503 until its first health check went well.
        wait_until(lambda: get(proxy, "/robots.txt").status == 200, 20, "the proxy passes a request on")
        return daemon, proxy
    return start


def get(proxy, path, **options):
    """The visitor's address is none that is trusted, nor in the network of one."""
    with Connection("127.0.0.1", proxy.port, source=("127.0.1.2", 0)) as connection:
        connection.send(proxy.preface)
        return connection.request(path, **options)


def curl(proxy, version, path, shown="%{http_version} %{response_code} %{redirect_url}", referer=""):
    """What curl shows of a request over TLS."""
    done = subprocess.run(
        ["curl", "-sS", version, "--cacert", proxy.directory / "cert.pem", "--resolve",
         f"go.acme.example:{proxy.tls_port}:127.0.0.1", "--output", "/dev/null", "--write-out", shown, "--referer", referer,
         f"https://go.acme.example:{proxy.tls_port}{path}"], capture_output=True, text=True, timeout=patience(30))
    assert done.returncode == 0, done.stderr
    return done.stdout


@behind_each_proxy
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


@behind_each_proxy
def test_links_work_over_tls_and_leave_no_token_in_a_log(start_behind, make, mode):
    daemon, proxy = start_behind(make, mode)
    token = daemon.mint("pay", 99)
    for version in ("--http1.1", "--http2"):
        reply = curl(proxy, version, f"/{token}?x={token}", referer=f"https://go.acme.example/{token}")
        assert reply == f"{version.removeprefix('--http')} 302 https://billing.acme.example/index.php?rp=/invoice/99/pay"
    assert daemon.wait_counted(2, [token]) == {token: 2}
    wait_until(lambda: proxy.log_path.read_text().count("302") >= 2, 20, lambda: (
        f"two redirects in the log\n{proxy.log_path.read_text()}"))
    log = proxy.log_path.read_text() + proxy.stderr()
    assert token not in log and "invoice" not in log
    daemon.shut_down()


def speaks_http3(make):
    """Whether this machine's proxy is built with it: Debian 13's are, and Caddy's of Debian 12."""
    words = {nginx: (["nginx", "-V"], "http_v3_module"), haproxy: (["haproxy", "-vv"], "+QUIC"), caddy: (["caddy", "version"], "")}
    command, word = words[make]
    done = subprocess.run(command, capture_output=True, text=True, timeout=patience(20))
    return word in done.stdout + done.stderr


def visit_by_curl(proxy, path):
    """(version of HTTP, status, where it leads) over QUIC alone; None if curl has no HTTP/3."""
    if "HTTP3" not in subprocess.run(["curl", "--version"], capture_output=True, text=True, timeout=patience(20)).stdout:
        return None
    return curl(proxy, "--http3-only", path)


def visit_by_chromium(proxy, path):
    """Chromium takes QUIC, and a certificate of nobody, when it is told to for this host."""
    if not shutil.which("chromium"):
        pytest.skip("needs a curl with HTTP/3, or chromium")
    key = subprocess.run("openssl x509 -in cert.pem -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary"
                         " | base64", shell=True, cwd=proxy.directory, check=True, capture_output=True, text=True,
                         timeout=patience(20)).stdout.strip()
    subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={proxy.directory}/profile",
                    f"--origin-to-force-quic-on=go.acme.example:{proxy.tls_port}", f"--ignore-certificate-errors-spki-list={key}",
                    "--host-resolver-rules=MAP * 127.0.0.1", "--dump-dom", f"https://go.acme.example:{proxy.tls_port}{path}"],
                   capture_output=True, timeout=patience(60), env={"PATH": "/usr/bin:/bin", "HOME": str(proxy.directory)})


@behind_each_proxy
def test_links_work_over_http3(start_behind, make, mode):
    if shutil.which(make.__name__) and not speaks_http3(make):
        pytest.skip(f"this {make.__name__} is built without HTTP/3")
    text = (ROOT / "deploy/proxy" / PROXY_FILES[make]).read_text().replace("#h3 ", "")
    daemon, proxy = start_behind(make, mode, text)
    token = daemon.mint("pay", 99, client=7)
    reply = visit_by_curl(proxy, f"/{token}")
    if reply is None:
        visit_by_chromium(proxy, f"/{token}")
    else:
        assert reply == "3 302 https://billing.acme.example/index.php?rp=/invoice/99/pay"
    assert daemon.wait_counted(1, [token]) == {token: 1}
    wait_until(lambda: "HTTP/3.0" in proxy.log_path.read_text(), 20, lambda: f"HTTP/3 in the log\n{proxy.log_path.read_text()}")
    assert token not in proxy.log_path.read_text() + proxy.stderr()
    networks = [click["network"] for log in read_log.read_logs(daemon.state_dir) for click in log.clicks()]
    assert len(networks) == 1 and networks[0]

    told = curl(proxy, "--http2", "/robots.txt", "%header{alt-svc}")
    assert re.match(rf'h3=":(443|{proxy.tls_port})"; ma=\d+', told), told
    daemon.shut_down()


@behind_each_proxy
def test_no_visitor_notices_that_a_pod_goes_away(start_behind, make_load, make, mode):
    daemon, proxy = start_behind(make, mode, peer=True)
    links = [daemon.mint("view", number) for number in range(20)]
    load = make_load(proxy, links, pause_s=0.002)
    load.wait_clicks(200)
    daemon.shut_down()  # drains, as a rolling restart does
    load.wait_clicks(200)
    daemon.start()
    load.wait_clicks(200)
    daemon.peer.shut_down()
    load.wait_clicks(200)
    load.stop()
    assert not load.tally.other and not load.tally.unanswered
    load.tally.check(daemon.wait_counted(load.tally.n_received, links))
    daemon.shut_down()


@behind_each_proxy
def test_no_visitor_notices_that_a_pod_is_killed(start_behind, make_load, make, mode):
    daemon, proxy = start_behind(make, mode, peer=True)
    links = [daemon.mint("view", number) for number in range(20)]
    load = make_load(proxy, links, pause_s=0.002)
    load.wait_clicks(200)
    daemon.peer.kill()
    load.wait_clicks(400)
    load.stop()
    assert not load.tally.other and not load.tally.unanswered
    daemon.peer.start()
    # What the dead pod had counted, and the other answered again, counts twice: two requests came.
    counted = sum(daemon.wait_counted(load.tally.n_received, links).values())
    assert load.tally.n_received <= counted <= load.tally.n_received + 4
    daemon.shut_down()


FORGED = {
    "Forwarded": "for=198.51.100.7;host=evil.example, for=127.0.0.1",
    "X-Forwarded-For": "198.51.100.8, 127.0.0.1",
    "X-Forwarded-Host": "evil.example",
}


@behind_each_proxy
def test_what_the_visitor_wrote_himself_is_not_believed(start_behind, make, mode):
    daemon, proxy = start_behind(make, mode)
    token = daemon.mint("pay", 99, client=7)
    for fields in [{}, FORGED] + [{name: value} for name, value in FORGED.items()]:
        assert get(proxy, f"/{token}", headers=fields).status == 302
    networks = [click["network"] for log in read_log.read_logs(daemon.state_dir) for click in log.clicks()]
    assert len(networks) == 5 and len(set(networks)) == 1 and networks[0]
    daemon.shut_down()


BALANCED = [
    (nginx, "forwarded", "nginx.conf", [("listen 80;", "listen 80 proxy_protocol;"), (
        "server_name", "set_real_ip_from 127.0.0.0/8; real_ip_header proxy_protocol;\n    server_name")]),
    (haproxy, "proxy_protocol", "haproxy.cfg", [("bind :80", "bind :80 accept-proxy")]),
]


@pytest.mark.parametrize("make, mode, name, changes", BALANCED, ids=["nginx", "haproxy"])
def test_a_balancer_may_tell_the_proxy_whose_connection_it_is(start_behind, make, mode, name, changes):
    text = (ROOT / "deploy/proxy" / name).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    daemon, proxy = start_behind(make, mode, text, preface="PROXY TCP4 198.51.100.7 127.0.0.1 5555 80\r\n")
    token = daemon.mint("pay", 99, client=7)
    for address in ("198.51.100.7", "203.0.113.9", "203.0.113.9"):
        proxy.preface = f"PROXY TCP4 {address} 127.0.0.1 5555 80\r\n"
        assert get(proxy, f"/{token}").status == 302
    networks = [click["network"] for log in read_log.read_logs(daemon.state_dir) for click in log.clicks()]
    assert len(networks) == 3 and len(set(networks)) == 2
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
                                   "option httpchk\n    http-check send meth GET uri /robots.txt ver HTTP/1.1 hdr Host go.acme.example"])
def test_haproxys_checks_of_the_public_port_are_answered(start_behind, check):
    daemon, proxy = start_behind(haproxy, "direct", HAPROXY.format(check))
    assert get(proxy, f"/{daemon.mint('view', 7)}").location.endswith("id=7")
    assert "DOWN" not in proxy.stderr_tail()
    daemon.shut_down()


# --- proxies that can't be run here ---

def envoy_faults(config):
    """What is wrong with an Envoy configuration by Envoy's own message types."""
    done = subprocess.run(["node", ROOT / "tests/proxies/envoy.js"], input=json.dumps(config), text=True, capture_output=True,
                          timeout=patience(60))
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.skipif(not (MODULES / "@grpc/grpc-js-xds").exists(), reason="needs tests/node_modules")
def test_the_configuration_of_envoy_has_the_fields_of_envoy():
    config = yaml.safe_load((ROOT / "deploy/proxy/envoy.yaml").read_text())
    assert envoy_faults(config) == []
    (cluster,) = config["static_resources"]["clusters"]
    fields = []
    for listener in config["static_resources"]["listeners"]:
        ((links,),) = [chain["filters"] for chain in listener["filter_chains"]]
        (host,) = links["typed_config"]["route_config"]["virtual_hosts"]
        assert {route["route"]["cluster"] for route in host["routes"]} == {cluster["name"]}
        fields.append({name: value for name, value in links["typed_config"].items()
                       if name not in ("codec_type", "http2_protocol_options", "stat_prefix")})
        (log,) = links["typed_config"]["access_log"]
        assert "PATH" not in log["typed_config"]["log_format"]["text_format_source"]["inline_string"]
    assert len(fields) == 3 and fields[0] == fields[1] == fields[2]  # TCP, TLS and QUIC are served alike

    wrong = copy.deepcopy(config)
    (cluster,) = wrong["static_resources"]["clusters"]
    links = wrong["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    cluster["type"], cluster["conect_timeout"], links["use_remote_address"], links["request_timeout"] = "STATICS", "2s", "yes", 5
    found = envoy_faults(wrong)
    assert len(found) == 6, found  # two listeners have the same filters
    for words in ('"STATICS" is no DiscoveryType', "conect_timeout: ", '"yes" is no bool', "5 is no duration"):
        assert any(words in line for line in found), found


@needs_types
def test_the_files_of_traefik_hang_together(tmp_path):
    """Middlewares have the types of Traefik's own resource of that name; there are none of files."""
    static, links = (yaml.safe_load((ROOT / "deploy/proxy" / name).read_text()) for name in ("traefik.yaml", "traefik-links.yaml"))
    http = links["http"]
    assert static["providers"]["file"]["filename"].endswith("/traefik-links.yaml")
    assert {name for router in http["routers"].values() for name in router["entryPoints"]} == set(static["entryPoints"])
    assert {name for router in http["routers"].values() for name in router["middlewares"]} == set(http["middlewares"])
    assert {router["service"] for router in http["routers"].values()} == set(http["services"])
    assert not any("forwardedHeaders" in entry for entry in static["entryPoints"].values())
    dropped = static["accessLog"]["fields"]
    assert {"RequestPath", "RequestLine"} <= {name for name, what in dropped["names"].items() if what == "drop"}
    assert dropped["headers"]["defaultMode"] == "drop"
    middlewares = [{"apiVersion": "traefik.io/v1alpha1", "kind": "Middleware", "metadata": {"name": name}, "spec": spec}
                   for name, spec in http["middlewares"].items()]
    assert complaints(middlewares, tmp_path) == ""
