// Draws a table of times and quantiles as a chart: what the chart shows is what the table says.
"use strict";

(function () {
  const HEIGHT = 260;
  let drawn = null, shown = "";

  function rows(table) {
    const number = (cell) => (/^[\d.,]/.test(cell.textContent) ? Number(cell.textContent.replaceAll(",", "")) : null);
    const found = [...table.tBodies[0].rows];
    const at = found.map((row) => Date.parse(row.querySelector("time").dateTime) / 1000);
    return [at, ...[1, 2].map((place) => found.map((row) => number(row.cells[place])))];
  }

  function draw() {
    const place = document.getElementById("chart");
    const table = place && document.getElementById(place.dataset.from);
    if (!table) return;
    const style = getComputedStyle(document.documentElement), colour = (name) => style.getPropertyValue(name).trim();
    const data = rows(table), most = Number(place.dataset.max), figure = place.parentElement;
    figure.hidden = false;
    const state = JSON.stringify([data, most, place.clientWidth, colour("--paper")]);
    if (state === shown && place.firstChild) return;
    shown = state;
    drawn?.destroy();
    const day = (text) => text.slice(11, 16) === "00:00" ? text.slice(5, 10) : text.slice(11, 16);
    const values = (_, splits) => splits.map((at) => day(new Date(at * 1000).toISOString()));
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--rule") }, ticks: { stroke: colour("--rule") } };
    drawn = new uPlot({
      width: place.clientWidth, height: HEIGHT, legend: { show: false }, cursor: { show: false },
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
      scales: { y: { range: (_, low, high) => [0, Math.max(high, most) * 1.05] } },
      axes: [{ ...axis, values }, { ...axis, size: 56 }],
      series: [
        {},
        { label: "p50", stroke: colour("--link"), width: 2, points: { show: false } },
        { label: "p90", stroke: colour("--link"), width: 1, points: { show: false } },
        { label: "maximum", stroke: colour("--warn"), width: 2, dash: [8, 6], points: { show: false } },
      ],
      bands: [{ series: [2, 1], fill: colour("--band") }],
    }, [...data, data[0].map(() => most)], place);
    place.setAttribute("aria-hidden", "true");
  }

  draw();
  document.addEventListener("updated", draw);
  addEventListener("resize", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
