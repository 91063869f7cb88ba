"""A bot: it writes numbered rows and acknowledges each after its commit.

Usage: bot.py JOURNAL_MODE, with the variables BOT_ROWS (end after so many rows),
BOT_EXIT (the code to end with) and BOT_PAUSE (seconds between two rows).
"""

import json
import os
import signal
import sqlite3
import sys
import time

going = True


def end(*_):
    global going
    going = False


def say(*words):
    print(*words, flush=True)


def insert(db, n):
    db.execute("INSERT INTO rows VALUES (?, ?)", (n, f"ข้อความที่ {n} " + "x" * (n % 300)))
    say("ack", n)


signal.signal(signal.SIGTERM, end)
say("pid", os.getpid())
with open(os.environ["HOLDFAST_STATUS"]) as file:
    say("status", json.dumps(json.load(file)))
say("path", os.environ["DATABASE_PATH"])
db = sqlite3.connect(os.environ["DATABASE_PATH"], isolation_level=None, timeout=30)
(mode,) = db.execute("PRAGMA journal_mode=" + sys.argv[1]).fetchone()
db.execute("CREATE TABLE IF NOT EXISTS rows(n INTEGER PRIMARY KEY, text)")
(check,) = db.execute("PRAGMA integrity_check").fetchone()
count, n = db.execute("SELECT count(*), coalesce(max(n), 0) FROM rows").fetchone()
say("found", mode, check, count, n)
left = int(os.environ.get("BOT_ROWS", -1))
pause = float(os.environ.get("BOT_PAUSE", "0.004"))
while going and left != 0:
    n, left = n + 1, left - 1
    insert(db, n)
    time.sleep(pause)
insert(db, n + 1)  # what a bot still has to write when it is asked to end
db.close()
say("bye")
sys.exit(int(os.environ.get("BOT_EXIT", 0)))
