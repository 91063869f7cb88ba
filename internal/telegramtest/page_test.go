package telegramtest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/telegramtest"
)

// The page of a chat shows what is in it, each person in the own language.
func TestPage(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{Now: newClock().now})
	b := client(t, s)
	sara := s.User(9, "سارا", "fa")
	s.User(7, "Ada", "en")
	sara.Says(0, "<b>no markup</b>")
	m := sent(t, s, "sendMessage", `{"chat_id":9,"parse_mode":"HTML","text":"<b>سلام</b>\n<blockquote>نقل</blockquote>\nend","reply_markup":{"inline_keyboard":[[{"text":"برو","callback_data":"a\"b"},{"text":"docs","url":"https://example.org/"}]]}}`)
	call(t, s, "pinChatMessage", ref(m))
	sent(t, s, "editMessageText", fmt.Sprintf(`{"chat_id":9,"message_id":%d,"parse_mode":"HTML","text":"<b>درود</b>\n<blockquote>نقل</blockquote>\nend","reply_markup":{"inline_keyboard":[[{"text":"برو","callback_data":"a\"b"},{"text":"docs","url":"https://example.org/"}]]}}`, m.ID))
	sent(t, s, "sendMessage", `{"chat_id":9,"text":"name?","reply_markup":{"force_reply":true,"input_field_placeholder":"نام"}}`)
	if _, err := upload(t, b, "a.txt", strings.NewReader("one")); err != nil {
		t.Fatal(err)
	}
	_, body := fetch(t, s.URL+"/chat/9?theme=dark")
	page := string(body)
	for _, part := range []string{
		`<html lang="fa" dir="rtl" data-theme="dark">`,
		`&lt;b&gt;no markup&lt;/b&gt;`,
		"<b>درود</b>\n<blockquote dir=\"auto\">نقل</blockquote>end",
		`<button name="data" value="a&#34;b" dir="auto">برو</button>`,
		`<a href="https://example.org/" dir="auto">docs ↗</a>`,
		"ویرایش‌شده", "پیامی سنجاق شد", "2026-11-22", "14:05",
		`placeholder="نام"`, `name="reply"`,
		"url(/assets/vazirmatn.woff2?v=", "async function follow()",
	} {
		if !strings.Contains(page, part) {
			t.Errorf("the page lacks %s", part)
		}
	}
	_, body = fetch(t, s.URL+"/chat/7?still=1")
	page = string(body)
	for _, part := range []string{`<html lang="en" dir="ltr">`, "a.txt", "3 B", "<b>a.txt</b>"} {
		if !strings.Contains(page, part) {
			t.Errorf("the page of the other chat lacks %s", part)
		}
	}
	if strings.Contains(page, "<script>") {
		t.Error("a page for pictures follows what happens")
	}
	if _, body := fetch(t, fmt.Sprintf("%s/chat/7/file/%d", s.URL, s.Chat(7).Last().ID)); string(body) != "one" {
		t.Errorf("the document is %q", body)
	}
	if _, body := fetch(t, s.URL+"/"); !strings.Contains(string(body), `<a href="/chat/9"><bdi>سارا</bdi>`) {
		t.Errorf("the list of chats: %s", body)
	}
	if status, _ := fetch(t, s.URL+"/chat/99"); status != http.StatusNotFound {
		t.Errorf("a chat that is none: %d", status)
	}
}

// People write and press on the page, and the bot answers.
func TestHands(t *testing.T) {
	s := telegramtest.Start(t, telegramtest.Options{})
	running(t, s)
	s.User(7, "Ada", "en")
	submit := func(path string, form url.Values) (int, string) {
		t.Helper()
		resp, err := http.PostForm(s.URL+path, form)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode, resp.Request.URL.RequestURI()
	}
	if status, at := submit("/chat/7/say", url.Values{"as": {"7"}, "text": {"/start"}, "theme": {"dark"}}); status != 200 || at != "/chat/7?as=7&theme=dark" {
		t.Errorf("writing led to %d %s", status, at)
	}
	m := s.AwaitText(7, "Hello Ada")
	resp, err := http.PostForm(s.URL+"/chat/7/press", url.Values{"as": {"7"}, "message": {fmt.Sprint(m.ID)}, "data": {"go"}, "script": {"1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || strings.TrimSpace(string(answer)) != `{"alert":true,"text":"done"}` {
		t.Errorf("the answer on the page: %s, %v", answer, err)
	}
	s.AwaitText(7, "Gone on")
	if status, _ := fetch(t, s.URL+"/changes?seen=0"); status != 200 {
		t.Errorf("what has changed: %d", status)
	}
	for path, form := range map[string]url.Values{
		"/chat/7/say":   {"as": {"99"}, "text": {"x"}},
		"/chat/9/say":   {"as": {"7"}, "text": {"x"}},
		"/chat/7/press": {"as": {"7"}, "message": {"1"}, "data": {"x"}},
	} {
		if status, _ := submit(path, form); status != http.StatusBadRequest {
			t.Errorf("%s %v: %d", path, form, status)
		}
	}
}
