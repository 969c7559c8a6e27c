"""A webhook's other end, whose answers a test decides."""

import http.server
import json
import ssl
import subprocess
import threading
import time


def certificate(folder, name="localhost"):
    """(certificate, key) of a server of this name, signed by itself."""
    files = f"{folder}/{name}.crt", f"{folder}/{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1",
                    "-out", files[0], "-keyout", files[1]], check=True, capture_output=True, timeout=30)
    return files


class Receiver:
    """Keeps what it is sent. `answer`: a status, "hang", "close", "flood" or "elsewhere"."""

    def __init__(self, tls=None, port=0):
        self.messages, self.headers, self.answer = [], [], 200
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # pylint: disable=invalid-name
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.respond(self, body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def respond(self, request, body):
        answer = self.answer
        self.headers.append(dict(request.headers))
        self.messages.append(json.loads(body))
        if answer == "hang":
            time.sleep(30)
        elif answer == "close":
            request.close_connection = True
        elif answer == "flood":
            request.send_response(200)
            request.end_headers()
            try:
                for _ in range(100 * 16):
                    request.wfile.write(b"x" * 65536)
            except OSError:
                pass
        elif answer == "elsewhere":
            request.send_response(307)
            request.send_header("Location", f"http://127.0.0.2:{self.port}/")
            request.end_headers()
        else:
            request.send_response(answer)
            request.end_headers()

    def changes(self):
        """Of all messages: (subject, was, now)."""
        return [(c["subject"], c["was"], c["now"]) for m in self.messages for c in m["changes"]]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
