// The VS Code window as a person uses it: keyboard, mouse, and what can be seen. Every wait ends on something visible.
import * as fs from "node:fs";
import * as path from "node:path";
import { chromium } from "playwright-core";

const WAIT_MS = 30_000;
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const QUIET = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export function launchBrowser() {
  return chromium.launch({ executablePath: CHROMIUM, args: QUIET });
}

export class Workbench {
  static async open(browser, url) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    const page = await context.newPage();
    page.setDefaultTimeout(WAIT_MS);
    await page.goto(url);
    await page.waitForSelector(".monaco-workbench", { timeout: 60_000 });
    const explorer = page.locator(".explorer-folders-view .monaco-list-row").first();
    await explorer.waitFor({ timeout: 60_000 });
    const workbench = new Workbench(page);
    // The whole width is the editor's, for hovers that do not wrap.
    await workbench.until(
      "the side bar to close",
      async () => {
        if (await explorer.isVisible()) await page.keyboard.press("Control+B");
        await explorer.waitFor({ state: "hidden", timeout: 1_000 }).catch(() => undefined);
        return explorer.isVisible();
      },
      (visible) => !visible,
    );
    return workbench;
  }

  constructor(page) {
    this.page = page;
  }

  close() {
    return this.page.context().close();
  }

  /** Brings a file to the front: by its tab if it has one, else by name. */
  async openFile(name) {
    const anyTab = this.page.locator(`.tab[data-resource-name="${name}"]`).first();
    const tab = this.page.locator(`.tab.active[data-resource-name="${name}"]`);
    await this.until(
      `${name} to be open`,
      async () => {
        if (await anyTab.isVisible()) await anyTab.click({ timeout: 2_000 }).catch(() => undefined);
        if (await tab.isVisible()) return true;
        // Quick open finds nothing while the extension host starts anew, as it does when trust is given.
        await this.quickInput("Control+P", name);
        const row = this.page.locator(".quick-input-list .monaco-list-row", { hasText: name }).first();
        await row.waitFor({ timeout: 5_000 }).catch(() => undefined);
        await this.page.keyboard.press("Enter");
        await tab.waitFor({ timeout: 3_000 }).catch(() => undefined);
        return tab.isVisible();
      },
      (open) => open,
    );
    await (name.endsWith(".ipynb") ? this.page.locator(".notebook-editor .monaco-editor").first() : this.editor).waitFor();
  }

  async closeTab(title) {
    const tab = this.page.locator(".tab", { hasText: title });
    await tab.hover();
    await tab.locator(".codicon-close").click();
    await tab.waitFor({ state: "detached" });
  }

  /** Opens VS Code's input box and fills it; a box that the window closed again (it does while starting) is opened anew. */
  async quickInput(key, text) {
    const input = this.page.locator(".quick-input-widget input[type=text]");
    await this.until(
      "the input box",
      async () => {
        if (!(await input.isVisible())) await this.page.keyboard.press(key);
        await input.fill(text, { timeout: 2_000 }).catch(() => undefined);
        return (await input.isVisible()) ? input.inputValue() : "";
      },
      (value) => value === text,
    );
  }

  get editor() {
    return this.page.locator(".editor-group-container.active .editor-instance .monaco-editor");
  }

  /** Runs a command by its name in the command palette. */
  async command(title) {
    await this.quickInput("F1", `>${title}`);
    await this.page.locator(".quick-input-list .monaco-list-row", { hasText: title }).first().click();
  }

  /** The titles the command palette offers for a search. */
  async commandsFor(search) {
    await this.quickInput("F1", `>${search}`);
    const rows = this.page.locator(".quick-input-list .monaco-list-row", { hasText: search });
    await rows.first().waitFor();
    const titles = await rows.allInnerTexts();
    await this.page.keyboard.press("Escape");
    await this.page.locator(".quick-input-widget").waitFor({ state: "hidden" });
    return titles;
  }

  /** The visible text of the editor. Small files only: lines outside the window are not drawn. */
  text() {
    return this.page.evaluate(() => {
      const editor = document.querySelector(".editor-group-container.active .editor-instance .monaco-editor");
      const lines = [...(editor?.querySelectorAll(".view-lines > .view-line") ?? [])];
      lines.sort((one, other) => parseFloat(one.style.top) - parseFloat(other.style.top));
      return lines.map((line) => line.textContent.replaceAll("\u00a0", " ").replace(/[\u200b-\u200f]/g, "")).join("\n");
    });
  }

  /** The lines that carry a mark ("error", "warning", "info", "hint"), as [{kind, text}]. */
  squiggles() {
    return this.page.evaluate(() => {
      const editor = document.querySelector(".editor-group-container.active .editor-instance .monaco-editor");
      if (!editor) return [];
      const lines = [...editor.querySelectorAll(".view-lines > .view-line")];
      const found = [];
      for (const mark of editor.querySelectorAll(".view-overlays [class*='squiggly-']")) {
        const kind = /squiggly-(error|warning|info|hint)/.exec(mark.className)?.[1];
        const middle = mark.getBoundingClientRect().top + mark.getBoundingClientRect().height / 2;
        const line = lines.find((item) => {
          const box = item.getBoundingClientRect();
          return box.top <= middle && middle < box.bottom;
        });
        found.push({ kind, text: (line?.textContent ?? "").replaceAll("\u00a0", " ").trim() });
      }
      return found;
    });
  }

  codeLenses() {
    return this.page.locator(".editor-group-container.active .codelens-decoration").allInnerTexts();
  }

  /** Waits until the marks satisfy `accept`, and returns them. */
  async waitForSquiggles(what, accept, timeout = WAIT_MS) {
    return this.until(`squiggles: ${what}`, () => this.squiggles(), accept, timeout);
  }

  async waitForText(what, accept, timeout = WAIT_MS) {
    return this.until(`text: ${what}`, () => this.text(), accept, timeout);
  }

  /** The lines of the Problems panel, which is opened if need be. */
  async showProblems() {
    if (await this.page.locator(".markers-panel").isVisible()) return;
    await this.page.keyboard.press("Control+Shift+M");
    await this.page.waitForSelector(".markers-panel");
  }

  problems() {
    return this.page.locator(".markers-panel .monaco-list-row").allInnerTexts();
  }

  async waitForProblem(what, accept, timeout = WAIT_MS) {
    await this.showProblems();
    return this.until(`problems: ${what}`, () => this.problems(), (rows) => rows.some(accept), timeout);
  }

  /** The middle of the first occurrence of `token` on the first line that contains `line`, in pixels. */
  async locate(line, token) {
    const point = await this.page.evaluate(
      ([lineText, tokenText]) => {
        const editor = document.querySelector(".editor-group-container.active .editor-instance .monaco-editor");
        for (const view of editor?.querySelectorAll(".view-lines > .view-line") ?? []) {
          const text = view.textContent.replaceAll("\u00a0", " ");
          const start = text.indexOf(lineText) < 0 ? -1 : text.indexOf(tokenText);
          if (start < 0) continue;
          const walker = document.createTreeWalker(view, NodeFilter.SHOW_TEXT);
          let seen = 0;
          for (let node = walker.nextNode(); node; node = walker.nextNode()) {
            if (start < seen + node.length) {
              const range = document.createRange();
              range.setStart(node, start - seen);
              range.setEnd(node, Math.min(node.length, start - seen + tokenText.length));
              const box = range.getBoundingClientRect();
              return { x: box.left + box.width / 2, y: box.top + box.height / 2 };
            }
            seen += node.length;
          }
        }
        return null;
      },
      [line, token],
    );
    if (!point) throw new Error(`\`${token}\` on a line with \`${line}\` is not in the editor:\n${await this.text()}`);
    return point;
  }

  async click(line, token) {
    const { x, y } = await this.locate(line, token);
    await this.page.mouse.click(x, y);
  }

  /** Hovers a token and returns the hover's text once it satisfies `accept`. */
  async hover(line, token, what, accept) {
    const { x, y } = await this.locate(line, token);
    const hover = this.page.locator(".monaco-hover:not(.hidden) .monaco-hover-content").first();
    return this.until(
      `hover: ${what}`,
      async () => {
        if (!(await hover.isVisible())) {
          await this.page.mouse.move(x + 150, y + 120);
          await this.page.mouse.move(x, y, { steps: 4 });
          await hover.waitFor({ timeout: 3_000 }).catch(() => undefined);
        }
        return (await hover.isVisible()) ? (await hover.innerText()).replaceAll("\u00a0", " ") : "";
      },
      accept,
    );
  }

  /** With the mouse, as Escape would also put notifications away. */
  async closeHover() {
    await this.page.mouse.move(640, 5);
    await this.page.locator(".monaco-hover:not(.hidden) .monaco-hover-content").first().waitFor({ state: "hidden" });
  }

  /** Opens the light bulb's menu at a token and returns its entries. */
  async lightBulb(line, token) {
    await this.click(line, token);
    const rows = this.page.locator(".action-widget .monaco-list-row.action");
    await this.until(
      "the light bulb's menu",
      async () => {
        if (!(await rows.first().isVisible())) {
          await this.page.keyboard.press("Control+.");
          await rows.first().waitFor({ timeout: 3_000 }).catch(() => undefined);
        }
        return rows.count();
      },
      (count) => count > 0,
    );
    return (await rows.allInnerTexts()).map((text) => text.trim());
  }

  /** Chooses an entry of the open menu with the keyboard: the menu ignores the mouse for its first moments. */
  async choose(title) {
    const focused = this.page.locator(".action-widget .monaco-list-row.action.focused");
    await this.until(
      `the entry ${title} to have the focus`,
      async () => {
        const text = (await focused.count()) > 0 ? await focused.first().innerText() : "";
        if (!text.includes(title)) await this.page.keyboard.press("ArrowDown");
        return text;
      },
      (text) => text.includes(title),
    );
    await this.page.keyboard.press("Enter");
    await this.page.locator(".action-widget").waitFor({ state: "hidden" });
  }

  async closeMenu() {
    await this.page.keyboard.press("Escape");
    await this.page.locator(".action-widget").waitFor({ state: "hidden" });
  }

  notifications() {
    return this.page.locator(".notifications-toasts .notification-list-item-message").allInnerTexts();
  }

  async waitForNotification(what, accept, timeout = WAIT_MS) {
    const rows = await this.until(`notification: ${what}`, () => this.notifications(), (all) => all.some(accept), timeout);
    return rows.find(accept);
  }

  async pressInNotification(button) {
    await this.page.locator(".notifications-toasts .monaco-button", { hasText: button }).first().click();
  }

  async clearNotifications() {
    await this.command("Notifications: Clear All Notifications");
    await this.page.locator(".notifications-toasts .notification-list-item").first().waitFor({ state: "detached" });
  }

  /** The document inside the report's webview. */
  async report() {
    const inner = this.page.frameLocator("iframe.webview").first().frameLocator("#active-frame");
    await inner.locator("h1").waitFor();
    return inner;
  }

  async screenshot(folder, name, clip) {
    fs.mkdirSync(folder, { recursive: true });
    await this.page.screenshot({ path: path.join(folder, `${name}.png`), animations: "disabled", ...(clip ? { clip } : {}) });
  }

  /** Asks again at each drawn frame until the answer is acceptable; says what was last seen when time is up. */
  async until(what, ask, accept, timeout = WAIT_MS) {
    const end = Date.now() + timeout;
    let seen;
    do {
      seen = await ask();
      if (accept(seen)) return seen;
      await this.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 50))));
    } while (Date.now() < end);
    throw new Error(`waited ${timeout / 1000} s for ${what}; last seen: ${JSON.stringify(seen)}`);
  }
}
