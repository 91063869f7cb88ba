package main

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func similarity(x, y string) float64 {
	var sum float64
	a, b := vector(x), vector(y)
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

// wantSum stands for all numbers of a vector.
const wantSum = 352.9726

// The same text has the same vector everywhere: what is stored today must be found
// by the program of tomorrow.
func TestVector_StaysTheSame(t *testing.T) {
	v := vector("วันลาพักร้อน paid leave مرخصی")
	var sum float64
	for i, x := range v {
		sum += float64(x) * float64(i+1)
	}
	if got := math.Round(sum*1e4) / 1e4; got != wantSum {
		t.Errorf("the vector has changed (%v, want %v): every record in every collection has to be written anew", got, wantSum)
	}
}

func TestVector_HasLengthOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		one, two := vector(text), vector(text)
		var length float64
		for i := range one {
			if one[i] != two[i] {
				t.Fatalf("two vectors of %q", text)
			}
			length += float64(one[i]) * float64(one[i])
		}
		if len(one) != dimensions || math.Abs(length-1) > 1e-5 {
			t.Fatalf("%d numbers of length %v", len(one), length)
		}
	})
}

// What is about the same is nearer than what is not, in each language, and however
// a keyboard writes it.
func TestVector_FindsWhatIsMeant(t *testing.T) {
	for _, tt := range []struct{ question, near, far string }{
		{"วันลาพักร้อน", "พนักงานมีวันลาพักร้อนปีละ 12 วัน", "ค่าที่พักเบิกได้คืนละ 1,800 บาท"},
		{"annual leave", "Employees have 12 days of annual leave.", "A laptop is replaced every four years."},
		{"مرخصی سالانه", "كاركنان دوازده روز مرخصي سالانه دارند", "لپ تاپ هر چهار سال عوض می‌شود"},
		{"NAÏVE BAYES", "a naïve Bayes classifier", "a decision tree"},
		{"จํานวนเงิน", "จำนวนเงินทั้งหมด", "วันลาพักร้อน"},
	} {
		if near, far := similarity(tt.question, tt.near), similarity(tt.question, tt.far); near < far+0.2 {
			t.Errorf("%s: %v to %q, %v to %q", tt.question, near, tt.near, far, tt.far)
		}
		if c := coverage(tt.question, tt.near); c < enough {
			t.Errorf("%q covers only %v of %q", tt.near, c, tt.question)
		}
		if c := coverage(tt.question, tt.far); c >= enough {
			t.Errorf("%q covers %v of %q", tt.far, c, tt.question)
		}
	}
}

// A question is what it asks about, not that it asks.
func TestCoverage_QuestionWordsDoNotCount(t *testing.T) {
	for question, passage := range map[string]string{
		"ลาป่วยได้กี่วันครับ":             "ลาป่วยได้ไม่เกิน 30 วันต่อปี",
		"How long is the warranty?":       "The warranty ends after two years; no longer.",
		"When are laptops replaced?":      "A laptop is replaced every four years.",
		"مرخصی زایمان چند ماه است؟":       "مرخصی زایمان شش ماه است",
		"ค่าที่พักเบิกได้คืนละเท่าไหร่คะ": "ค่าที่พักในต่างจังหวัดเบิกได้ไม่เกินคืนละ 1,800 บาท",
	} {
		if c := coverage(question, passage); c < enough {
			t.Errorf("%q covers only %v of %q", passage, c, question)
		}
	}
	if c := coverage("???", "anything"); c != 0 {
		t.Errorf("a question without words is covered by %v", c)
	}
}
