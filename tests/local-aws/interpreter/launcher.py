"""The stand-in's Step Functions: moto's interpreter, repaired, behind an API of its own, as a child process.

    python launcher.py --endpoint http://127.0.0.1:4566 [--account 111122223333] [--region eu-west-1] [--wait-scale 0.01] \
        [--real-wait STATE]..

The parent talks to it over pipes. Standard output carries one JSON object a line: first `{"port": n}`, then
`{"executionStatusChange": {..}}` for each change of an execution's status. Standard input carries nothing; its end means
that the parent is gone, and the process with it. Standard error is the log.
"""

import argparse
import json
import logging
import os
import sys
import threading
import types


def main():
    arguments = argparse.ArgumentParser(description="Step Functions interpreter of the local stand-in")
    arguments.add_argument("--endpoint", required=True, help="where Lambda's Invoke API is")
    arguments.add_argument("--account", default="111122223333")
    arguments.add_argument("--region", default="eu-west-1")
    arguments.add_argument("--wait-scale", type=float, default=1.0, help="factor on Wait.Seconds and Retry intervals")
    arguments.add_argument("--real-wait", action="append", default=[], help="a state whose wait or Retry intervals are not scaled")
    settings = types.SimpleNamespace(**vars(arguments.parse_args()))

    # The engine logs every failed state as an ERROR, input included; the history has them all.
    logging.basicConfig(level=logging.CRITICAL, stream=sys.stderr)
    logging.getLogger().disabled = True
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")

    say = _speaker()
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import repairs

    repairs.apply(settings, lambda detail: say({"executionStatusChange": detail}))
    import api

    server = api.server(api.Api(settings.account, settings.region))
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    say({"port": server.server_address[1]})
    server.serve_forever()


def _speaker():
    lock = threading.Lock()

    def say(message):
        with lock:
            sys.stdout.write(json.dumps(message, default=str) + "\n")
            sys.stdout.flush()

    return say


def _leave_with_parent():
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
