package chroma

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

const hintPath = "give the directory that the Chroma server was started with (--path)"

// open connects to the live directory, or says what is there instead. The
// directory's path comes back with links followed.
func (s *Source) open(ctx context.Context, o sqlite.LiveOptions) (*sqlite.Live, string, error) {
	fail := func(err error, hint string) (*sqlite.Live, string, error) {
		return nil, "", &holdfast.Error{Op: "open Chroma directory", Object: s.dir, Err: err, Hint: hint}
	}
	dir, err := filepath.EvalSymlinks(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		if _, lerr := os.Lstat(s.dir); lerr == nil {
			return fail(holdfast.Kindf(holdfast.ErrNotFound, "it is a symbolic link that leads nowhere"), "mount or create what the link points to, or correct the path")
		}
		return fail(holdfast.Kindf(holdfast.ErrNotFound, "it does not exist"), hintPath+"; Chroma creates it at its first start")
	}
	if err != nil {
		return fail(pathCause(err), permissionHint(err))
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fail(pathCause(err), permissionHint(err))
	}
	if !info.IsDir() {
		return fail(holdfast.Kindf(holdfast.ErrUsage, "it is a file, not a directory"), hintPath+"; a single database is a source of type sqlite")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fail(pathCause(err), permissionHint(err))
	}
	path := filepath.Join(dir, databaseFile)
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist) && len(entries) == 0:
		return fail(holdfast.Kindf(holdfast.ErrNotFound, "it is empty"), hintPath)
	case errors.Is(err, fs.ErrNotExist):
		return fail(holdfast.Kindf(holdfast.ErrNotFound, "it is not a Chroma directory: there is no %s in it", databaseFile), hintPath)
	case err != nil:
		return fail(pathCause(err), permissionHint(err))
	case !info.Mode().IsRegular():
		return fail(holdfast.Kindf(holdfast.ErrUsage, "%s in it is not a file", databaseFile), hintPath)
	case info.Size() == 0:
		return fail(holdfast.Kindf(holdfast.ErrNotFound, "%s in it is empty", databaseFile), "start the Chroma server once, so that it creates its tables")
	}
	live, err := sqlite.OpenLive(ctx, path, o)
	if err != nil {
		return nil, "", err
	}
	return live, dir, nil
}

// checkTables makes sure, inside a transaction, that the database is Chroma's.
func checkTables(ctx context.Context, conn *sql.Conn, dir string) error {
	var n int
	err := conn.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ('migrations', 'collections', 'segments', 'embeddings')").Scan(&n)
	if err != nil {
		return &holdfast.Error{Op: "read", Object: filepath.Join(dir, databaseFile), Err: err}
	}
	if n < 4 {
		return &holdfast.Error{
			Op: "open Chroma directory", Object: dir,
			Err:  holdfast.Kindf(holdfast.ErrUsage, "%s does not have Chroma's tables", databaseFile),
			Hint: hintPath + "; a database of another application is a source of type sqlite",
		}
	}
	return nil
}

// pathCause leaves out the path, which the error names already.
func pathCause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("no permission to read it: %w", err)
	}
	return err
}

func permissionHint(err error) string {
	if errors.Is(err, fs.ErrPermission) {
		return "run holdfast as the user who runs the Chroma server, or let that user's group read the directory"
	}
	return ""
}
