"""Runs cases side by side, as they spend their time in waiting and share no client identifier and no topic."""
import concurrent.futures
import dataclasses
import os
import traceback

from .client import Closed
from .registry import Bench, Case, NotOffered

THREADS = 24


@dataclasses.dataclass(frozen=True)
class Result:
    case: Case
    verdict: str      # "passed", "failed" or "not offered"
    reason: str = ""


def run_case(case, server):
    bench = Bench(server, case.version)
    try:
        case.run(bench)
    except NotOffered as why:
        return Result(case, "not offered", str(why))
    except AssertionError as error:
        return Result(case, "failed", _told(error, str(error)))
    except Closed as error:
        return Result(case, "failed", _told(error, "the server closed"))
    except Exception as error:  # noqa: BLE001 whatever it is, the other cases go on
        return Result(case, "failed", _told(error, f"{type(error).__name__}: {error}"))
    finally:
        bench.close()
    return Result(case, "passed")


def _told(error, what):
    """With the line of the case itself."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__)
             if os.path.basename(os.path.dirname(frame.filename)) == "cases"]
    return " ".join(what.split()) + (f" (line {lines[-1]})" if lines else "")


def run_all(cases, server, threads=THREADS):
    """Yields the results as they come."""
    Bench.run_name = f"c{os.urandom(3).hex()}x"
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        longest_first = sorted(cases, key=lambda case: -case.seconds)
        for done in concurrent.futures.as_completed([pool.submit(run_case, case, server) for case in longest_first]):
            yield done.result()
