"""Says of every case in a directory whether OpenSSL accepts it when it builds paths as OpenSSL 1.0 did.

No program's flags bring that back: "trusted first" is part of the default parameters. So libcrypto is called by hand, the
flag is taken from the parameters of each verification, and alternative chains are forbidden. The security level is 0. A
case is a directory with chain.pem, roots.pem and name; the answers are lines of case, "yes" or "no", and why not.
"""

import ctypes
import os
import re
import ssl  # which loads libcrypto
import sys

lib = ctypes.CDLL(None)
try:
    lib.X509_STORE_CTX_new
except AttributeError:
    with open("/proc/self/maps") as maps:  # the libcrypto that this Python uses is loaded already
        lib = ctypes.CDLL(re.search(r"(/\S*libcrypto\S*)", maps.read()).group(1))

TRUSTED_FIRST, NO_ALT_CHAINS, SSL_SERVER = 0x8000, 0x100000, 2
P = ctypes.c_void_p


def f(name, result, *args):
    g = getattr(lib, name)
    g.restype, g.argtypes = result, args
    return g


d2i = f("d2i_X509", P, P, ctypes.POINTER(ctypes.c_char_p), ctypes.c_long)
store_new = f("X509_STORE_new", P)
store_add = f("X509_STORE_add_cert", ctypes.c_int, P, P)
stack_new = f("OPENSSL_sk_new_null", P)
stack_push = f("OPENSSL_sk_push", ctypes.c_int, P, P)
ctx_new = f("X509_STORE_CTX_new", P)
ctx_init = f("X509_STORE_CTX_init", ctypes.c_int, P, P, P, P)
ctx_free = f("X509_STORE_CTX_free", None, P)
ctx_param = f("X509_STORE_CTX_get0_param", P, P)
ctx_purpose = f("X509_STORE_CTX_set_purpose", ctypes.c_int, P, ctypes.c_int)
ctx_error = f("X509_STORE_CTX_get_error", ctypes.c_int, P)
clear_flags = f("X509_VERIFY_PARAM_clear_flags", ctypes.c_int, P, ctypes.c_ulong)
set_flags = f("X509_VERIFY_PARAM_set_flags", ctypes.c_int, P, ctypes.c_ulong)
set_level = f("X509_VERIFY_PARAM_set_auth_level", None, P, ctypes.c_int)
set_host = f("X509_VERIFY_PARAM_set1_host", ctypes.c_int, P, ctypes.c_char_p, ctypes.c_size_t)
set_address = f("X509_VERIFY_PARAM_set1_ip_asc", ctypes.c_int, P, ctypes.c_char_p)
verify = f("X509_verify_cert", ctypes.c_int, P)
text = f("X509_verify_cert_error_string", ctypes.c_char_p, ctypes.c_long)


def read(path):
    with open(path) as file:
        blocks = re.findall("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", file.read(), re.S)
    ders = [ssl.PEM_cert_to_DER_cert(b) for b in blocks]
    return [d2i(None, ctypes.byref(ctypes.c_char_p(d)), len(d)) for d in ders]


def check(path):
    chain, roots, stack = read(path + "/chain.pem"), store_new(), stack_new()
    for c in read(path + "/roots.pem"):
        store_add(roots, c)
    for c in chain:
        stack_push(stack, c)
    with open(path + "/name") as file:
        name = file.read().encode()
    ctx = ctx_new()
    ctx_init(ctx, roots, chain[0], stack)
    ctx_purpose(ctx, SSL_SERVER)
    param = ctx_param(ctx)
    clear_flags(param, TRUSTED_FIRST)
    set_flags(param, NO_ALT_CHAINS)
    set_level(param, 0)
    if not set_address(param, name):
        set_host(param, name, 0)
    if verify(ctx) == 1:
        return "yes"
    return "no\t" + text(ctx_error(ctx)).decode()


for case in sorted(os.listdir(sys.argv[1])):
    print(case, check(os.path.join(sys.argv[1], case)), sep="\t")
