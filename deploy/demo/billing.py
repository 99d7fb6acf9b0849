#!/usr/bin/env python3
"""A billing system to land on: three pages at the URLs that WHMCS uses, nothing behind them.

    billing.py PORT [ADDRESS]

For deploy/quickstart and for trying things out; it stores nothing and takes no payment.
"""
import html
import http.server
import re
import signal
import sys
import urllib.parse

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #667085; --line: #e4e7ec;
  --card: #fff; --page: #f4f6f9; --go: #1463d8; --due: #b54708; --due-bg: #fff4e5; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebf0; --soft: #98a2b3; --line: #2e3746;
  --card: #19202b; --page: #10151d; --go: #4c8dff; --due: #fdb022; --due-bg: #3a2a10; } }
* { box-sizing: border-box } body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif } header { padding: 1rem 1.5rem; background: var(--card);
  border-bottom: 1px solid var(--line); display: flex; gap: .75rem; align-items: center }
header b { font-size: 1.1rem } header span { color: var(--soft) } main { max-width: 44rem;
  margin: 2rem auto; padding: 0 1rem } .card { background: var(--card); border: 1px solid
  var(--line); border-radius: 12px; padding: 1.75rem; box-shadow: 0 1px 3px #0001 }
h1 { margin: 0 0 .25rem; font-size: 1.5rem } .soft { color: var(--soft) } table { width: 100%;
  border-collapse: collapse; margin: 1.5rem 0 } td, th { padding: .6rem 0; border-bottom: 1px solid
  var(--line); text-align: left } td:last-child, th:last-child { text-align: right;
  font-variant-numeric: tabular-nums } tr:last-child { font-weight: 700 } .due { float: right;
  background: var(--due-bg); color: var(--due); border-radius: 999px; padding: .15rem .75rem;
  font-weight: 600 } .go { display: inline-block; background: var(--go); color: #fff; border: 0;
  border-radius: 8px; padding: .7rem 1.4rem; font: inherit; font-weight: 600; text-decoration: none }
label { display: block; margin: 1rem 0 .25rem; font-weight: 600 } input { width: 100%; font:
  inherit; padding: .6rem .75rem; border: 1px solid var(--line); border-radius: 8px;
  background: var(--page); color: inherit } .half { display: grid; grid-template-columns: 1fr 1fr;
  gap: 1rem } footer { text-align: center; color: var(--soft); margin: 2rem 0; font-size: .9rem }
"""

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{style}</style></head>
<body><header><svg width="28" height="28" viewBox="0 0 28 28" aria-hidden="true"><rect width="28"
height="28" rx="7" fill="#1463d8"/><path d="M8 19V9h3l6 6V9h3v10h-3l-6-6v6z" fill="#fff"/></svg>
<b>Acme Hosting</b><span>demo billing system</span></header>
<main><div class="card">{body}</div></main>
<footer>The link you followed was checked, counted and redirected by hopcount.</footer>
</body></html>
"""

INVOICE = """<span class="due">Unpaid</span><h1>Invoice #{id}</h1>
<p class="soft">Acme Hosting Ltd &middot; due in 7 days</p>
<table><tr><th>Item</th><th>Amount</th></tr>
<tr><td>Web hosting &ldquo;Business&rdquo;, one year</td><td>119.40 &euro;</td></tr>
<tr><td>Domain renewal, acme.example</td><td>14.90 &euro;</td></tr>
<tr><td>Total</td><td>134.30 &euro;</td></tr></table>
<a class="go" href="/index.php?rp=/invoice/{id}/pay">Pay now</a>"""

PAY = """<h1>Pay invoice #{id}</h1><p class="soft">Total 134.30 &euro;. Nothing is charged: this is
a demo.</p><label for="card">Card number</label><input id="card" inputmode="numeric"
autocomplete="off" placeholder="4242 4242 4242 4242"><div class="half"><div><label for="until">Valid
until</label><input id="until" autocomplete="off" placeholder="12 / 30"></div><div><label
for="code">Security code</label><input id="code" autocomplete="off" placeholder="123"></div></div>
<p><a class="go" href="/viewinvoice.php?id={id}">Back to the invoice</a></p>"""

LOGIN = """<h1>Log in</h1><p class="soft">Your account at Acme Hosting.</p>
<label for="mail">E-mail address</label><input id="mail" type="email" autocomplete="off"
placeholder="you@example.com"><label for="word">Password</label><input id="word" type="password"
autocomplete="off"><p><a class="go" href="/viewinvoice.php?id=1234">Log in</a></p>"""

HOME = """<h1>Acme Hosting</h1><p>The pages that billing e-mails lead to: <a
href="/viewinvoice.php?id=1234">an invoice</a>, <a href="/index.php?rp=/invoice/1234/pay">its
payment</a>, <a href="/clientarea.php">the login</a>.</p>"""


def route(target):
    """(status, title, body) of a request target."""
    url = urllib.parse.urlsplit(target)
    query = urllib.parse.parse_qs(url.query)
    invoice = query.get("id", ["0"])[0]
    pay = re.fullmatch(r"/invoice/(\d{1,10})/pay", query.get("rp", [""])[0])
    if url.path == "/viewinvoice.php" and re.fullmatch(r"\d{1,10}", invoice):
        return 200, f"Invoice #{invoice}", INVOICE.format(id=html.escape(invoice))
    if url.path == "/index.php" and pay:
        return 200, f"Pay invoice #{pay[1]}", PAY.format(id=html.escape(pay[1]))
    if url.path in ("/clientarea.php", "/login.php", "/login"):
        return 200, "Log in", LOGIN
    if url.path in ("/", "/index.php"):
        return 200, "Acme Hosting", HOME
    return 404, "Not found", "<h1>Not found</h1><p>The demo has no such page.</p>"


class Handler(http.server.BaseHTTPRequestHandler):
    server_version = "demo-billing"
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self):
        status, title, body = route(self.path)
        text = PAGE.format(title=html.escape(title), style=STYLE, body=body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


def main():
    address = sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1"
    try:
        server = http.server.ThreadingHTTPServer((address, int(sys.argv[1])), Handler)
    except (OSError, IndexError, ValueError, OverflowError) as failure:
        sys.exit(f"demo page: {failure}; usage: billing.py PORT [ADDRESS]")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server.daemon_threads = True
    server.serve_forever()


if __name__ == "__main__":
    main()
