package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/dir"
	"github.com/holdfast-backup/holdfast/bucket/s3"
	"github.com/holdfast-backup/holdfast/bucket/telegram"
	"github.com/holdfast-backup/holdfast/internal/config"
)

// stateFolder holds the restore journal of a repository in a directory.
const stateFolder = ".holdfast"

// bucketAt gives the bucket of a place: a directory or a URL.
func bucketAt(c *config.Config, place string, log *slog.Logger) (bucket.Bucket, error) {
	scheme, _, isURL := strings.Cut(place, "://")
	if !isURL {
		return dir.New(place, dir.Options{})
	}
	if scheme == telegram.Scheme {
		return chatAt(c, place, log)
	}
	if scheme != "s3" {
		return nil, &holdfast.Error{
			Op: "repository", Object: scheme + "://…", Err: holdfast.Kindf(holdfast.ErrUsage, "nothing is known about places of this kind"),
			Hint: "name a directory, s3://bucket/prefix, or telegram://CHAT for a replica",
		}
	}
	o, err := s3.Parse(place)
	if err != nil {
		return nil, err
	}
	return s3.New(o)
}

// identity is a place without how it is reached and used: what is known of it on
// this machine stays known when its lease or its profile is changed.
func identity(place string) string {
	if config.IsTelegram(place) {
		return Location(place)
	}
	o, err := s3.Parse(place)
	if err != nil {
		return place
	}
	name := s3.Options{Bucket: o.Bucket, Prefix: o.Prefix, Endpoint: o.Endpoint}
	return name.String()
}

// Location is a place as people see it: without what is not its name.
func Location(place string) string {
	if config.IsTelegram(place) {
		if o, err := telegram.Parse(place); err == nil {
			return telegram.Options{Chat: o.Chat}.String()
		}
		return telegram.Scheme + "://…" // what is no chat may be a token
	}
	if b, err := bucketAt(nil, place, nil); err == nil {
		return b.Location()
	}
	return place
}

// StateDir is where the restore journal lies, and what is remembered for the
// next delta: in the repository, if that is a directory and not encrypted, else
// in the folder that the system has for such things, one for each repository.
func StateDir(c *config.Config) (string, error) {
	return stateDir(c, encrypts(c) && !unfinished(filepath.Join(c.Repository, stateFolder)))
}

// stateDir is StateDir of a repository that is private or not.
func stateDir(c *config.Config, private bool) (string, error) {
	if c.State != "" {
		return c.State, nil
	}
	place := identity(c.Repository)
	if !config.IsURL(c.Repository) {
		if !private {
			return filepath.Join(c.Repository, stateFolder), nil
		}
		abs, err := filepath.Abs(c.Repository)
		if err != nil {
			return "", &holdfast.Error{Op: "state directory", Object: c.Repository, Err: err}
		}
		place = abs
	}
	home, err := stateHome()
	if err != nil {
		return "", &holdfast.Error{
			Op: "state directory", Err: err,
			Hint: "name one with state (HOLDFAST_STATE): what is remembered of an encrypted or a remote repository cannot lie in it",
		}
	}
	sum := sha256.Sum256([]byte(place))
	return filepath.Join(home, "holdfast", hex.EncodeToString(sum[:8])), nil
}

// stateHome is the folder of the system for what programs remember.
func stateHome() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return dir, nil
	}
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		return os.UserConfigDir()
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".local", "state"), err
}
