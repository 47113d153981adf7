"""Mutants of every file that we read: each is read, or refused in one line; never a traceback, a crash, a hang.

    python tests/fuzz/fuzz.py boxes config --count 10000     # a few kinds; all without a name
    pytest tests/fuzz                                        # the same, a few mutants of each

A mutant is one of a reader's seeds with bytes or, in text, numbers, words and brackets changed. Where a reader dies,
the mutant that it died of is the file that is named last.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import random
import re
import resource
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from functools import cache
from pathlib import Path

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "video")]

import label_readers
import model_readers
import result_readers
import video_readers
from reader import Reader

from dettrack.errors import DettrackError
from dettrack.threads import tune_process

_SECONDS = 60
_MOST_MIB = 2048
_TOKENS = [b"[", b"]", b"{", b"}", b",", b"null", b"true", b"-1", b"1e999", b"9" * 40, b"1.5", b'"a"', b"NaN", b"\x00"]
READERS = video_readers.READERS | result_readers.READERS | label_readers.READERS | model_readers.READERS


@cache
def _seeds(name: str) -> list[Path]:
    return READERS[name].seeds(Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-")))


def mutate(data: bytes, chance: random.Random) -> bytes:
    """One to four changes: bytes, numbers and words, a part removed, doubled or zeroed, the end cut off."""
    changed = bytearray(data)
    for _ in range(chance.choice([1, 1, 1, 1, 2, 4])):
        a = chance.randrange(len(changed) + 1) if chance.random() < 0.5 else min(len(changed), chance.randrange(400))
        b = min(len(changed), a + chance.choice([1, 2, 4, 8, 64, 1000]))
        kind = chance.choice((0, 1, 1, 1, 2, 3, 4, 5, 6, 6, 6, 6, 7))
        if kind == 0 and a < b:
            changed[a:b] = chance.randbytes(b - a)
        elif kind == 1 and a < b:
            changed[a] ^= 1 << chance.randrange(8)
        elif kind == 2:
            del changed[a:b]
        elif kind == 3:
            changed[a:a] = changed[a:b]
        elif kind == 4:
            changed[a:b] = bytes(b - a)
        elif kind == 5:
            del changed[a:]
        elif kind == 6:
            numbers = list(re.finditer(rb"-?\d+(\.\d+)?|true|null|\"[^\"]*\"", bytes(changed[:20_000])))
            if numbers:
                place = chance.choice(numbers)
                changed[place.start() : place.end()] = chance.choice(_TOKENS)
        else:
            changed[a:a] = chance.choice(_TOKENS) * chance.choice([1, 1, 1, 2000])
    return bytes(changed)


def try_mutants(name: str, count: int, seed: int = 0) -> Counter[str]:
    """Read mutants.

    Args:
        name: Key of `READERS`.
        count: How many.
        seed: Of the random numbers.

    Returns:
        How many were "read" and "refused"; anything else is a fault, by what it said, with the mutant's file.
    """
    chance, reader, found = random.Random(f"{name} {seed}"), READERS[name], Counter[str]()
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    _outcome(reader, _seeds(name)[0])  # what is imported at the first call takes its own time
    for number in range(count):
        origin = chance.choice(_seeds(name))
        path = folder / f"mutant{origin.suffix}"
        path.write_bytes(mutate(origin.read_bytes(), chance))
        outcome = _outcome(reader, path)
        if outcome not in ("read", "refused"):
            kept = folder / f"{seed}_{number}{origin.suffix}"
            if not found[outcome]:
                path.rename(kept)
                sys.stderr.write(f"{name}: {outcome}: {kept}\n")
        found[outcome] += 1
    return found


class _TooLongError(BaseException):
    pass


def _outcome(reader: Reader, path: Path) -> str:
    def late(*_: object) -> None:
        raise _TooLongError

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(_SECONDS)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            reader.read(path)
    except DettrackError as error:
        said = str(error)
        return "refused" if "\n" not in said and said else re.sub(r"\d+", "0", f"more than a line: {said[-60:]!r}")
    except _TooLongError:
        return f"more than {_SECONDS} s"
    except Exception as error:  # noqa: BLE001 (this is what is looked for)
        return re.sub(r"\d+", "0", f"{type(error).__name__}: {str(error)[:60]!r}")
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return "read"


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readers", nargs="*", help=f"of {', '.join(READERS)}")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tune_process()
    failed = 0
    for name in options.readers or READERS:
        start = time.monotonic()
        found = try_mutants(name, options.count, options.seed)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        failed += sum(found.values()) - found["read"] - found["refused"] + (peak > _MOST_MIB)
        print(f"{name}: {dict(found)}, {time.monotonic() - start:.0f} s, peak {peak} MiB", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(_main())
