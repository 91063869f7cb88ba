package main

import (
	"fmt"
	"strings"
	"time"
)

// A language of the pages.
type language int

const (
	english language = iota
	thai
)

// languages are those of the cookie and of ?lang=.
var languages = map[string]language{"en": english, "th": thai}

// choose takes what was chosen, else what the browser prefers.
func choose(chosen, accepted string) language {
	if l, known := languages[chosen]; known {
		return l
	}
	for want := range strings.SplitSeq(accepted, ",") {
		if l, known := languages[strings.ToLower(strings.TrimSpace(want))[:min(2, len(strings.TrimSpace(want)))]]; known {
			return l
		}
	}
	return english
}

// Code is the language as HTML names it.
func (l language) Code() string { return [...]string{"en", "th"}[l] }

// When is a moment in the calendar of the language.
func (l language) When(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	t = t.Local()
	if l == thai { // the Buddhist era
		return fmt.Sprintf("%02d/%02d/%d %s น.", t.Day(), t.Month(), t.Year()+543, t.Format("15:04"))
	}
	return t.Format("2 Jan 2006, 15:04")
}

// say gives a sentence, which may hold another one; one that nobody has written shows its id, which a test
// keeps from happening.
func (l language) say(id string, args ...any) string {
	w, known := words[id]
	if !known {
		return id
	}
	if len(args) == 0 {
		return w[l]
	}
	said := make([]any, len(args))
	for i, arg := range args {
		said[i] = arg
		if within, is := arg.(*sentence); is {
			said[i] = l.say(within.id, within.args...)
		}
	}
	return fmt.Sprintf(w[l], said...)
}

// words are all sentences, in English and Thai.
var words = map[string][2]string{
	"title":             {"PDF assistant", "ผู้ช่วย RAG PDF"},
	"nav.ask":           {"Ask", "ถามคำถาม"},
	"nav.documents":     {"Documents", "เอกสาร"},
	"nav.conversations": {"Memory", "ความทรงจำ"},
	"nav.data":          {"Data and backups", "ข้อมูลและการสำรอง"},
	"skip":              {"Go to the content", "ข้ามไปยังเนื้อหา"},
	"mode.enhanced":     {"Enhanced RAG: remembers conversations", "Enhanced RAG: จดจำการสนทนา"},
	"mode.standard":     {"Standard RAG: remembers nothing", "Standard RAG: ไม่จดจำการสนทนา"},
	"restore.now":       {"A restore is under way. Everything works again as soon as it has ended.", "กำลังกู้คืนข้อมูล ทุกอย่างจะใช้งานได้อีกครั้งเมื่อกู้คืนเสร็จ"},
	"restore.running":   {"A restore is under way. Nothing was changed; try again when it has ended.", "กำลังกู้คืนข้อมูลอยู่ ยังไม่มีอะไรเปลี่ยนแปลง โปรดลองอีกครั้งเมื่อกู้คืนเสร็จ"},

	"ask.title":    {"Ask your documents", "ถามจากเอกสารของคุณ"},
	"ask.question": {"Question", "คำถาม"},
	"ask.hint":     {"Answers are passages of your PDFs, with file and page.", "คำตอบคือข้อความจากไฟล์ PDF ของคุณ พร้อมชื่อไฟล์และเลขหน้า"},
	"ask.button":   {"Ask", "ถาม"},
	"ask.long":     {"The question is too long. Ask it in fewer words.", "คำถามยาวเกินไป โปรดถามให้สั้นลง"},
	"ask.answer":   {"Answer", "คำตอบ"},
	"ask.nothing":  {"The documents say nothing about this.", "ไม่พบคำตอบในเอกสาร"},
	"ask.source":   {"%s, page %d", "%s หน้า %d"},
	"ask.related":  {"Earlier conversations about this", "การสนทนาก่อนหน้านี้ในเรื่องเดียวกัน"},

	"documents.title":   {"Documents", "เอกสาร"},
	"documents.none":    {"There are no documents yet. Upload a PDF, and ask.", "ยังไม่มีเอกสาร อัปโหลดไฟล์ PDF แล้วเริ่มถามได้เลย"},
	"documents.file":    {"File", "ไฟล์"},
	"documents.pages":   {"Pages", "หน้า"},
	"documents.chunks":  {"Chunks", "ส่วนข้อความ"},
	"documents.added":   {"Uploaded", "อัปโหลดเมื่อ"},
	"documents.action":  {"Action", "จัดการ"},
	"documents.delete":  {"Delete", "ลบ"},
	"documents.name":    {"Delete %s", "ลบ %s"},
	"documents.deleted": {"%s was deleted.", "ลบ %s แล้ว"},
	"documents.unknown": {"There is no such document. Reload the page to see what there is.", "ไม่มีเอกสารนี้ โปรดโหลดหน้านี้ใหม่เพื่อดูรายการล่าสุด"},

	"upload.title":   {"Upload a PDF", "อัปโหลดไฟล์ PDF"},
	"upload.file":    {"PDF, up to %d MB", "ไฟล์ PDF ขนาดไม่เกิน %d MB"},
	"upload.hint":    {"A backup is made before the upload. A file of the same name is replaced.", "ระบบจะสร้าง auto backup ก่อนอัปโหลด ไฟล์ชื่อเดียวกันจะถูกแทนที่"},
	"upload.button":  {"Upload", "อัปโหลด"},
	"upload.done":    {"%s can be searched now: %d pages, %d chunks.", "ค้นหาใน %s ได้แล้ว: %d หน้า แบ่งเป็น %d ส่วน"},
	"upload.none":    {"No file arrived. Choose a PDF and try again.", "ไม่ได้รับไฟล์ โปรดเลือกไฟล์ PDF แล้วลองอีกครั้ง"},
	"upload.not_pdf": {"This is no PDF. Choose a file that is one.", "ไฟล์นี้ไม่ใช่ PDF โปรดเลือกไฟล์ PDF"},
	"upload.large":   {"The file is larger than %d MB. Choose a smaller one, or start the assistant with a larger --max-upload-mb.", "ไฟล์มีขนาดเกิน %d MB โปรดเลือกไฟล์ที่เล็กกว่า หรือเปิดโปรแกรมด้วย --max-upload-mb ที่มากกว่านี้"},

	"pdf.program":    {"PDFs cannot be read: the program %s is not installed. Install poppler-utils.", "อ่าน PDF ไม่ได้ เพราะยังไม่ได้ติดตั้งโปรแกรม %s โปรดติดตั้ง poppler-utils"},
	"pdf.encrypted":  {"The PDF is protected by a password. Save a copy without one, and upload that.", "ไฟล์ PDF นี้มีรหัสผ่าน โปรดบันทึกสำเนาที่ไม่มีรหัสผ่านแล้วอัปโหลดใหม่"},
	"pdf.broken":     {"The PDF is damaged and cannot be read. Export it again, and upload that.", "ไฟล์ PDF เสียหายและอ่านไม่ได้ โปรดสร้างไฟล์ใหม่แล้วอัปโหลดอีกครั้ง"},
	"pdf.empty":      {"There is no text in the PDF. A scanned document needs text recognition (OCR) first.", "ไม่มีข้อความใน PDF นี้ เอกสารที่สแกนต้องผ่านการรู้จำตัวอักษร (OCR) ก่อน"},
	"pdf.slow":       {"Reading the PDF took longer than %d seconds and was given up. Split it into smaller ones.", "อ่าน PDF นานเกิน %d วินาทีจึงหยุดไว้ โปรดแบ่งเป็นไฟล์ที่เล็กลง"},
	"pdf.text_large": {"There is more than %d MB of text in one piece of the PDF. Split it into smaller ones.", "ข้อความใน PDF ส่วนเดียวยาวเกิน %d MB โปรดแบ่งเป็นไฟล์ที่เล็กลง"},

	"chroma.silent":  {"Chroma does not answer, so nothing can be searched or changed now. It is started again by itself; try again in a moment.", "Chroma ไม่ตอบสนอง จึงยังค้นหาหรือแก้ไขข้อมูลไม่ได้ ระบบจะเริ่มใหม่เอง โปรดลองอีกครั้งในอีกสักครู่"},
	"chroma.program": {"Chroma cannot be started: %s. Install it, or name another command with --chroma-command.", "เริ่ม Chroma ไม่ได้: %s โปรดติดตั้ง หรือระบุคำสั่งอื่นด้วย --chroma-command"},
	"chroma.taken":   {"A Chroma answers at port %d already. End it, or use it with --chroma, or choose another --chroma-port.", "มี Chroma ทำงานที่พอร์ต %d อยู่แล้ว โปรดปิดตัวเดิม หรือใช้ตัวเดิมด้วย --chroma หรือเลือกพอร์ตอื่นด้วย --chroma-port"},
	"chroma.ended":   {"Chroma ended as soon as it was started. %s tells why.", "Chroma หยุดทำงานทันทีหลังเริ่ม ดูสาเหตุได้ใน %s"},
	"chroma.slow":    {"Chroma was started and does not answer. %s tells why.", "เริ่ม Chroma แล้วแต่ยังไม่ตอบสนอง ดูสาเหตุได้ใน %s"},

	"backup.made":               {"Backed up before: %s", "สร้าง auto backup ก่อนเปลี่ยนแปลงข้อมูลแล้ว: %s"},
	"backup.show":               {"Show the backup", "ดูข้อมูลสำรอง"},
	"backup.restore":            {"Restore it", "กู้คืนข้อมูลนี้"},
	"backup.off":                {"Auto Backup is switched off, so there is no backup from before this change.", "ปิดการสำรองข้อมูลอัตโนมัติอยู่ จึงไม่มีข้อมูลสำรองก่อนการเปลี่ยนแปลงนี้"},
	"backup.incomplete":         {"The backup %s lacks something: look at it in holdfast.", "ข้อมูลสำรอง %s ไม่ครบถ้วน โปรดตรวจสอบใน holdfast"},
	"backup.incomplete_refused": {"Nothing was changed: the backup %s lacks something. Look at it in holdfast first.", "ยังไม่มีอะไรเปลี่ยนแปลง เพราะข้อมูลสำรอง %s ไม่ครบถ้วน โปรดตรวจสอบใน holdfast ก่อน"},
	"backup.refused":            {"Nothing was changed, since there is no backup. %s", "ยังไม่มีอะไรเปลี่ยนแปลง เพราะสำรองข้อมูลไม่ได้ %s"},
	"backup.without":            {"It was changed without a backup, as --without-backup allows, and cannot be undone. %s", "เปลี่ยนแปลงข้อมูลแล้วโดยไม่มีข้อมูลสำรองตามที่ --without-backup อนุญาต จึงย้อนกลับไม่ได้ %s"},
	"backup.token":              {"holdfast does not accept the token: create one with the scope backup, and name its file with --holdfast-token-file.", "holdfast ไม่ยอมรับโทเคนนี้ โปรดสร้างโทเคนที่มีสิทธิ์ backup แล้วระบุไฟล์ด้วย --holdfast-token-file"},
	"backup.locked":             {"holdfast is at work on something else: try again in a moment.", "holdfast กำลังทำงานอื่นอยู่ โปรดลองอีกครั้งในอีกสักครู่"},
	"backup.failed":             {"holdfast says: %s", "holdfast แจ้งว่า: %s"},
	"backup.silent":             {"holdfast does not answer at %s: start it with `holdfast serve`, and try again.", "holdfast ที่ %s ไม่ตอบสนอง โปรดเปิดด้วยคำสั่ง `holdfast serve` แล้วลองอีกครั้ง"},

	"memory.title":    {"Memory", "ความทรงจำ"},
	"memory.lead":     {"%d conversations are remembered.", "จดจำการสนทนาไว้ %d ครั้ง"},
	"memory.none":     {"Nothing was asked yet.", "ยังไม่มีการสนทนา"},
	"memory.standard": {"In the mode standard nothing is remembered. Start the assistant with RAG_MODE=enhanced.", "โหมด standard ไม่จดจำการสนทนา เปิดโปรแกรมด้วย RAG_MODE=enhanced เพื่อให้จดจำ"},

	"data.title":    {"Data and backups", "ข้อมูลและการสำรอง"},
	"data.holdfast": {"Backups", "ข้อมูลสำรอง (backup)"},
	"data.says":     {"holdfast says:", "holdfast แจ้งว่า:"},
	"data.overview": {"Is my data safe?", "ข้อมูลของฉันปลอดภัยไหม"},
	"data.backups":  {"All backups, and restore one", "ดูข้อมูลสำรองทั้งหมด และกู้คืน"},
	"data.new":      {"Make an Enhanced Backup", "สำรองข้อมูลแบบครบถ้วน"},
	"clear.title":   {"Clear the data", "ล้างข้อมูล"},
	"clear.lead":    {"Removes all documents. A backup is made before, from which they can be restored.", "ลบเอกสารทั้งหมด ระบบจะสร้าง auto backup ก่อน ซึ่งใช้กู้คืนได้"},
	"clear.memory":  {"Clear the memory, too", "ล้างความทรงจำด้วย"},
	"clear.sure":    {"Yes, remove all documents", "ใช่ ลบเอกสารทั้งหมด"},
	"clear.button":  {"Clear the data", "ล้างข้อมูล"},
	"clear.done":    {"The data was cleared.", "ล้างข้อมูลแล้ว"},
	"clear.unsure":  {"Nothing was cleared. Tick the box that says that you mean it.", "ยังไม่ได้ล้างข้อมูล โปรดทำเครื่องหมายยืนยันก่อน"},
	"notices":       {"What has happened", "ผลการทำงาน"},
	"language":      {"Language", "ภาษา"},
	"tone.good":     {"Done:", "สำเร็จ:"},
	"tone.warn":     {"Note:", "โปรดทราบ:"},
	"tone.bad":      {"Not done:", "ไม่สำเร็จ:"},
	"footer":        {"Backups and restores by holdfast", "สำรองและกู้คืนข้อมูลด้วย holdfast"},
}
