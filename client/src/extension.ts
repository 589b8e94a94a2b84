/** Wires the parts together; each does its work in its own file. */
import * as vscode from "vscode";
import { registerCommands } from "./commands";
import { createLogs, reasonOf } from "./log";
import { watchSelection } from "./python";
import { Server } from "./server";
import { needsRestart } from "./settings";
import { Status } from "./status";

let server: Server | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const logs = createLogs();
  const status = new Status();
  const current = new Server(context.extension, status, logs);
  server = current;
  const guard = (work: Promise<unknown>) => void work.catch((error: unknown) => logs.client.error(reasonOf(error)));
  context.subscriptions.push(
    logs,
    status,
    current,
    registerCommands(context.extension, current, status, logs),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (needsRestart(event)) current.restartSoon();
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(() => guard(current.reconsider())),
  );
  guard(
    watchSelection(logs.client, () => guard(current.reconsider())).then((watch) => context.subscriptions.push(watch)),
  );
  await current.restart();
}

export async function deactivate(): Promise<void> {
  await server?.stop();
}
