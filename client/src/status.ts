/** The one language status item: what the server is doing, in the status bar's `{}` menu. */
import * as vscode from "vscode";

export type State =
  | { readonly kind: "off"; readonly why: string }
  | { readonly kind: "starting" }
  | { readonly kind: "running"; readonly server: string; readonly restricted: boolean }
  | { readonly kind: "failed"; readonly why: string };

export class Status implements vscode.Disposable {
  private readonly item: vscode.LanguageStatusItem;
  private current: State = { kind: "starting" };

  constructor() {
    this.item = vscode.languages.createLanguageStatusItem("gradsight.status", [
      { language: "python" },
      { notebookType: "jupyter-notebook" },
    ]);
    this.item.name = "Gradsight";
    this.show({ kind: "starting" });
  }

  get state(): State {
    return this.current;
  }

  show(state: State): void {
    this.current = state;
    this.item.busy = state.kind === "starting";
    this.item.severity = vscode.LanguageStatusSeverity.Information;
    this.item.command = { title: "Show Logs", command: "gradsight.showLogs" };
    switch (state.kind) {
      case "off":
        this.item.text = "Gradsight: off";
        this.item.detail = state.why;
        break;
      case "starting":
        this.item.text = "Gradsight: starting";
        this.item.detail = "";
        break;
      case "running":
        this.item.text = state.restricted ? "Gradsight (restricted)" : "Gradsight";
        this.item.detail = state.restricted ? "the check is off until the workspace is trusted" : state.server;
        if (state.restricted) this.item.command = { title: "Manage Trust", command: "workbench.trust.manage" };
        break;
      case "failed":
        this.item.text = "Gradsight: not running";
        this.item.detail = state.why;
        this.item.severity = vscode.LanguageStatusSeverity.Error;
        break;
    }
  }

  dispose(): void {
    this.item.dispose();
  }
}
