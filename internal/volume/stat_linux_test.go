package volume

import "testing"

func TestStat_NamesTheKernelsFileSystems(t *testing.T) {
	info, err := Stat("/proc/self")
	if err != nil || info.Kind != "proc" {
		t.Errorf("/proc is %q (%v), want proc", info.Kind, err)
	}
	if got := mountKind("/proc/self"); got != "proc" {
		t.Errorf("the mount table calls /proc %q, want proc", got)
	}
}

func TestKindInTable(t *testing.T) {
	const table = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
31 22 0:27 / /mnt rw - nfs4 host:/export rw
40 22 0:31 / /mnt/my\040photos rw,nosuid master:3 propagate_from:2 - fuse.sshfs me@host: rw
41 22 0:32 / /data rw - xfs /dev/vdb rw
42 22 0:33 / /data rw - tmpfs tmpfs rw
broken line
`
	for path, want := range map[string]string{
		"/":                     "ext4",
		"/etc":                  "ext4",
		"/mnt":                  "nfs4",
		"/mntx":                 "ext4",
		"/mnt/my photos/2024/ก": "fuse.sshfs",
		"/data/x":               "tmpfs", // mounted over the other
	} {
		if got := kindInTable(table, path); got != want {
			t.Errorf("%s lies on %q, want %q", path, got, want)
		}
	}
	if got := kindInTable("", "/"); got != "" {
		t.Errorf("an empty table gave %q", got)
	}
}

func TestSame_OtherFileSystems(t *testing.T) {
	if same, known := Same("/proc", t.TempDir()); same || !known {
		t.Errorf("/proc and a directory: same %v, known %v", same, known)
	}
}

func TestStat_CountsInodes(t *testing.T) {
	info, err := Stat("/proc")
	if err != nil || info.FreeInodes != -1 {
		t.Errorf("/proc has %d inodes left (%v), want none counted", info.FreeInodes, err)
	}
	if info, err = Stat("/dev/shm"); err != nil || info.FreeInodes <= 0 {
		t.Errorf("/dev/shm has %d inodes left (%v)", info.FreeInodes, err)
	}
}
