"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const form = byId("filters");
  const quotes = all(".quote");
  const marks = all("mark[data-q]");
  const refs = all(".ref, .also");

  const matches = (quote, chosen, labels) => {
    const actors = quote.dataset.actors.split(" ");
    return chosen.every((actor) => actors.includes(actor)) && labels.includes(quote.dataset.label);
  };

  const filter = () => {
    const chosen = [byId("by-actor").value, byId("by-group").value].filter(Boolean);
    const labels = all("input", form).filter((box) => box.checked).map((box) => box.value);
    const shown = new Set();
    for (const quote of quotes) {
      quote.hidden = !matches(quote, chosen, labels);
      if (!quote.hidden) shown.add(quote.id.slice(1));
    }
    for (const mark of marks) mark.classList.toggle("off", !mark.dataset.q.split(" ").some((q) => shown.has(q)));
    for (const ref of refs) ref.hidden = !shown.has(ref.dataset.q);
    for (const card of all(".actor, .article")) {
      card.hidden = !all(".quote, .ref, .also", card).some((part) => !part.hidden);
    }
    for (const row of all(".times > li")) row.hidden = byId(row.dataset.card).hidden;
    byId("shown").textContent = `${shown.size} of ${quotes.length} statements shown`;
  };

  const go = (id) => {
    const target = byId(id);
    if (!target) return false;
    for (let part = target.parentElement; part; part = part.parentElement) {
      if (part.tagName === "DETAILS") part.open = true;
    }
    for (const old of all(".here")) old.classList.remove("here");
    const lit = id[0] === "h" ? all(`mark[data-q~="${id.slice(1)}"]`) : id[0] === "q" ? [target] : [];
    for (const part of lit) part.classList.add("here");
    const pane = byId("articles");
    // Beside the evidence the articles scroll in a pane of their own, so that the evidence keeps its place.
    if (pane !== target && pane.contains(target) && pane.scrollHeight > pane.clientHeight + 1) {
      const top = pane.getBoundingClientRect().top;
      if (top > innerHeight / 3) pane.scrollIntoView({ block: "start" });
      pane.scrollTop += target.getBoundingClientRect().top - pane.getBoundingClientRect().top - pane.clientHeight / 3;
    } else {
      target.scrollIntoView({ block: id[0] === "h" || id[0] === "q" ? "center" : "start" });
    }
    // Focus goes along, for those who read on from there by keyboard or ear.
    if (!target.matches("a, input, select, button, summary")) target.tabIndex = -1;
    target.focus({ preventScroll: true });
    return true;
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    const mark = event.target.closest(".text mark:not(.off)");
    let id = null;
    if (link) id = link.hash.slice(1);
    else if (mark && !String(getSelection())) id = `q${mark.dataset.q.split(" ").find((q) => !byId(`q${q}`).hidden)}`;
    if (id !== null && go(id)) {
      event.preventDefault();
      history.pushState(null, "", `#${id}`);
    }
  });
  addEventListener("popstate", () => go(location.hash.slice(1)));

  if (quotes.length > 0) {
    form.addEventListener("input", filter);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(filter));
    filter();
    form.hidden = false;
  }

  // Paper has neither filters nor folds.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = all("details:not([open])");
    for (const part of closed) part.open = true;
    for (const part of all(".quote, .actor, .article, .ref, .also, .times > li")) part.hidden = false;
    for (const mark of marks) mark.classList.remove("off");
  });
  addEventListener("afterprint", () => {
    for (const part of closed) part.open = false;
    if (quotes.length > 0) filter();
  });

  if (location.hash) go(location.hash.slice(1));
})();
