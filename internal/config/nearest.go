package config

import "github.com/holdfast-backup/holdfast/internal/nearest"

// Nearest gives the candidate that a person most likely meant by word, or ""
// if none is close.
func Nearest(word string, candidates []string) string { return nearest.To(word, candidates) }
