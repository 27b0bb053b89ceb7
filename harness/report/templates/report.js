// The crosshair: one place in time over all lanes, by pointer or arrow keys. Everything else on
// this page stands without it.
(() => {
  const numbers = JSON.parse(document.getElementById("numbers").textContent);
  const lanes = document.getElementById("lanes");
  const across = lanes.querySelector(".across");
  const hair = lanes.querySelector(".crosshair");
  const reading = lanes.querySelector(".reading");
  const bins = numbers.columns[0].values.length;
  let bin = -1;

  const text = (tag, content) => {
    const made = document.createElement(tag);
    made.textContent = content;
    return made;
  };
  const row = (label, value) => {
    const made = document.createElement("div");
    made.append(text("span", label), text("span", value));
    return made;
  };
  const value = (column, n) => {
    const found = column.values[n];
    if (found === null) return "–";
    if (typeof found === "string") return found;
    if (column.unit === "ms") return `${found} ms`;
    return column.unit === "/s" ? `${found}/s` : `${found}`;
  };
  const faultsAt = (from, to) =>
    [...new Set(numbers.faults.filter((f) => f.from < to && (f.to === null || f.to > from)).map((f) => f.name))];

  const show = (n) => {
    bin = Math.min(bins - 1, Math.max(0, n));
    const from = numbers.start + bin * numbers.step;
    const to = from + numbers.step;
    const share = (from + numbers.step / 2 - numbers.start) / (numbers.end - numbers.start);
    hair.style.left = `${share * 100}%`;
    const shown = numbers.columns.filter((c) => c.unit !== "failed" || c.values[bin]);
    const faults = faultsAt(from, to);
    reading.replaceChildren(
      text("strong", `${+from.toFixed(3)}–${+to.toFixed(3)} s`),
      ...shown.map((c) => row(c.label, value(c, bin))),
      ...(faults.length ? [row("faults", faults.join(", "))] : []),
    );
    hair.hidden = reading.hidden = false;
    const x = across.offsetLeft + share * across.offsetWidth;
    const right = x + 20 + reading.offsetWidth < lanes.offsetWidth;
    reading.style.left = `${right ? x + 14 : Math.max(0, x - 14 - reading.offsetWidth)}px`;
  };
  const hide = () => { hair.hidden = reading.hidden = true; };

  lanes.addEventListener("pointermove", (event) => {
    const box = across.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    if (share < 0 || share > 1) return hide();
    reading.style.top = `${Math.max(0, event.clientY - lanes.getBoundingClientRect().top - 40)}px`;
    show(Math.floor(share * bins));
  });
  lanes.addEventListener("pointerleave", hide);
  lanes.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    if (event.key === "Escape") hide();
    if (!by) return;
    event.preventDefault();
    show(bin + by);
  });
})();
