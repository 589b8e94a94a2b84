// The whole path in a real VS Code: squiggle, hover, check, verified fix. Run by e2e/run.sh.
import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { createProfile, logsOf, removeProfile, REPOSITORY, serve } from "./codeserver.mjs";
import { launchBrowser, Workbench } from "./workbench.mjs";

const VSIX = process.env.GRADSIGHT_VSIX ?? path.join(REPOSITORY, "client", "gradsight.vsix");
const PYTHON = process.env.GRADSIGHT_PYTHON ?? path.join(REPOSITORY, ".venv", "bin", "python");
const PICTURES = process.env.GRADSIGHT_PICTURES ?? path.join(REPOSITORY, ".cache", "e2e");
/** A check starts Python and imports torch; this machine may be busy. */
const CHECK_MS = 90_000;
const TEST_MS = 240_000;

const CHECK = "Run gradient check on CUDA";
const FIX_AND_VERIFY = "Fix and verify";
const CUT = "y = x * 2";

const ENDLESS = `import torch
x = torch.randn(10, requires_grad=True)
y = x.detach() * 2
while True:
    pass
loss = y.sum()
loss.backward()
print(x.grad)
`;

const cell = (source) => ({ cell_type: "code", execution_count: null, metadata: {}, outputs: [], source });
const NOTEBOOK = {
  cells: [
    cell("import torch\nx = torch.randn(3, requires_grad=True)"),
    cell("with torch.no_grad():\n    y = (x * 2).exp()"),
    cell("loss = y.sum()\nloss.backward()"),
  ],
  metadata: { language_info: { name: "python" } },
  nbformat: 4,
  nbformat_minor: 4,
};

let browser;
let profile;

before(async () => {
  profile = await createProfile(VSIX, { "gradsight.interpreter": PYTHON });
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  if (profile) removeProfile(profile);
});

/** A fresh copy of the examples, so that no test sees another's edits. */
function copyExamples() {
  const folder = fs.mkdtempSync(path.join(profile.home, "work-"));
  const examples = path.join(folder, "examples");
  fs.cpSync(path.join(REPOSITORY, "examples"), examples, { recursive: true });
  fs.writeFileSync(path.join(examples, "endless.py"), ENDLESS);
  fs.writeFileSync(path.join(examples, "cells.ipynb"), JSON.stringify(NOTEBOOK));
  return examples;
}

/** Serves a copy of the examples; `window()` gives the open window, and a failed test leaves a picture of it and prints the logs. */
function inWindow({ prepare = () => undefined, ...options } = {}) {
  let server;
  let folder;
  let workbench;
  before(async () => {
    folder = copyExamples();
    prepare(folder);
    server = await serve(profile, folder, options);
    workbench = await Workbench.open(browser, server.url);
  });
  afterEach(async (context) => {
    if (!workbench || !context.error) return;
    await workbench.screenshot(path.join(REPOSITORY, ".cache", "e2e"), `failed ${context.name.replace(/\W+/g, " ").trim()}`);
    context.diagnostic?.(logsOf(profile));
  });
  after(async () => {
    await workbench?.close();
    await server?.stop();
  });
  return { window: () => workbench, folder: () => folder };
}

/** The server's own part of a hover, which comes after the diagnostic's: it shows lines of the program. */
const drawsThePath = (seen) => /loss\.backward\(\)/.test(seen);
/** Keeps a picture; with --pictures the upper left part of some becomes the extension's walkthrough. */
async function picture(window, name) {
  await window.screenshot(PICTURES, name);
  const media = process.env.GRADSIGHT_MEDIA;
  if (media && ["squiggle", "hover", "lightbulb"].includes(name)) {
    await window.screenshot(media, `walkthrough-${name}`, { x: 48, y: 30, width: 960, height: 360 });
  }
}

const marked = (kind, text) => (marks) => marks.some((mark) => mark.kind === kind && mark.text.startsWith(text));

describe("ex2.py, a value computed under no_grad", () => {
  const { window } = inWindow();

  test("gets a squiggle at the statement that cuts the gradient", { timeout: TEST_MS }, async () => {
    await window().openFile("ex2.py");
    const marks = await window().waitForSquiggles("an error at the cut", marked("error", CUT));
    assert.equal(marks.filter((mark) => mark.kind === "error").length, 1, "one cause, one finding");
    await window().waitForProblem("one sentence", (row) => row.includes("carries no gradient") && row.includes("no-grad-block"));
    await picture(window(), "squiggle");
  });

  test("explains itself on hover", { timeout: TEST_MS }, async () => {
    const text = await window().hover(CUT, "y", "the gradient's path", drawsThePath);
    assert.match(text, /`?y`?: no gradient, computed under/);
    await window().closeHover();
    // Where there is no squiggle the hover is the server's alone.
    await window().hover("loss = y.sum()", "y", "the gradient's path", drawsThePath);
    await picture(window(), "hover");
    await window().closeHover();
  });

  test("offers the fix, the check, both together, and last to ignore", { timeout: TEST_MS }, async () => {
    const entries = await window().lightBulb(CUT, "x * 2");
    for (const wanted of [/^Move .*no_grad/, new RegExp(CHECK), new RegExp(FIX_AND_VERIFY)]) {
      assert.ok(entries.some((entry) => wanted.test(entry)), `${wanted} is not in ${JSON.stringify(entries)}`);
    }
    assert.match(entries.at(-1), /^Ignore/);
    await picture(window(), "lightbulb");
    await window().closeMenu();
  });

  test("is confirmed by the check", { timeout: TEST_MS }, async () => {
    await window().lightBulb(CUT, "x * 2");
    await window().choose(CHECK);
    await window().waitForProblem("confirmed", (row) => /confirmed/i.test(row), CHECK_MS);
    await window().waitForNotification("the verdict", (text) => /confirmed/i.test(text));
    await window().waitForSquiggles("still there", marked("error", CUT));
    await picture(window(), "confirmed");
  });

  test("shows the report as a page", { timeout: TEST_MS }, async () => {
    await window().pressInNotification("Show Report");
    const report = await window().report();
    assert.match(await report.locator("body").innerText(), /confirmed/);
    assert.match(await report.locator(".path").innerText(), /y = x \* 2/);
    assert.equal(await report.locator("script").count(), 0);
    await window().page.keyboard.press("Control+J");
    await window().page.locator(".markers-panel").waitFor({ state: "hidden" });
    await picture(window(), "report");
    await window().showProblems();
    await window().closeTab("Gradient check");
  });

  test("is repaired by Fix and verify: the text is changed and the squiggle is gone", { timeout: TEST_MS }, async () => {
    await window().lightBulb(CUT, "x * 2");
    await window().choose(FIX_AND_VERIFY);
    const text = await window().waitForText("moved out of the block", (seen) => /^y = x \* 2/m.test(seen), CHECK_MS);
    assert.doesNotMatch(text, /no_grad/);
    await window().waitForSquiggles("none", (marks) => marks.length === 0);
    await window().waitForNotification("the fix's verdict", (seen) => /verified/i.test(seen));
    await window().until("the code lens of the new text", () => window().codeLenses(), (lenses) => lenses.some((lens) => /reaches 1 of 1/.test(lens)));
    await picture(window(), "fixed");
  });
});

describe("the other programs", () => {
  const { window } = inWindow();

  test("ex1.py: nothing requires grad, an error at the creation", { timeout: TEST_MS }, async () => {
    await window().openFile("ex1.py");
    await window().waitForSquiggles("an error at the creation", marked("error", "x = torch.randn"));
    await window().waitForProblem("the rule", (row) => row.includes("nothing-requires-grad"));
  });

  test("ex3.py: a legal in-place operation is a hint that says why, and the check refutes it", { timeout: TEST_MS }, async () => {
    await window().openFile("ex3.py");
    const marks = await window().waitForSquiggles("a hint", marked("hint", "y.add_(1)"));
    assert.ok(!marks.some((mark) => mark.kind === "error"));
    const text = await window().hover("y.add_(1)", "y", "why it is safe", drawsThePath);
    assert.match(text, /saves no tensor/);
    await picture(window(), "hint");
    await window().closeHover();
    await window().lightBulb("y.add_(1)", "add_");
    await window().choose(CHECK);
    await window().waitForNotification("refuted", (seen) => /refuted/i.test(seen), CHECK_MS);
  });

  test("a notebook is one program: the squiggle is in the cell that cuts the gradient", { timeout: TEST_MS }, async () => {
    await window().openFile("cells.ipynb");
    await window().page.locator(".notebook-editor .squiggly-error").first().waitFor();
    assert.equal(await window().page.locator(".notebook-editor .squiggly-error").count(), 1, "one cause, one finding");
    await window().closeTab("cells.ipynb");
  });

  test("a half-typed line leaves the finding of the rest in place", { timeout: TEST_MS }, async () => {
    await window().openFile("ex2.py");
    await window().waitForProblem("on line 5", (row) => row.includes("no-grad-block") && row.includes("Ln 5"));
    await window().click("import torch", "import");
    await window().page.keyboard.press("Control+Home");
    await window().page.keyboard.type("lr = (0.1 +\n");
    // The panel shows what the server said last, so line 6 comes from an analysis of the half-typed text.
    await window().waitForProblem("on line 6", (row) => row.includes("no-grad-block") && row.includes("Ln 6"));
    await window().waitForSquiggles("still there", marked("error", CUT));
  });

  test("a check that never ends can be cancelled, and the editor answers all the while", { timeout: TEST_MS }, async () => {
    await window().openFile("endless.py");
    await window().waitForSquiggles("an error", marked("error", "y = x.detach()"));
    await window().lightBulb("y = x.detach()", "detach");
    await window().choose(CHECK);
    const cancel = window().page.locator(".notifications-toasts .notification-list-item", { hasText: /gradient check/i }).locator(".monaco-button", { hasText: "Cancel" });
    await cancel.waitFor();
    await window().hover("y = x.detach()", "y", "an answer while the check runs", (seen) => /grad/.test(seen));
    await window().closeHover();
    await cancel.click();
    await cancel.waitFor({ state: "detached" });
    await window().waitForSquiggles("still there", marked("error", "y = x.detach()"));
  });
});

describe("an interpreter that does not exist", () => {
  const choose = (folder, python) => {
    fs.mkdirSync(path.join(folder, ".vscode"), { recursive: true });
    fs.writeFileSync(path.join(folder, ".vscode", "settings.json"), JSON.stringify({ "gradsight.interpreter": python }));
  };
  const { window, folder } = inWindow({ prepare: (examples) => choose(examples, "/nowhere/python3") });

  test("is told once, in a sentence, and choosing another starts the server", { timeout: TEST_MS }, async () => {
    await window().openFile("ex2.py");
    const told = (text) => text.includes("/nowhere/python3") && text.includes("does not exist");
    await window().waitForNotification("what is wrong", told);
    assert.equal((await window().notifications()).length, 1);
    assert.deepEqual(await window().squiggles(), []);
    choose(folder(), PYTHON);
    await window().waitForSquiggles("an error at the cut", marked("error", CUT));
  });
});

describe("an untrusted workspace", () => {
  const { window } = inWindow({ trusted: false });

  test("is analysed, and no check is offered", { timeout: TEST_MS }, async () => {
    await window().openFile("ex2.py");
    await window().waitForSquiggles("an error at the cut", marked("error", CUT));
    const entries = await window().lightBulb(CUT, "x * 2");
    assert.ok(entries.some((entry) => /^Move .*no_grad/.test(entry)), JSON.stringify(entries));
    assert.ok(!entries.some((entry) => entry.includes(CHECK) || entry.includes(FIX_AND_VERIFY)), JSON.stringify(entries));
    await picture(window(), "untrusted");
    await window().closeMenu();
    const titles = await window().commandsFor("Gradsight");
    assert.ok(titles.some((title) => title.includes("Restart Server")), JSON.stringify(titles));
    assert.ok(!titles.some((title) => /Run Gradient Check|Fix and Verify/.test(title)), JSON.stringify(titles));
  });

  test("once trusted, offers the check without a restart of the editor", { timeout: TEST_MS }, async () => {
    await window().command("Workspaces: Manage Workspace Trust");
    await window().page.locator(".workspace-trust-editor .monaco-button", { hasText: /^Trust$/ }).first().click();
    await window().openFile("ex2.py");
    await window().until(
      "the check in the light bulb's menu",
      async () => {
        const entries = await window().lightBulb(CUT, "x * 2");
        await window().closeMenu();
        return entries;
      },
      (entries) => entries.some((entry) => entry.includes(CHECK)),
    );
  });
});
