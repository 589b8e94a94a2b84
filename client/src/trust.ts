/**
 * Workspace trust. The analysis never runs the user's code, so it works everywhere; the gradient check does run it, so
 * it is refused in an untrusted workspace, here and again in the server, which is told with the settings.
 */
import * as vscode from "vscode";

export const REFUSAL = "The gradient check runs your code, so it is off until you trust this workspace.";

const CHECK_COMMANDS: ReadonlySet<string> = new Set(["gradsight.verify", "gradsight.verifyFix"]);

/** Whether user code may run. When it may not, says so in one sentence. */
export function mayRunCode(): boolean {
  if (vscode.workspace.isTrusted) return true;
  void vscode.window.showWarningMessage(REFUSAL, "Manage Workspace Trust").then((choice) => {
    if (choice) void vscode.commands.executeCommand("workbench.trust.manage");
  });
  return false;
}

/** Leaves out what would start a check, in an untrusted workspace. */
export function withoutChecks<T extends vscode.Command | vscode.CodeAction | vscode.CodeLens>(
  items: T[] | null | undefined,
): T[] | null | undefined {
  if (vscode.workspace.isTrusted || !items) return items;
  return items.filter((item) => {
    const command = typeof item.command === "string" ? item.command : item.command?.command;
    return command === undefined || !CHECK_COMMANDS.has(command);
  });
}
