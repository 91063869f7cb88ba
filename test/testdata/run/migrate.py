"""Migrates a bot's database in two steps, and fails between them when asked to.

Usage: migrate.py [fail].
"""

import os
import sqlite3
import sys

db = sqlite3.connect(os.environ["DATABASE_PATH"])
(version,) = db.execute("PRAGMA user_version").fetchone()
print("the schema has version", version, flush=True)
if "fail" in sys.argv:
    db.execute("DELETE FROM rows WHERE n % 2 = 0")
    db.execute("PRAGMA user_version = 99")
    db.commit()
    print("ไม่สำเร็จ: no such column: colour", file=sys.stderr)
    sys.exit(5)
if version < 2:
    db.execute("CREATE TABLE settings(name, value)")
    db.execute("PRAGMA user_version = 2")
    db.commit()
