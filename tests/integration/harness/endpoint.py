"""An HTTP endpoint that keeps what it is sent and answers as a test wants."""
import http.server
import threading
import time


class Request:
    def __init__(self, handler):
        self.method, self.path = handler.command, handler.path
        self.headers = {name.lower(): value for name, value in handler.headers.items()}
        self.body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        self.at = time.monotonic()


class Answer:
    """`lost`: the connection is closed instead.  `wait`: an Event that is waited for before.  `times`: 2 = it is
    answered twice, the second time when the client may have sent its next request."""

    def __init__(self, status=200, headers=(), body=b"", lost=False, wait=None, times=1):
        self.status, self.headers, self.body = status, dict(headers), body
        self.lost, self.wait, self.times = lost, wait, times


class Endpoint:
    """`answer(request)` gives an Answer; it can be replaced at any time.  `requests` are all, in order."""

    def __init__(self, answer=None, port=0, context=None, host="127.0.0.1"):
        self.answer = answer or (lambda request: Answer())
        self.requests, self.lock = [], threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                request = Request(self)
                with outer.lock:
                    outer.requests.append(request)
                    answer = outer.answer(request)
                outer.reply(self, answer)

            do_GET = do_POST

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a client that has gone

        self.server = Server((host, port), Handler)
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.scheme = "https" if context else "http"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @staticmethod
    def reply(handler, answer):
        if answer.wait:
            answer.wait.wait(60)
        if answer.lost:
            handler.close_connection = True
            return
        for i in range(answer.times):
            time.sleep(0.02 * i)
            handler.send_response(answer.status)
            for name, value in answer.headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(answer.body)))
            handler.end_headers()
            handler.wfile.write(answer.body)

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}/hook"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
