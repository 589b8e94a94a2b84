/** The two log channels: what the extension does, and what the server writes (its trace goes there too). */
import * as vscode from "vscode";

export interface Logs extends vscode.Disposable {
  readonly client: vscode.LogOutputChannel;
  readonly server: vscode.LogOutputChannel;
}

export function createLogs(): Logs {
  const client = vscode.window.createOutputChannel("Gradsight", { log: true });
  const server = vscode.window.createOutputChannel("Gradsight Language Server", { log: true });
  return {
    client,
    server,
    dispose: () => {
      client.dispose();
      server.dispose();
    },
  };
}

/** One sentence from whatever was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
