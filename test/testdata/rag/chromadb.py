"""As much of the package chromadb as docs/rag.md uses, with the standard library.

The package itself is too large to install for a test; a real server answers.
"""

import json
import types
import urllib.error
import urllib.request


class NotFoundError(Exception):
    """There is no such collection."""


errors = types.SimpleNamespace(NotFoundError=NotFoundError)


class HttpClient:
    def __init__(self, host="localhost", port=8000):
        self._base = f"http://{host}:{port}/api/v2/tenants/default_tenant/databases/default_database/collections"

    def _ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as failed:
            text = failed.read().decode()
            raise (NotFoundError if failed.code == 404 else RuntimeError)(text) from None

    def get_or_create_collection(self, name):
        return Collection(self, self._ask("POST", "", {"name": name, "get_or_create": True})["id"])

    def get_collection(self, name):
        return Collection(self, self._ask("GET", "/" + name)["id"])

    def delete_collection(self, name):
        self._ask("DELETE", "/" + name)


class Collection:
    def __init__(self, client, id):
        self._client, self.id = client, id

    def _post(self, verb, **body):
        return self._client._ask("POST", f"/{self.id}/{verb}", body)

    def upsert(self, ids, embeddings, documents, metadatas):
        self._post("upsert", ids=ids, embeddings=embeddings, documents=documents, metadatas=metadatas)

    def query(self, query_embeddings, n_results):
        return self._post("query", query_embeddings=query_embeddings, n_results=n_results, include=["documents", "metadatas", "distances"])

    def delete(self, ids):
        self._post("delete", ids=ids)

    def get(self):
        return self._post("get", include=["documents", "metadatas"])

    def count(self):
        return self._client._ask("GET", f"/{self.id}/count")
