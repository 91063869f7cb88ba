package schema

import "testing"

func TestOneStatement(t *testing.T) {
	for definition, want := range map[string]bool{
		"CREATE TABLE t(x)":             true,
		"CREATE TABLE t(x);":            true,
		"CREATE TABLE t(x) ; -- more;x": true,
		"CREATE TABLE \"a;b\"(\"c\"\";d\", [e;f], `g``;h`, i DEFAULT 'it''s;', /* ; */ j -- ;\n)": true,
		"CREATE TABLE t(x); SELECT 1":                 false,
		"CREATE TABLE t(x -- \n); SELECT 1":           false,
		"CREATE TABLE t(x /* ' */); SELECT 1 /* ' */": false,
		"CREATE TABLE t([a]]);SELECT 1":               false,
		"CREATE TABLE t(x);\x00":                      false,
		"DROP TABLE t":                                false,
		"":                                            false,
		"CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT CASE WHEN 1 THEN 2 END; DELETE FROM x WHERE a=';END'; END":                          true,
		"create trigger r AFTER INSERT ON t BEGIN SELECT 1;end;":                                                                             true,
		"CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END; SELECT 1; END":                                                              false,
		"CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; /**/ END /**/; COMMIT":                                                           false,
		"CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END COMMIT":                                                                      false,
		"CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; \ufeffEND; COMMIT; END":                                                          false,
		"CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; \vEND; COMMIT; END":                                                              false,
		"CREATE TABLE trigger_(x); BEGIN; DELETE FROM t; END":                                                                                false,
		"CREATE TRIGGER r AFTER INSERT ON t BEGIN INSERT INTO \"end\" SELECT x AS \"END\" FROM [;]; UPDATE t SET x='''; END'; END -- COMMIT": true,
	} {
		if err := OneStatement(definition); (err == nil) != want {
			t.Errorf("%q: %v", definition, err)
		}
	}
}
