# Asks libssl itself: one JSON object per line in, one out. Fields in: cipher, ciphersuites, groups, sigalgs (each optional),
# level, server. Fields out: error (OpenSSL's reason, with the setting that was refused), ciphers (code points), level, and
# hello: the ClientHello that such a client sends, in hex.
import ctypes
import ctypes.util
import json
import sys

ssl = ctypes.CDLL(ctypes.util.find_library("ssl"))
crypto = ctypes.CDLL(ctypes.util.find_library("crypto"))
pointer = ctypes.c_void_p
for lib, name, result, arguments in [
    (ssl, "TLS_client_method", pointer, []),
    (ssl, "SSL_CTX_new", pointer, [pointer]),
    (ssl, "SSL_CTX_free", None, [pointer]),
    (ssl, "SSL_CTX_set_cipher_list", ctypes.c_int, [pointer, ctypes.c_char_p]),
    (ssl, "SSL_CTX_set_ciphersuites", ctypes.c_int, [pointer, ctypes.c_char_p]),
    (ssl, "SSL_CTX_get_ciphers", pointer, [pointer]),
    (ssl, "SSL_CTX_set_security_level", None, [pointer, ctypes.c_int]),
    (ssl, "SSL_CTX_get_security_level", ctypes.c_int, [pointer]),
    (ssl, "SSL_CTX_ctrl", ctypes.c_long, [pointer, ctypes.c_int, ctypes.c_long, ctypes.c_char_p]),
    (ssl, "SSL_CIPHER_get_protocol_id", ctypes.c_uint16, [pointer]),
    (ssl, "SSL_new", pointer, [pointer]),
    (ssl, "SSL_free", None, [pointer]),
    (ssl, "SSL_set_bio", None, [pointer, pointer, pointer]),
    (ssl, "SSL_connect", ctypes.c_int, [pointer]),
    (crypto, "OPENSSL_sk_num", ctypes.c_int, [pointer]),
    (crypto, "OPENSSL_sk_value", pointer, [pointer, ctypes.c_int]),
    (crypto, "ERR_get_error", ctypes.c_ulong, []),
    (crypto, "ERR_clear_error", None, []),
    (crypto, "ERR_reason_error_string", ctypes.c_char_p, [ctypes.c_ulong]),
    (crypto, "BIO_s_mem", pointer, []),
    (crypto, "BIO_new", pointer, [pointer]),
    (crypto, "BIO_read", ctypes.c_int, [pointer, ctypes.c_char_p, ctypes.c_int]),
    (crypto, "OpenSSL_version", ctypes.c_char_p, [ctypes.c_int]),
]:
    function = getattr(lib, name)
    function.restype, function.argtypes = result, arguments

SET_GROUPS_LIST, SET_SIGALGS_LIST, SET_MIN, SET_MAX = 92, 98, 123, 124


def reason():
    text = ""
    while True:
        code = crypto.ERR_get_error()
        if code == 0:
            return text or "?"
        text = text or (crypto.ERR_reason_error_string(code) or b"?").decode()


def hello(ctx):
    conn, source, sink = ssl.SSL_new(ctx), crypto.BIO_new(crypto.BIO_s_mem()), crypto.BIO_new(crypto.BIO_s_mem())
    ssl.SSL_set_bio(conn, source, sink)
    ssl.SSL_connect(conn)
    buffer = ctypes.create_string_buffer(1 << 16)
    n = crypto.BIO_read(sink, buffer, len(buffer))
    ssl.SSL_free(conn)
    return buffer.raw[:n].hex() if n > 0 else ""


def answer(ask):
    crypto.ERR_clear_error()
    ctx = ssl.SSL_CTX_new(ssl.TLS_client_method())
    try:
        if "level" in ask:
            ssl.SSL_CTX_set_security_level(ctx, ask["level"])
        for name, call in [
            ("ciphersuites", lambda v: ssl.SSL_CTX_set_ciphersuites(ctx, v)),
            ("cipher", lambda v: ssl.SSL_CTX_set_cipher_list(ctx, v)),
            ("groups", lambda v: ssl.SSL_CTX_ctrl(ctx, SET_GROUPS_LIST, 0, v)),
            ("sigalgs", lambda v: ssl.SSL_CTX_ctrl(ctx, SET_SIGALGS_LIST, 0, v)),
            ("min", lambda v: ssl.SSL_CTX_ctrl(ctx, SET_MIN, int(v), None)),
            ("max", lambda v: ssl.SSL_CTX_ctrl(ctx, SET_MAX, int(v), None)),
        ]:
            if name in ask and call(ask[name].encode("latin-1")) != 1:
                return {"error": reason(), "setting": name}
        stack = ssl.SSL_CTX_get_ciphers(ctx)
        codes = [
            ssl.SSL_CIPHER_get_protocol_id(crypto.OPENSSL_sk_value(stack, i)) for i in range(crypto.OPENSSL_sk_num(stack))
        ]
        out = {"ciphers": codes, "level": ssl.SSL_CTX_get_security_level(ctx)}
        if ask.get("hello"):
            out["hello"] = hello(ctx)
        return out
    finally:
        ssl.SSL_CTX_free(ctx)


print(json.dumps({"version": crypto.OpenSSL_version(0).decode()}))
for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))))
