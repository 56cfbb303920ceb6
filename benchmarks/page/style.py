"""The page's style sheet: system fonts, light and dark, phone and paper; nothing is fetched from anywhere.

Series colours are those of Okabe and Ito (Color Universal Design, 2008), darkened or lightened until they stand out
from the page; each chart tells its parts apart by letter, shape or dash as well.
"""

STYLE = """
:root {
  color-scheme: light dark;
  --page: #fdfdfc; --box: #f3f4f2; --rule: #d9dcd8; --ink: #1a1e22; --faint: #596168;
  --main: #0b629c; --miss: #b04300; --good: #0a6b4c; --bad: #a8321a;
  --s0: #0b629c; --s1: #00795a; --s2: #9a6a00; --s3: #96487a; --s4: #3b7ea6; --s5: #747d85;
}
@media (prefers-color-scheme: dark) { :root {
  --page: #14171a; --box: #1e2226; --rule: #363c42; --ink: #e8eaec; --faint: #a3abb2;
  --main: #63b3e6; --miss: #ff9a5c; --good: #5cc9a0; --bad: #ff8f78;
  --s0: #63b3e6; --s1: #4fc79b; --s2: #e2b340; --s3: #dd93bf; --s4: #a9d6f0; --s5: #8b949c;
} }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: break-word;
}
main, header, footer { max-width: 50rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 2.5rem; }
footer { padding-top: 1rem; padding-bottom: 3rem; color: var(--faint); font-size: .875rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: .25rem 0 .75rem; letter-spacing: -.01em; text-wrap: balance; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 3.5rem 0 .25rem; padding-top: 1rem;
  border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 2.25rem 0 .25rem; }
p { margin: .5rem 0; max-width: 44rem; }
.kicker { color: var(--faint); font-size: .875rem; }
.lead { font-size: 1.25rem; line-height: 1.4; }
.lead + p { color: var(--faint); }
.verdict { border-left: 5px solid var(--faint); padding-left: 1rem; margin: 1.5rem 0; }
.verdict.holds, .verdict.passed { border-color: var(--good); }
.verdict.fails, .verdict.refused { border-color: var(--bad); }
.word { font-weight: 650; white-space: nowrap; }
.holds .word, .passed .word, .word.holds { color: var(--good); }
.fails .word, .refused .word, .word.fails { color: var(--bad); }
figure { margin: 1.5rem 0; }
figcaption { color: var(--faint); font-size: .875rem; max-width: 44rem; margin-top: .25rem; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
.narrow { display: none; }
.scroll { overflow-x: auto; margin: 1.25rem 0; background:
  linear-gradient(to right, var(--page) 40%, transparent) left / 2rem 100% no-repeat local,
  linear-gradient(to left, var(--page) 40%, transparent) right / 2rem 100% no-repeat local,
  linear-gradient(to right, var(--rule), transparent) left / .625rem 100% no-repeat scroll,
  linear-gradient(to left, var(--rule), transparent) right / .625rem 100% no-repeat scroll; }
table { border-collapse: collapse; font-size: .875rem; line-height: 1.4; min-width: min(100%, 26rem); }
caption { text-align: left; color: var(--faint); padding-bottom: .375rem; }
caption span { display: inline-block; position: sticky; left: 0; max-width: min(48rem, 100vw - 2rem); }
th, td { text-align: left; vertical-align: top; padding: .375rem .75rem .375rem 0; font-weight: 400; }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--faint); border-bottom: 1px solid var(--ink); vertical-align: bottom; }
tbody th, tbody td { border-bottom: 1px solid var(--rule); }
.number { text-align: right; white-space: nowrap; }
thead .number { white-space: normal; }
.swatch { display: inline-block; width: .75rem; height: .75rem; vertical-align: -.0625rem; margin-right: .375rem; }
.withheld, .bound { display: block; color: var(--faint); }
.withheld { font-size: .8125rem; white-space: normal; max-width: 6rem; margin-left: auto; }
tbody th .bound { min-width: 10rem; }
.bound { font-size: .8125rem; }
.hash { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .8125rem;
  overflow-wrap: anywhere; }
dl { font-size: .875rem; margin: 1.25rem 0; }
dl > div { display: grid; grid-template-columns: 11rem 1fr; gap: 1rem; padding: .3125rem 0;
  border-bottom: 1px solid var(--rule); }
dt { color: var(--faint); }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
ul { padding-left: 1.125rem; }
:focus-visible { outline: 2px solid var(--main); outline-offset: 3px; }
text { font-size: 12px; fill: var(--faint); }
.letter, .name { fill: var(--ink); }
.name { font-size: 13px; }
.letter { font-weight: 650; }
.deadline-label { fill: var(--ink); font-weight: 650; }
.grid { stroke: var(--rule); }
.axis, .tick { stroke: var(--faint); }
.bar { fill: var(--main); }
.miss { fill: var(--miss); }
.bar-rug { stroke: var(--main); }
.miss-rug { stroke: var(--miss); stroke-width: 2; }
.stem { stroke: var(--main); fill: none; }
.miss-stem { stroke: var(--miss); fill: none; }
.cross { stroke: var(--miss); stroke-width: 2; fill: none; }
.deadline { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 5 4; }
.slope-1 { stroke: var(--faint); stroke-dasharray: 2 4; }
.interval { stroke: var(--main); stroke-width: 2; }
.dot { fill: var(--main); }
.stalk { stroke: var(--faint); }
.diamond { fill: var(--page); stroke: var(--miss); stroke-width: 2; }
.series { fill: none; stroke-width: 2; }
.part-0, .mark-0 { fill: var(--s0); } .series-0 { stroke: var(--s0); }
.part-1, .mark-1 { fill: var(--s1); } .series-1 { stroke: var(--s1); }
.part-2, .mark-2 { fill: var(--s2); } .series-2 { stroke: var(--s2); }
.part-3, .mark-3 { fill: var(--s3); } .series-3 { stroke: var(--s3); }
.part-4, .mark-4 { fill: var(--s4); } .series-4 { stroke: var(--s4); }
.part-5, .mark-5 { fill: var(--s5); } .series-5 { stroke: var(--s5); }
.part-6 { fill: var(--faint); } .part-7 { fill: var(--ink); }
@media (max-width: 34rem) {
  body { font-size: 15px; }
  header { padding-top: 1.5rem; }
  h1 { font-size: 1.375rem; }
  .wide { display: none; }
  .narrow { display: block; }
  dl > div { grid-template-columns: 1fr; gap: 0; }
}
@media print {
  :root { color-scheme: light;
    --page: #fff; --box: #f3f4f2; --rule: #ccc; --ink: #000; --faint: #444;
    --main: #0b629c; --miss: #b04300; --good: #0a6b4c; --bad: #a8321a;
    --s0: #0b629c; --s1: #00795a; --s2: #9a6a00; --s3: #96487a; --s4: #3b7ea6; --s5: #747d85; }
  @page { margin: 16mm; }
  body { font-size: 10.5pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  main, header, footer { max-width: none; padding: 0; }
  header { padding-top: 0; }
  h2 { margin-top: 2rem; }
  h1, h2, h3, h2 + p, h3 + p, caption { break-after: avoid; }
  figure, tr, dl > div { break-inside: avoid; }
  .scroll { overflow: visible; background: none; }
  .wide { display: block; } .narrow { display: none; }
}
"""
