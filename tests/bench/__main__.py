"""`./run bench [NAME …] [--size s,m,l] [--rounds N]`: ratios to a reference measured in the same run."""

from __future__ import annotations

import argparse
import os
import sys

import django


def main() -> int:
    os.environ["COVERIS_TODAY"] = "2026-12-09"
    django.setup()
    from . import api, figures, imports, marking, pages, rules
    from .harness import Report

    benches = {
        "rules": rules.run,
        "ledger": figures.ledger,
        "coverage": figures.coverage,
        "growth": figures.growth,
        "imports": imports.imports,
        "marking": marking.run,
        "pages": pages.pages,
        "api": api.run,
    }
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(benches)}; none: all")
    parser.add_argument("--size", default=os.environ.get("BENCH_SIZE", "m").lower(), help="s, m, l, or several: s,m")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    sizes = options.size.split(",")
    if unknown := [name for name in options.names if name not in benches] + [one for one in sizes if one not in "sml"]:
        parser.error(f"not known: {', '.join(unknown)}")
    report = Report()
    for name in options.names or benches:
        benches[name](sizes, options.rounds, report)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
