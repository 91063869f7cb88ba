"""Ends at once and leaves children behind, one of which heeds no request to end.

Usage: leftovers.py stay|go CODE. With "stay" it waits for SIGTERM before.
"""

import os
import signal
import sqlite3
import sys
import time

db = sqlite3.connect(os.environ["DATABASE_PATH"], isolation_level=None)
db.execute("CREATE TABLE IF NOT EXISTS rows(n INTEGER PRIMARY KEY, text)")
db.execute("INSERT INTO rows(text) VALUES ('parent')")
db.close()
for heeds in (True, False):
    if os.fork() == 0:
        if not heeds:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("pid", os.getpid(), flush=True)
        while True:
            time.sleep(1)
if sys.argv[1] == "stay":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(int(sys.argv[2])))
    print("up", flush=True)
    while True:
        time.sleep(1)
time.sleep(0.2)
os._exit(int(sys.argv[2]))
