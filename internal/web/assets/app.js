// What pages do beyond their forms: everything works without it.
"use strict";
(() => {
  const doc = document;
  const all = (selector, root = doc) => root.querySelectorAll(selector);
  const on = (type, handle, capture) => doc.addEventListener(type, handle, capture);

  // The reader's time zone, for the next page.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone) {
    const secure = location.protocol === "https:" ? "; secure" : "";
    doc.cookie = `hf_zone=${zone}; path=/; max-age=34560000; samesite=lax${secure}`;
  }

  // Times of the last and the next day go on while the page is open, in its own words.
  const words = JSON.parse(doc.body.dataset.times || "null");
  const ahead = Date.parse(doc.body.dataset.now) - Date.now() || 0; // the server's clock counts
  const digits = new Intl.NumberFormat(doc.documentElement.lang);
  const tell = (way, seconds) => {
    const minutes = way === "ago" ? Math.floor(seconds / 60) : Math.round(seconds / 60);
    const hours = way === "ago" ? Math.floor(seconds / 3600) : Math.round(seconds / 3600);
    if (minutes < 1) return words[way].now;
    const [forms, n] = minutes < 60 ? [words[way].minutes, minutes] : [words[way].hours, hours];
    return forms[n === 1 ? 0 : 1].replace("#", digits.format(n));
  };
  const tick = () => {
    if (!words) return;
    for (const time of all("time[data-relative]")) {
      const past = (Date.now() + ahead - Date.parse(time.dateTime)) / 1000;
      if (Math.abs(past) < 86400) {
        const text = past >= 0 ? (time.dataset.relative === "due" ? words.due : tell("ago", past)) : tell("until", -past);
        if (time.textContent !== text) time.textContent = text;
      }
    }
  };
  setInterval(tick, 20000);

  // A dangerous button waits until the name has been typed, as this keyboard writes it. The
  // server looks again, in the same way.
  const asTyped = (name) => {
    const plain = name.trim().replace(/\p{Cf}/gu, "").normalize("NFC").replace(/[\u064a\u0649]/g, "\u06cc").replace(/\u0643/g, "\u06a9");
    return plain.replace(/[\u0660-\u0669\u06f0-\u06f9\u0e50-\u0e59]/g, (digit) => digit.charCodeAt(0) & 15);
  };
  const confirmation = (input) => {
    for (const button of all("button.danger", input.form || doc)) {
      if (!button.form || button.form === input.form) button.disabled = asTyped(input.value) !== asTyped(input.dataset.confirm);
    }
  };

  // How many of a list are ticked, and what can be done with them.
  const selection = (group) => {
    const boxes = [...all(`input[data-select="${group}"]`)];
    const ticked = boxes.filter((box) => box.checked).length;
    for (const every of all(`input[data-select-all="${group}"]`)) {
      every.checked = ticked > 0 && ticked === boxes.length;
      every.indeterminate = ticked > 0 && ticked < boxes.length;
    }
    for (const count of all(`[data-selected="${group}"]`)) count.textContent = digits.format(ticked);
    for (const bar of all(`[data-for-selected="${group}"]`)) bar.hidden = ticked === 0;
  };

  const prepare = (root) => {
    for (const input of all("input[data-confirm]", root)) confirmation(input);
    for (const every of all("input[data-select-all]", root)) selection(every.dataset.selectAll);
    if (navigator.clipboard) for (const button of all("button[data-copy]", root)) button.hidden = false;
  };

  on("input", (e) => {
    if (e.target.matches("input[data-confirm]")) confirmation(e.target);
  });
  on("change", (e) => {
    const { select, selectAll } = e.target.dataset;
    if (selectAll) {
      for (const box of all(`input[data-select="${selectAll}"]`)) box.checked = e.target.checked;
    }
    if (select || selectAll) selection(select || selectAll);
  });

  on("click", (e) => {
    for (const menu of all("details.menu[open]")) {
      if (!menu.contains(e.target)) menu.open = false;
    }
    const button = e.target.closest("button[data-copy]");
    if (!button) return;
    navigator.clipboard.writeText(button.dataset.copy).then(() => {
      const name = button.querySelector(".sr");
      const before = name.textContent;
      button.classList.add("copied");
      name.textContent = button.title = button.dataset.copied;
      setTimeout(() => {
        button.classList.remove("copied");
        name.textContent = button.title = before;
      }, 2000);
    });
  });

  // A form is sent once, however often its button is pressed.
  on("submit", (e) => {
    const form = e.target;
    if (form.method === "dialog" || e.defaultPrevented) return;
    if (form.dataset.sent) return e.preventDefault();
    form.dataset.sent = "yes";
    setTimeout(() => delete form.dataset.sent, 3000);
  });

  on("keydown", (e) => {
    if (e.key === "Escape") {
      for (const menu of all("details.menu[open]")) {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
    }
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest("input, textarea, select, [contenteditable]")) return;
    const search = doc.querySelector("[data-search]");
    if (e.key === "/" && search) {
      e.preventDefault();
      search.focus();
    }
    const help = doc.getElementById("help");
    if (e.key === "?" && help && !help.open) help.showModal();
  });

  // The server is gone, or there again.
  const offline = (gone) => {
    const banner = doc.getElementById("offline");
    if (banner) banner.hidden = !gone;
  };
  // A stream that has begun is begun again by its extension; one that never came to be, since
  // the server was away just then, when another request is answered.
  const streams = new WeakSet();
  const missed = new Set();
  const failed = (e) => {
    if (e.target.id === "job-live" && !streams.has(e.target)) missed.add(e.target);
  };
  const answered = (e) => {
    if (e.target.id === "job-live") return failed(e);
    for (const live of missed) {
      missed.delete(live);
      if (live.isConnected) live.dispatchEvent(new Event("again"));
    }
  };
  on("htmx:sse:before:connection", (e) => streams.add(e.target));
  on("htmx:error", (e) => {
    offline(true);
    failed(e);
  });
  on("htmx:sse:error", () => offline(true));
  on("htmx:after:request", (e) => {
    offline(false);
    answered(e);
  });
  on("htmx:sse:after:connection", () => offline(false));
  addEventListener("offline", () => offline(true));
  addEventListener("online", () => offline(false));

  on("htmx:after:swap", () => {
    prepare(doc);
    tick();
  });
  prepare(doc);
  tick();
})();
