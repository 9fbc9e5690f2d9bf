// Filters that answer while one types, rows that open on a double click, messages that are heard. All of it works without.
"use strict";

const message = document.getElementById("melding");
let running = null;

function say(text) {
  // The region stands in the page before its text does: only then is the text read out.
  message.replaceChildren();
  if (!text) return;
  const line = document.createElement("p");
  line.textContent = text;
  setTimeout(() => message.replaceChildren(line), 100);
}

// A form with data-vervang="id" fetches its own answer and replaces that one part; focus stays where it is.
async function refresh(form) {
  const target = document.getElementById(form.dataset.vervang);
  const address = new URL(form.getAttribute("action") || location.pathname, location.href);
  address.search = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
  running?.abort();
  const mine = (running = new AbortController());
  target.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address, { signal: mine.signal, headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById(target.id);
    if (!answer.ok || !fresh) {
      location.assign(address); // signed out, or a fault: show what the server says
      return;
    }
    target.replaceChildren(...document.adoptNode(fresh).childNodes);
    history.replaceState(null, "", address);
    const [language, there] = [document, page].map((each) => each.querySelector(".balk-taal"));
    if (language && there) language.href = there.href; // the same list in the other language
    say(fresh.dataset.telling);
    target.removeAttribute("aria-busy");
  } catch (fault) {
    if (fault.name !== "AbortError") location.assign(address);
  }
}

let typing = null;
for (const form of document.querySelectorAll("form[data-vervang]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(typing);
    refresh(form);
  });
  form.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => refresh(form), 250);
  });
}

// In a table with data-opent a double click anywhere on the row follows the link that the row starts with.
document.addEventListener("dblclick", (event) => {
  const row = event.target.closest("table[data-opent] tbody tr");
  const link = row?.querySelector("a[href]");
  if (link && !event.target.closest("a, button, input, select")) location.assign(link.href);
});

// The summary of faults, or a message that came with the page.
const faults = document.querySelector("[role=alert][tabindex]");
if (faults) faults.focus();
else if (message.textContent.trim()) say(message.textContent.trim());

for (const button of document.querySelectorAll("[data-afdrukken]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
