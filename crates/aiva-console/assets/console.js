// What the console adds when scripts run; every page works without it.
"use strict";

(() => {
  const typing = (el) => el && (el.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(el.tagName));

  // `/` goes to the search field, j and k walk the rows of the first list, Enter opens the one in focus.
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && typing(document.activeElement)) {
      document.activeElement.blur();
      return;
    }
    if (typing(document.activeElement)) return;
    if (event.key === "/") {
      const search = document.querySelector("[data-search]");
      if (search) {
        event.preventDefault();
        search.focus();
        if (search.select) search.select();
      }
      return;
    }
    if (event.key !== "j" && event.key !== "k") return;
    const rows = Array.from(document.querySelectorAll("[data-row]"));
    if (rows.length === 0) return;
    const at = rows.indexOf(document.activeElement);
    const next = event.key === "j" ? Math.min(at + 1, rows.length - 1) : Math.max(at - 1, 0);
    event.preventDefault();
    rows[next].focus();
    rows[next].scrollIntoView({ block: "nearest" });
  });

  // A filter takes effect when it is chosen.
  for (const field of document.querySelectorAll("[data-auto] select")) {
    field.addEventListener("change", () => field.form.requestSubmit());
  }

  // Empty fields do not belong in a link that people share.
  for (const form of document.querySelectorAll("form[data-auto]")) {
    form.addEventListener("submit", () => {
      for (const field of form.elements) {
        if (field.name && field.value === "") field.disabled = true;
      }
    });
  }

  // A change is sent once, however often the button is pressed.
  for (const form of document.querySelectorAll("form[method=post]")) {
    form.addEventListener("submit", () => {
      const button = form.querySelector("button[type=submit]");
      if (button) setTimeout(() => { button.disabled = true; }, 0);
    });
  }
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) for (const el of document.querySelectorAll("form :disabled")) el.disabled = false;
  });

  // A scan tells how far it is; when it ends the page is read again.
  const follow = document.querySelector("[data-follow]");
  if (follow && "EventSource" in window) {
    const bar = follow.querySelector("progress");
    const text = follow.querySelector("[data-progress]");
    const feed = follow.querySelector("[data-feed]");
    const source = new EventSource(follow.dataset.follow);
    let last = feed && feed.lastElementChild ? feed.lastElementChild.textContent : "";
    const show = ({ phase, progress }) => {
      const { done = 0, total = 0, current = "", packages = 0, findings = 0 } = progress || {};
      if (bar && total > 0) {
        bar.max = total;
        bar.value = Math.min(done, total);
      }
      const words = [phase, total > 0 ? `${done} of ${total} files` : "", `${packages} packages`, `${findings} findings`];
      if (text) text.textContent = words.filter(Boolean).join(" · ");
      if (feed && current && current !== last) {
        const item = document.createElement("li");
        item.textContent = current;
        feed.append(item);
        while (feed.children.length > 200) feed.firstElementChild.remove();
        feed.scrollTop = feed.scrollHeight;
        last = current;
      }
    };
    const heard = (event) => {
      try { show(JSON.parse(event.data)); } catch { return; }
      if (event.type === "end") {
        source.close();
        location.reload();
      }
    };
    for (const name of ["progress", "end"]) source.addEventListener(name, heard);
    window.addEventListener("pagehide", () => source.close());
  }
})();
