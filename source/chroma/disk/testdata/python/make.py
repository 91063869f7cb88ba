"""Writes the pickles of python_test.go with Python's own pickle module.

Run it in this folder: python3 make.py

They belong to the index files of internal/hnsw/testdata/sound: the labels 1, 2,
4 and 5 are alive there. The class stands where Chroma's stands; no part of
Chroma is needed.
"""
import pickle
import sys
import types

MODULE = "chromadb.segment.impl.vector.local_persistent_hnsw"


class PersistentData:
    pass


PersistentData.__module__ = MODULE
for i in range(1, MODULE.count(".") + 2):
    name = ".".join(MODULE.split(".")[:i])
    sys.modules[name] = types.ModuleType(name)
sys.modules[MODULE].PersistentData = PersistentData


def write(name, max_seq_id, protocol, ids):
    data = PersistentData()
    data.dimensionality = 3
    data.total_elements_added = 5
    data.max_seq_id = max_seq_id
    data.id_to_label = dict(ids)
    data.label_to_id = {label: id for id, label in ids.items()}
    data.id_to_seq_id = {id: label for id, label in ids.items()}
    with open(name, "wb") as f:
        pickle.dump(data, f, protocol)


LIVE = {"a": 1, "b": 2, "d": 4, "e": 5}
write("position_inside.pickle", 6, 4, LIVE)  # before 0.5.6
write("position_outside.pickle", None, 5, LIVE)  # 0.5.6 to 0.6.3
