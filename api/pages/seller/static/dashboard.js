// Draws the sales chart from the JSON in the page; without it (or without scripts) the table of days says the same.
const data = JSON.parse(document.getElementById("sales-data").textContent);
const mean = (values, i, n) => {
  const window = values.slice(Math.max(0, i - n + 1), i + 1);
  return window.reduce((a, b) => a + b, 0) / window.length;
};
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const narrow = window.matchMedia("(max-width: 560px)").matches;
Plotly.newPlot(
  "sales-chart",
  [
    { type: "bar", name: "Net sales", x: data.days, y: data.net, marker: { color: "#1b7f6b" },
      customdata: data.days.map((_, i) => [data.orders[i], data.units[i]]),
      hovertemplate: `${data.currency}%{y:,.2f} net, %{customdata[0]} orders, %{customdata[1]} units<extra></extra>` },
    { type: "bar", name: "Returns", x: data.days, y: data.returned, marker: { color: "#d9825b" },
      hovertemplate: `${data.currency}%{y:,.2f} refunded<extra></extra>` },
    { type: "scatter", mode: "lines", name: "7-day average", x: data.days, y: data.net.map((_, i) => mean(data.net, i, 7)),
      line: { color: "#c99a2e", width: 2.5, shape: "spline" }, hoverinfo: "skip" },
  ],
  {
    barmode: "overlay", bargap: 0.25, height: 320, margin: { l: 64, r: 16, t: narrow ? 64 : 36, b: 40 },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "x unified",
    font: { family: "system-ui, sans-serif", size: 12, color: colour("--ink") },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    hoverlabel: { bgcolor: colour("--card"), bordercolor: colour("--line") },
    xaxis: { type: "date", showgrid: false, tickformat: "%e %b", hoverformat: "%a %e %b %Y" },
    yaxis: { tickprefix: data.currency, gridcolor: colour("--line"), zerolinecolor: colour("--zero"), separatethousands: true },
  },
  { displayModeBar: false, responsive: true },
).then((chart) => {
  chart.classList.add("drawn");
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
    Plotly.relayout(chart, { "font.color": colour("--ink"), "yaxis.gridcolor": colour("--line"),
      "yaxis.zerolinecolor": colour("--zero"), "hoverlabel.bgcolor": colour("--card"), "hoverlabel.bordercolor": colour("--line") }));
});
