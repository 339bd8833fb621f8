"""The container's health check: exits 0 if the gateway on this machine's port 8080 says that it is ready, over TLS where it has that.

A gateway that asks clients for certificates cannot be asked so: give such a container a health check of its own.
"""

import ssl
import sys
from http.client import HTTPConnection, HTTPException, HTTPSConnection

PORT, PATIENCE = 8080, 2


def ready(connection: HTTPConnection) -> bool:
    """Whether it answers 200."""
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def main(port: int = PORT) -> int:
    """0 if it is; whose certificate it is does not matter to who asks itself."""
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    own.check_hostname, own.verify_mode = False, ssl.CERT_NONE
    plain, encrypted = (
        HTTPConnection("127.0.0.1", port, timeout=PATIENCE),
        HTTPSConnection("127.0.0.1", port, timeout=PATIENCE, context=own),
    )
    return 0 if ready(plain) or ready(encrypted) else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:2])))
