package holdfast

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestParseBackupName(t *testing.T) {
	good := []string{
		"weekend_backup_20241030", "a", "before-upload.v2", "สำรองก่อนอัปโหลด", "پشتیبان_شنبه", "نسخه\u200cها", "日本語", "0",
	}
	for _, s := range good {
		n, err := ParseBackupName(s)
		if err != nil || n.String() != s {
			t.Errorf("ParseBackupName(%q) = %q, %v; want it accepted as it is", s, n, err)
		}
	}
	bad := []string{
		"", ".", "..", ".hidden", "-rf", "a/b", `a\b`, "a\x00b", "a\nb", "a\tb", "a b", "a:b", "a*b", "latest", "live", "end.",
		"\xff\xfe", "con", "NUL.txt", "com1", "a\u202eb", "\u0e31x", "\u200cab", strings.Repeat("x", 181), "../../etc/passwd", "🙂",
		"repository.json", "Repository.JSON", "identity.age",
	}
	for _, s := range bad {
		_, err := ParseBackupName(s)
		if !errors.Is(err, ErrUsage) {
			t.Errorf("ParseBackupName(%q): got %v, want an error that matches ErrUsage", s, err)
		}
		if HintOf(err) == "" {
			t.Errorf("ParseBackupName(%q): the error has no hint", s)
		}
	}
}

func TestParseSourceName_FixedNamesAreTaken(t *testing.T) {
	for _, s := range []string{MetadataFile, ManifestFile, SumsFile, MemoryInfoFile, MemoryDir, "memory", "x/y", ""} {
		if _, err := ParseSourceName(s); !errors.Is(err, ErrUsage) {
			t.Errorf("ParseSourceName(%q): got %v, want ErrUsage", s, err)
		}
	}
	if n, err := ParseSourceName("bot"); n != "bot" || err != nil {
		t.Errorf("ParseSourceName(bot) = %q, %v", n, err)
	}
}

func TestAutomaticName(t *testing.T) {
	at := time.Date(2024, 10, 30, 21, 30, 0, 999e6, time.FixedZone("ICT", 7*3600))
	for _, c := range []struct {
		trigger Trigger
		typ     Type
		prefix  string
		want    BackupName
	}{
		{TriggerManual, Enhanced, "", "enhanced_backup_20241030_143000"},
		{"", Standard, "", "standard_backup_20241030_143000"},
		{TriggerQuick, Enhanced, "", "quick_backup_20241030_143000"},
		{TriggerAuto, Standard, "", "auto_backup_20241030_143000"},
		{TriggerScheduled, Enhanced, "", "scheduled_backup_20241030_143000"},
		{TriggerStartup, Enhanced, "", "startup_backup_20241030_143000"},
		{TriggerEmergency, Enhanced, "", "emergency_restore_20241030_143000"},
		{TriggerEmergency, Enhanced, "before", "before_20241030_143000"},
	} {
		got := AutomaticName(c.trigger, c.typ, at, c.prefix)
		if got != c.want {
			t.Errorf("AutomaticName(%q, %q, prefix %q) = %s, want %s", c.trigger, c.typ, c.prefix, got, c.want)
		}
		if _, err := ParseBackupName(string(got)); err != nil {
			t.Errorf("automatic name %s is refused: %v", got, err)
		}
	}
	if got := BackupName("x").Suffixed(2); got != "x_2" {
		t.Errorf("Suffixed(2) = %s", got)
	}
}

func FuzzParseBackupName(f *testing.F) {
	for _, s := range []string{"a", "../x", "สำรอง", "a\u200cb", "con.x", "x.", "\xf0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseBackupName(s)
		if err != nil {
			return
		}
		if string(n) != s || strings.ContainsAny(s, "/\\\x00\n :*?\"<>|") || strings.HasPrefix(s, ".") || strings.HasSuffix(s, ".") {
			t.Fatalf("%q was accepted", s)
		}
	})
}

func TestAutomaticTime(t *testing.T) {
	at := time.Date(2024, 10, 30, 22, 15, 9, 0, time.FixedZone("", 7*3600))
	for _, trigger := range Triggers() {
		for _, typ := range []Type{Standard, Enhanced} {
			name := AutomaticName(trigger, typ, at, "")
			for _, n := range []BackupName{name, name.Suffixed(2), name.Suffixed(12)} {
				if got, ok := n.AutomaticTime(); !ok || !got.Equal(at) {
					t.Errorf("the time of %s is %v, %t; want %v", n, got, ok, at)
				}
			}
		}
	}
	for _, name := range []BackupName{
		"before-upload.v2", "weekend_backup_20241030", "change_backup_20241330_101112", "change_backup_20241030_10111", "my_change_backup_20241030_101112",
		"change_backup_20241030_101112_", "change_backup_20241030_101112_b", AutomaticName(TriggerEmergency, Standard, at, "sauvetage"),
	} {
		if got, ok := name.AutomaticTime(); ok {
			t.Errorf("%s is taken for an automatic name of %v", name, got)
		}
	}
}
