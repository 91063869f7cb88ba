// Writes dates.tsv: days as the Intl of a browser writes them, to be compared with ours.
// Run it with `node testdata/dates.js > testdata/dates.tsv`.
const write = (lang, calendar) => new Intl.DateTimeFormat(`${lang}-u-ca-${calendar}`, { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
const plain = new Intl.DateTimeFormat("en-u-ca-persian", { day: "numeric", month: "numeric", timeZone: "UTC" });
const thai = write("th-TH", "buddhist");
const persian = write("fa-IR", "persian");
const era = (parts, keep) => parts.filter((p) => keep.includes(p.type)).map((p) => p.value).join(" ");
const written = (format, day) => era(format.formatToParts(day), ["day", "month", "year"]);
const english = write("en-GB", "gregory");
const days = [];
const first = Date.UTC(1904, 0, 1), last = Date.UTC(2100, 11, 31), length = 24 * 60 * 60 * 1000;
for (let t = first, n = 0; t <= last; t += length, n++) {
  const nowruz = (at) => plain.format(at) === plain.format(Date.UTC(2024, 2, 20)); // 1 Farvardin
  if (n % 199 === 0 || nowruz(t) || nowruz(t + length)) days.push(t);
}
for (const t of days) {
  console.log([new Date(t).toISOString().slice(0, 10), written(english, t), written(thai, t), written(persian, t)].join("\t"));
}
