// Loads the parts of a page again when the daemon has news; without it, a page is as it was when it was loaded.
"use strict";

(function () {
  const LEAST_MS = 2000; // between two loads of a part
  const SPREAD_MS = 2000; // after news, within which all open pages load, each at a moment of its own
  const AGAIN_MS = 30000; // until a refused stream of events is asked for again
  const parts = [...document.querySelectorAll("[data-live]")];
  const tags = new Map(); // the ETag of what each part shows
  const button = document.getElementById("pause-updates");
  const updated = document.getElementById("updated");
  let paused = false, due = false, timer = null, last = 0;

  // Make `old` look like `fresh`, and leave alone what is the same: focus, selection and open details stay.
  function merge(old, fresh) {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) return void old.replaceWith(fresh);
    if (old.nodeType !== Node.ELEMENT_NODE) return void (old.data = fresh.data);
    for (const each of [...old.attributes]) {
      if (!fresh.hasAttribute(each.name) && each.name !== "open") old.removeAttribute(each.name);
    }
    for (const each of fresh.attributes) old.setAttribute(each.name, each.value);
    children(old, fresh);
  }

  // Children with an id are found again by it, wherever they are now; the others by their place.
  function children(old, fresh) {
    const known = new Map([...old.children].filter((each) => each.id).map((each) => [each.id, each]));
    let place = old.firstChild;
    for (const wanted of [...fresh.childNodes]) {
      const mine = wanted.id ? known.get(wanted.id) : place && !place.id ? place : null;
      if (!mine) {
        old.insertBefore(wanted, place);
        continue;
      }
      if (mine === place) place = place.nextSibling;
      else old.insertBefore(mine, place);
      merge(mine, wanted);
    }
    while (place) {
      const next = place.nextSibling;
      place.remove();
      place = next;
    }
  }

  function put(part, text) {
    const fresh = part.cloneNode(false);
    fresh.append(...new DOMParser().parseFromString(text, "text/html").body.childNodes);
    const focused = document.activeElement;
    children(part, fresh);
    if (focused !== document.activeElement && focused.id) {
      document.getElementById(focused.id)?.focus({ preventScroll: true });
    }
    part.dispatchEvent(new CustomEvent("updated", { bubbles: true }));
  }

  async function load(part) {
    const tag = tags.get(part);
    const answer = await fetch(part.dataset.live, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
    if (answer.status === 304) return;
    if (!answer.ok) throw new Error(`the daemon answers ${answer.status}; load the page again`);
    tags.set(part, answer.headers.get("ETag"));
    put(part, await answer.text());
  }

  async function loadAll() {
    timer = null;
    due = false;
    last = Date.now();
    try {
      await Promise.all(parts.map(load));
      updated.textContent = `Updated at ${new Date().toISOString().slice(11, 19)} UTC`;
    } catch (error) {
      const why = error instanceof TypeError ? "the daemon does not answer" : error.message;
      updated.textContent = `Not updated: ${why}. What is shown may be old.`;
    }
  }

  function soon(delay = 0) {
    due = true;
    const wait = Math.max(delay, last + LEAST_MS - Date.now());
    if (!paused && !timer && !document.hidden) timer = setTimeout(loadAll, wait);
  }

  function onNews() {
    soon(Math.random() * SPREAD_MS);
  }

  button?.addEventListener("click", () => {
    paused = !paused;
    button.setAttribute("aria-pressed", String(paused));
    if (paused) clearTimeout(timer), (timer = null);
    else if (due) soon();
  });
  document.addEventListener("visibilitychange", () => due && soon());

  // A stream that ends is asked for again by the browser, one that was refused is not.
  function listen() {
    const events = new EventSource("/api/v1/events");
    for (const kind of ["tick", "intervention", "reset"]) events.addEventListener(kind, onNews);
    events.addEventListener("error", () => {
      updated.textContent = "The daemon sends no news; trying again.";
      if (events.readyState !== EventSource.CLOSED) return;
      setTimeout(() => (listen(), soon()), AGAIN_MS);
    });
  }

  if (parts.length && button) {
    document.getElementById("updates").hidden = false;
    listen();
  }
})();
