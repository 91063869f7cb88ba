"""Closes its output, writes rows, and ends with 5."""

import os
import sqlite3

os.close(1)
os.close(2)
db = sqlite3.connect(os.environ["DATABASE_PATH"], isolation_level=None)
db.execute("CREATE TABLE rows(n INTEGER PRIMARY KEY, text)")
for n in range(100):
    db.execute("INSERT INTO rows(text) VALUES ('unheard')")
os._exit(5)
