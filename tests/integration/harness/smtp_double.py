"""A mail server that keeps what it takes and answers as a test wants."""
import base64
import email
import email.policy
import socketserver
import threading


class Mail:
    def __init__(self, sender, receiver, data, user, is_secret):
        self.sender, self.receiver, self.user, self.is_secret = sender, receiver, user, is_secret
        self.message = email.message_from_bytes(data, policy=email.policy.default)
        self.data = data


class SmtpDouble:
    """`answers` by command (`RCPT`, `DATA`, `.`, `AUTH`): a line instead of the usual one, a function that gives
    it, or an Event that is waited for before the connection closes without an answer.  `context` is for STARTTLS, or with `tls_first` at once."""

    def __init__(self, context=None, tls_first=False):
        self.mails, self.answers, self.n_tries, self.lock = [], {}, 0, threading.Lock()
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                try:
                    if tls_first:
                        self.wrap()
                    outer.talk(self)
                except OSError:
                    pass  # the client has gone, or doesn't like the certificate

            def wrap(self):
                self.request = context.wrap_socket(self.request, server_side=True)
                self.rfile, self.wfile = self.request.makefile("rb"), self.request.makefile("wb", 0)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads, allow_reuse_address = True, True

        self.context, self.tls_first = context, tls_first
        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"{'smtps' if self.tls_first else 'smtp'}://127.0.0.1:{self.port}"

    def say(self, handler, command, usual):
        """False: the connection is to end."""
        answer = self.answers.get(command, usual)
        if isinstance(answer, threading.Event):
            answer.wait(600)
            return False
        if callable(answer):
            answer = answer()
        handler.wfile.write(answer.encode() + b"\r\n")
        return True

    def talk(self, handler):
        with self.lock:
            self.n_tries += 1
        is_secret, user, sender, receiver = self.tls_first, None, None, None
        if not self.say(handler, "CONNECT", "220 double"):
            return
        while line := handler.rfile.readline():
            text = line.decode().rstrip("\r\n")
            command = text.partition(" ")[0].upper()
            usual = "250 fine"
            if command == "EHLO":
                offers = ["AUTH PLAIN"] + (["STARTTLS"] if self.context and not is_secret else [])
                usual = "\r\n".join(["250-double", *(f"250-{each}" for each in offers), "250 8BITMIME"])
            elif command == "STARTTLS":
                handler.wfile.write(b"220 go on\r\n")
                handler.wrap()
                is_secret = True
                continue
            elif command == "AUTH":
                words = text.split()
                if len(words) < 3:
                    handler.wfile.write(b"334 \r\n")
                    words.append(handler.rfile.readline().decode().strip())
                user = base64.b64decode(words[2]).decode().split("\0")[1:]
                usual = "235 welcome"
            elif command == "MAIL":
                sender = text.partition(":")[2].split()[0].strip("<>")
            elif command == "RCPT":
                receiver = text.partition(":")[2].split()[0].strip("<>")
            elif command == "DATA":
                usual = "354 go on"
            elif command == "QUIT":
                handler.wfile.write(b"221 bye\r\n")
                return
            if not self.say(handler, command, usual):
                return
            if command == "DATA" and not self.answers.get("DATA"):
                data = b""
                while (line := handler.rfile.readline()) not in (b".\r\n", b""):
                    data += line[1:] if line.startswith(b".") else line
                with self.lock:
                    self.mails.append(Mail(sender, receiver, data, user, is_secret))
                if not self.say(handler, ".", "250 taken"):
                    return

    def close(self):
        self.server.shutdown()
        self.server.server_close()
