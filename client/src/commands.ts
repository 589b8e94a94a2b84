/** The commands. Checks are asked of the server and never start in an untrusted workspace. */
import { randomBytes } from "node:crypto";
import * as os from "node:os";
import * as vscode from "vscode";
import { ExecuteCommandRequest } from "vscode-languageclient/node";
import { type Logs, reasonOf } from "./log";
import { withServerProgress } from "./progress";
import { isReport, renderReport, summaryOf, type Report } from "./report";
import type { Server } from "./server";
import type { Status } from "./status";
import { mayRunCode } from "./trust";

/** What a code action or code lens passes: a file, and one finding in it by its 1-based line and rule. */
interface Target {
  readonly uri: string;
  readonly line?: number;
  readonly rule?: string;
}

interface LastReport {
  readonly report: Report;
  readonly uri: vscode.Uri;
  readonly lines: readonly string[];
}

export function registerCommands(
  extension: vscode.Extension<unknown>,
  server: Server,
  status: Status,
  logs: Logs,
): vscode.Disposable {
  let last: LastReport | undefined;
  let panel: vscode.WebviewPanel | undefined;

  const run = async (title: string, serverCommand: string, argument: unknown): Promise<Report | undefined> => {
    if (!mayRunCode()) return undefined;
    const target = isTarget(argument) ? argument : targetInEditor();
    if (!target) {
      void vscode.window.showWarningMessage("Open a Python file to run the gradient check on.");
      return undefined;
    }
    const client = server.client;
    if (!client) {
      void vscode.window.showErrorMessage("The gradient check needs Gradsight's server, which is not running.", "Show Logs").then(
        (choice) => choice && logs.client.show(),
      );
      return undefined;
    }
    const uri = vscode.Uri.parse(target.uri, true);
    const lines = (await vscode.workspace.openTextDocument(uri)).getText().split(/\r?\n/);
    try {
      const answer: unknown = await withServerProgress(client, title, (workDoneToken) =>
        client.sendRequest(ExecuteCommandRequest.type, { command: serverCommand, arguments: [target], workDoneToken }),
      );
      if (!isReport(answer)) {
        // Refused or cancelled: the server has said so where it needs saying.
        logs.client.info(`${serverCommand} ended without a report: ${JSON.stringify(answer)}`);
        return undefined;
      }
      last = { report: answer, uri, lines };
      if (panel) showReport();
      void vscode.window.showInformationMessage(summaryOf(answer), "Show Report").then((choice) => choice && showReport());
      return answer;
    } catch (error) {
      logs.client.error(`${serverCommand}: ${reasonOf(error)}`);
      void vscode.window.showErrorMessage(`The gradient check could not be run: ${reasonOf(error)}`);
      return undefined;
    }
  };

  const showReport = (): void => {
    if (!last) {
      void vscode.window.showInformationMessage("No gradient check has been run yet.");
      return;
    }
    if (!panel) {
      panel = vscode.window.createWebviewPanel(
        "gradsight.report",
        "Gradient check",
        { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true },
        { enableScripts: false, enableCommandUris: ["vscode.open"], localResourceRoots: [] },
      );
      panel.onDidDispose(() => (panel = undefined));
    }
    const { report, uri, lines } = last;
    const link = (line: number, cell?: string) => {
      const position = { line: line - 1, character: 0 };
      const options = { selection: { start: position, end: position }, viewColumn: vscode.ViewColumn.One };
      return `command:vscode.open?${encodeURIComponent(JSON.stringify([cell ?? uri.toString(), options]))}`;
    };
    panel.webview.html = renderReport(report, lines, link, randomBytes(16).toString("hex"));
  };

  const debugInformation = async (): Promise<void> => {
    const facts = {
      extension: (extension.packageJSON as { version: string }).version,
      editor: `${vscode.env.appName} ${vscode.version}`,
      platform: `${os.platform()} ${os.release()} ${os.arch()}`,
      remote: vscode.env.remoteName ?? "no",
      trusted: vscode.workspace.isTrusted,
      status: status.state,
      server: server.resolution,
      settings: server.settings(),
    };
    const document = await vscode.workspace.openTextDocument({ language: "json", content: JSON.stringify(facts, null, 2) });
    await vscode.window.showTextDocument(document);
  };

  const register = vscode.commands.registerCommand;
  return vscode.Disposable.from(
    register("gradsight.verify", (argument: unknown) => run("Gradient check", "gradsight.server.verify", argument)),
    register("gradsight.verifyFix", (argument: unknown) => run("Fix and verify", "gradsight.server.verifyFix", argument)),
    register("gradsight.showReport", showReport),
    register("gradsight.restart", () => server.restart()),
    register("gradsight.showLogs", () => logs.client.show()),
    register("gradsight.showServerLogs", () => logs.server.show()),
    register("gradsight.debugInformation", debugInformation),
    { dispose: () => panel?.dispose() },
  );
}

function isTarget(value: unknown): value is Target {
  return typeof value === "object" && value !== null && typeof (value as Partial<Target>).uri === "string";
}

/** From the command palette: the finding on the cursor's line, else the whole file. */
function targetInEditor(): Target | undefined {
  const editor = vscode.window.activeTextEditor;
  if (!editor || editor.document.languageId !== "python") return undefined;
  const uri = editor.document.uri;
  const line = editor.selection.active.line;
  const here = vscode.languages.getDiagnostics(uri).find((item) => item.source === "gradsight" && item.range.start.line === line);
  return here ? { uri: uri.toString(), line: line + 1 } : { uri: uri.toString() };
}
