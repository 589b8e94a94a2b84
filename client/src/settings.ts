/**
 * Settings. Names, types and defaults live in package.json alone; this reads all of them from there, so that nothing
 * has to be repeated here or in what the server is sent.
 */
import * as os from "node:os";
import * as path from "node:path";
import * as vscode from "vscode";

const SECTION = "gradsight";

/** Changing one of these needs a new server process; all others are sent to the running one. */
const NEEDS_RESTART = ["enable", "interpreter", "importStrategy", "path"].map((name) => `${SECTION}.${name}`);

/** The settings that the client itself acts on. */
export interface ClientSettings {
  readonly enable: boolean;
  readonly interpreter: string;
  readonly importStrategy: "useBundled" | "fromEnvironment";
  readonly path: string;
}

/** The `gradsight` object the server gets: every setting, nested by its dots, and whether code may be run. */
export type ServerSettings = { trusted: boolean } & { [name: string]: unknown };

export function clientSettings(): ClientSettings {
  const scope = vscode.workspace.workspaceFolders?.[0]?.uri;
  const config = vscode.workspace.getConfiguration(SECTION, scope);
  const folder = scope?.fsPath;
  return {
    enable: config.get("enable", true),
    interpreter: expandPath(config.get("interpreter", ""), folder),
    importStrategy: config.get("importStrategy", "useBundled"),
    path: expandPath(config.get("path", ""), folder),
  };
}

/**
 * @param extension whose package.json declares the settings
 * @param scope the resource the settings are for; folders of one workspace may differ
 * @param python the interpreter selected in the editor: what the check uses when no other is set
 */
export function serverSettings(extension: vscode.Extension<unknown>, scope?: vscode.Uri, python?: string): ServerSettings {
  const folder =
    (scope && vscode.workspace.getWorkspaceFolder(scope)?.uri.fsPath) ?? vscode.workspace.workspaceFolders?.[0]?.uri.fsPath;
  const config = vscode.workspace.getConfiguration(SECTION, scope ?? null);
  const result: ServerSettings = { trusted: vscode.workspace.isTrusted };
  for (const name of declaredNames(extension)) {
    setNested(result, name, config.get(name));
  }
  const verify = result["verify"] as { python?: string };
  verify.python = expandPath(verify.python ?? "", folder) || (python ?? "");
  return result;
}

/** Whether a change needs a new server; all others are told to the running one. */
export function needsRestart(event: vscode.ConfigurationChangeEvent): boolean {
  return NEEDS_RESTART.some((name) => event.affectsConfiguration(name));
}

function declaredNames(extension: vscode.Extension<unknown>): string[] {
  const manifest = extension.packageJSON as { contributes: { configuration: { properties: Record<string, unknown> } } };
  return Object.keys(manifest.contributes.configuration.properties).map((key) => key.slice(SECTION.length + 1));
}

function setNested(target: Record<string, unknown>, dotted: string, value: unknown): void {
  const parts = dotted.split(".");
  const last = parts.pop() ?? dotted;
  for (const part of parts) target = (target[part] ??= {}) as Record<string, unknown>;
  target[last] = value;
}

/** `~`, `${workspaceFolder}`, `${userHome}`, `${env:NAME}` replaced; a path with a slash made absolute. */
function expandPath(value: string, folder: string | undefined): string {
  let text = value.trim();
  if (text === "~" || text.startsWith("~/")) text = os.homedir() + text.slice(1);
  text = text
    .replaceAll("${userHome}", os.homedir())
    .replaceAll("${workspaceFolder}", folder ?? "")
    .replace(/\$\{env:([^}]+)\}/g, (_match, name: string) => process.env[name] ?? "");
  if (text.includes("/") || text.includes("\\")) {
    return path.isAbsolute(text) || !folder ? text : path.join(folder, text);
  }
  return text;
}
