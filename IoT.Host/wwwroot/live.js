// Keeps every element marked data-live="url" current: fetches what the server renders there and puts the differences in place.
// It never lies: when an element can't be refreshed the page says so, with the time of what it shows, and goes on trying.
(() => {
  "use strict";
  const state = document.querySelector("[data-live-state]");
  const elements = [...document.querySelectorAll("[data-live]")];
  if (!state || elements.length === 0) return;

  const text = state.querySelector("[data-live-text]");
  const said = state.querySelector("[data-live-said]");
  const timeoutMs = 10_000;
  const longestWaitMs = 30_000;
  const clock = (time) => `${time.toISOString().slice(11, 19)} UTC`;
  const parts = elements.map((element) => ({
    element,
    everyMs: Number(element.dataset.liveSeconds ?? 2) * 1000,
    shownAt: new Date(document.querySelector("[data-live-text] time").dateTime),
    failures: 0,
    timer: 0,
    isBusy: false,
    isOver: false,
  }));

  const tell = () => {
    const failing = parts.filter((part) => part.failures > 0);
    const over = parts.some((part) => part.isOver);
    const oldest = failing.reduce((a, b) => (a < b.shownAt ? a : b.shownAt), new Date());
    const newest = parts.reduce((a, b) => (a > b.shownAt ? a : b.shownAt), new Date(0));
    state.dataset.liveState = failing.length > 0 ? "off" : "on";
    if (over) text.innerHTML = 'Not live: you are signed out. <a href="">Sign in again</a>';
    else if (failing.length > 0) text.textContent = `Not live: last refresh ${clock(oldest)}, trying again`;
    else text.textContent = `Live, ${clock(newest)}`;
    // Said to screen readers when it changes, not every two seconds.
    const now = failing.length > 0 ? "The page is not live" : said.textContent ? "The page is live again" : "";
    if (said.textContent !== now) said.textContent = now;
  };

  // Makes `old` like `fresh` in place, so that focus, selection and scroll positions stay.
  const morph = (old, fresh) => {
    for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
    for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    morphChildren(old, fresh);
  };
  const morphChildren = (old, fresh) => {
    const wanted = [...fresh.childNodes];
    wanted.forEach((node, i) => {
      const there = old.childNodes[i];
      if (!there) old.append(node);
      else if (there.nodeType !== node.nodeType || there.nodeName !== node.nodeName) there.replaceWith(node);
      else if (node.nodeType === Node.ELEMENT_NODE) morph(there, node);
      else if (there.data !== node.data) there.data = node.data;
    });
    while (old.childNodes.length > wanted.length) old.lastChild.remove();
  };

  const refresh = async (part) => {
    clearTimeout(part.timer);
    if (part.isBusy || part.isOver || document.hidden) return;
    part.isBusy = true;
    try {
      const answer = await fetch(part.element.dataset.live, { redirect: "manual", cache: "no-store", signal: AbortSignal.timeout(timeoutMs) });
      if (answer.type === "opaqueredirect") part.isOver = true;
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").body;
      morphChildren(part.element, fresh);
      part.shownAt = new Date(answer.headers.get("date"));
      part.failures = 0;
    } catch {
      part.failures++;
    }
    part.isBusy = false;
    part.element.toggleAttribute("data-stale", part.failures > 0);
    tell();
    const wait = part.failures === 0 ? part.everyMs : Math.max(part.everyMs, Math.min(longestWaitMs, 1000 * 2 ** part.failures));
    if (!part.isOver) part.timer = setTimeout(refresh, wait, part);
  };

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) parts.forEach(refresh);
  });
  parts.forEach((part) => (part.timer = setTimeout(refresh, part.everyMs, part)));
  tell();
})();
