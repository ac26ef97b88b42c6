"""Ed25519 verification by ZIP-215, in plain Python: the reference for the signature rule.

    accepts (A, M, R || S)  iff  S < L  and  [8][S]B = [8]R + [8][k]A,
                                 k = SHA-512(R || A || M) mod L

where A and R may be any 32 bytes that decompress, non-canonical ones included, and k is taken over
the bytes as they came. Multiplying by the cofactor 8 is what makes one verification and a batch of
them agree on every input. Sources: ZIP-215 (zips.z.cash/zip-0215), RFC 8032 section 5.1,
docs/format.md section 2; the latter adds what admission asks for on top: `is_canonical_signature`
and `is_acceptable_key`.

Points are in extended coordinates (X, Y, Z, T), x = X/Z, y = Y/Z, x*y = T/Z, on
-x^2 + y^2 = 1 + d*x^2*y^2 over the integers mod P. It handles public data only, so it need not run
in constant time, and it does not. One verification takes milliseconds; what is fast is in the core.
"""

import hashlib
from typing import Final, NamedTuple

P: Final = 2**255 - 19
L: Final = 2**252 + 27742317777372353535851937790883648493  # order of the base point
D: Final = -121665 * pow(121666, -1, P) % P
_SQRT_MINUS_1: Final = pow(2, (P - 1) >> 2, P)

_Y_MASK: Final = (1 << 255) - 1
_ENCODED_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64


class Point(NamedTuple):
    """A point of the curve in extended coordinates."""

    x: int
    y: int
    z: int
    t: int


IDENTITY: Final = Point(0, 1, 1, 0)


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Returns whether the signature satisfies the ZIP-215 equation.

    Args:
        public_key: 32 bytes; other lengths verify nothing.
        message: What was signed.
        signature: 64 bytes; other lengths are no signature.
    """
    if len(signature) != _SIGNATURE_BYTES or len(public_key) != _ENCODED_BYTES:
        return False
    encoded_r = signature[:_ENCODED_BYTES]
    point_a = decompress(public_key)
    point_r = decompress(encoded_r)
    scalar = int.from_bytes(signature[_ENCODED_BYTES:], "little")
    if point_a is None or point_r is None or scalar >= L:
        return False
    digest = hashlib.sha512(encoded_r + public_key + message).digest()
    challenge = int.from_bytes(digest, "little") % L
    # [S]B - [k]A - R, which the cofactor must bring to the identity.
    difference = add(multiply_both(scalar, BASE, challenge, negate(point_a)), negate(point_r))
    return is_identity(multiply_by_cofactor(difference))


def is_canonical_signature(signature: bytes) -> bool:
    """Returns whether R decompresses and R and S are each the one canonical encoding of a value."""
    if len(signature) != _SIGNATURE_BYTES:
        return False
    encoded_r = signature[:_ENCODED_BYTES]
    scalar = int.from_bytes(signature[_ENCODED_BYTES:], "little")
    return _decompress_canonical(encoded_r) is not None and scalar < L


def is_acceptable_key(public_key: bytes) -> bool:
    """Returns whether a key may be registered: canonical, of prime order, not the identity."""
    if len(public_key) != _ENCODED_BYTES:
        return False
    point = _decompress_canonical(public_key)
    return point is not None and not is_identity(point) and is_identity(multiply(L, point))


def is_canonical_point(encoded: bytes) -> bool:
    """Returns whether 32 bytes are the one encoding of their point, should they have one.

    That is y below P, and no sign bit on the two points with x = 0 (y = 1 and y = -1).
    """
    value = int.from_bytes(encoded, "little")
    sign, y = value >> 255, value & _Y_MASK
    return y < P and not (sign and y in {1, P - 1})


def decompress(encoded: bytes) -> Point | None:
    """Returns the point of 32 bytes, or None if there is none.

    As ZIP-215 has it: y may be P or more and is reduced; x = 0 may come with the sign bit set.
    """
    value = int.from_bytes(encoded, "little")
    sign = value >> 255
    y = (value & _Y_MASK) % P
    y2 = y * y % P
    numerator = (y2 - 1) % P
    denominator = (D * y2 + 1) % P
    # x = (u/v)^((P+3)/8), RFC 8032 section 5.1.3: no inversion needed.
    v3 = pow(denominator, 3, P)
    v7 = v3 * v3 * denominator % P
    x = numerator * v3 * pow(numerator * v7, (P - 5) >> 3, P) % P
    check = denominator * x * x % P
    if check == -numerator % P:
        x = x * _SQRT_MINUS_1 % P
    elif check != numerator:
        return None
    if x & 1 != sign:
        x = -x % P
    return Point(x, y, 1, x * y % P)


def compress(point: Point) -> bytes:
    """Returns the canonical 32 bytes of a point."""
    inverse = pow(point.z, -1, P)
    x, y = point.x * inverse % P, point.y * inverse % P
    return (y | (x & 1) << 255).to_bytes(_ENCODED_BYTES, "little")


def add(left: Point, right: Point) -> Point:
    """Returns the sum, by the complete formula (valid for every pair of points)."""
    a = (left.y - left.x) * (right.y - right.x) % P
    b = (left.y + left.x) * (right.y + right.x) % P
    c = 2 * D * left.t * right.t % P
    d = 2 * left.z * right.z % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return Point(e * f % P, g * h % P, f * g % P, e * h % P)


def double(point: Point) -> Point:
    """Returns the point added to itself."""
    a = point.x * point.x % P
    b = point.y * point.y % P
    c = 2 * point.z * point.z % P
    h = a + b
    e = h - (point.x + point.y) ** 2 % P
    g = a - b
    f = c + g
    return Point(e * f % P, g * h % P, f * g % P, e * h % P)


def negate(point: Point) -> Point:
    """Returns the point's inverse."""
    return Point(-point.x % P, point.y, point.z, -point.t % P)


def multiply(scalar: int, point: Point) -> Point:
    """Returns [scalar]point."""
    return multiply_both(scalar, point, 0, IDENTITY)


def multiply_both(scalar1: int, point1: Point, scalar2: int, point2: Point) -> Point:
    """Returns [scalar1]point1 + [scalar2]point2 with one chain of doublings."""
    summands = (IDENTITY, point1, point2, add(point1, point2))
    result = IDENTITY
    for bit in reversed(range(max(scalar1.bit_length(), scalar2.bit_length()))):
        result = double(result)
        choice = (scalar1 >> bit & 1) | (scalar2 >> bit & 1) << 1
        if choice:
            result = add(result, summands[choice])
    return result


def multiply_by_cofactor(point: Point) -> Point:
    """Returns [8]point."""
    return double(double(double(point)))


def is_identity(point: Point) -> bool:
    """Returns whether the point is the neutral element."""
    return point.x % P == 0 and (point.y - point.z) % P == 0


def _decompress_canonical(encoded: bytes) -> Point | None:
    return decompress(encoded) if is_canonical_point(encoded) else None


def _base_point() -> Point:
    point = decompress((4 * pow(5, -1, P) % P).to_bytes(_ENCODED_BYTES, "little"))
    if point is None:
        raise ArithmeticError("the base point is not on the curve")
    return point


BASE: Final = _base_point()
