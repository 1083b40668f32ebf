"""Runs in a container: takes as much of one kind as it can get, again and again, and never ends by itself."""

import os
import sys
import time


def fork() -> None:
    while True:
        try:
            os.fork()
        except OSError:
            time.sleep(0.01)


def memory() -> None:
    taken = []
    while True:
        taken.append(bytearray(os.urandom(2**20)))


def files() -> None:
    taken = []
    while True:
        try:
            taken.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            print(f"refused after {len(taken)}", flush=True)
            if os.fork() == 0:
                os.closerange(3, 2**15)
                taken = []
            else:
                time.sleep(0.01)


def processors() -> None:
    for _ in range(15):
        if os.fork() == 0:
            break
    while True:
        pass


def disk() -> None:
    number = 0
    while True:
        number += 1
        with open(f"/filling-{number}", "wb") as file:
            file.write(os.urandom(2**20) * 4)
        if number % 16 == 0:
            os.sync()


def log() -> None:
    while True:
        print("x" * 4000, flush=True)


{each.__name__: each for each in (fork, memory, files, processors, disk, log)}[sys.argv[1]]()
