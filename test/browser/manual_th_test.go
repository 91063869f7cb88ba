package browser

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Names as somebody in Bangkok gives them.
const (
	manualBackup = "ก่อนล้างข้อมูล_ชุดที่1"
	manualNote   = "ก่อนล้างข้อมูลประจำเดือน"
	manualFile   = "คู่มือพนักงาน ปี ๒๕๖๙.pdf"
	manualSecond = "คู่มือฉบับที่สอง.pdf"
	manualThird  = "คู่มือฉบับที่สาม.pdf"

	manualQuestion = "วันลาพักร้อนปีละกี่วัน"
	manualAnswer   = manualFile + " หน้า 1"
)

// Names that are given by holdfast.
var (
	autoName      = regexp.MustCompile(`auto_backup_\d{8}_\d{6}(_\d+)?`)
	emergencyName = regexp.MustCompile(`emergency_restore_\d{8}_\d{6}(_\d+)?`)
)

// restoreFlow is the Enhanced Restore Flow of the manual, as the page words it.
var restoreFlow = []string{
	"เลือก backup ที่จะกู้คืน",
	"สร้าง backup ฉุกเฉิน",
	"ตรวจสอบความถูกต้องของ backup",
	"กู้คืนฐานข้อมูล",
	"กู้คืนความทรงจำ (Enhanced RAG Memory)",
	"รีโหลด collections",
	"แสดงผลลัพธ์",
}

// TestManual_InThai walks through the whole manual of the RAG PDF Assistant as its
// reader does: in a browser that asks for Thai, with the assistant, the newest Chroma and
// the built holdfast, by what can be read and pressed on the pages.
func TestManual_InThai(t *testing.T) {
	d, life := newDesk(t)
	d.uploadMakesABackup()
	quick := d.enhancedAndQuickBackup()
	d.clearsTheData()
	d.restores()
	d.rollsBack()
	d.restoresBehindAClosedTab()
	d.deletes(quick)
	d.switchesAutoBackup()
	d.waitsUntilGone(quick)
	d.pins(manualBackup)
	d.leaves()
	life.stop()
	d.eightDaysLater()
	d.content()
}

// uploadMakesABackup: an upload has its auto backup, and the assistant remembers.
func (d *desk) uploadMakesABackup() {
	d.t.Helper()
	d.uploads(manualFile)
	d.assistant.find(link, "ดูข้อมูลสำรอง")
	d.photographs(d.assistant, "1-upload")

	d.assistant.follow(link, "ดูข้อมูลสำรอง")
	auto := autoName.FindString(d.assistant.text())
	if auto == "" {
		d.t.Fatalf("the link leads here:\n%s", d.assistant.text())
	}
	d.assistant.reads("before the upload of " + manualFile)

	_, row := d.lists().row(autoName)
	for _, want := range []string{auto, "แบบครบถ้วน", "อัตโนมัติ", "รวมความทรงจำ", "B"} {
		if !strings.Contains(row, want) {
			d.t.Errorf("the list does not say %q of the auto backup:\n%s", want, row)
		}
	}
	d.asks(manualQuestion, manualAnswer)
	d.photographs(d.assistant, "1-answer")
	d.remembers("จดจำการสนทนาไว้ 1 ครั้ง")
	d.asks("May I work from home?", manualFile+" หน้า 2")
	d.remembers("จดจำการสนทนาไว้ 2 ครั้ง")
}

// enhancedAndQuickBackup makes both, watches the first, and proves it. It gives the name
// of the second.
func (d *desk) enhancedAndQuickBackup() string {
	d.t.Helper()
	p := d.assistant
	p.goes("/")
	p.follow(link, "ข้อมูลและการสำรอง")
	p.follow(link, p.says("backups.new"))
	p.types(textbox, p.says("backups.form_name"), manualBackup)
	p.find(checkbox, p.says("backups.form_memory"))
	p.types(textbox, p.says("backups.form_note"), manualNote)
	d.photographs(p, "2-enhanced")
	p.follow(button, p.says("backups.form_make"))
	p.reads(p.says("jobs.backup_made", "name", manualBackup))
	d.photographs(p, "2-made")
	p.follow(link, p.says("jobs.next_details"))
	for _, want := range []string{
		"backup_name", manualBackup, "created_at", "type", "enhanced", "includes_memory", "rag_mode",
		"database_info.total_records", "database_info.database_path", "database_info.database_size_mb",
		"แบบครบถ้วน", manualNote, p.l.N("details.memories", 2), "enhanced_rag_memory", "pdf_documents",
	} {
		p.reads(want)
	}
	p.follow(button, "ตรวจสอบความถูกต้อง")
	p.reads(p.says("jobs.verify_good", "name", manualBackup))
	p.follow(link, p.says("jobs.next_details"))
	p.follow(button, p.says("details.drill"))
	p.reads(p.says("jobs.drill_good", "name", manualBackup))
	p.follow(link, p.says("jobs.next_details"))
	p.reads(p.says("details.verdict_drilled"))
	d.photographs(p, "2-details")

	list := d.lists()
	before := list.rows()
	p.goes("/") // the assistant
	d.asks("When must lost equipment be reported?", manualFile+" หน้า 2")
	quick := d.quickly()
	list.follow(link, "รีเฟรช")
	if after := list.rows(); len(after) != len(before)+1 || !strings.Contains(after[0], quick) || !strings.Contains(after[0], "ด่วน") {
		d.t.Errorf("the list after a quick backup:\n%s", strings.Join(after, "\n---\n"))
	}
	d.photographs(list, "2-list")
	return quick
}

// quickly makes a quick backup in a tab of its own, and gives its name.
func (d *desk) quickly() string {
	d.t.Helper()
	p := d.opens(d.holdfast, d.holdfast.origin)
	p.follow(link, "ข้อมูลสำรอง")
	p.follow(button, "สำรองข้อมูลด่วน")
	p.follow(link, p.says("jobs.next_details"))
	var name string
	eventually(d.t, "the page names the backup", func() bool {
		var err error
		name, err = evaluate[string](p.tab, `document.querySelector("h1").textContent.trim()`)
		return err == nil && name != ""
	})
	name = plain(name)
	d.closes(p)
	return name
}

// clearsTheData loses everything, with an auto backup before.
func (d *desk) clearsTheData() {
	d.t.Helper()
	p := d.assistant
	p.goes("/")
	p.follow(link, "ข้อมูลและการสำรอง")
	p.press(checkbox, "ล้างความทรงจำด้วย")
	p.press(checkbox, "ใช่ ลบเอกสารทั้งหมด")
	p.follow(button, "ล้างข้อมูล")
	p.reads("ล้างข้อมูลแล้ว")
	p.find(link, "ดูข้อมูลสำรอง")
	d.asks(manualQuestion, "ไม่พบคำตอบในเอกสาร")
	d.photographs(p, "3-cleared")
	d.remembers("จดจำการสนทนาไว้ 1 ครั้ง") // that nothing was found
	autos := 0
	for _, row := range d.lists().rows() {
		if autoName.MatchString(row) {
			autos++
		}
	}
	if autos != 2 {
		d.t.Errorf("the list has %d auto backups, want 2:\n%s", autos, d.holdfast.text())
	}
}

// chooses opens the page of a restore from the list, and types the name there.
func (d *desk) choosesToRestore(p *person) {
	d.t.Helper()
	p.goes("/")
	p.follow(link, "ข้อมูลสำรอง")
	p.follow(link, manualBackup)
	p.follow(link, p.says("details.restore"))
	p.reads(p.says("restore.fact.emergency"))
	p.reads(p.says("restore.fact.memory_back"))
	p.confirms(manualBackup)
}

// restores brings everything back, step by step as the manual tells it. The hooks wait
// until somebody has seen that they run: a restore is over in no time.
func (d *desk) restores() {
	d.t.Helper()
	d.hold(slowStop)
	d.hold(slowStart)
	chroma := d.rag.Chroma(d.t)
	p := d.holdfast
	d.choosesToRestore(p)
	for _, more := range []int64{4, 1} { // of all records, of memories and files
		p.reads(p.l.N("restore.change.more", more))
	}
	d.photographs(p, "4-plan")
	p.follow(button, p.says("restore.begin"))
	p.sees(p.says("step.stop"))
	d.release(slowStop)
	p.sees(p.says("step.start"))
	d.release(slowStart)
	p.reads(p.says("jobs.restore_good", "name", manualBackup))
	d.photographs(p, "4-restored")

	steps := p.steps()
	d.flows(steps)
	if seen := p.watched(); len(seen) < 2 || !inOrder(seen, steps) {
		d.t.Errorf("the steps that were seen at work are %q of %q", seen, steps)
	}
	emergency := emergencyName.FindString(p.text())
	if emergency == "" {
		d.t.Errorf("the result names no emergency backup:\n%s", p.text())
	}
	if now := d.rag.Chroma(d.t); now == 0 || now == chroma {
		d.t.Errorf("Chroma was process %d, and is %d: the hooks have not stopped and started it", chroma, now)
	}
	if _, row := d.lists().row(emergencyName); !strings.Contains(row, emergency) || !strings.Contains(row, "ฉุกเฉิน") {
		d.t.Errorf("the list says of %s:\n%s", emergency, row)
	}
	d.isBack()
	d.photographs(d.assistant, "4-found-again")
}

// flows wants steps to be those of the manual, in its order.
func (d *desk) flows(steps []string) {
	d.t.Helper()
	at := 0
	for _, want := range restoreFlow {
		found := slices.IndexFunc(steps[at:], func(s string) bool { return strings.Contains(s, want) })
		if found < 0 {
			d.t.Errorf("the flow of the manual goes on with %q, the page has %q", want, steps)
			return
		}
		at += found + 1
	}
}

// inOrder tells whether all of some stand in others, in the same order.
func inOrder(some, others []string) bool {
	for _, s := range some {
		at := slices.Index(others, s)
		if at < 0 {
			return false
		}
		others = others[at+1:]
	}
	return true
}

// isBack wants documents and memory to be those of the backup.
func (d *desk) isBack() {
	d.t.Helper()
	d.remembers("จดจำการสนทนาไว้ 2 ครั้ง")
	d.asks(manualQuestion, manualAnswer)
}

// rollsBack takes the restore back: nothing is found again.
func (d *desk) rollsBack() {
	d.t.Helper()
	p := d.holdfast
	p.follow(link, p.says("frame.activity"))
	p.goes("/rollback")
	p.confirms(p.confirmed())
	p.follow(button, p.says("restore.rollback.begin"))
	p.reads(p.says("jobs.rollback_good"))
	d.photographs(p, "6-rollback")
	d.remembers("จดจำการสนทนาไว้ 1 ครั้ง")
	d.asks(manualQuestion, "ไม่พบคำตอบในเอกสาร")
}

// restoresBehindAClosedTab restores again, and closes the tab in the middle: it is all
// there in another one, and in the next, and ends well in both.
func (d *desk) restoresBehindAClosedTab() {
	d.t.Helper()
	d.hold(slowStop)
	p := d.opens(d.holdfast, d.holdfast.origin)
	d.choosesToRestore(p)
	p.follow(button, p.says("restore.begin"))
	stopping := p.says("step.stop")
	p.sees(stopping)
	before, job := p.steps(), p.at()
	d.closes(p)

	again := d.lists()
	again.reads(again.says("frame.running", "doing", again.says("job.restore.doing"), "name", manualBackup))
	again.goes(job)
	second := d.opens(d.holdfast, d.holdfast.origin)
	second.goes(job)
	second.leaves("the reload", func() {
		if _, err := evaluate[bool](second.tab, `location.reload(), true`); err != nil {
			d.t.Fatal(err)
		}
	})
	for _, p := range []*person{again, second} {
		p.sees(stopping)
		if got := p.steps(); p.at() != job || !slices.Equal(got, before) || !slices.Contains(p.watched(), stopping) {
			d.t.Errorf("%s shows %q at %q, want %s with %q at %q", p.at(), got, p.watched(), job, before, stopping)
		}
	}
	d.photographs(second, "5-in-the-middle")
	d.release(slowStop)
	for _, p := range []*person{again, second} {
		p.reads(p.says("jobs.restore_good", "name", manualBackup))
		d.flows(p.steps())
	}
	d.closes(second)
	d.isBack()
}

// deletes deletes a backup and takes it back, and deletes it again.
func (d *desk) deletes(name string) {
	d.t.Helper()
	p := d.lists()
	p.follow(link, name)
	p.follow(button, p.says("details.delete"))
	p.reads(p.says("backups.deleting_one", "name", name))
	d.photographs(p, "7-undo")
	p.follow(button, "เลิกทำ")
	p = d.lists() // which follows the end of the deletion by itself
	eventually(d.t, "it was taken back", func() bool { return p.shows(link, name) && !strings.Contains(p.text(), p.says("backups.deleting")) })
	p.follow(link, name)
	p.follow(button, p.says("details.delete"))
	p.reads(p.says("backups.deleting_one", "name", name))
}

// waitsUntilGone waits for a backup to leave the list, which tells so by itself.
func (d *desk) waitsUntilGone(name string) {
	d.t.Helper()
	p := d.lists()
	eventually(d.t, name+" is gone", func() bool { return !p.shows(link, name) && !strings.Contains(p.text(), name) })
}

// switchesAutoBackup switches Auto Backup off for one upload, and on again.
func (d *desk) switchesAutoBackup() {
	d.t.Helper()
	p := d.lists()
	before, _ := p.row(autoName)
	p.follow(button, p.says("backups.auto_turn_off"))
	p.reads(p.says("backups.auto_turned_off"))
	d.photographs(p, "8-off")
	d.uploads(manualSecond)
	d.assistant.reads("ปิดการสำรองข้อมูลอัตโนมัติอยู่")
	d.photographs(d.assistant, "8-upload")
	if after, _ := d.lists().row(autoName); after != before {
		d.t.Errorf("the newest auto backup is %s, and was %s before the switch", after, before)
	}
	p.follow(button, p.says("backups.auto_turn_on"))
	p.reads(p.says("backups.auto_turned_on"))
	d.uploads(manualThird)
	d.assistant.find(link, "ดูข้อมูลสำรอง")
	if after, _ := d.lists().row(autoName); after == before {
		d.t.Errorf("the newest auto backup is still %s", after)
	}
}
