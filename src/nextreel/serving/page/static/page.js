// What HTML alone can't do: explanations in a dialog, suggestions by arrow keys, playing through time, copying the
// address, and asking again when the server was away. Every element here is in the page before any script runs.
"use strict";

const get = (id) => document.getElementById(id);
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
const after = (name, act) => document.body.addEventListener(name, act);

/* Explanations */
after("click", (event) => event.target === get("why") && get("why").close());
after("htmx:afterSwap", (event) => {
  if (event.target.id === "dialog" && !get("why").open) get("why").showModal();
});

/* Search: the pattern of an editable combobox with a listbox */
const options = () => [...(get("suggestions")?.children ?? [])];
let active = -1;

function choose(index) {
  active = index;
  options().forEach((option, i) => option.setAttribute("aria-selected", String(i === index)));
  const option = options()[index];
  if (option) get("q").setAttribute("aria-activedescendant", option.id);
  else get("q")?.removeAttribute("aria-activedescendant");
  option?.scrollIntoView({ block: "nearest" });
}

function expand(isOpen) {
  if (!get("q")) return;
  get("suggestions").hidden = !isOpen;
  get("q").setAttribute("aria-expanded", String(isOpen));
  choose(-1);
}

after("keydown", (event) => {
  if (event.target.id !== "q") return;
  const count = get("suggestions").hidden ? 0 : options().length;
  if (event.key === "ArrowDown" && !count && options().length) expand(true);
  else if (event.key === "ArrowDown" && count) choose((active + 1) % count);
  else if (event.key === "ArrowUp" && count) choose(active <= 0 ? count - 1 : active - 1);
  else if (event.key === "Escape" && count) expand(false);
  else if (event.key === "Enter" && count && get("suggestions").dataset.search === get("q").value.trim())
    options()[Math.max(active, 0)].click();
  else return;
  event.preventDefault();
});
after("mousedown", (event) => event.target.closest("[role=option]") && event.preventDefault());
after("click", (event) => {
  if (!event.target.closest("[role=option]")) return;
  get("q").value = "";
  expand(false);
});
after("focusout", (event) => {
  if (event.target.id === "q" && !event.relatedTarget?.closest("#found")) expand(false);
});

/* Taps that follow quickly: a newer request replaces the one under way, so it must say what that one said, too */
after("click", (event) => {
  const button = event.target.closest("#you button[name]");
  if (!button) return;
  const said = { type: "hidden", className: "said", name: button.name, value: button.value };
  get("you").append(Object.assign(document.createElement("input"), said));
});
// What stays as it is isn't replaced: the browser drops a tap whose button is replaced before it is released.
after("htmx:oobBeforeSwap", (event) => {
  if (event.detail.fragment.firstChild?.isEqualNode(event.target)) event.detail.shouldSwap = false;
});

/* Time travel: which moment is shown, the names of the bars, and playing through it */
let playing = null;

function play(isPlaying) {
  clearTimeout(playing);
  playing = isPlaying ? setTimeout(step, 0) : null;
  const label = get("play")?.querySelectorAll("span");
  if (label) [label[0].textContent, label[1].textContent] = isPlaying ? ["❚❚", "Pause"] : ["▶", "Play"];
}

function step() {
  const slider = get("moment");
  if (!slider || Number(slider.value) >= Number(slider.max)) return play(false);
  slider.value = Number(slider.value) + Math.ceil(slider.max / 60);
  slider.dispatchEvent(new Event("input", { bubbles: true }));
}

after("click", (event) => {
  if (!event.target.closest("#play")) return;
  const slider = get("moment");
  if (!playing && slider.value === slider.max) slider.value = 0;
  play(!playing);
});
after("pointerdown", (event) => event.target.id === "moment" && play(false));
after("keydown", (event) => event.target.id === "moment" && play(false));

function name(x) {
  const strip = get("bars").getBoundingClientRect();
  const place = Math.min(Math.max(x, strip.left + 1), strip.right - 1);
  const at = document.elementsFromPoint(place, strip.bottom - 1).find((element) => element.closest("#bars g"));
  get("tip").textContent = at?.closest("g").querySelector("title").textContent ?? "";
  get("tip").style.left = `${Math.round(place - get("tip").parentElement.getBoundingClientRect().left)}px`;
  get("tip").classList.toggle("at-end", place > (strip.left + strip.right) / 2);
}

function nameMoment() {
  const slider = get("moment");
  const strip = get("bars").getBoundingClientRect();
  name(strip.left + (strip.width * (Number(slider.value) + 0.5)) / Number(slider.max));
}

after("pointermove", (event) => event.target.id === "moment" && name(event.clientX));
after("pointerout", (event) => event.target.id === "moment" && (get("tip").textContent = ""));
after("input", (event) => event.target.id === "moment" && nameMoment());

after("htmx:afterSettle", (event) => {
  if (event.target.id === "answer" || event.detail.target?.id === "answer") {
    document.querySelectorAll("#you .said").forEach((said) => said.remove());
    expand(document.activeElement === get("q") && options().length > 0);
  }
  const [slider, shown] = [get("moment"), get("as-of")];
  if (!slider || !shown) return;
  slider.setAttribute("aria-valuetext", shown.dataset.text);
  const asker = event.detail.requestConfig?.elt.id;
  if (asker === "moment") playing &&= setTimeout(step, reducedMotion.matches ? 2000 : 700);
  // The bars may arrive after a key was pressed, which must not be undone.
  else if (asker !== "bars") slider.value = shown.dataset.moment;
});

/* Copying the address */
after("click", async (event) => {
  const button = event.target.closest(".copy");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(location.href);
    get("told").textContent = button.textContent = "Link copied";
  } catch {
    get("told").textContent = button.textContent = "Copy it from the address bar";
  }
});

/* When the server doesn't answer, the last result stays, and the same can be asked again */
let failed = null;

function complain(event) {
  play(false);
  failed = event.detail;
  const again = Object.assign(document.createElement("button"), { type: "button", id: "retry", textContent: "Retry" });
  get("trouble").replaceChildren("Showing the last result. ", again);
}

function retry() {
  if (!failed) return;
  const { pathInfo, requestConfig, target } = failed;
  const swap = target.id === "dialog" ? "innerHTML" : "outerHTML";
  htmx.ajax("GET", pathInfo.finalRequestPath ?? requestConfig.path, { target: `#${target.id}`, swap });
}

for (const kind of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) after(kind, complain);
after("click", (event) => event.target.id === "retry" && retry());
after("htmx:afterOnLoad", (event) => {
  if (!event.detail.successful && event.detail.xhr.status !== 422) return;
  failed = null;
  get("trouble").replaceChildren();
});
addEventListener("online", retry);
