/** The language server's process: how it is started, stopped and restarted, and what it is told. */
import * as fs from "node:fs";
import * as path from "node:path";
import { isDeepStrictEqual } from "node:util";
import * as vscode from "vscode";
import {
  CloseAction,
  DidChangeConfigurationNotification,
  ErrorAction,
  LanguageClient,
  RevealOutputChannelOn,
  State,
  type LanguageClientOptions,
} from "vscode-languageclient/node";
import { type Logs, reasonOf } from "./log";
import { findInterpreter } from "./python";
import { Restarter } from "./restarter";
import { clientSettings, serverSettings, type ServerSettings } from "./settings";
import type { Status } from "./status";
import { withoutChecks } from "./trust";

/** How the server is to be started, or why not. */
export type Resolution =
  | { readonly kind: "executable"; readonly command: string; readonly args: readonly string[] }
  | {
      readonly kind: "python";
      readonly command: string;
      readonly args: readonly string[];
      readonly version: string;
      readonly source: string;
      readonly selected: string;
    }
  | { readonly kind: "disabled" }
  | { readonly kind: "missing"; readonly reason: string };

const RESTART_QUIET_MS = 400;
const STOP_MS = 5_000;
/** A server that died this often within three minutes is left alone until a restart is asked for. */
const MAX_CRASHES = 4;
const CRASH_WINDOW_MS = 180_000;

export class Server implements vscode.Disposable {
  resolution: Resolution = { kind: "disabled" };
  private running: LanguageClient | undefined;
  private crashes: number[] = [];
  /** Whether the current client has been up once: a server that ends before that would end again. */
  private wasUp = false;
  private told = new Set<string>();
  private readonly restarter = new Restarter(() => this.startAnew(), RESTART_QUIET_MS);

  constructor(
    private readonly extension: vscode.Extension<unknown>,
    private readonly status: Status,
    private readonly logs: Logs,
  ) {}

  /** The client, while the server runs. */
  get client(): LanguageClient | undefined {
    return this.running?.state === State.Running ? this.running : undefined;
  }

  settings(scope?: vscode.Uri): ServerSettings {
    const selected = this.resolution.kind === "python" ? this.resolution.selected : undefined;
    return serverSettings(this.extension, scope, selected);
  }

  /** Starts the server, or stops and starts it. Resolves when it runs or has failed; never rejects. */
  restart(): Promise<void> {
    this.crashes = [];
    this.told.clear();
    return this.restarter.request();
  }

  restartSoon(): void {
    this.restarter.requestSoon();
  }

  /** Restarts only if another interpreter or executable would be used now; else tells the settings anew. */
  async reconsider(): Promise<void> {
    const next = await this.resolve();
    if (!isDeepStrictEqual(next, this.resolution)) this.restartSoon();
    else await this.sendSettings();
  }

  async sendSettings(): Promise<void> {
    const client = this.client;
    if (!client) return;
    this.showRunning(client);
    await client.sendNotification(DidChangeConfigurationNotification.type, { settings: { gradsight: this.settings() } });
  }

  async stop(): Promise<void> {
    await this.restarter.dispose();
    await this.stopClient();
  }

  dispose(): void {
    void this.stop();
  }

  private async startAnew(): Promise<void> {
    await this.stopClient();
    this.status.show({ kind: "starting" });
    this.resolution = await this.resolve();
    if (this.resolution.kind === "disabled") {
      this.status.show({ kind: "off", why: "gradsight.enable is false" });
      return;
    }
    if (this.resolution.kind === "missing") {
      this.fail(this.resolution.reason);
      return;
    }
    const { command, args } = this.resolution;
    this.logs.client.info(`Starting ${[command, ...args].join(" ")}`);
    const cwd = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath;
    const options = { env: process.env, ...(cwd && fs.existsSync(cwd) ? { cwd } : {}) };
    // The transport is left out on purpose: plain stdio, without a `--stdio` argument.
    const client = new LanguageClient("gradsight", "Gradsight", { command, args: [...args], options }, this.clientOptions());
    this.running = client;
    this.wasUp = false;
    client.onDidChangeState(({ newState }) => {
      if (newState === State.Running) this.showRunning(client);
      if (newState === State.Starting) this.status.show({ kind: "starting" });
    });
    try {
      await client.start();
      this.wasUp = true;
    } catch (error) {
      this.logs.client.error(`The server did not start: ${reasonOf(error)}`);
      this.fail("the server did not start; its log says why.", "server");
    }
  }

  private async stopClient(): Promise<void> {
    const client = this.running;
    this.running = undefined;
    if (!client?.needsStop()) return;
    try {
      await client.dispose(STOP_MS);
    } catch (error) {
      this.logs.client.warn(`The server did not stop in order: ${reasonOf(error)}`);
    }
  }

  private async resolve(): Promise<Resolution> {
    const settings = clientSettings();
    if (!settings.enable) return { kind: "disabled" };
    if (settings.path) {
      if (path.isAbsolute(settings.path) && !fs.existsSync(settings.path)) {
        return { kind: "missing", reason: `gradsight.path names ${settings.path}, which does not exist.` };
      }
      return { kind: "executable", command: settings.path, args: ["server"] };
    }
    const interpreter = await findInterpreter(settings.interpreter, this.logs.client);
    if (interpreter.kind === "missing") return interpreter;
    // Isolated mode keeps the user's PYTHONPATH and user site out of the bundled server; with `fromEnvironment` they
    // may be where the environment's own gradsight is.
    const flags = settings.importStrategy === "useBundled" ? ["-I", "-X", "utf8"] : ["-X", "utf8"];
    const start = path.join(this.extension.extensionPath, "bundled", "start.py");
    return {
      kind: "python",
      command: interpreter.path,
      args: [...flags, start, settings.importStrategy],
      version: interpreter.version,
      source: interpreter.source,
      selected: interpreter.selected,
    };
  }

  private clientOptions(): LanguageClientOptions {
    return {
      documentSelector: ["file", "untitled", "vscode-notebook-cell"].map((scheme) => ({ scheme, language: "python" })),
      outputChannel: this.logs.server,
      traceOutputChannel: this.logs.server,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      progressOnInitialization: false,
      // With `clientCommands` actions and lenses name this extension's commands, which refuse without trust.
      initializationOptions: { trusted: vscode.workspace.isTrusted, settings: this.settings(), clientCommands: true },
      initializationFailedHandler: () => false,
      errorHandler: {
        error: (error) => {
          this.logs.client.error(`Connection to the server: ${error.message}`);
          return { action: ErrorAction.Continue, handled: true };
        },
        closed: () => this.onClosed(),
      },
      middleware: {
        provideCodeActions: async (document, range, context, token, next) => withoutChecks(await next(document, range, context, token)),
        provideCodeLenses: async (document, token, next) => withoutChecks(await next(document, token)),
        workspace: {
          // The plain settings know nothing of trust or of the selected interpreter.
          didChangeConfiguration: () => this.sendSettings(),
          configuration: async (params, token, next) => {
            const answer: unknown = await next(params, token);
            if (!Array.isArray(answer)) return [];
            return params.items.map((item, index): unknown =>
              item.section === "gradsight" ? this.settings(item.scopeUri ? vscode.Uri.parse(item.scopeUri) : undefined) : (answer[index] as unknown),
            );
          },
        },
      },
    };
  }

  private onClosed(): { action: CloseAction; handled: true } {
    if (!this.wasUp) return { action: CloseAction.DoNotRestart, handled: true };
    const now = Date.now();
    this.crashes = [...this.crashes.filter((time) => now - time < CRASH_WINDOW_MS), now];
    if (this.crashes.length >= MAX_CRASHES) {
      this.fail(`the server ended unexpectedly ${this.crashes.length} times; its log may say why.`, "server");
      return { action: CloseAction.DoNotRestart, handled: true };
    }
    this.logs.client.warn("The server ended unexpectedly and is started again.");
    return { action: CloseAction.Restart, handled: true };
  }

  private showRunning(client: LanguageClient): void {
    const info = client.initializeResult?.serverInfo;
    const resolution = this.resolution;
    const python = resolution.kind === "python" ? ` on Python ${resolution.version}` : "";
    const server = `${info?.name ?? "gradsight"} ${info?.version ?? ""}${python}`;
    if (this.status.state.kind !== "running") this.logs.client.info(`Running: ${server}`);
    this.status.show({ kind: "running", server, restricted: !vscode.workspace.isTrusted });
  }

  /** Status, log, and one notification for the same reason until a restart is asked for. */
  private fail(reason: string, log: "client" | "server" = "client"): void {
    this.status.show({ kind: "failed", why: reason });
    this.logs.client.error(reason);
    if (this.told.has(reason)) return;
    this.told.add(reason);
    const sentence = reason.startsWith("Gradsight") ? reason : `Gradsight: ${reason}`;
    void vscode.window.showErrorMessage(sentence, "Show Logs", "Open Settings").then((choice) => {
      if (choice === "Show Logs") this.logs[log].show();
      if (choice === "Open Settings") void vscode.commands.executeCommand("workbench.action.openSettings", "gradsight.interpreter");
    });
  }
}
