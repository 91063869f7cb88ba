"""Ingests into a database in transactions of 100, and fails in the middle.

Usage: ingest.py DATABASE [well]. With "well" it does not fail.
"""

import sqlite3
import sys

db = sqlite3.connect(sys.argv[1], timeout=30)
db.execute("CREATE TABLE ingested(n, text)")
for n in range(500):
    db.execute("INSERT INTO ingested VALUES (?, ?)", (n, "เอกสาร %d" % n))
    if n % 100 == 99:
        db.commit()
        print("ingested", n + 1, flush=True)
    if n == 250 and "well" not in sys.argv:
        db.execute("DELETE FROM ingested WHERE n < 100")
        db.execute("UPDATE rows SET text = 'spoilt'")
        db.commit()
        print("the document cannot be read", file=sys.stderr)
        sys.exit(9)
db.close()
