package botapi

import (
	"bytes"
	"io"
	"testing"

	"filippo.io/age"
)

// What was sent with one version has to be read by every later one.
func TestPassphrase_StaysTheSame(t *testing.T) {
	if got, want := Passphrase(token), "WrD0tMy_VbeEvjBJIhvD_F1GCU9nZB6SObgjFduv4cs"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSeal_OpensWithTheSameTokenOnly(t *testing.T) {
	to, err := Recipient(token)
	if err != nil {
		t.Fatal(err)
	}
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "what is in the chat"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	own, err := Identity(token)
	if err != nil {
		t.Fatal(err)
	}
	r, err := age.Decrypt(bytes.NewReader(sealed.Bytes()), own)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != "what is in the chat" {
		t.Errorf("got %q, %v", got, err)
	}
	// As people do with `age -d`.
	byHand, err := age.NewScryptIdentity(Passphrase(token))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := age.Decrypt(bytes.NewReader(sealed.Bytes()), byHand); err != nil {
		t.Errorf("by hand: %v", err)
	}
	other, err := Identity("110201543:BBHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := age.Decrypt(bytes.NewReader(sealed.Bytes()), other); err == nil {
		t.Error("another token opens it")
	}
}
