"""Receives one webhook, verifies it with the Standard Webhooks library, and prints the decision on the scan.

    webhook.py SECRETS    prints its port first
"""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks import Webhook, WebhookVerificationError


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        webhook = Webhook(open(sys.argv[1]).read().strip())
        message = webhook.verify(body, headers)
        try:
            webhook.verify(body.replace(b"pass", b"fail"), headers)
        except WebhookVerificationError:
            print(message["type"], message["data"]["decision"], flush=True)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_port, flush=True)
server.handle_request()
