// What the scripts of the demo's pages share: calls of the browser API, and buttons that say what went wrong.
"use strict";
const demo = (() => {
  const { token, page, next, minutes } = document.currentScript.dataset;
  const stepUp = new Set(["insufficient_factors", "stale_factors"]);

  const call = async (path, body) => {
    const answer = await fetch(`/sdk/v1/${path}`, {
      method: "POST",
      headers: { authorization: `Basic ${btoa(`${token}:${token}`)}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const said = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(said.error_message), { type: said.error_type });
    return said.data;
  };

  // Shows the button of this id in the place of its note; `words` are those for faults of the browser, by their names.
  const button = (id, work, words = {}) => {
    const shown = document.getElementById(id);
    const trouble = document.getElementById(`${id}-trouble`);
    const say = (text) => {
      trouble.textContent = text;
      trouble.hidden = false;
    };
    const note = document.getElementById(`${id}-note`);
    if (note) note.hidden = true;
    shown.hidden = false;
    shown.addEventListener("click", async () => {
      trouble.hidden = true;
      shown.disabled = true;
      try {
        await work();
      } catch (fault) {
        if (stepUp.has(fault.type)) location.assign("/second?next=/account");
        else say(words[fault.name] ?? fault.message);
      } finally {
        shown.disabled = false;
      }
    });
    return say;
  };

  return { button, call, minutes: Number(minutes), next, page };
})();
