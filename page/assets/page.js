// Keeps the page as things are: it is sent the elements that have changed, and
// which items its lists have. Without it the page is as it was when it was
// loaded.
"use strict";

const live = document.getElementById("live");
const said = document.getElementById("said");
let since = document.body.dataset.since;
let source = null;
let comeback = null;
let whole = true; // the next message may say again what is here

// element makes one of the server's elements. What members say in it the server
// has escaped, and no script in it would be run.
function element(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content.firstElementChild;
}

// replace makes an element what the fresh one of its id is. Of a row or section
// only those pieces are touched that differ, so that what the reader has
// selected, or scrolled to, in the others stays.
function replace(old, fresh) {
  const pieces = [...old.children], made = [...fresh.children];
  const alike = old.cloneNode(false).isEqualNode(fresh.cloneNode(false)) && pieces.length === made.length;
  if (!alike || !old.matches("tr, section, main > div")) {
    exchange(old, fresh);
    return;
  }
  pieces.forEach((piece, i) => {
    if (!piece.isEqualNode(made[i])) exchange(piece, made[i]);
  });
}

// exchange puts an element in the place of another one, and keeps the focus and
// what is open there. It catches the eye if a state is another one.
function exchange(old, fresh) {
  const links = [...old.querySelectorAll("a, summary, pre")];
  const focused = links.indexOf(document.activeElement);
  const open = [...old.querySelectorAll("details")].map((d) => d.open);
  const wasOpen = old.open;
  old.replaceWith(fresh);
  if (fresh.matches("details")) fresh.open = wasOpen ?? false;
  fresh.querySelectorAll("details").forEach((d, i) => { d.open = open[i] ?? false; });
  if (focused >= 0) {
    fresh.querySelectorAll("a, summary, pre")[focused]?.focus({ preventScroll: true });
  }
  if (!whole && states(old) !== states(fresh)) fresh.classList.add("changed");
}

// states are the words for how something is, in an element.
function states(e) {
  return [...e.querySelectorAll(".state")].map((s) => s.textContent).join();
}

// arrange gives a list the items of ids, in that order.
function arrange(list, ids, fresh) {
  const wanted = new Set(ids);
  for (const item of [...list.children]) {
    if (!wanted.has(item.id)) item.remove();
  }
  const has = new Map([...list.children].map((item) => [item.id, item]));
  let next = list.firstElementChild;
  for (const id of ids) {
    const item = has.get(id) ?? fresh.get(id);
    if (!item) continue;
    if (item === next) {
      next = next.nextElementSibling;
    } else {
      list.insertBefore(item, next);
    }
  }
}

function apply(message) {
  if (message.assets !== document.body.dataset.assets) {
    location.reload();
    return;
  }
  document.title = message.title;
  const fresh = new Map();
  for (const part of message.parts ?? []) {
    const made = element(part.html);
    const old = document.getElementById(part.id);
    if (!old) {
      fresh.set(part.id, made);
    } else {
      announce(old, made);
      replace(old, made);
    }
  }
  for (const [id, ids] of Object.entries(message.lists ?? {})) {
    const list = document.getElementById(id);
    if (list) arrange(list, ids, fresh);
  }
  tellAges();
  whole = false;
}

// announce says to those who do not see it what a node or rule has become.
function announce(old, made) {
  const word = (e) => e.querySelector(".state")?.textContent.trim();
  const name = made.querySelector("th a")?.textContent;
  if (name && word(old) !== word(made)) said.textContent = name + ": " + word(made);
}

function tell(state, text) {
  live.dataset.state = state;
  if (live.textContent !== text) live.textContent = text;
}

// connect follows the document of this address, from what is here on.
function connect() {
  disconnect();
  whole = true;
  const url = new URL(location.pathname + location.search, location.origin);
  url.searchParams.set("since", since);
  source = new EventSource(url);
  source.onopen = () => tell("live", "live");
  source.onmessage = (event) => {
    since = event.lastEventId;
    apply(JSON.parse(event.data));
  };
  source.onerror = () => {
    tell("lost", "the connection is lost, this is how it was");
    if (source.readyState === EventSource.CLOSED) comeback = setTimeout(again, 5000);
  };
}

function disconnect() {
  clearTimeout(comeback);
  source?.close();
  source = null;
}

// again connects anew when the server has refused, unless it wants a token now.
async function again() {
  try {
    const answer = await fetch(location.href, { redirect: "manual", cache: "no-store" });
    if (answer.type === "opaqueredirect" || answer.status === 404) {
      location.reload();
      return;
    }
  } catch { /* it is away still */ }
  connect();
}

// span is a time in the two units that matter.
function span(seconds) {
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const i = Math.max(units.findIndex(([, size]) => seconds >= size), 0);
  if (seconds < 1) return "0 s";
  const [unit, size] = units[i];
  const whole = Math.floor(seconds / size);
  const rest = units[i + 1] && whole < 10 ? Math.floor((seconds % size) / units[i + 1][1]) : 0;
  return whole + " " + unit + (rest ? " " + rest + " " + units[i + 1][0] : "");
}

// tellAges writes how long ago each time is; the time itself is what a pointer
// at rest shows.
function tellAges() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
    const column = time.closest("[data-label='For']");
    const text = seconds < -1 ? "in " + span(-seconds) : span(Math.max(seconds, 0)) + (column ? "" : " ago");
    if (time.title === "") time.title = time.textContent;
    if (time.textContent !== text) time.textContent = text;
  }
}

// search shows what is being looked for while it is being written.
function search(form) {
  const show = () => {
    const query = new URLSearchParams(new FormData(form));
    for (const [key, value] of [...query]) {
      if (value === "" || (key === "sort" && value === "name")) query.delete(key);
    }
    const text = query.toString();
    history.replaceState(null, "", location.pathname + (text ? "?" + text : "") + location.hash);
    since = "";
    connect();
  };
  let wait = null;
  form.addEventListener("input", () => {
    clearTimeout(wait);
    wait = setTimeout(show, 200);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(wait);
    show();
  });
  document.addEventListener("keydown", (event) => {
    const field = form.elements.q;
    const writes = event.target.closest?.("input, textarea, select");
    if (event.key === "/" && !writes && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      field.focus();
      field.select();
    }
  });
}

const form = document.querySelector("form.search");
if (form) search(form);
// Nobody looks at a page that is not seen: the nodes need not be asked for it.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    disconnect();
    tell("still", "as it was when you left");
  } else {
    connect();
  }
});
setInterval(tellAges, 1000);
tellAges();
if (!document.hidden) connect();
