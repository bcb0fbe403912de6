// What HTML alone can't do: opening explanations in a dialog, and telling the slider which moment is shown.
"use strict";

const dialog = document.createElement("dialog");
dialog.innerHTML = '<form method="dialog"><button aria-label="Close">×</button></form><div id="dialog"></div>';
dialog.setAttribute("aria-labelledby", "why-title");
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
document.body.append(dialog);

document.body.addEventListener("htmx:afterSwap", (event) => {
  if (event.target.id === "dialog") {
    if (!dialog.open) dialog.showModal();
    return;
  }
  document.getElementById("trouble").textContent = "";
});

document.body.addEventListener("htmx:afterSettle", (event) => {
  const slider = document.getElementById("moment");
  const shown = document.getElementById("as-of");
  if (!slider || !shown) return;
  slider.setAttribute("aria-valuetext", shown.dataset.text);
  if (event.detail.requestConfig?.elt !== slider) slider.value = shown.dataset.moment;
});

for (const kind of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
  document.body.addEventListener(kind, () => {
    document.getElementById("trouble").textContent = "The server doesn't answer. What you see is from before.";
  });
}
