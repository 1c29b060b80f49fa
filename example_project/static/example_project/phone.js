// Looks for new messages every two seconds while somebody is looking. Without it: the links.
const inbox = document.querySelector("[data-phone]");

async function refresh() {
  if (document.hidden) return;
  const answer = await fetch(inbox.dataset.phone).catch(() => null);
  if (!answer?.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector("[data-phone]");
  if (!fresh || fresh.innerHTML === inbox.innerHTML) return;
  inbox.replaceChildren(...fresh.childNodes);
  inbox.scrollTop = inbox.scrollHeight;
}

if (inbox) {
  inbox.scrollTop = inbox.scrollHeight;
  refresh();
  setInterval(refresh, 2000);
  document.addEventListener("visibilitychange", refresh);
}
