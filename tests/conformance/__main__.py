"""MQTT conformance of a running server.

    python3 -m tests.conformance --port 1883 [--host 127.0.0.1] [--only SUBSTRING]   a line for each case that failed
    python3 -m tests.conformance --list                           each statement of the standards, and what proves it
"""
import argparse
import sys

from . import statements
from .registry import Server, all_cases
from .runner import THREADS, run_all


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int)
    parser.add_argument("--only", default="", metavar="SUBSTRING", help="of the case's name, its file, or a statement")
    parser.add_argument("--denied-topic", metavar="TOPIC", help="one that the server lets nobody publish to")
    parser.add_argument("--threads", type=int, default=THREADS)
    parser.add_argument("--verbose", action="store_true", help="a line for every case")
    options = parser.parse_args()
    cases = all_cases()
    if options.list:
        print("\n".join(statements.table(cases)))
        return 1 if statements.faults(cases) else 0
    if not options.port:
        parser.error("--port or --list")
    wanted = [case for case in cases if options.only in str(case) or options.only in case.statements]
    server = Server((options.host, options.port), options.denied_topic)
    counts = {"passed": 0, "failed": 0, "not offered": 0}
    for result in run_all(wanted, server, options.threads):
        counts[result.verdict] += 1
        if result.verdict != "passed" or options.verbose:
            print(f"{result.verdict}: {result.case}" + (f": {result.reason}" if result.reason else ""), flush=True)
    print(f"{counts['passed']} passed, {counts['failed']} failed")
    return 1 if counts["failed"] or not wanted else 0


if __name__ == "__main__":
    sys.exit(main())
