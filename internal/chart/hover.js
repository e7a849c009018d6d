"use strict";
// Shows the values of a chart at the place nearest to the pointer or finger, or step by step with the arrow keys.
for (const figure of document.querySelectorAll("figure[data-chart]")) {
  const chart = JSON.parse(figure.dataset.chart);
  const plot = figure.querySelector(".plot"), svg = plot.querySelector("svg");
  const [left, right, top, bottom] = chart.box, [last, low, high] = chart.range;
  const places = [...new Set(chart.lines.flatMap(l => l.x))].sort((a, b) => a - b);
  const middle = (chart.bin || 0) / 2;

  const make = (name, parent, attributes) => {
    const e = parent.appendChild(document.createElementNS(svg.namespaceURI, name));
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    return e;
  };
  const cursor = make("g", svg, {class: "cursor", visibility: "hidden"});
  const rule = make("line", cursor, {y1: top, y2: bottom});
  const discs = chart.lines.map(l => make("circle", cursor, {r: 4, class: "c" + l.c}));
  const box = plot.appendChild(document.createElement("div"));
  box.className = "values";
  box.hidden = true;
  box.setAttribute("aria-hidden", "true"); // the slider's text says the same

  // The place in a sorted list of the last number that is not above v; -1 if there is none.
  const upTo = (list, v) => {
    let from = 0, to = list.length;
    while (from < to) {
      const mid = (from + to) >> 1;
      if (list[mid] <= v) from = mid + 1; else to = mid;
    }
    return from - 1;
  };
  const x = v => left + (v + middle) / last * (right - left);
  const y = v => top + (high - v) / (high - low) * (bottom - top);

  let at = -1;
  const show = i => {
    at = Math.max(0, Math.min(places.length - 1, i));
    const place = places[at];
    rule.setAttribute("x1", x(place));
    rule.setAttribute("x2", x(place));
    const title = document.createElement("b");
    title.textContent = chart.names ? chart.names[at] : chart.one + " " + place;
    const rows = [title];
    const words = [title.textContent];
    chart.lines.forEach((line, n) => {
      const k = upTo(line.x, place);
      discs[n].setAttribute("visibility", k < 0 ? "hidden" : "inherit");
      if (k < 0) return;
      discs[n].setAttribute("cx", x(line.x[k]));
      discs[n].setAttribute("cy", y(line.y[k]));
      const row = document.createElement("div"), text = document.createElement("span");
      row.className = "c" + line.c;
      text.textContent = line.name + " " + line.y[k] + (chart.names ? " " + chart.one : line.x[k] === place ? "" : " (" + chart.one + " " + line.x[k] + ")");
      row.append(text);
      rows.push(row);
      words.push(text.textContent);
    });
    box.replaceChildren(...rows);
    box.hidden = false;
    const part = x(place) / chart.size[0], far = part > .5;
    box.style.left = far ? "auto" : part * 100 + 2 + "%";
    box.style.right = far ? (1 - part) * 100 + 2 + "%" : "auto";
    cursor.setAttribute("visibility", "visible");
    plot.setAttribute("aria-valuenow", at);
    plot.setAttribute("aria-valuetext", words.join(", "));
  };
  const hide = () => {
    box.hidden = true;
    cursor.setAttribute("visibility", "hidden");
  };
  const follow = e => {
    const frame = svg.getBoundingClientRect();
    const v = ((e.clientX - frame.left) / frame.width * chart.size[0] - left) / (right - left) * last - middle;
    const k = Math.max(0, upTo(places, v));
    show(k + 1 < places.length && places[k + 1] - v < v - places[k] ? k + 1 : k);
  };

  plot.tabIndex = 0;
  for (const [k, v] of Object.entries({
    role: "slider", "aria-label": chart.title + ": values", "aria-description": svg.getAttribute("aria-label"),
    "aria-valuemin": 0, "aria-valuemax": places.length - 1, "aria-valuenow": 0,
    "aria-valuetext": "arrow keys show values",
  })) plot.setAttribute(k, v);
  plot.addEventListener("pointermove", follow);
  plot.addEventListener("pointerdown", follow);
  plot.addEventListener("pointerleave", e => { if (e.pointerType === "mouse") hide(); });
  plot.addEventListener("blur", hide);
  plot.addEventListener("keydown", e => {
    const far = Math.max(1, Math.round(places.length / 10));
    const to = {
      ArrowLeft: at - 1, ArrowRight: at + 1, PageUp: at - far, PageDown: at + far, Home: 0, End: places.length - 1,
    }[e.key];
    if (e.key === "Escape") hide();
    if (to === undefined || e.ctrlKey || e.altKey || e.metaKey) return;
    e.preventDefault();
    show(to);
  });
}
