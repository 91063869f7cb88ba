package telegramtest

import "strings"

// pageWords are the words of the page beside those of the chat.
type pageWords struct {
	Bot, Field, Send, Edited, Pinned, PinnedLine, Migrated, Close string
}

// words by language, those of people's own Telegram.
var words = map[string]pageWords{
	"en": {Bot: "bot", Field: "Message", Send: "Send", Edited: "edited", Pinned: "Pinned message", PinnedLine: "A message was pinned", Migrated: "The group is a supergroup now", Close: "OK"},
	"th": {Bot: "บอต", Field: "ข้อความ", Send: "ส่ง", Edited: "แก้ไขแล้ว", Pinned: "ข้อความที่ปักหมุด", PinnedLine: "มีการปักหมุดข้อความ", Migrated: "กลุ่มนี้เป็นซูเปอร์กรุ๊ปแล้ว", Close: "ตกลง"},
	"fa": {Bot: "ربات", Field: "پیام", Send: "ارسال", Edited: "ویرایش‌شده", Pinned: "پیام سنجاق‌شده", PinnedLine: "پیامی سنجاق شد", Migrated: "گروه به ابرگروه تبدیل شد", Close: "باشه"},
}

// languageOf gives a language of the page, and its direction.
func languageOf(code string) (lang, dir string) {
	lang, _, _ = strings.Cut(strings.ToLower(code), "-")
	if _, ok := words[lang]; !ok {
		return "en", "ltr"
	}
	if lang == "fa" {
		return lang, "rtl"
	}
	return lang, "ltr"
}
