package access

import (
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
)

// A Scope is what a token may be used for.
type Scope string

// The scopes. Admin implies all others and restore implies read; otherwise
// there is no ladder: a token that may back up can read nothing.
const (
	ScopeRead    Scope = "read"
	ScopeBackup  Scope = "backup"
	ScopeRestore Scope = "restore"
	ScopeAdmin   Scope = "admin"
)

// AllScopes lists the scopes, the least powerful first.
func AllScopes() []Scope { return []Scope{ScopeRead, ScopeBackup, ScopeRestore, ScopeAdmin} }

// Scopes are those of one caller.
type Scopes []Scope

// Has tells whether the scopes hold one, by themselves or by what they imply.
func (s Scopes) Has(one Scope) bool {
	return slices.Contains(s, one) || slices.Contains(s, ScopeAdmin) ||
		one == ScopeRead && slices.Contains(s, ScopeRestore)
}

// String joins the scopes.
func (s Scopes) String() string {
	words := make([]string, len(s))
	for i, one := range s {
		words[i] = string(one)
	}
	return strings.Join(words, ", ")
}

// ParseScopes reads scopes as people write them: one or several, each perhaps
// a list with commas. The result is sorted by power and names none twice.
func ParseScopes(words []string) (Scopes, error) {
	var found []Scope
	for _, list := range words {
		for word := range strings.SplitSeq(list, ",") {
			word = strings.TrimSpace(word)
			if word == "" {
				continue
			}
			if !slices.Contains(AllScopes(), Scope(word)) {
				return nil, &holdfast.Error{
					Op: "scope", Object: fmt.Sprintf("%q", word), Err: holdfast.Kindf(holdfast.ErrUsage, "there is no such scope"),
					Hint: "the scopes are " + Scopes(AllScopes()).String(),
				}
			}
			found = append(found, Scope(word))
		}
	}
	var out Scopes
	for _, one := range AllScopes() {
		if slices.Contains(found, one) {
			out = append(out, one)
		}
	}
	if len(out) == 0 {
		return nil, &holdfast.Error{
			Op: "scope", Err: holdfast.Kindf(holdfast.ErrUsage, "a token without a scope would be good for nothing"),
			Hint: "name one: " + Scopes(AllScopes()).String(),
		}
	}
	return out, nil
}
