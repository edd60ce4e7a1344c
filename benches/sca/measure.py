#!/usr/bin/env python3
"""Runs commands beside each other and prints what each cost: wall, CPU, peak memory, medians over interleaved rounds.

usage: measure.py ROUNDS NAME=COMMAND ...      the first command is ours, ratios are peers' figures over ours, taken within a round
Its output goes to files NAME.out in the current folder; exit codes of 0 and 1 (something was found) count as success.
"""
import os
import shlex
import statistics
import subprocess
import sys
import time


def once(name, command):
    with open(f"{name}.out", "wb") as out, open(f"{name}.err", "wb") as err:
        start = time.perf_counter()
        child = subprocess.Popen(shlex.split(command), stdout=out, stderr=err, stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 1):
        sys.exit(f"{name} ended with {child.returncode}; see {name}.err")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main(rounds, *commands):
    named = [tuple(command.split("=", 1)) for command in commands]
    seen = {name: [] for name, _ in named}
    for turn in range(int(rounds) + 1):
        for name, command in named:
            figures = once(name, command)
            if turn or int(rounds) == 1:  # the first round warms the page cache for all
                seen[name].append(figures)
        if int(rounds) == 1 and not turn:
            break
    middle = lambda name, i: statistics.median(row[i] for row in seen[name])
    first = named[0][0]
    print(f"{'':14}{'wall s':>9}{'CPU s':>9}{'RSS MiB':>9}   times {first}: wall, CPU, RSS")
    for name, _ in named:
        ratios = [statistics.median(peer[i] / own[i] for peer, own in zip(seen[name], seen[first])) for i in range(3)]
        told = "" if name == first else "   " + ", ".join(f"{r:.1f}" for r in ratios)
        print(f"{name:14}{middle(name, 0):9.3f}{middle(name, 1):9.3f}{middle(name, 2):9.1f}{told}")


main(*sys.argv[1:])
