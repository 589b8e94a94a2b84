/**
 * The report of a check as a web page without scripts: the gradient's path as a picture, what was predicted and what
 * was seen at each step, and the gradients afterwards. Knows no VS Code, so that it can be tested on its own.
 *
 * The types mirror what `gradsight verify --output-format json` prints; the optional fields are details for the editor.
 */

export interface Leaf {
  readonly name: string;
  readonly line: number | null;
  readonly grad: "none" | "zero" | "present" | "wrong";
  readonly norm: number | null;
}

export interface Step {
  readonly line: number;
  readonly role: string;
  readonly predicted: string;
  readonly observed?: string;
  readonly agrees?: boolean | null;
}

export interface Result {
  readonly rule: string;
  readonly line: number;
  readonly verdict: string;
  readonly reason: string;
  readonly summary?: string;
  readonly raised: { readonly type: string; readonly message: string; readonly line: number | null } | null;
  readonly leaves: readonly Leaf[];
  readonly fix: { readonly title: string; readonly verdict: string; readonly reason: string; readonly leaves: readonly Leaf[] } | null;
  readonly observations?: readonly Step[];
}

/** A code cell of a notebook; the lines of a report are counted over all of them. */
export interface Cell {
  readonly uri: string;
  readonly firstLine: number;
  readonly label: string;
  readonly text: string;
}

export interface Report {
  readonly cells?: readonly Cell[];
  readonly path: string;
  readonly device: string;
  readonly torch: string | null;
  readonly seconds: number;
  readonly results: readonly Result[];
  readonly interpreter?: string | null;
  readonly driver?: string | null;
  readonly stdout?: string;
  readonly invented?: readonly string[];
  readonly notes?: readonly string[];
}

/** Whether an answer of the server is a report; anything else is not shown as one. */
export function isReport(value: unknown): value is Report {
  const report = value as Partial<Report> | null | undefined;
  return typeof report === "object" && report !== null && typeof report.device === "string" && Array.isArray(report.results);
}

export type Link = (line: number, uri?: string) => string;

/** One sentence for a message: the verdicts, in the words of the server where it has some. */
export function summaryOf(report: Report): string {
  if (report.results.length === 0) return `The gradient check ran on ${report.device}; there was no finding to judge.`;
  return report.results.map((result) => sentence(result, report.device, report.cells)).join(" ");
}

interface Place {
  readonly uri?: string | undefined;
  readonly line: number;
  readonly name: string;
  readonly short: string;
  readonly code?: string | undefined;
}

/** A line as the user counts it: of the file, or of the cell of a notebook that holds it. */
export function placeOf(line: number, cells: readonly Cell[] = []): Place {
  const cell = cells.filter((one) => one.firstLine <= line).pop();
  if (!cell) return { line, name: `line ${line}`, short: `${line}` };
  const inside = line - cell.firstLine + 1;
  const number = cell.label.split(" ").pop() ?? "";
  return { uri: cell.uri, line: inside, name: `line ${inside} of ${cell.label}`, short: `${number}:${inside}`, code: cell.text.split(/\r\n|\r|\n/)[inside - 1] };
}

function sentence(result: Result, device: string, cells?: readonly Cell[]): string {
  const said = result.summary || `${result.verdict} on ${device}: ${result.reason}`;
  const fix = result.fix && result.fix.verdict !== "not-tried" ? ` Fix ${result.fix.verdict}: ${result.fix.title}.` : "";
  const where = placeOf(result.line, cells).name;
  const start = `${where.charAt(0).toUpperCase()}${where.slice(1)}, ${result.rule}: ${said}`;
  return (/[.!?]$/.test(start) ? start : `${start}.`) + fix;
}

/**
 * @param lines the checked text, for the code beside each step
 * @param link the address that opens a 1-based line of the file, or of the cell with this uri
 * @param nonce allows the page's own style sheet and nothing else
 */
export function renderReport(report: Report, lines: readonly string[], link: Link, nonce: string): string {
  const name = report.path.split(/[\\/]/).pop() ?? report.path;
  const facts = [
    report.device,
    report.driver ? `driver ${report.driver}` : "",
    report.torch ? `torch ${report.torch}` : "",
    `${report.seconds.toFixed(1)} s`,
  ].filter(Boolean);
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'nonce-${nonce}'">
<title>Gradient check</title>
<style nonce="${nonce}">${STYLE}</style>
</head>
<body>
<h1>Gradient check of <code>${escape(name)}</code></h1>
<p class="facts">${facts.map(escape).join(" · ")}</p>
${report.results.map((result) => renderResult(result, lines, link, report.cells)).join("\n") || "<p>There was no finding to judge.</p>"}
${renderList("What the check made up to run this", report.invented)}
${renderList("Notes", report.notes)}
${report.interpreter ? `<details><summary>The interpreter that ran it</summary><p><code>${escape(report.interpreter)}</code></p></details>` : ""}
${report.stdout ? `<details><summary>What the program printed</summary><pre>${escape(report.stdout)}</pre></details>` : ""}
</body>
</html>`;
}

function renderResult(result: Result, lines: readonly string[], link: Link, cells?: readonly Cell[]): string {
  const raised = result.raised;
  const linked = (line: number) => {
    const place = placeOf(line, cells);
    return `<a href="${escape(link(place.line, place.uri))}">${escape(place.name)}</a>`;
  };
  const at = raised?.line ? ` at ${linked(raised.line)}` : "";
  return `<section>
<h2><span class="verdict ${verdictClass(result.verdict)}">${escape(result.verdict)}</span>
${escape(result.rule)} at ${linked(result.line)}</h2>
<p>${markup(result.summary || result.reason)}</p>
${renderPath(result.observations ?? [], lines, link, cells)}
${raised ? `<p class="raised"><b>${escape(raised.type)}</b>${at}: ${escape(raised.message)}</p>` : ""}
${renderLeaves("Gradients after the run", result.leaves)}
${result.fix ? renderFix(result.fix) : ""}
</section>`;
}

function renderFix(fix: NonNullable<Result["fix"]>): string {
  if (fix.verdict === "not-tried") return `<h3>Fix</h3><p>${markup(fix.title)}</p>`;
  return `<h3>Fix <span class="verdict ${verdictClass(fix.verdict)}">${escape(fix.verdict)}</span></h3>
<p>${markup(fix.title)}</p>
${fix.reason ? `<p>${markup(fix.reason)}</p>` : ""}
${renderLeaves("Gradients after the fix", fix.leaves)}`;
}

/** The path from source to loss: one row per step, the line on the left solid where gradients flow, dashed behind a cut. */
function renderPath(steps: readonly Step[], lines: readonly string[], link: Link, cells?: readonly Cell[]): string {
  if (steps.length === 0) return "";
  let cut = false;
  const rows = steps.map((step, index) => {
    const before = cut;
    cut ||= step.role === "cut";
    const place = placeOf(step.line, cells);
    const code = (place.code ?? lines[step.line - 1] ?? "").trim();
    // What a run saw of a `with` line and its kin is nothing that was predicted.
    const observed = step.role === "note" && typeof step.agrees !== "boolean" ? "" : step.observed;
    const agreement =
      step.agrees === true ? "as predicted" : step.agrees === false ? "differs from the prediction" : "";
    const mark = step.agrees === true ? "agrees" : step.agrees === false ? "differs" : "unseen";
    return `<li>
${railOf(cut && step.role === "sink" ? "unreached" : step.role, index === 0 ? "none" : before ? "cut" : "flow", index === steps.length - 1 ? "none" : cut ? "cut" : "flow")}
<div class="step">
<a class="line" href="${escape(link(place.line, place.uri))}">${place.short}</a><code>${escape(code)}</code>
<p>${markup(step.predicted)}</p>
${observed ? `<p class="${mark}">seen: ${markup(observed)}${agreement ? ` <small>(${agreement})</small>` : ""}</p>` : ""}
</div>
</li>`;
  });
  return `<ol class="path" aria-label="The gradient's path">${rows.join("\n")}</ol>`;
}

type Line = "none" | "flow" | "cut";

function railOf(role: string, above: Line, below: Line): string {
  const piece = (line: Line, from: string, to: string) =>
    line === "none" ? "" : `<line class="${line}" x1="12" y1="${from}" x2="12" y2="${to}"/>`;
  const marks: Record<string, string> = {
    source: `<circle class="source" cx="12" cy="14" r="6"/>`,
    cut: `<path class="cutmark" d="M6 8 L18 20 M18 8 L6 20"/>`,
    mutation: `<path class="mutation" d="M12 6 L20 20 L4 20 Z"/>`,
    saved: `<rect class="saved" x="7" y="9" width="10" height="10"/>`,
    sink: `<path class="sink" d="M4 8 L20 8 L12 21 Z"/>`,
    unreached: `<path class="unreached" d="M4 8 L20 8 L12 21 Z"/>`,
  };
  const mark = marks[role] ?? `<circle class="note" cx="12" cy="14" r="4"/>`;
  return `<svg class="rail" width="24" aria-hidden="true">${piece(above, "0", "14")}${piece(below, "14", "100%")}${mark}</svg>`;
}

function renderLeaves(title: string, leaves: readonly Leaf[]): string {
  if (leaves.length === 0) return "";
  const words: Record<Leaf["grad"], string> = { none: "None", zero: "all zero", present: "there", wrong: "wrong" };
  const rows = leaves.map(
    (leaf) => `<tr><td><code>${escape(leaf.name)}.grad</code></td><td class="grad-${escape(leaf.grad)}">${escape(words[leaf.grad] ?? leaf.grad)}</td>
<td>${typeof leaf.norm === "number" ? `norm ${leaf.norm.toPrecision(4)}` : ""}</td></tr>`,
  );
  return `<table><caption>${title}</caption>${rows.join("")}</table>`;
}

function renderList(title: string, items: readonly string[] | undefined): string {
  return items?.length ? `<h3>${title}</h3><ul>${items.map((item) => `<li>${markup(item)}</li>`).join("")}</ul>` : "";
}

function verdictClass(verdict: string): string {
  if (verdict === "confirmed" || verdict === "rejected") return "bad";
  return verdict === "refuted" || verdict === "verified" ? "good" : "unsure";
}

/** Escaped text with `names in backticks` as code. */
function markup(text: string): string {
  return escape(text).replace(/`([^`]+)`/g, "<code>$1</code>");
}

function escape(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

const STYLE = `
body { font-family: var(--vscode-font-family); font-size: var(--vscode-font-size); color: var(--vscode-foreground); padding: 8px 20px; max-width: 860px; }
h1 { font-size: 1.5em; font-weight: 600; margin-bottom: 0; }
h2 { font-size: 1.15em; font-weight: 600; margin-top: 1.6em; }
h3 { font-size: 1em; margin-top: 1.6em; }
code, pre { font-family: var(--vscode-editor-font-family); }
.facts, small, caption { color: var(--vscode-descriptionForeground); }
a { color: var(--vscode-textLink-foreground); text-decoration: none; }
.verdict { border-radius: 3px; padding: 1px 8px; margin-right: 6px; color: #fff; font-size: 0.9em; }
.verdict.bad { background: #c4314b; } .verdict.good { background: #2d7d46; } .verdict.unsure { background: #8a6d1a; }
.path { list-style: none; padding: 0; margin: 1em 0; }
.path li { position: relative; padding-left: 36px; }
.rail { position: absolute; left: 0; top: 0; height: 100%; }
.rail .flow { stroke: #3fb27f; stroke-width: 3; }
.rail .cut { stroke: var(--vscode-disabledForeground, #888); stroke-width: 2; stroke-dasharray: 3 5; }
.rail .source, .rail .sink { fill: #3fb27f; } .rail .note { fill: var(--vscode-editor-background); stroke: #3fb27f; stroke-width: 2; }
.rail .unreached { fill: none; stroke: var(--vscode-disabledForeground, #888); stroke-width: 2; }
.rail .cutmark { stroke: #f14c4c; stroke-width: 3.5; } .rail .mutation { fill: #e2a03f; } .rail .saved { fill: #4aa3df; }
.step { padding: 4px 0 12px; } .step p { margin: 3px 0 0; } .step .line { display: inline-block; min-width: 2.2em; }
.agrees::before { content: "\\2713\\00a0"; color: #3fb27f; } .differs::before { content: "\\2717\\00a0"; color: #f14c4c; }
.differs { color: var(--vscode-errorForeground); } .unseen { color: var(--vscode-descriptionForeground); }
.raised { border-left: 3px solid #c4314b; padding: 4px 10px; background: var(--vscode-textBlockQuote-background); }
table { border-collapse: collapse; margin-top: 1em; } caption { text-align: left; padding-bottom: 4px; white-space: nowrap; }
td { padding: 3px 16px 3px 0; } .grad-none, .grad-zero, .grad-wrong { color: #f14c4c; } .grad-present { color: #3fb27f; }
details { margin-top: 1.2em; } summary { cursor: pointer; color: var(--vscode-descriptionForeground); }
pre { background: var(--vscode-textCodeBlock-background); padding: 8px; overflow-x: auto; }
`;
