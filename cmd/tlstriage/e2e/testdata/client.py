"""client.py NAME PORT CA LARGE [upload]: what a healthy client asks for, each over a connection of its own."""
import hashlib
import http.client
import socket
import ssl
import sys

name, port, ca, large_file = sys.argv[1:5]
with open(large_file, "rb") as f:
    LARGE = f.read()
context = ssl.create_default_context(cafile=ca)


def ask(method, path, body=None):
    connection = http.client.HTTPSConnection(name, int(port), context=context, timeout=60)
    plain = socket.create_connection(("127.0.0.1", int(port)), 60)
    connection.sock = context.wrap_socket(plain, server_hostname=name)
    connection.request(method, path, body=body)
    response = connection.getresponse()
    data = response.read()
    connection.close()
    if response.status != 200:
        raise SystemExit(f"{path}: {response.status}")
    return data


def check(what, got, want):
    if got != want:
        raise SystemExit(f"{what}: got {got[:80]!r}")


SUM = hashlib.sha256(LARGE).hexdigest().encode()
check("hello", ask("GET", "/hello"), b"hello from the backend\n")
check("large", hashlib.sha256(ask("GET", "/large")).hexdigest().encode(), SUM)
if len(sys.argv) > 5:
    check("digest", ask("POST", "/digest", LARGE), SUM)
