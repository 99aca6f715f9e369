"use strict";
// Keeps <main> equal to what the server renders. Only elements that differ are changed, so that focus, selection and
// screen readers keep their position.
(() => {
  const main = document.getElementById("main");
  const live = document.getElementById("live");
  const pause = document.getElementById("pause");
  const retryAfter = 5000; // ms; used if the server has too many viewers
  let source = null;
  let retry = 0;

  const sameKind = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName;

  function update(node, fresh) {
    if (node.nodeType === Node.TEXT_NODE) {
      if (node.data !== fresh.data) node.data = fresh.data;
      return;
    }
    if (node.nodeType !== Node.ELEMENT_NODE) return;
    for (const { name } of [...node.attributes]) if (!fresh.hasAttribute(name)) node.removeAttribute(name);
    for (const { name, value } of fresh.attributes) if (node.getAttribute(name) !== value) node.setAttribute(name, value);
    updateChildren(node, fresh);
  }

  function updateChildren(node, fresh) {
    const wanted = [...fresh.childNodes];
    wanted.forEach((child, i) => {
      const known = node.childNodes[i];
      if (!known) node.append(child);
      else if (sameKind(known, child)) update(known, child);
      else known.replaceWith(child);
    });
    while (node.childNodes.length > wanted.length) node.lastChild.remove();
  }

  function say(text) {
    if (live.textContent !== text) live.textContent = text;
  }

  function show(html) {
    const fresh = new DOMParser().parseFromString("<main>" + html + "</main>", "text/html").querySelector("main");
    updateChildren(main, fresh);
    const state = document.getElementById("state");
    document.title = "probegate: " + state.dataset.title;
  }

  function follow() {
    source = new EventSource("/events");
    source.onmessage = (event) => {
      say("live");
      show(event.data);
    };
    source.onerror = () => {
      say("disconnected, reconnecting");
      if (source.readyState !== EventSource.CLOSED) return;
      retry = setTimeout(follow, retryAfter);
    };
  }

  function stop() {
    clearTimeout(retry);
    source.close();
    say("paused");
  }

  pause.hidden = false;
  pause.addEventListener("click", () => {
    const paused = pause.getAttribute("aria-pressed") !== "true";
    pause.setAttribute("aria-pressed", String(paused));
    if (paused) stop();
    else follow();
  });
  follow();
})();
