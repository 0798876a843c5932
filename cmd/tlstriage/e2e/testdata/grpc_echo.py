"""A gRPC server and client without generated code: messages are bytes. grpc_echo.py server PORT CERT KEY | client ADDR CA NAME"""
import sys
from concurrent import futures

import grpc

SERVICE = "echo.Echo"


def serve(port, cert, key):
    def unary(message, context):
        context.set_trailing_metadata((("x-trailer", "unary"),))
        return message

    def refused(message, context):
        context.set_trailing_metadata((("x-trailer", "refused"),))
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not today: %s" % "ü")

    def many(message, context):
        for i in range(100):
            yield message + str(i).encode()

    def collect(messages, context):
        return b"".join(messages)

    def chat(messages, context):
        for message in messages:
            yield message

    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "Refused": grpc.unary_unary_rpc_method_handler(refused),
        "Many": grpc.unary_stream_rpc_method_handler(many),
        "Collect": grpc.stream_unary_rpc_method_handler(collect),
        "Chat": grpc.stream_stream_rpc_method_handler(chat),
    }
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    with open(key, "rb") as k, open(cert, "rb") as c:
        server.add_secure_port("127.0.0.1:" + port, grpc.ssl_server_credentials([(k.read(), c.read())]))
    server.start()
    server.wait_for_termination()


def ask(addr, ca, name):
    with open(ca, "rb") as f:
        credentials = grpc.ssl_channel_credentials(f.read())
    options = [("grpc.ssl_target_name_override", name), ("grpc.default_authority", name), ("grpc.enable_http_proxy", 0)]
    with grpc.secure_channel(addr, credentials, options) as channel:
        method = lambda kind, what: getattr(channel, kind)("/%s/%s" % (SERVICE, what))
        answer, call = method("unary_unary", "Unary").with_call(b"x" * 100000, timeout=60)
        assert answer == b"x" * 100000 and dict(call.trailing_metadata())["x-trailer"] == "unary", call.trailing_metadata()
        try:
            method("unary_unary", "Refused")(b"", timeout=60)
            raise SystemExit("nothing was refused")
        except grpc.RpcError as e:
            assert e.code() == grpc.StatusCode.FAILED_PRECONDITION and e.details() == "not today: ü", e
            assert dict(e.trailing_metadata())["x-trailer"] == "refused", e.trailing_metadata()
        assert list(method("unary_stream", "Many")(b"n", timeout=60)) == [b"n" + str(i).encode() for i in range(100)]
        assert method("stream_unary", "Collect")((bytes([65 + i]) for i in range(20)), timeout=60) == b"ABCDEFGHIJKLMNOPQRST"

        import queue
        asked = queue.Queue()
        answers = method("stream_stream", "Chat")(iter(asked.get, None), timeout=60)
        for i in range(50):  # each is sent only when the one before it came back
            asked.put(b"m" + str(i).encode())
            assert next(answers) == b"m" + str(i).encode()
        asked.put(None)
        assert list(answers) == []
    print("all of gRPC went through")


if sys.argv[1] == "server":
    serve(*sys.argv[2:])
else:
    ask(*sys.argv[2:])
