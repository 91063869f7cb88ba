// The page works without this; with it, presses show the bot's answer and the
// chat follows what happens.
"use strict";
const toast = document.querySelector(".toast");
const dialog = document.querySelector("dialog");
let fading;

// answer shows what the bot answered to a press: in passing, or until it is read.
function answer(a) {
  if (!a.text) return;
  if (a.alert) {
    dialog.querySelector("p").textContent = a.text;
    dialog.showModal();
    return;
  }
  toast.textContent = a.text;
  toast.hidden = false;
  clearTimeout(fading);
  fading = setTimeout(() => { toast.hidden = true; }, 4000);
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.classList.contains("keys")) return;
  event.preventDefault();
  const button = event.submitter;
  const body = new URLSearchParams(new FormData(form, button));
  body.set("script", "1");
  button.disabled = true;
  try {
    const resp = await fetch(form.action, { method: "POST", body });
    if (resp.ok) answer(await resp.json());
    else answer({ text: await resp.text(), alert: true });
  } finally {
    button.disabled = false;
  }
});

// draw takes the parts that have changed from a fresh page; what is being typed
// stays.
async function draw() {
  const resp = await fetch(location.href);
  if (!resp.ok) return;
  const fresh = new DOMParser().parseFromString(await resp.text(), "text/html");
  document.querySelector("main").replaceWith(fresh.querySelector("main"));
  document.querySelectorAll(".pin, .asked").forEach((old) => old.remove());
  const pin = fresh.querySelector(".pin");
  if (pin) document.querySelector("main").before(pin);
  const asked = fresh.querySelector(".asked");
  if (asked) document.querySelector(".field").prepend(asked);
  document.querySelector(".field input[name=text]").placeholder = fresh.querySelector(".field input[name=text]").placeholder;
  bottom();
}

function bottom() { scrollTo(0, document.documentElement.scrollHeight); }

async function follow() {
  for (;;) {
    try {
      const seen = document.querySelector("main").dataset.seen;
      const resp = await fetch("/changes?seen=" + seen);
      if (resp.status === 200) await draw();
    } catch {
      await new Promise((again) => setTimeout(again, 2000));
    }
  }
}

if (!location.hash) bottom();
follow();
