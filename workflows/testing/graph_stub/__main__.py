"""`python -m workflows.testing.graph_stub --port 8099` (0: any free port)."""

import argparse
import sys

from workflows.testing.graph_stub.server import GraphStub


def main() -> None:
    """Serve until the process is ended; prints the address first."""
    parser = argparse.ArgumentParser(description="A stand-in for the Graph API.")
    parser.add_argument("--port", type=int, default=8099)
    server = GraphStub(parser.parse_args().port)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
