// Counts a wait down, offers the code of a bound message, lets a form go once. Without it all of that works too.
(() => {
  "use strict";

  // The wait comes in seconds from the server: the clock of this device may be wrong, its pace is not.
  for (const form of document.querySelectorAll("[data-pl-wait]")) {
    const end = Date.now() + form.dataset.plWait * 1000;
    const [button, text, status] = ["button", ".pl-wait", "[role=status]"].map((one) => form.querySelector(one));
    const words = new Intl.RelativeTimeFormat(document.documentElement.lang);
    const left = () => Math.ceil((end - Date.now()) / 1000);
    const sentence = () => {
      const [count, unit] = left() > 120 ? [Math.ceil(left() / 60), "minute"] : [left(), "second"];
      return form.dataset.plText.replace("{when}", words.format(count, unit));
    };
    let clock = setInterval(tick, 1000);
    button.setAttribute("aria-disabled", "true");
    form.addEventListener("submit", (event) => {
      if (left() <= 0) return;
      event.preventDefault();
      status.textContent = sentence();
    });
    for (const name of ["pageshow", "visibilitychange"]) addEventListener(name, tick, true);
    tick();

    function tick() {
      if (!clock) return;
      if (left() > 0) {
        text.textContent = sentence();
        return;
      }
      clock = clearInterval(clock);
      text.hidden = true;
      button.removeAttribute("aria-disabled");
      status.textContent = form.dataset.plDone;
    }
  }

  // Only the browser's own dialogue hands over a code, so whoever agreed there has agreed to send it.
  const code = document.querySelector(".pl-form [autocomplete=one-time-code]");
  if (code && "OTPCredential" in window) {
    const typed = new AbortController();
    code.form.addEventListener("submit", () => typed.abort());
    navigator.credentials.get({ otp: { transport: ["sms"] }, signal: typed.signal }).then(
      (found) => {
        // A browser may also answer with nothing (Credential Management Level 1).
        if (!found) return;
        code.value = found.code;
        code.form.requestSubmit();
      },
      () => {},
    );
  }

  addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || !form.closest(".pl-card")) return;
    if (form.dataset.plGone) event.preventDefault();
    form.dataset.plGone = "1";
    // Whoever stops a slow answer may press again.
    setTimeout(() => delete form.dataset.plGone, 10000);
  });
  addEventListener("pageshow", () => {
    for (const form of document.forms) delete form.dataset.plGone;
  });
})();
