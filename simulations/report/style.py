"""The look of the report: one style sheet, light and dark, without anything from elsewhere."""

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2330; --soft: #5b6472; --rule: #d9dee6; --card: #f5f7fa;
  --now: #c2410c; --then: #1d5fbf; --told: #0f766e; --load: #8a93a1; --need: #8a93a1; --shade: #eceff4;
  --warn: #8a5300; --c0: #1d5fbf; --c1: #c2410c; --c2: #0f766e; --c3: #9d3f8f; --c4: #7a6200; --c5: #2f8fbf;
  --c6: #6b7280; --c7: #b42346; }
@media (prefers-color-scheme: dark) { :root { --paper: #14181f; --ink: #e6eaf0; --soft: #a3adba; --rule: #333b47;
  --card: #1c222b; --now: #fb8b4b; --then: #6cabff; --told: #4fd1c1; --load: #8791a0; --need: #8791a0; --shade: #232a34;
  --warn: #f0b65a; --c0: #6cabff; --c1: #fb8b4b; --c2: #4fd1c1; --c3: #e08fd4; --c4: #d6bd4f; --c5: #7fd0f5;
  --c6: #a3adba; --c7: #ff8a9f; } }
.c0 { --mark: var(--c0); } .c1 { --mark: var(--c1); } .c2 { --mark: var(--c2); } .c3 { --mark: var(--c3); }
.c4 { --mark: var(--c4); } .c5 { --mark: var(--c5); } .c6 { --mark: var(--c6); } .c7 { --mark: var(--c7); }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1080px; padding: 28px 24px 64px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
h1, h3, p { overflow-wrap: anywhere; }
h1 { font-size: 26px; margin: 0 0 4px; }
h2 { font-size: 20px; margin: 44px 0 6px; padding-top: 18px; border-top: 1px solid var(--rule); }
h3 { font-size: 16px; margin: 26px 0 6px; }
p { margin: 6px 0; max-width: 80ch; }
.soft, .unit { color: var(--soft); }
a { color: var(--then); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 12px; margin: 18px 0; }
.card { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 12px 14px; }
.card .name { color: var(--soft); font-size: 13px; }
.card .big { white-space: nowrap; font-size: 20px; font-weight: 650; line-height: 1.25; }
.card .big .arrow { color: var(--soft); font-weight: 400; }
.card .more { font-size: 13px; color: var(--soft); overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 10px; text-align: right; border-bottom: 1px solid var(--rule); vertical-align: top;
  white-space: nowrap; }
th { font-weight: 600; }
thead th { color: var(--soft); font-size: 13px; white-space: normal; }
th[scope=row], thead th:first-child { text-align: left; }
th[scope=row] { white-space: normal; overflow-wrap: anywhere; min-width: 8em; }
td .range, th .range { font-weight: 400; display: block; font-size: 12px; color: var(--soft); }
td.text { text-align: left; white-space: normal; }
.verdict { font-size: 17px; margin: 8px 0; }
.now-text { color: var(--now); }
.then-text { color: var(--then); }
ul.findings { margin: 8px 0 16px; padding-left: 0; list-style: none; max-width: 95ch; }
ul.findings li { padding: 3px 0 3px 12px; border-left: 3px solid var(--rule); margin: 4px 0; }
ul.findings li.warn { border-left-color: var(--warn); }
ul.findings b { font-weight: 600; }
ul.findings .about { display: inline-block; }
ul.findings .about::first-letter { text-transform: uppercase; }
figure.plot { margin: 18px 0 6px; }
figcaption { font-size: 14px; }
svg { display: block; width: 100%; height: auto; }
.legend { display: inline-flex; flex-wrap: wrap; gap: 2px 16px; list-style: none; margin: 0 0 0 14px; padding: 0;
  font-size: 13px; }
.key { display: inline-block; width: 18px; height: 3px; margin-right: 6px; vertical-align: middle; background:
  var(--soft); }
.key.wide { height: 10px; opacity: .45; }
.key[class*=" c"] { background: var(--mark); opacity: 1; }
.key.shade { opacity: 1; border: 1px solid var(--rule); }
.key.now { background: var(--now); }
.key.then { background: var(--then); }
.key.told { background: var(--told); }
.key.load, .key.need { background: var(--load); }
.key.shade { background: var(--shade); }
.grid { stroke: var(--rule); stroke-width: 1; }
.mark { stroke: var(--soft); }
.tick { fill: var(--soft); font-size: 12px; }
.shade { fill: var(--shade); }
.line { fill: none; stroke: var(--mark); stroke-width: 1.5; stroke-linejoin: round; }
.area { fill: var(--mark); stroke: none; opacity: .28; }
.dot, .bar { fill: var(--mark); }
.whisker { stroke: var(--mark); stroke-width: 1.5; opacity: .6; }
.ring { fill: none; stroke: var(--ink); stroke-width: 1.5; }
.sum { stroke: var(--ink); stroke-width: 2; }
.tag, .tick.name { fill: var(--ink); font-size: 12px; }
.band { stroke: none; opacity: .35; }
.line.now { stroke: var(--now); }
.line.then { stroke: var(--then); }
.line.told { stroke: var(--told); stroke-width: 1; }
.line.load, .line.need { stroke: var(--load); stroke-width: 1; }
.band.told { fill: var(--told); }
.area.load, .area.need { fill: var(--load); }
.area.now { fill: var(--now); }
.area.then { fill: var(--then); }
details { margin: 14px 0; }
summary { cursor: pointer; font-weight: 600; }
pre { background: var(--card); overflow-x: auto; border: 1px solid var(--rule); border-radius: 8px; padding: 12px
  14px; font: 13px/1.45 ui-monospace, monospace; }
@media (max-width: 700px) { body { padding: 20px 16px 48px; } figure svg { min-width: 620px; }
  .legend { display: flex; margin-left: 0; } th[scope=row] {
  position: sticky; left: 0; background: var(--paper); }
  .cards { grid-template-columns: repeat(2, minmax(0, 1fr)); } .card .big { font-size: 16px; white-space: normal; } }
@media print { details { display: block; } h2 { break-before: page; } figure { break-inside: avoid; } }
"""
