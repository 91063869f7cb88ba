package pool_test

import (
	"testing"

	"github.com/holdfast-backup/holdfast/boot/internal/pool"
)

// What panics in the hands of the caller is no longer at work: the pool can be held
// afterwards, and a transaction that was open there is not committed.
func TestHold_AfterAPanicOnAConnection(t *testing.T) {
	p, _ := newPool(t, pool.Options{})
	do(t, p.DB(), "CREATE TABLE t (n)")
	for _, begun := range []bool{false, true} {
		c, err := p.DB().Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if begun {
			do(t, c, "BEGIN")
			do(t, c, "INSERT INTO t VALUES (1)")
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic is hidden from the caller")
				}
			}()
			_ = pool.Raw(c, func(any) error { panic("oh") })
		}()
		_ = c.Close() // database/sql has closed it
		hold(t, p).Release()
		if n := number(t, p.DB(), "SELECT count(*) FROM t"); n != 0 {
			t.Errorf("%d rows, of which none was committed", n)
		}
	}
	do(t, p.DB(), "INSERT INTO t VALUES (2)")
}
