# Asks libgnutls itself: one priority string (JSON) per line in; out one object: error, with the offset of what it could not
# read, or the lists that the string comes to: suites (code points), protocols, groups, signs, ciphers, macs, kx (names).
import ctypes
import ctypes.util
import json
import sys

lib = ctypes.CDLL(ctypes.util.find_library("gnutls"))
pointer = ctypes.c_void_p
numbers = ctypes.POINTER(ctypes.c_uint)
for name, result, arguments in [
    ("gnutls_priority_init", ctypes.c_int, [ctypes.POINTER(pointer), ctypes.c_char_p, ctypes.POINTER(ctypes.c_char_p)]),
    ("gnutls_priority_deinit", None, [pointer]),
    ("gnutls_priority_get_cipher_suite_index", ctypes.c_int, [pointer, ctypes.c_uint, ctypes.POINTER(ctypes.c_uint)]),
    ("gnutls_cipher_suite_info", ctypes.c_char_p, [ctypes.c_size_t, ctypes.c_char_p] + [pointer] * 4),
    ("gnutls_strerror_name", ctypes.c_char_p, [ctypes.c_int]),
    ("gnutls_check_version", ctypes.c_char_p, [ctypes.c_char_p]),
]:
    function = getattr(lib, name)
    function.restype, function.argtypes = result, arguments

lists = {
    "protocols": ("gnutls_priority_protocol_list", "gnutls_protocol_get_name"),
    "groups": ("gnutls_priority_group_list", "gnutls_group_get_name"),
    "signs": ("gnutls_priority_sign_list", "gnutls_sign_get_name"),
    "ciphers": ("gnutls_priority_cipher_list", "gnutls_cipher_get_name"),
    "macs": ("gnutls_priority_mac_list", "gnutls_mac_get_name"),
    "kx": ("gnutls_priority_kx_list", "gnutls_kx_get_name"),
}
for listing, naming in lists.values():
    function = getattr(lib, listing)
    function.restype, function.argtypes = ctypes.c_int, [pointer, ctypes.POINTER(numbers)]
    function = getattr(lib, naming)
    function.restype, function.argtypes = ctypes.c_char_p, [ctypes.c_uint]


def suites(cache):
    found, index, code = [], 0, ctypes.create_string_buffer(2)
    number = ctypes.c_uint()
    while True:
        status = lib.gnutls_priority_get_cipher_suite_index(cache, index, ctypes.byref(number))
        index += 1
        if status == 0:
            lib.gnutls_cipher_suite_info(number.value, code, None, None, None, None)
            found.append(code.raw[0] << 8 | code.raw[1])
        elif status != -21:  # GNUTLS_E_UNKNOWN_CIPHER_SUITE: a slot of the table that is not in use
            return found


def answer(text):
    cache, where = pointer(), ctypes.c_char_p()
    raw = text.encode("latin-1")
    buffer = ctypes.create_string_buffer(raw)
    status = lib.gnutls_priority_init(ctypes.byref(cache), ctypes.cast(buffer, ctypes.c_char_p), ctypes.byref(where))
    if status != 0:
        rest = ctypes.cast(where, pointer).value
        offset = rest - ctypes.addressof(buffer) if rest else -1
        return {"error": (lib.gnutls_strerror_name(status) or b"?").decode(), "offset": offset}
    out = {"suites": suites(cache)}
    for field, (listing, naming) in lists.items():
        values = numbers()
        count = getattr(lib, listing)(cache, ctypes.byref(values))
        names = [getattr(lib, naming)(values[i]) for i in range(count)]
        out[field] = [name.decode() if name else "?" for name in names]
    lib.gnutls_priority_deinit(cache)
    return out


print(json.dumps({"version": lib.gnutls_check_version(None).decode()}))
for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))))
