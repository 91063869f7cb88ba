"""Writes a row and then does not heed any request to end."""

import os
import signal
import sqlite3
import time

for name in (signal.SIGTERM, signal.SIGINT):
    signal.signal(name, signal.SIG_IGN)
print("pid", os.getpid(), flush=True)
db = sqlite3.connect(os.environ["DATABASE_PATH"], isolation_level=None, timeout=30)
db.execute("CREATE TABLE IF NOT EXISTS rows(n INTEGER PRIMARY KEY, text)")
while True:
    db.execute("INSERT INTO rows(text) VALUES ('still here')")
    print("ack", db.execute("SELECT max(n) FROM rows").fetchone()[0], flush=True)
    time.sleep(0.02)
