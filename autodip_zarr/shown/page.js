"use strict";
// The page is complete without this: it adds a filter, an order, sliders and enlargements to what is there.

const make = (name, properties, ...children) => {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
};

const orders = [
  ["need", "what needs a look first"],
  ["name", "name"],
  ["group", "calibration group"],
  ["tier", "tier of the match"],
  ["loss", "loss, highest first"],
  ["residual", "taken away over noise, highest first"],
  ["seconds", "time, longest first"],
];

function addTools(list) {
  const cards = [...list.querySelectorAll(":scope > .card")];
  if (cards.length < 2) return;
  const told = make("output", { className: "small" });
  const search = make("input", { type: "search", autocomplete: "off" });
  const pick = (options) => {
    const select = make("select", {});
    for (const [value, text] of options) select.append(make("option", { value, textContent: text }));
    return select;
  };
  const values = (key) => [...new Set(cards.flatMap((card) => (card.dataset[key] || "").split("\n")))].filter(Boolean).sort();
  const all = (key) => pick([["", "all"], ...values(key).map((one) => [one, one])]);
  const state = all("state"), group = all("group"), tier = all("tier"), order = pick(orders);
  const has = (card, key, wanted) => !wanted || (card.dataset[key] || "").split("\n").includes(wanted);
  const show = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const card of cards) {
      const text = card.querySelector("summary").textContent.toLowerCase();
      const fits = words.every((word) => text.includes(word)) && has(card, "state", state.value)
        && has(card, "group", group.value) && has(card, "tier", tier.value);
      card.hidden = !fits;
      count += fits;
    }
    told.textContent = `${count} of ${cards.length} images shown`;
  };
  const sort = () => {
    const key = order.value, place = (card) => cards.indexOf(card);
    const number = (card) => card.dataset[key] === undefined || card.dataset[key] === "" ? -Infinity : Number(card.dataset[key]);
    const compare = key === "need" ? (a, b) => place(a) - place(b)
      : ["name", "group", "tier"].includes(key)
        ? (a, b) => (a.dataset[key] || "").localeCompare(b.dataset[key] || "", undefined, { numeric: true })
        : (a, b) => number(b) - number(a) || place(a) - place(b);
    list.append(...[...cards].sort(compare));
  };
  for (const input of [search, state, group, tier]) input.addEventListener("input", show);
  order.addEventListener("input", sort);
  const tools = make("div", { className: "tools" },
    make("label", {}, "Find", search), make("label", {}, "Status", state), make("label", {}, "Group", group),
    make("label", {}, "Tier", tier), make("label", {}, "Order", order), told);
  list.before(tools);
  show();
}

function addSlider(strip) {
  const figures = [...strip.querySelectorAll("figure")];
  if (figures.length < 2) return;
  const label = strip.dataset.axis;
  const range = make("input", { type: "range", min: 0, max: figures.length - 1, value: 0 });
  const told = make("output", {});
  const show = () => {
    figures.forEach((figure, index) => { figure.hidden = index !== Number(range.value); });
    told.textContent = figures[range.value].dataset.at;
    range.setAttribute("aria-valuetext", told.textContent);
  };
  range.setAttribute("aria-label", `Plane along ${label}`);
  strip.classList.add("one");
  strip.removeAttribute("tabindex");
  range.addEventListener("input", show);
  const both = make("div", { className: "along" });
  strip.before(both);
  both.append(make("div", { className: "slide" }, range, told), strip);
  show();
}

function addSwipe(pictures) {
  const [before, after] = pictures.querySelectorAll("img");
  const below = after.cloneNode(), above = before.cloneNode();
  above.alt = "";
  below.alt = `${before.alt} on the left, ${after.alt} on the right`;
  const range = make("input", { type: "range", min: 0, max: 100, value: 50 });
  range.setAttribute("aria-label", "Share of the picture that is shown as it was before");
  const edge = make("span", { className: "edge" });
  const show = () => {
    above.style.clipPath = `inset(0 ${100 - range.value}% 0 0)`;
    edge.style.left = `${range.value}%`;
  };
  range.addEventListener("input", show);
  show();
  const swipe = make("div", { className: "swipe" },
    make("span", { className: "both" }, below, above, edge), range,
    make("p", { className: "small", textContent: "Move the slider: before on its left, after on its right." }));
  const beside = pictures.nextElementSibling;
  if (beside && beside.matches(".looking")) beside.prepend(swipe);
  else pictures.after(swipe);
}

function addEnlarging() {
  const dialog = make("dialog", {}), image = make("img", {}), text = make("p", {});
  const close = make("button", { type: "button", textContent: "Close" });
  close.addEventListener("click", () => dialog.close());
  dialog.append(close, image, text);
  dialog.setAttribute("aria-label", "Enlarged picture");
  document.body.append(dialog);
  for (const figure of document.querySelectorAll(".pictures figure")) {
    const shown = figure.querySelector("img");
    const button = make("button", { type: "button", textContent: "Enlarge" });
    button.setAttribute("aria-label", `Enlarge: ${shown.alt}`);
    button.addEventListener("click", () => {
      image.src = shown.src;
      image.alt = shown.alt;
      text.textContent = figure.querySelector("figcaption").textContent;
      dialog.showModal();
    });
    figure.append(button);
  }
}

function openWhatIsNamed() {
  const named = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (named && named.matches("details")) {
    named.open = true;
    named.scrollIntoView();
  }
}

function keepOpen() {
  // a page that is written anew while a run goes on keeps what is open
  const key = "open cards";
  try {
    for (const id of JSON.parse(sessionStorage.getItem(key) || "[]")) {
      const card = document.getElementById(id);
      if (card) card.open = true;
    }
    document.addEventListener("toggle", () => {
      const open = [...document.querySelectorAll("details.card[open]")].map((card) => card.id);
      sessionStorage.setItem(key, JSON.stringify(open));
    }, true);
  } catch { /* a browser that keeps nothing for files */ }
}

document.querySelectorAll(".cards").forEach(addTools);
document.querySelectorAll(".strip").forEach(addSlider);
document.querySelectorAll(".pictures.pair").forEach(addSwipe);
addEnlarging();
keepOpen();
openWhatIsNamed();
addEventListener("hashchange", openWhatIsNamed);
