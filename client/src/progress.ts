/** Progress of a check: a notification with a cancel button, fed by the server over a token of the client's. */
import { randomUUID } from "node:crypto";
import * as vscode from "vscode";
import {
  type LanguageClient,
  type ProgressToken,
  WorkDoneProgress,
  WorkDoneProgressCancelNotification,
} from "vscode-languageclient/node";

/**
 * Shows progress while `work` runs. Progress that a server opens by itself ends up in the status bar without a cancel
 * button, so the token is made here. Cancelling asks the server to stop; `work` still brings its answer.
 */
export function withServerProgress<T>(
  client: LanguageClient,
  title: string,
  work: (token: ProgressToken) => Promise<T>,
): Thenable<T> {
  const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
  return vscode.window.withProgress(options, async (progress, cancellation) => {
    const token = randomUUID();
    const reports = client.onProgress(WorkDoneProgress.type, token, (value) => {
      if (value.message) progress.report({ message: value.message });
    });
    const cancelled = cancellation.onCancellationRequested(() => {
      progress.report({ message: "cancelling" });
      void client.sendNotification(WorkDoneProgressCancelNotification.type, { token });
    });
    try {
      return await work(token);
    } finally {
      reports.dispose();
      cancelled.dispose();
    }
  });
}
