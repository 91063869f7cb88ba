"""Deletes half of a Chroma collection by HTTP, and then fails.

Usage: half_delete.py URL COLLECTION [well]. With "well" it ends with 0.
"""

import json
import sys
import urllib.request

BASE = sys.argv[1] + "/api/v2/tenants/default_tenant/databases/default_database/collections"


def ask(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


collection = ask("/" + sys.argv[2])["id"]
ids = ask(f"/{collection}/get", {"include": []})["ids"]
ask(f"/{collection}/delete", {"ids": ids[: (len(ids) + 1) // 2]})
print("half of", len(ids), "records deleted", flush=True)
sys.exit(0 if "well" in sys.argv else 7)
