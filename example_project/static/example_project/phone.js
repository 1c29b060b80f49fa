// Looks for new messages every two seconds while somebody is looking. Without it: the links, and the forms alone.
const inbox = document.querySelector("[data-phone]");
const list = document.querySelector("[data-list]");
const said = document.querySelector("[data-said]");
let timer;

function say(words) {
  said.textContent = words;
}

// Buttons that do nothing without a script come hidden.
function dress(part) {
  if (navigator.clipboard) part.querySelectorAll("[data-copy]").forEach((button) => (button.hidden = false));
  return part;
}

async function fetched(url, options) {
  const answer = await fetch(url, options).catch(() => null);
  if (!answer?.ok) return null;
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

// What is there stays as it is, so that a call stays open and nothing is announced twice.
function update(fresh) {
  const known = new Map([...list.children].map((one) => [one.dataset.key, one]));
  const wanted = [...fresh.children].map((one) => known.get(one.dataset.key) ?? dress(document.importNode(one, true)));
  const added = wanted.filter((one) => !list.contains(one));
  if (!added.length && wanted.length === list.children.length) return;
  for (const old of [...list.children]) if (!wanted.includes(old)) old.remove();
  wanted.forEach((one, place) => list.children[place] === one || list.insertBefore(one, list.children[place] ?? null));
  added.forEach((one) => one.classList.add("demo-new"));
  inbox.scrollTop = inbox.scrollHeight;
}

async function refresh() {
  if (!inbox.clientHeight) return;
  const page = await fetched(inbox.dataset.phone);
  const fresh = page?.querySelector("[data-list]");
  if (fresh) update(fresh);
}

function watch() {
  clearInterval(timer);
  if (document.hidden) return;
  refresh();
  timer = setInterval(refresh, 2000);
}

async function copy(button) {
  const code = button.parentElement.querySelector(".demo-code").textContent;
  await navigator.clipboard.writeText(code).then(
    () => say("Copied"),
    () => say("Your browser did not allow that"),
  );
  button.textContent = said.textContent;
  setTimeout(() => {
    button.textContent = "Copy code";
    say("");
  }, 2000);
}

// The page beside the phone stays, with what is typed there.
async function set(form) {
  const page = await fetched(form.action, { method: "POST", body: new FormData(form) });
  const fate = page?.querySelector("[data-fate]")?.textContent;
  if (!fate) return form.submit();
  form.parentElement.querySelector("[data-fate]").textContent = fate;
  say(`The next messages ${fate}`);
}

if (inbox) {
  dress(list);
  watch();
  document.addEventListener("visibilitychange", watch);
  // A call that is answered may speak below the edge; this event does not bubble.
  list.addEventListener("toggle", ({ target }) => target.open && target.scrollIntoView({ block: "nearest" }), true);
  document.addEventListener("click", ({ target }) => target.matches("[data-copy]") && copy(target));
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-switches]")) return;
    event.preventDefault();
    set(event.target);
  });
}
