#!/usr/bin/env python3
"""Makes an API key for irrepd --keys FILE. Prints the key, and the line of the file to stderr.

    tools/make_key.py NAME SCOPES [FILE]

SCOPES: predict, admin, or predict,admin. With FILE the line is appended to it instead. The key is
shown once and is not in the line; clients send it as "Authorization: Bearer KEY" (IRREPD_KEY of
the Python client). kill -HUP makes the daemon read its file again.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import sys


def opener(path: str, flags: int) -> int:
    """Only the owner may change a new file, whatever the umask: the daemon takes no other."""
    return os.open(path, flags, 0o644)


def main(arguments: list[str]) -> int:
    if len(arguments) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 2
    name, scopes = arguments[:2]
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name):
        print("a name has 1 to 64 letters, digits, dots, hyphens, underscores", file=sys.stderr)
        return 2
    if scopes not in ("predict", "admin", "predict,admin", "admin,predict"):
        print("scopes are predict, admin or predict,admin", file=sys.stderr)
        return 2
    key = "irrepd_" + secrets.token_urlsafe(32)
    line = f"{name} {scopes} {hashlib.sha256(key.encode()).hexdigest()}\n"
    if len(arguments) == 3:
        with open(arguments[2], "a", encoding="ascii", opener=opener) as file:
            file.write(line)
    else:
        sys.stderr.write(line)
    print(key)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
