"""Writes the pickles that pickle_test.go reads, with Python's own pickle module.

Run it in this folder: python3 make.py

The class stands where Chroma's stands, so that the pickles name the same class
as those of Chroma's Python releases 0.4 to 0.6; no part of Chroma is needed.
"""
import pickle
import sys
import types

MODULE = "chromadb.segment.impl.vector.local_persistent_hnsw"


class PersistentData:
    def __init__(self, dimensionality, total, max_seq_id, id_to_label, label_to_id, id_to_seq_id):
        self.dimensionality = dimensionality
        self.total_elements_added = total
        self.max_seq_id = max_seq_id
        self.id_to_label = id_to_label
        self.label_to_id = label_to_id
        self.id_to_seq_id = id_to_seq_id


class Evil:
    def __reduce__(self):
        return (print, ("a pickle was called",))


PersistentData.__module__ = MODULE
for i in range(1, MODULE.count(".") + 2):
    name = ".".join(MODULE.split(".")[:i])
    sys.modules[name] = types.ModuleType(name)
sys.modules[MODULE].PersistentData = PersistentData


def data(n, **more):
    ids = [f"บันทึก-{i}" for i in range(n)]
    forth = {s: i + 1 for i, s in enumerate(ids)}
    back = {i + 1: s for i, s in enumerate(ids)}
    seq = {s: 1000 + i for i, s in enumerate(ids)}
    return PersistentData(**{"dimensionality": 3, "total": n, "max_seq_id": 1000 + n,
                             "id_to_label": forth, "label_to_id": back, "id_to_seq_id": seq, **more})


def write(name, value, protocol):
    with open(name, "wb") as f:
        pickle.dump(value, f, protocol)


for protocol in (2, 3, 4, 5):
    write(f"persistent_{protocol}.pickle", data(2500), protocol)
write("persistent_one.pickle", data(1), 4)
write("persistent_empty.pickle", data(0, dimensionality=None, max_seq_id=None), 5)
write("persistent_wide.pickle", data(1, max_seq_id=1 << 40, total=1 << 33), 4)
write("old_protocol.pickle", data(3), 1)
write("evil.pickle", data(3, dimensionality=Evil()), 4)
write("other_class.pickle", types.SimpleNamespace(id_to_label={}, label_to_id={}), 4)
write("nested.pickle", data(3, id_to_label={"a": {"b": 1}}), 4)
write("swapped.pickle", data(3, label_to_id={"a": 1}), 4)
write("plain_dict.pickle", dict(vars(data(5, dimensionality=None, max_seq_id=None, id_to_seq_id={}))), 3)
