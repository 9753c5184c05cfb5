// Keeps a page up to date by the parts that its stream sends, and takes those who are
// logged in already past the login.
"use strict";
(() => {
  const state = (text) => {
    const at = document.getElementById("live-state");
    if (at) at.textContent = text;
  };

  // Each part changes the one of its id.
  const update = (html) => {
    const fresh = new DOMParser().parseFromString(html, "text/html");
    for (const part of [...fresh.body.children]) {
      const old = part.id && document.getElementById(part.id);
      if (!old) continue;
      if (!part.hasAttribute("data-text")) merge(old, document.importNode(part, true));
      else if (old.textContent !== part.textContent) old.textContent = part.textContent;
    }
  };

  // Changes what differs and leaves the rest, so that focus, open details and what is typed
  // stay where they are.
  const merge = (old, part) => {
    if (old.isEqualNode(part)) return;
    const nodes = [...old.childNodes], others = [...part.childNodes];
    if (old.nodeName !== part.nodeName) {
      if (!old.contains(document.activeElement)) old.replaceWith(part);
      return;
    }
    for (const { name } of [...old.attributes]) {
      if (!part.hasAttribute(name) && name !== "open") old.removeAttribute(name);
    }
    for (const { name, value } of [...part.attributes]) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    if (nodes.length !== others.length || nodes.some((node, i) => node.nodeName !== others[i].nodeName)) {
      if (!old.contains(document.activeElement)) old.replaceChildren(...others);
      return;
    }
    nodes.forEach((node, i) => {
      if (node.nodeType === Node.ELEMENT_NODE) merge(node, others[i]);
      else if (node.nodeValue !== others[i].nodeValue) node.nodeValue = others[i].nodeValue;
    });
  };

  const follow = (address) => {
    const stream = new EventSource(address);
    stream.addEventListener("open", () => state("· up to date"));
    stream.addEventListener("error", () => state("· not up to date: the connection is lost, and tried again"));
    stream.addEventListener("parts", (event) => update(event.data));
    stream.addEventListener("end", () => { stream.close(); state("· nothing more comes"); });
    stream.addEventListener("logout", () => { stream.close(); location.reload(); });
    addEventListener("pagehide", () => stream.close());
  };

  if (document.body.dataset.live) follow(document.body.dataset.live);

  // A link from another site comes without the cookie; this question has it.
  const login = document.querySelector("form[data-login]");
  if (login && !document.querySelector(".problem")) {
    fetch("/whoami").then((answer) => { if (answer.ok) location.replace(login.dataset.login); }, () => {});
  }
})();
