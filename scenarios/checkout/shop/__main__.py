"""Starts one replica: python -m shop --port 8000 --database HOST:PORT --cache HOST:PORT."""

import argparse
import sys

try:
    import uvicorn

    from shop.app import make_app
    from shop.settings import Settings
except ModuleNotFoundError as missing:
    sys.exit(f"the shop needs {missing.name}: pip install 'reliability-harness[demo]'")


def main() -> None:
    parser = argparse.ArgumentParser(prog="shop")
    parser.add_argument("--host", default="0.0.0.0")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--cache", required=True)
    given = parser.parse_args()
    settings = Settings.from_environment(given.database, given.cache)
    uvicorn.run(
        make_app(settings), host=given.host, port=given.port, log_level="warning", access_log=False
    )


if __name__ == "__main__":
    main()
