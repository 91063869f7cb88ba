#!/usr/bin/env python3
"""Restores a backup of holdfast without holdfast.

    restore.py [-i KEYFILE] REPOSITORY BACKUP DIRECTORY [PATH ...]

REPOSITORY is the folder with repository.json (copy a bucket to a disk first),
DIRECTORY must be empty or new; PATHs choose files or folders of the backup.
Needs Python 3.8, the command `zstd`, and for encrypted backups the command `age`
with a key: KEYFILE holds private keys as age-keygen writes them, or is the
repository's identity.age, for which age asks the passphrase.

Every stored file is compared with its SHA-256 before it is used. The format is
described in repo/FORMAT.md of holdfast.
"""
import argparse
import calendar
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

BLOCK = 4096
PIECE = 1 << 20


def fail(text):
    sys.exit("restore.py: " + text)


def sha256(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        for piece in iter(lambda: f.read(PIECE), b""):
            h.update(piece)
    return h.hexdigest()


class Keys:
    """The private keys, in memory only."""

    def __init__(self, file):
        self.text = None
        if file is None:
            return
        with open(file, "rb") as f:
            self.text = f.read()
        if self.text.startswith(b"age-encryption.org/"):
            self.text = subprocess.run(["age", "-d", file], check=True, stdout=subprocess.PIPE).stdout

    def decrypt(self, path, out):
        if self.text is None:
            fail(path + " is encrypted: name the file with the private key by -i")
        subprocess.run(["age", "-d", "-i", "-", path], input=self.text, stdout=out, check=True)


class Backup:
    """One backup: its marker, and its manifest by path."""

    def __init__(self, repository, name, keys):
        self.folder, self.keys = os.path.join(repository, name), keys
        with open(os.path.join(self.folder, "backup_metadata.json"), "rb") as f:
            data = f.read()
        if hashlib.sha256(data[:-68]).hexdigest().encode() != data[-68:-4]:
            fail(name + "/backup_metadata.json is damaged")
        marker = json.loads(data)
        if marker["format"] != 1:
            fail("%s has format %d, this script reads 1" % (name, marker["format"]))
        self.encrypted = marker.get("encrypted", False)
        compacted = ".c%d" % marker["compaction"] if "compaction" in marker else ""
        key = "manifest" + compacted + ".json" + (".age" if self.encrypted else "")
        with tempfile.TemporaryFile() as plain:
            self.open_stored(key, marker["manifest_sha256"], "raw", plain)
            self.manifest = json.load(plain)
        if self.manifest["backup"] != name:
            fail("the manifest of %s is that of %s" % (name, self.manifest["backup"]))
        self.entries = {e["path"]: e for e in self.manifest["entries"]}

    def open_stored(self, key, digest, encoding, out):
        """Writes the plaintext of a stored file to the file out."""
        path = os.path.join(self.folder, key)
        if sha256(path) != digest:
            fail(path + " is damaged: its SHA-256 is not " + digest)
        with tempfile.TemporaryFile() as decrypted:
            if self.encrypted:
                self.keys.decrypt(path, decrypted)
                decrypted.seek(0)
            source = decrypted if self.encrypted else open(path, "rb")
            with source:
                if encoding == "zstd":
                    subprocess.run(["zstd", "-dcq"], stdin=source, stdout=out, check=True)
                else:
                    shutil.copyfileobj(source, out, PIECE)
        out.seek(0)

    def payload(self, path, out):
        e = self.entries[path]
        self.open_stored(e["payload"], e["stored_sha256"], e["encoding"], out)


def restore_file(repository, backups, backup, e, target):
    def follow(backup, ref):
        r = backup.manifest["refs"][ref - 1]
        if r["backup"] not in backups:
            backups[r["backup"]] = Backup(repository, r["backup"], backup.keys)
        return backups[r["backup"]], r["path"]

    definer, says = backup, e  # which entry says where the blocks are
    if "same" in e:
        definer, path = follow(backup, e["same"])
        says = definer.entries[path]
        if says["digest"] != e["digest"] or "same" in says:
            fail("%s is not that of %s" % (path, e["path"]))
    payloads = {}
    try:
        with open(target, "wb") as out:
            out.truncate(e.get("size", 0))
            for block, count, at, *ref in says.get("extents", []):
                ref = ref[0] if ref else 0
                if ref not in payloads:
                    owner, path = follow(definer, ref) if ref else (definer, says["path"])
                    payloads[ref] = tempfile.TemporaryFile()
                    owner.payload(path, payloads[ref])
                payloads[ref].seek(at * BLOCK)
                out.seek(block * BLOCK)
                left = min(count * BLOCK, e["size"] - block * BLOCK)
                while left > 0:
                    piece = payloads[ref].read(min(left, PIECE))
                    if not piece:
                        fail("%s refers to bytes that are not there" % e["path"])
                    out.write(piece)
                    left -= len(piece)
    finally:
        for f in payloads.values():
            f.close()


def nanoseconds(mtime):
    """Gives RFC 3339 in UTC as nanoseconds since 1970."""
    whole, _, fraction = mtime.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) * 10**9 + int(fraction.ljust(9, "0") or 0)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("-i", metavar="KEYFILE")
    p.add_argument("repository")
    p.add_argument("backup")
    p.add_argument("directory")
    p.add_argument("path", nargs="*")
    a = p.parse_args()
    os.makedirs(a.directory, mode=0o700, exist_ok=True)
    if os.listdir(a.directory):
        fail(a.directory + " is not empty")
    backup = Backup(a.repository, a.backup, Keys(a.i))
    backups = {a.backup: backup}
    chosen = [e for e in backup.manifest["entries"]
              if not a.path or any((e["path"] + "/").startswith(w.rstrip("/") + "/") for w in a.path)]
    if not chosen:
        fail("nothing of that name is in " + a.backup)
    links, times = [], []
    for e in chosen:
        parts = e["path"].split("/")
        if e["path"].startswith("/") or any(part in ("", ".", "..") for part in parts):
            fail("%r is no path inside a backup" % e["path"])
        target = os.path.join(a.directory, *parts)
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        if e["type"] == "dir":
            os.makedirs(target, mode=0o700, exist_ok=True)
        elif e["type"] == "symlink":
            links.append((target, e["link"]))
            continue
        else:
            restore_file(a.repository, backups, backup, e, target)
        times.append((target, int(e["mode"], 8), nanoseconds(e["mtime"])))
    for target, link in links:  # after all files, so that none is led astray
        os.symlink(link, target)
    for target, mode, mtime in reversed(times):  # a folder after what it holds
        os.chmod(target, mode)
        os.utime(target, ns=(mtime, mtime))
    print("restored %d entries of %s to %s" % (len(chosen), a.backup, a.directory))


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as e:
        fail("%s could not read %s: see above; for age, is it the right key?" % (e.cmd[0], e.cmd[-1]))
    except OSError as e:
        fail(str(e))
