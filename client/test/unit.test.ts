/** Tests of what needs no VS Code; the rest is driven end to end in a real one (e2e/). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isReport, renderReport, summaryOf, type Report } from "../src/report";
import { Restarter } from "../src/restarter";

const REPORT: Report = {
  path: "/tmp/<b>/ex2.py",
  device: "cpu",
  torch: "2.13.0",
  seconds: 1.94,
  results: [
    {
      rule: "no-grad-block",
      line: 5,
      verdict: "confirmed",
      reason: "`y` has no grad_fn",
      raised: { type: "RuntimeError", message: "element 0 of tensors <does not> require grad", line: 7 },
      leaves: [{ name: "x", line: 3, grad: "none", norm: null }],
      fix: { title: "move `y = x * 2` out", verdict: "verified", reason: "", leaves: [{ name: "x", line: 3, grad: "present", norm: 6.3246 }] },
      observations: [
        { line: 3, role: "source", predicted: "`x` is trainable", observed: "requires_grad=True", agrees: true },
        { line: 5, role: "cut", predicted: "cut: `y` has no grad_fn", observed: "grad_fn=None", agrees: true },
        { line: 7, role: "sink", predicted: "raises", observed: "", agrees: null },
      ],
    },
  ],
};
const LINES = ["import torch", "", "x = torch.randn(10)", "with torch.no_grad():", "    y = x * 2", "", "loss.backward()"];

test("the report page shows verdict, path and gradients", () => {
  const page = renderReport(REPORT, LINES, (line) => `command:open?${line}`, "abc");
  for (const text of ["confirmed", "no-grad-block", "y = x * 2", "seen: grad_fn=None", "verified", "norm 6.325"]) {
    assert.ok(page.includes(text), `${text} is missing`);
  }
  assert.ok(page.includes('href="command:open?7"'), "the raised line is linked");
});

test("text of the program cannot become markup, and no script can run", () => {
  const page = renderReport({ ...REPORT, stdout: "<script>alert(1)</script>" }, LINES, () => "x", "abc");
  assert.ok(!page.includes("<script"));
  assert.ok(!page.includes("<does not>"));
  assert.match(page, /default-src 'none'; style-src 'nonce-abc'/);
});

test("behind a cut the path is dashed", () => {
  const page = renderReport(REPORT, LINES, () => "x", "abc");
  const rails = page.match(/<svg class="rail".*?<\/svg>/g) ?? [];
  assert.equal(rails.length, 3);
  assert.deepEqual(
    rails.map((rail) => (rail.match(/line class="(\w+)"/g) ?? []).map((found) => found.slice(12, -1))),
    [["flow"], ["flow", "cut"], ["cut"]],
  );
});

test("in a notebook lines are those of its cells, and so are code and links", () => {
  const cells = [
    { uri: "cell:1", firstLine: 1, label: "code cell 1", text: LINES.slice(0, 3).join("\n") },
    { uri: "cell:2", firstLine: 4, label: "code cell 2", text: LINES.slice(3).join("\n") },
  ];
  const page = renderReport({ ...REPORT, cells }, [], (line, uri) => `${uri}?${line}`, "abc");
  for (const text of ['href="cell:2?4">line 4 of code cell 2', 'href="cell:1?3">1:3', "x = torch.randn(10)", "y = x * 2"]) {
    assert.ok(page.includes(text), `${text} is missing`);
  }
  assert.match(summaryOf({ ...REPORT, cells }), /^Line 2 of code cell 2, no-grad-block/);
});

test("a summary is one sentence per finding, with what became of the fix", () => {
  assert.equal(
    summaryOf(REPORT),
    "Line 5, no-grad-block: confirmed on cpu: `y` has no grad_fn. Fix verified: move `y = x * 2` out.",
  );
  assert.match(summaryOf({ ...REPORT, results: [] }), /no finding to judge/);
});

test("only a report is taken for one", () => {
  assert.ok(isReport(REPORT));
  for (const other of [null, undefined, 1, "x", {}, { device: "cpu" }]) assert.ok(!isReport(other));
});

test("restarts never overlap, and requests during one become a single further one", async () => {
  let active = 0;
  let runs = 0;
  const restarter = new Restarter(async () => {
    assert.equal(++active, 1);
    await new Promise((resolve) => setImmediate(resolve));
    active--;
    runs++;
  }, 1);
  await Promise.all([restarter.request(), restarter.request(), restarter.request()]);
  assert.equal(runs, 2);
  await restarter.dispose();
  await restarter.request();
  assert.equal(runs, 2);
});

test("requests close together become one restart", async () => {
  let runs = 0;
  let done: () => void = () => undefined;
  const restarted = new Promise<void>((resolve) => (done = resolve));
  const restarter = new Restarter(async () => {
    runs++;
    done();
    await Promise.resolve();
  }, 5);
  for (let i = 0; i < 5; i++) restarter.requestSoon();
  await restarted;
  await restarter.dispose();
  assert.equal(runs, 1);
});
